//! Why the service refused a request.

/// The reason of a refusal, as far as the response states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalReason {
    /// No credential arrived.
    NoKey,
    /// fal does not know the key.
    WrongKey,
    /// The credential does not have the form of a key.
    MalformedKey,
    /// `Bearer` carries something other than a login token, such as a key.
    WrongScheme,
    /// The app does not exist, or is hidden from this key.
    App,
    /// The app exists, but not this path of it.
    Path,
    /// The app failed.
    Failure,
    /// The key is well-formed, but fal does not know it, or not yet.
    UnknownKey,
    /// The app refused the request for a reason of its own, which is not the credential.
    AppsOwn,
    /// Something in front of fal refused this machine.
    Edge,
}

impl RefusalReason {
    /// Whether the credential is the reason. Only fal can refuse a credential.
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
