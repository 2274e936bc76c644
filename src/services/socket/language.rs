//! The protocols that a session can speak.

/// What the two sides speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// fal's realtime protocol (docs/protocol.md §7.3).
    Realtime,
    /// The app's own (§7.6).
    Raw,
}
