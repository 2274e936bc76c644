//! What a refused request was about.

/// What a refused request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalReason {
    /// No credential arrived.
    NoKey,
    /// A key that fal does not know.
    WrongKey,
    /// Something that has not the form of a key.
    MalformedKey,
    /// `Bearer` with something that is no login token, such as a key.
    WrongScheme,
    /// The application: it does not exist, or is hidden.
    App,
    /// A path of an application that exists.
    Path,
    /// A failure of the application.
    Failure,
    /// A well-formed key that fal does not know, or not yet.
    UnknownKey,
    /// Something of the app's own: no business of the credential's.
    AppsOwn,
    /// This machine, by something in front of fal.
    Edge,
}

impl RefusalReason {
    /// Whether it is about the credential, so that only fal can say it.
    pub(crate) fn is_of_credential(self) -> bool {
        matches!(
            self,
            RefusalReason::NoKey
                | RefusalReason::WrongKey
                | RefusalReason::UnknownKey
                | RefusalReason::MalformedKey
                | RefusalReason::WrongScheme
        )
    }
}
