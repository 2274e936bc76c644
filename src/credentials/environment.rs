//! The environment of the sources: variables, the home directory and the platform.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

/// The platform, which decides which variable names the home directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// The variable is `HOME`.
    Unix,
    /// The variable is `USERPROFILE`.
    Windows,
}

/// Where the sources read variables and find the home directory.
///
/// Variables are read when a source needs them. `Debug` shows no values.
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
    Snapshot(Arc<[(&'static str, Value)]>),
}

/// The variables that are read after a client was made, on threads of the library.
const LATER: [&str; 20] = [
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
#[derive(PartialEq)]
struct Value(OsString);

impl Drop for Value {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_encoded_bytes().zeroize();
    }
}

#[derive(Clone)]
enum Directory {
    /// The working directory of the process at the time of the read.
    Process,
    Given(PathBuf),
    Unknown,
}

/// The state of one variable. White space around the value is not removed.
pub(crate) enum Variable {
    Unset,
    /// Set, but empty or white space only. Counts as unset.
    Blank,
    NotUnicode,
    Set(Zeroizing<String>),
}

impl Environment {
    /// Returns the environment of this process.
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

    /// Returns an environment that has only these variables, the platform of this process, and no
    /// working directory.
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

    /// Sets the working directory, in which a report looks for a `.env`.
    pub fn with_working_directory(self, path: impl Into<PathBuf>) -> Self {
        Self {
            directory: Directory::Given(path.into()),
            ..self
        }
    }

    /// Returns a copy with the present values of the variables, for threads of the library. They
    /// must not read variables of the process, because the host may set some at the same time, and
    /// the C library does not synchronize that.
    #[allow(clippy::disallowed_methods, reason = "on the thread that calls")]
    pub(crate) fn snapshot(&self) -> Self {
        let Variables::Process = self.variables else {
            return self.clone();
        };
        let values = LATER
            .iter()
            .filter_map(|name| Some((*name, Value(std::env::var_os(name)?))));
        Self {
            variables: Variables::Snapshot(values.collect()),
            ..self.clone()
        }
    }

    /// Returns a snapshot without the other variables, whose values may be secrets, and without
    /// what else a source could find in this process.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let Variables::Snapshot(values) = &self.variables else {
            return self.clone();
        };
        let kept = values.iter().filter(|(name, _)| names.contains(name));
        let kept = kept.map(|(name, value)| (*name, Value(value.0.clone())));
        Self {
            variables: Variables::Snapshot(kept.collect()),
            directory: Directory::Unknown,
            ..self.clone()
        }
    }

    /// Whether a variable has the value that `copy`, a snapshot of this environment, has.
    pub(crate) fn agrees(&self, copy: &Environment, name: &str) -> bool {
        self.raw(name).map(Value) == copy.raw(name).map(Value)
    }

    /// Sets the platform.
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

    /// Returns whether a variable is set to `1`. Ignores white space around it.
    pub(crate) fn is_one(&self, name: &str) -> bool {
        matches!(self.variable(name), Variable::Set(text) if text.trim() == "1")
    }

    pub(crate) fn working_directory(&self) -> Option<PathBuf> {
        match &self.directory {
            Directory::Process => std::env::current_dir().ok(),
            Directory::Given(path) => Some(path.clone()),
            Directory::Unknown => None,
        }
    }

    /// Returns the home directory of the user, or `None` if it is unknown.
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
        match (&self.variables, &self.directory) {
            (Variables::Given(_), _) | (Variables::Snapshot(_), Directory::Unknown) => named,
            // Without the variable, the user database of the system is the source.
            _ => named.or_else(std::env::home_dir),
        }
        .filter(|home| !home.as_os_str().is_empty())
    }

    /// Replaces a leading `~` by the home directory. Returns `None` if the home directory is
    /// unknown.
    ///
    /// Does not expand `~user`.
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

    /// Returns whether settings of the operating system, such as a proxy, apply in addition to the
    /// variables. They do not apply to an environment that was made of variables.
    pub(crate) fn has_system_settings(&self) -> bool {
        matches!(self.variables, Variables::Process) && cfg!(any(target_vendor = "apple", windows))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "on the thread that calls: others get a snapshot"
    )]
    fn raw(&self, name: &str) -> Option<OsString> {
        match &self.variables {
            Variables::Process => std::env::var_os(name),
            Variables::Given(given) => given.get(name).cloned(),
            Variables::Snapshot(values) => {
                debug_assert!(LATER.contains(&name), "{name} is missing in LATER");
                values
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| value.0.clone())
            }
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Environment");
        match &self.variables {
            Variables::Process | Variables::Snapshot(_) => {
                out.field("variables", &"of this process")
            }
            Variables::Given(given) => out.field("variables", &given.keys()),
        };
        out.field("platform", &self.platform).finish()
    }
}
