//! What a source offers: a credential, or a way to get one when it is needed.

use super::login::LoginFile;
use super::{Callback, Credential, KeyCommand};

/// What the chain found. Getting a credential out of one that is not ready may take time, so it
/// waits for the first call.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    Ready(Credential),
    Callback(Callback),
    Command(KeyCommand),
    /// The account in the system keyring.
    Keyring(String),
    Login(LoginFile),
}

impl Provider {
    /// The credential, if it is there already.
    pub(crate) fn ready(&self) -> Option<&Credential> {
        match self {
            Provider::Ready(credential) => Some(credential),
            _ => None,
        }
    }

    /// Whether asking again may bring another credential.
    pub(crate) fn renews(&self) -> bool {
        !matches!(self, Provider::Ready(_))
    }
}
