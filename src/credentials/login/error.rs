//! Errors of a login.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use crate::system::replace::{IN_USE, SET_FREE, said};

/// Why a login cannot be used or renewed. Holds no token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginError {
    /// The folder of the login file is unknown.
    NoFolder {
        /// The cause.
        reason: String,
    },
    /// The file exists but cannot be read.
    Unreadable {
        /// The path of the file.
        path: String,
        /// The cause.
        reason: String,
    },
    /// The file holds no valid tokens.
    Malformed {
        /// The path of the file.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is no login.
    LoggedOut,
    /// Another process held the lock during the whole wait.
    Locked {
        /// The path of the lock file.
        path: String,
        /// The length of the wait.
        waited: Duration,
    },
    /// The lock file cannot be opened or locked.
    NoLock {
        /// The path of the lock file.
        path: String,
        /// The error of the system.
        kind: ErrorKind,
    },
    /// The caller ended the wait.
    Cancelled,
    /// The file cannot be replaced, so no request was sent.
    NotWritable {
        /// The path of the file.
        path: String,
        /// The error of the system.
        kind: ErrorKind,
    },
    /// fal renewed the login, but the new tokens were not stored. The stored refresh token no
    /// longer works.
    NotStored {
        /// The path of the file.
        path: String,
        /// The error of the system.
        kind: ErrorKind,
    },
    /// A program that ignores the lock logged in or out during the renewal. Its change was kept.
    ChangedMeanwhile {
        /// The path of the file.
        path: String,
    },
    /// fal refused the renewal.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The name of the error in fal's response, such as `invalid_grant`.
        error: Option<String>,
        /// The description of the error in fal's response.
        description: Option<String>,
    },
    /// The response to a renewal is malformed.
    BadAnswer {
        /// What is wrong.
        reason: &'static str,
    },
}

impl LoginError {
    /// Returns whether only a new login helps, because there is no refresh token that fal accepts.
    pub fn needs_login(&self) -> bool {
        match self {
            Self::LoggedOut | Self::Malformed { .. } => true,
            Self::Refused { error, .. } => error.as_deref() == Some("invalid_grant"),
            _ => false,
        }
    }

    /// Returns what the user should do.
    pub fn remedy(&self) -> &'static str {
        match self {
            _ if self.needs_login() => "Log in again with `fal auth login`, or set FAL_KEY.",
            Self::NoFolder { .. } if cfg!(windows) => {
                "Set USERPROFILE, or FAL_HOME_DIR to the folder of the login."
            }
            Self::NoFolder { .. } => "Set HOME, or FAL_HOME_DIR to the folder of the login.",
            Self::Unreadable { reason, .. } if reason == IN_USE => SET_FREE,
            Self::Unreadable { .. } => "Correct the file, or log in again with `fal auth login`.",
            Self::Locked { .. } => "Try again, or end the program that holds the lock.",
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
                write!(f, "cannot locate the folder of the fal login: {reason}")
            }
            Self::Unreadable { path, reason } => {
                write!(f, "cannot read the fal login {path}: {reason}")
            }
            Self::Malformed { path, reason } => {
                write!(f, "cannot use the fal login {path}: {reason}")
            }
            Self::LoggedOut => f.write_str("there is no fal login"),
            Self::Locked { path, waited } => write!(
                f,
                "cannot lock the fal login: another process held {path} for {waited:?}"
            ),
            Self::NoLock { path, kind } => {
                write!(f, "cannot lock the fal login {path}: {}", said(*kind))
            }
            Self::Cancelled => f.write_str("cancelled while waiting for the lock of the fal login"),
            Self::NotWritable { path, kind } => write!(
                f,
                "cannot renew the fal login: its file {path} cannot be replaced: {}",
                said(*kind)
            ),
            Self::NotStored { path, kind } => {
                write!(
                    f,
                    "cannot store the renewed fal login {path}: {}",
                    said(*kind)
                )
            }
            Self::ChangedMeanwhile { path } => write!(
                f,
                "cannot store the renewed fal login {path}: another program changed the file during the renewal"
            ),
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
                    "fal sent a malformed response to the renewal of the login: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for LoginError {}
