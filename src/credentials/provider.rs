//! What a source provides: a credential, or a way to get one.

use super::callback::Callback;
use super::command::KeyCommand;
use super::credential::Credential;
use super::login::LoginFile;
use crate::key::Key;

/// A credential, or a way to get one. Getting one may take time or ask the user, so it happens at
/// the first call.
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
    /// Returns the credential if no other step is needed to get it.
    pub(crate) fn ready(&self) -> Option<&Credential> {
        match self {
            Provider::Ready(credential) => Some(credential),
            _ => None,
        }
    }

    /// Returns the key, if no other step is needed to get it.
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Provider::Ready(Credential::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Returns whether the provider may deliver another credential later.
    pub(crate) fn renews(&self) -> bool {
        !matches!(self, Provider::Ready(_))
    }
}
