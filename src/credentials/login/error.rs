//! What can go wrong with a login.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use crate::system::replace::{IN_USE, SET_FREE, said};

/// Why a login cannot be used or renewed. Holds no token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginError {
    /// Where the file would be is not known.
    NoFolder {
        /// Why not.
        reason: String,
    },
    /// The file exists but cannot be read.
    Unreadable {
        /// Its path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The file does not hold tokens.
    Malformed {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is no login, or no longer.
    LoggedOut,
    /// Another process held the lock all the time.
    Locked {
        /// The lock's path.
        path: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The lock cannot be taken, for another reason than that somebody holds it.
    NoLock {
        /// The lock's path.
        path: String,
        /// What the system says.
        kind: ErrorKind,
    },
    /// The caller gave up waiting.
    Cancelled,
    /// The file could not be replaced, so that no renewal was tried.
    NotWritable {
        /// Its path.
        path: String,
        /// What the system says.
        kind: ErrorKind,
    },
    /// A renewal succeeded, but its tokens could not be stored: the stored refresh token is used
    /// up.
    NotStored {
        /// The file's path.
        path: String,
        /// What the system says.
        kind: ErrorKind,
    },
    /// While a renewal ran, somebody logged in or out without minding the lock; the file was left
    /// as it is.
    ChangedMeanwhile {
        /// The file's path.
        path: String,
    },
    /// fal did not renew the token.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The kind of error that fal named, such as `invalid_grant`.
        error: Option<String>,
        /// fal's own words.
        description: Option<String>,
    },
    /// The answer to a renewal makes no sense.
    BadAnswer {
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl LoginError {
    /// Whether only a new login helps: fal no longer accepts the stored refresh token.
    pub fn needs_login(&self) -> bool {
        match self {
            Self::LoggedOut | Self::Malformed { .. } => true,
            Self::Refused { error, .. } => error.as_deref() == Some("invalid_grant"),
            _ => false,
        }
    }

    /// What the user should do.
    pub fn remedy(&self) -> &'static str {
        match self {
            _ if self.needs_login() => "Log in again with `fal auth login`, or set FAL_KEY.",
            Self::NoFolder { .. } if cfg!(windows) => {
                "Set USERPROFILE, or FAL_HOME_DIR to the folder of the login."
            }
            Self::NoFolder { .. } => "Set HOME, or FAL_HOME_DIR to the folder of the login.",
            Self::Unreadable { reason, .. } if reason == IN_USE => SET_FREE,
            Self::Unreadable { .. } => "Correct the file, or log in again with `fal auth login`.",
            Self::Locked { .. } => {
                "Another program is renewing the login or hangs; try again, or end it."
            }
            Self::NoLock { .. } => {
                "Make the login's folder and its lock file writable for this user."
            }
            Self::NotWritable { .. } => {
                "Make the login's folder and file writable: fal replaces the stored token at every renewal."
            }
            Self::NotStored { .. } => "Free disk space, then log in again with `fal auth login`.",
            Self::Refused {
                status: 429 | 500..,
                ..
            } => "Try again later.",
            _ => "Try again; if it happens again, log in with `fal auth login`.",
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder { reason } => {
                write!(f, "the folder of the fal login is unknown: {reason}")
            }
            Self::Unreadable { path, reason } => {
                write!(f, "the fal login cannot be read: {path}: {reason}")
            }
            Self::Malformed { path, reason } => {
                write!(f, "the fal login cannot be used: {path}: {reason}")
            }
            Self::LoggedOut => f.write_str("there is no fal login"),
            Self::Locked { path, waited } => {
                write!(
                    f,
                    "the fal login is locked by another process: {path}: waited {waited:?}"
                )
            }
            Self::NoLock { path, kind } => {
                write!(f, "the fal login cannot be locked: {path}: {}", said(*kind))
            }
            Self::Cancelled => f.write_str("cancelled while waiting for the lock of the fal login"),
            Self::NotWritable { path, kind } => {
                write!(
                    f,
                    "the fal login was not renewed, for its file cannot be replaced: {path}: {}",
                    said(*kind)
                )
            }
            Self::NotStored { path, kind } => {
                write!(
                    f,
                    "the fal login was renewed but could not be stored: {path}: {}",
                    said(*kind)
                )
            }
            Self::ChangedMeanwhile { path } => {
                write!(
                    f,
                    "the fal login was renewed, but its file changed meanwhile and was left as it is: {path}"
                )
            }
            Self::Refused {
                status,
                error,
                description,
            } => {
                write!(f, "fal did not renew the login (HTTP {status}")?;
                error
                    .iter()
                    .chain(description)
                    .try_for_each(|part| write!(f, ": {part}"))?;
                f.write_str(")")
            }
            Self::BadAnswer { reason } => {
                write!(
                    f,
                    "fal's answer to the renewal of the login makes no sense: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for LoginError {}
