//! The system keyring: the Secret Service on Linux, the Keychain on macOS, the Credential Manager
//! on Windows.
//!
//! An entry is a key under the service `fal.ai` and an account: a profile's name, or `default`. The
//! attributes are those that other programs use, so that `secret-tool store --label fal service
//! fal.ai username default`, or `keyring set fal.ai default` of Python, make entries that are found
//! here.
//!
//! Every call is given a time and ends within it; nothing is contacted where nobody could answer.

#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod store;
#[cfg(windows)]
#[path = "windows.rs"]
#[allow(unsafe_code)]
mod store;
#[cfg(all(unix, not(target_vendor = "apple"), not(target_os = "android")))]
#[path = "secret_service.rs"]
mod store;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Environment;
use crate::key::{Key, KeyProblem, Note};

/// How long a call may take unless something else is said: a person may have to unlock the keyring.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the entries belong to. A test that meets the user's own leaves them alone.
const SERVICE: &str = if cfg!(all(test, windows)) {
    "libfal-tests"
} else {
    "fal.ai"
};

/// How often `cancelled` is asked.
#[cfg(not(windows))]
const TICK: Duration = Duration::from_millis(50);

/// How long a call may take, and whether the caller still wants it.
#[derive(Clone, Copy)]
#[cfg_attr(windows, expect(dead_code, reason = "its keyring asks nobody"))]
pub(crate) struct Limits<'a> {
    pub(crate) timeout: Duration,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// The key of the account, and what was dropped from around it; `None` if there is none.
///
/// # Errors
///
/// A [`KeyringProblem`], which holds nothing of what is stored.
pub(crate) fn read(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<Option<(Key, Vec<Note>)>, KeyringProblem> {
    let Some(stored) = store::read(environment, account, limits)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&stored).map_err(|_| KeyringProblem::NotUtf8)?;
    // A final line's end is what `echo` adds, and no remark.
    Key::parse(text.trim_end_matches(['\r', '\n']))
        .map(Some)
        .map_err(KeyringProblem::Key)
}

/// Stores the key as the account's, in the place of the one that is there.
///
/// # Errors
///
/// A [`KeyringProblem`]. After [`KeyringProblem::TimedOut`] or [`KeyringProblem::Cancelled`] the
/// key may be stored.
pub(crate) fn store(
    environment: &Environment,
    account: &str,
    key: &Key,
    limits: Limits<'_>,
) -> Result<(), KeyringProblem> {
    // Written into a buffer of the final size: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(
        key.id().len() + 1 + key.expose_secret().len(),
    ));
    for part in [key.id(), ":", key.expose_secret()] {
        text.push_str(part);
    }
    store::write(environment, account, text, limits)
}

/// Removes the account's key; false if there is none.
///
/// # Errors
///
/// A [`KeyringProblem`]. After [`KeyringProblem::TimedOut`] or [`KeyringProblem::Cancelled`] the
/// key may be gone.
pub(crate) fn remove(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<bool, KeyringProblem> {
    store::remove(environment, account, limits)
}

/// Why the keyring cannot be used. Holds nothing of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    windows,
    expect(dead_code, reason = "its keyring is always there, and never locked")
)]
pub(crate) enum KeyringProblem {
    /// There is no session bus; nothing was contacted. Why that is known.
    NoSessionBus(&'static str),
    /// The session bus cannot be reached.
    Bus(std::io::ErrorKind),
    /// There is a session bus, and no keyring on it.
    NoService,
    /// No keyring is set up to store into.
    NoCollection,
    /// It is locked, and there is no display to ask the user on.
    Locked,
    /// The user did not unlock it, or the keyring could not ask.
    Dismissed,
    /// Nobody unlocked it, or it does not answer.
    TimedOut(Duration),
    /// The caller gave up.
    Cancelled,
    NotUtf8,
    Key(KeyProblem),
    /// The keyring refused; the name or number of its error.
    Refused(String),
}

impl fmt::Display for KeyringProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSessionBus(reason) => write!(f, "headless: no session bus ({reason})"),
            Self::Bus(kind) => write!(f, "the session bus cannot be reached: {kind}"),
            Self::NoService if cfg!(windows) => {
                f.write_str("this session has no Credential Manager")
            }
            Self::NoService => f.write_str(
                "no keyring runs in this session (GNOME Keyring, KWallet and KeePassXC can be one)",
            ),
            Self::NoCollection => {
                f.write_str("no default keyring is set up: make one with the desktop's own tool")
            }
            Self::Locked => f.write_str(
                "the keyring is locked, and there is no display to ask for its password on",
            ),
            Self::Dismissed => f.write_str(
                "the keyring was not unlocked: the question was dismissed, or could not be asked",
            ),
            Self::TimedOut(after) => write!(
                f,
                "the keyring did not answer within {} s",
                after.as_secs_f64()
            ),
            Self::Cancelled => {
                f.write_str("the keyring was not waited for because the call was cancelled")
            }
            Self::NotUtf8 => f.write_str("what the keyring holds is not UTF-8 text"),
            Self::Key(problem) => problem.fmt(f),
            Self::Refused(name) => write!(f, "the keyring refused: {name}"),
        }
    }
}

impl std::error::Error for KeyringProblem {}
