//! The protocol of a session.

/// The protocol that carries the messages of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// fal's realtime protocol (docs/protocol.md §7.3).
    Realtime,
    /// The protocol of the app (docs/protocol.md §7.6). libfal passes messages through.
    Raw,
}
