/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner.
    Secret,
    /// As many as could read the one before it, or whoever may read a new file there.
    Plain,
}
