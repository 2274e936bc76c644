//! The caller's choice of a credential.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::callback::Callback;
use super::file;
use super::printable::printable_name;
use super::provider::Provider;
use super::report::Resolution;

/// The caller's choice of a credential. By default, the environment decides.
///
/// `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Options {
    pub(super) key: Option<Zeroizing<String>>,
    pub(super) token: Option<Zeroizing<String>>,
    pub(super) profile: Option<String>,
    pub(super) callback: Option<Callback>,
    pub(super) keyring: KeyringUse,
    pub(super) notebook: Option<Notebook>,
    pub(super) anonymous: bool,
    pub(super) config_path: Option<PathBuf>,
}

/// Whether the system keyring is a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyringUse {
    /// Only if `FAL_KEYRING` is 1.
    #[default]
    IfAsked,
    On,
    Off,
    /// It was read, and has no key for this account.
    Empty,
}

/// The secret store of a notebook.
#[derive(Clone, Debug)]
pub(super) enum Notebook {
    /// The function that reads the secret.
    Ask(Callback),
    /// It has no key, for this reason.
    Empty(String),
}

impl Options {
    /// Returns the default: the environment decides.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this key, `<key id>:<key secret>`. [`resolve`](super::resolve) checks it. An empty text
    /// is an error, although an empty variable is not.
    pub fn key(mut self, text: impl Into<String>) -> Self {
        self.key = Some(Zeroizing::new(text.into()));
        self
    }

    /// Uses this short-lived token, which authorizes requests to some apps on the run host only.
    pub fn app_token(mut self, text: impl Into<String>) -> Self {
        self.token = Some(Zeroizing::new(text.into()));
        self
    }

    /// Calls this function when a credential is needed, and again after the credential has expired
    /// or fal has refused it.
    pub fn callback(mut self, callback: Callback) -> Self {
        self.callback = Some(callback);
        self
    }

    /// Sets the function that reads the secret store of the notebook in which the program runs. It
    /// is called if the sources before `Colab` have no credential. If it answers
    /// [`absent`](super::Answer::absent), the source `login` is next.
    pub fn notebook(mut self, secrets: Callback) -> Self {
        self.notebook = Some(Notebook::Ask(secrets));
        self
    }

    /// Returns these options without the source that `asked` selected, which turned out to have no
    /// key. Returns `None` unless that source is the keyring or a notebook: only these can be
    /// empty.
    pub(crate) fn without_empty(&self, asked: &Resolution, reason: &str) -> Option<Self> {
        let mut options = self.clone();
        match asked.provider()? {
            Provider::Notebook(_) => options.notebook = Some(Notebook::Empty(reason.to_owned())),
            Provider::Keyring(_) => options.keyring = KeyringUse::Empty,
            _ => return None,
        }
        Some(options)
    }

    /// Uses the key of this profile in the configuration file. If the profile has no key and the
    /// system keyring is enabled, uses the key of this name in the keyring.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Sets whether to read the system keyring, which may ask the user to unlock it. By default it
    /// is read if `FAL_KEYRING` is 1.
    pub fn keyring(mut self, keyring: bool) -> Self {
        self.keyring = if keyring {
            KeyringUse::On
        } else {
            KeyringUse::Off
        };
        self
    }

    /// Sets whether to send requests without a credential. It is an error to pass a key, a token, a
    /// profile or a callback as well.
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Reads this configuration file instead of `FAL_CONFIG_PATH` or `~/.fal/config.toml`.
    pub fn config_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_path = Some(path.into());
        self
    }

    /// Returns whether the caller has chosen no credential.
    pub(crate) fn is_empty(&self) -> bool {
        let named = self.key.is_some()
            || self.token.is_some()
            || self.profile.is_some()
            || self.callback.is_some();
        !named && !self.anonymous
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key in the wrong field must not appear either.
        f.debug_struct("Options")
            .field("key", &self.key.as_ref().map(|_| "****"))
            .field("token", &self.token.as_ref().map(|_| "****"))
            .field("callback", &self.callback)
            .field("notebook", &self.notebook)
            .field("profile", &self.profile.as_deref().map(printable_name))
            .field("keyring", &self.keyring)
            .field("anonymous", &self.anonymous)
            .field("config_path", &self.config_path.as_deref().map(file::shown))
            .finish()
    }
}
