//! The process's surroundings as the sources see them: variables, the home directory, the platform.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

/// Whose conventions name the home directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// `HOME`.
    Unix,
    /// `USERPROFILE`.
    Windows,
}

/// Where the sources read variables and find the home directory.
///
/// Nothing is read until a source asks. `Debug` shows no values.
#[derive(Clone)]
pub struct Environment {
    variables: Variables,
    platform: Platform,
    directory: Directory,
}

#[derive(Clone)]
enum Variables {
    Process,
    Given(BTreeMap<String, OsString>),
    Taken(Arc<[(&'static str, Value)]>),
}

/// What is looked at after a client was made, and so on other threads than the host's.
const LOOKED_AT: [&str; 20] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "FALAI_API_KEY",
    "FAL_API_KEY",
    "FAL_CONFIG_PATH",
    "FAL_FORCE_AUTH_BY_USER",
    "FAL_HOME_DIR",
    "FAL_KEY",
    "FAL_KEYRING",
    "FAL_KEY_COMMAND",
    "FAL_KEY_COMMAND_SHELL",
    "FAL_KEY_FILE",
    "FAL_KEY_ID",
    "FAL_KEY_SECRET",
    "FAL_PROFILE",
    "FAL_TOKEN",
    "HOME",
    "USERPROFILE",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
];

/// The value of a variable, which may be a secret.
struct Value(OsString);

impl Drop for Value {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_encoded_bytes().zeroize();
    }
}

#[derive(Clone)]
enum Directory {
    /// The one that the process is in when somebody looks.
    Process,
    Given(PathBuf),
    Unknown,
}

/// The state of one variable. White space around the value is left to the reader of it.
pub(crate) enum Variable {
    Unset,
    /// Set, but empty or white space only; counts as unset.
    Blank,
    NotUnicode,
    Set(Zeroizing<String>),
}

impl Environment {
    /// The environment of this process.
    pub fn process() -> Self {
        let platform = if cfg!(windows) {
            Platform::Windows
        } else {
            Platform::Unix
        };
        Self {
            variables: Variables::Process,
            platform,
            directory: Directory::Process,
        }
    }

    /// An environment of nothing but these variables, and of this process's platform. Its working
    /// directory is unknown.
    pub fn from_variables<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<OsString>,
    {
        let given = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: Variables::Given(given.collect()),
            directory: Directory::Unknown,
            ..Self::process()
        }
    }

    /// The same with this working directory: where reports point out a `.env` that nothing reads.
    pub fn with_working_directory(self, path: impl Into<PathBuf>) -> Self {
        Self {
            directory: Directory::Given(path.into()),
            ..self
        }
    }

    /// The same environment as it is now. Threads of the library look at nothing else: the C
    /// library allows no other thread to read variables while the host sets some.
    #[allow(clippy::disallowed_methods, reason = "on the thread that calls")]
    pub(crate) fn taken(&self) -> Self {
        let Variables::Process = self.variables else {
            return self.clone();
        };
        let taken = LOOKED_AT
            .iter()
            .filter_map(|name| Some((*name, Value(std::env::var_os(name)?))));
        Self {
            variables: Variables::Taken(taken.collect()),
            ..self.clone()
        }
    }

    /// The same variables, read by the conventions of `platform`.
    pub fn with_platform(self, platform: Platform) -> Self {
        Self { platform, ..self }
    }

    pub(crate) fn platform(&self) -> Platform {
        self.platform
    }

    pub(crate) fn variable(&self, name: &str) -> Variable {
        let Some(value) = self.raw(name) else {
            return Variable::Unset;
        };
        match value.into_string().map(Zeroizing::new) {
            Ok(text) if text.trim().is_empty() => Variable::Blank,
            Ok(text) => Variable::Set(text),
            Err(value) => {
                value.into_encoded_bytes().zeroize();
                Variable::NotUnicode
            }
        }
    }

    pub(crate) fn working_directory(&self) -> Option<PathBuf> {
        match &self.directory {
            Directory::Process => std::env::current_dir().ok(),
            Directory::Given(path) => Some(path.clone()),
            Directory::Unknown => None,
        }
    }

    /// The user's home directory, unless it is unknown.
    #[allow(
        clippy::disallowed_methods,
        reason = "HOME is asked for by the system's way to look a user up"
    )]
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let name = match self.platform {
            Platform::Unix => "HOME",
            Platform::Windows => "USERPROFILE",
        };
        let named = self
            .raw(name)
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        match self.variables {
            // Without the variable, the system's user database knows it.
            Variables::Process | Variables::Taken(_) => named.or_else(std::env::home_dir),
            Variables::Given(_) => named,
        }
        .filter(|home| !home.as_os_str().is_empty())
    }

    /// The path with a leading `~` replaced by the home directory; `None` if that is unknown.
    ///
    /// `~user` is left as it is.
    pub(crate) fn expand(&self, path: &str) -> Option<PathBuf> {
        let Some(rest) = path.strip_prefix('~') else {
            return Some(PathBuf::from(path));
        };
        let is_separator = |c| c == '/' || (c == '\\' && self.platform == Platform::Windows);
        if rest.is_empty() {
            self.home()
        } else if let Some(inside) = rest.strip_prefix(is_separator) {
            self.home().map(|home| home.join(Path::new(inside)))
        } else {
            Some(PathBuf::from(path))
        }
    }

    /// Whether the operating system may have settings beside the variables. An environment that was
    /// given is all there is.
    pub(crate) fn has_system_settings(&self) -> bool {
        matches!(self.variables, Variables::Process) && cfg!(any(target_vendor = "apple", windows))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "on the thread that calls: others are given what was taken"
    )]
    fn raw(&self, name: &str) -> Option<OsString> {
        match &self.variables {
            Variables::Process => std::env::var_os(name),
            Variables::Given(given) => given.get(name).cloned(),
            Variables::Taken(taken) => {
                debug_assert!(
                    LOOKED_AT.contains(&name),
                    "{name} is looked at and was not taken"
                );
                taken
                    .iter()
                    .find(|(taken, _)| *taken == name)
                    .map(|(_, value)| value.0.clone())
            }
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Environment");
        match &self.variables {
            Variables::Process | Variables::Taken(_) => out.field("variables", &"of this process"),
            Variables::Given(given) => out.field("variables", &given.keys()),
        };
        out.field("platform", &self.platform).finish()
    }
}
