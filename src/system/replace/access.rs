//! The access that a new file grants.

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only its owner.
    Secret,
    /// The readers of the file that it replaces; without one, the readers of any new file in the
    /// folder.
    Plain,
}
