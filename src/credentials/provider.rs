//! What a source offers: a credential, or a way to get one when it is needed.

use super::callback::Callback;
use super::command::KeyCommand;
use super::credential::Credential;
use super::login::LoginFile;

/// What the chain found. Getting a credential out of one that is not ready may take time, so it
/// waits for the first call.
#[derive(Clone, Debug)]
pub(crate) enum Provider {
    Ready(Credential),
    Callback(Callback),
    /// The secret store of a notebook, which may have no key.
    Notebook(Callback),
    Command(KeyCommand),
    /// This account in the system keyring, which may have no key.
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
