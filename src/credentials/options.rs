//! What the caller says about its credential.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::callback::Callback;
use super::file;
use super::printable::printable_name;
use super::provider::Provider;
use super::report::Resolution;

/// The caller's wishes. The default leaves everything to the environment.
///
/// `Debug` shows no key.
#[derive(Clone, Default)]
pub struct Options {
    key: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    profile: Option<String>,
    callback: Option<Callback>,
    keyring: KeyringUse,
    notebook: Option<Notebook>,
    anonymous: bool,
    config_path: Option<PathBuf>,
}

/// Whether the system keyring is a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KeyringUse {
    /// If `FAL_KEYRING=1` asks for it.
    #[default]
    IfAsked,
    On,
    Off,
    /// It was looked into, and holds nothing for us.
    Empty,
}

/// The secret store of a notebook.
#[derive(Clone, Debug)]
pub(super) enum Notebook {
    /// It can be asked.
    Ask(Callback),
    /// It was asked, and has no key, for this reason.
    Empty(String),
}

impl Options {
    /// No wishes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Use this key, `<key id>:<key secret>`. It is checked by [`resolve`](super::resolve); unlike
    /// an empty variable, an empty text is an error there.
    pub fn key(mut self, text: impl Into<String>) -> Self {
        self.key = Some(Zeroizing::new(text.into()));
        self
    }

    /// Use this short-lived token, which opens some apps on the run host and nothing else.
    pub fn app_token(mut self, text: impl Into<String>) -> Self {
        self.token = Some(Zeroizing::new(text.into()));
        self
    }

    /// Ask this function for a credential when one is needed, and again when it has expired or is
    /// refused.
    pub fn callback(mut self, callback: Callback) -> Self {
        self.callback = Some(callback);
        self
    }

    /// Offer the secret store of the notebook that the program runs in. It is asked if the sources
    /// before `login` hold nothing; if it answers [`absent`](super::Answer::absent), `login` is
    /// next.
    pub fn notebook(mut self, secrets: Callback) -> Self {
        self.notebook = Some(Notebook::Ask(secrets));
        self
    }

    /// The same wishes, knowing that the source that this resolution chose turned out to be empty.
    /// `None` if it is one that cannot be: only the keyring and a notebook are found out by asking.
    pub(crate) fn without_empty(&self, asked: &Resolution, reason: &str) -> Option<Self> {
        let mut options = self.clone();
        match asked.provider()? {
            Provider::Notebook(_) => options.notebook = Some(Notebook::Empty(reason.to_owned())),
            Provider::Keyring(_) => options.keyring = KeyringUse::Empty,
            _ => return None,
        }
        Some(options)
    }

    /// Use the key of this profile of the configuration file; or, if the system keyring is asked
    /// for, that of this name there.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Whether to read the system keyring, which may ask the user to unlock it. By default
    /// `FAL_KEYRING=1` decides.
    pub fn keyring(mut self, keyring: bool) -> Self {
        self.keyring = if keyring {
            KeyringUse::On
        } else {
            KeyringUse::Off
        };
        self
    }

    /// Use no credential at all. A key or a profile beside it is an error.
    pub fn anonymous(mut self, anonymous: bool) -> Self {
        self.anonymous = anonymous;
        self
    }

    /// Read this configuration file, not the one of `FAL_CONFIG_PATH` or `~/.fal/config.toml`.
    pub fn config_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_path = Some(path.into());
        self
    }

    /// Whether the caller wishes for nothing in particular.
    pub(crate) fn is_empty(&self) -> bool {
        let named = self.key.is_some()
            || self.token.is_some()
            || self.profile.is_some()
            || self.callback.is_some();
        !named && !self.anonymous
    }

    pub(super) fn key_text(&self) -> Option<&str> {
        self.key.as_ref().map(|text| text.as_str())
    }

    pub(super) fn keyring_use(&self) -> KeyringUse {
        self.keyring
    }

    pub(super) fn token_text(&self) -> Option<&str> {
        self.token.as_ref().map(|text| text.as_str())
    }

    pub(super) fn callback_function(&self) -> Option<&Callback> {
        self.callback.as_ref()
    }

    pub(super) fn notebook_secrets(&self) -> Option<&Notebook> {
        self.notebook.as_ref()
    }

    pub(super) fn profile_name(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_path.as_deref()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key pasted into the wrong field must not show either.
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
