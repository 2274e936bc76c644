//! The system keyring: the Secret Service on Linux, the Keychain on macOS, the Credential Manager
//! on Windows.
//!
//! An entry holds a key under the service `fal.ai` and an account: the name of a profile, or
//! `default`. The attributes are those of other programs, so that this module finds the entries of
//! `secret-tool store --label fal service fal.ai username default`, and of `keyring set fal.ai
//! default` in Python.
//!
//! Every call has a timeout. On Linux nothing is contacted in a session without a bus. The crate
//! `keyring` is not used, because its calls cannot be cancelled.

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

/// The default timeout of a call. The user may have to unlock the keyring during it.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The service of the entries. Tests on Windows use another one, because they run in the user's own
/// keyring.
const SERVICE: &str = if cfg!(all(test, windows)) {
    "libfal-tests"
} else {
    "fal.ai"
};

/// The interval between two calls of `cancelled`.
#[cfg(not(windows))]
const TICK: Duration = Duration::from_millis(50);

/// The timeout of a call, and a function that returns whether the caller has cancelled it.
#[derive(Clone, Copy)]
#[cfg_attr(windows, expect(dead_code, reason = "its keyring never prompts"))]
pub(crate) struct Limits<'a> {
    pub(crate) timeout: Duration,
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// Returns the key of the account, with notes on characters that were dropped around it; `None` if
/// there is no entry.
///
/// # Errors
///
/// A [`KeyringProblem`], which holds no part of the stored text.
pub(crate) fn read(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<Option<(Key, Vec<Note>)>, KeyringProblem> {
    let Some(stored) = store::read(environment, account, limits)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&stored).map_err(|_| KeyringProblem::NotUtf8)?;
    // `echo` adds a line end, which needs no note.
    Key::parse(text.trim_end_matches(['\r', '\n']))
        .map(Some)
        .map_err(KeyringProblem::Key)
}

/// Stores the key of the account, and replaces the previous one.
///
/// # Errors
///
/// A [`KeyringProblem`]. After [`KeyringProblem::TimedOut`] or [`KeyringProblem::Cancelled`] the
/// key may have been stored.
pub(crate) fn store(
    environment: &Environment,
    account: &str,
    key: &Key,
    limits: Limits<'_>,
) -> Result<(), KeyringProblem> {
    // A buffer of the final size. A buffer that grew would leave copies of the secret in memory.
    let mut text = Zeroizing::new(String::with_capacity(
        key.id().len() + 1 + key.expose_secret().len(),
    ));
    for part in [key.id(), ":", key.expose_secret()] {
        text.push_str(part);
    }
    store::write(environment, account, text, limits)
}

/// Removes the key of the account. Returns false if there is none.
///
/// # Errors
///
/// A [`KeyringProblem`]. After [`KeyringProblem::TimedOut`] or [`KeyringProblem::Cancelled`] the
/// key may have been removed.
pub(crate) fn remove(
    environment: &Environment,
    account: &str,
    limits: Limits<'_>,
) -> Result<bool, KeyringProblem> {
    store::remove(environment, account, limits)
}

/// Why the keyring cannot be used. Holds no part of the stored text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    any(windows, target_vendor = "apple"),
    expect(dead_code, reason = "their keyrings always exist")
)]
pub(crate) enum KeyringProblem {
    /// There is no session bus, for this reason. Nothing was contacted.
    NoSessionBus(&'static str),
    /// The session bus cannot be reached.
    Bus(std::io::ErrorKind),
    /// The session bus has no keyring.
    NoService,
    /// There is no default keyring to store the key in.
    NoCollection,
    /// The keyring is locked, and there is no display to prompt the user on.
    Locked,
    /// The user dismissed the prompt, or the keyring could not show it.
    Dismissed,
    /// The keyring did not respond, or the user did not unlock it, within this time.
    TimedOut(Duration),
    /// The caller cancelled the call.
    Cancelled,
    NotUtf8,
    Key(KeyProblem),
    /// The keyring failed: the name or number of its error, or another cause.
    Failed(String),
}

impl fmt::Display for KeyringProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSessionBus(reason) => write!(f, "headless: no session bus ({reason})"),
            Self::Bus(kind) => write!(f, "cannot connect to the session bus: {kind}"),
            Self::NoService if cfg!(windows) => {
                f.write_str("this session has no Credential Manager")
            }
            Self::NoService => f.write_str(
                "no keyring runs in this session (GNOME Keyring, KWallet and KeePassXC provide one)",
            ),
            Self::NoCollection => {
                f.write_str("there is no default keyring; create one with the keyring tool of the desktop")
            }
            Self::Locked => f.write_str(
                "the keyring is locked, and there is no display for a password prompt",
            ),
            Self::Dismissed => f.write_str(
                "cannot unlock the keyring: the prompt was dismissed or could not be shown",
            ),
            Self::TimedOut(after) => write!(
                f,
                "the keyring did not respond within {} s",
                after.as_secs_f64()
            ),
            Self::Cancelled => {
                f.write_str("the call was cancelled before the keyring responded")
            }
            Self::NotUtf8 => f.write_str("the entry in the keyring is not UTF-8 text"),
            Self::Key(problem) => problem.fmt(f),
            Self::Failed(cause) => write!(f, "the keyring failed: {cause}"),
        }
    }
}

impl std::error::Error for KeyringProblem {}
