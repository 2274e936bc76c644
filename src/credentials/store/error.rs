//! The error of changing or listing profiles.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::edit::Refusal;
use super::name::NameProblem;
use crate::credentials::file::{self, FileProblem};
use crate::credentials::printable::printable_name;
use crate::error::{Code, Error};
use crate::system::descriptors;
use crate::system::replace::said;

/// Why the file could not be changed or listed. The file is unchanged. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The name is not valid for a profile.
    Name(NameProblem),
    /// The file has no profile of this name.
    NoSuchProfile {
        /// The name, as it may be printed.
        profile: String,
    },
    /// The name belongs to a global setting of the file, not to a profile.
    NotAProfile {
        /// The name, as it may be printed.
        profile: String,
    },
    /// The path of the file is unknown.
    NoFile {
        /// Why it is unknown.
        reason: String,
    },
    /// The file cannot be read or changed.
    Unusable {
        /// The path; with line and column if the text is malformed.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// Another program held the lock until the timeout.
    Locked {
        /// The lock file.
        path: String,
    },
    /// A program that takes no lock changed the file during each of several attempts.
    Contended {
        /// The file.
        path: String,
    },
    /// An operation of the operating system failed.
    Io {
        /// The operation, such as `write`.
        action: &'static str,
        /// The file.
        path: String,
        /// The kind of error.
        kind: ErrorKind,
        /// The error number of the operating system, if known.
        os_error: Option<i32>,
    },
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            action,
            path: file::shown(path),
            kind: error.kind(),
            os_error: error.raw_os_error(),
        }
    }

    pub(super) fn unusable(location: String, reason: String) -> Self {
        Self::Unusable { location, reason }
    }

    pub(super) fn unreadable(path: &Path, problem: &FileProblem) -> Self {
        let location = file::shown(path);
        match problem {
            FileProblem::Io(kind) => Self::Io {
                action: "read",
                path: location,
                kind: *kind,
                os_error: None,
            },
            other => Self::unusable(location, other.to_string()),
        }
    }

    pub(super) fn refused(refusal: Refusal, table: &str, path: String) -> Self {
        let profile = printable_name(table).to_owned();
        let reason = match refusal {
            Refusal::NotATable => return Self::NotAProfile { profile },
            Refusal::MemberIsTable => "has a table where a string belongs",
            Refusal::Unclear => "is written in a way that cannot be changed safely",
        };
        Self::unusable(path, format!("[{profile}] {reason}"))
    }

    /// Returns whether a retry can succeed once another program has finished.
    fn is_in_use(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Contended { .. } => true,
            Self::Io { kind, .. } => cfg!(windows) && *kind == ErrorKind::ResourceBusy,
            _ => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(problem) => write!(f, "the profile name is not valid: {problem}"),
            Self::NoSuchProfile { profile } => write!(f, "no profile named {profile}"),
            Self::NotAProfile { profile } => write!(
                f,
                "{profile} is a global setting in the configuration file, not a profile"
            ),
            Self::NoFile { reason } => write!(f, "cannot locate the configuration file: {reason}"),
            Self::Unusable { location, reason } => {
                write!(f, "cannot use {location}: {reason}; nothing was changed")
            }
            Self::Locked { path } => {
                write!(f, "cannot lock {path}: another program holds the lock")
            }
            Self::Contended { path } => {
                write!(f, "cannot change {path}: another program keeps changing it")
            }
            Self::Io {
                action,
                path,
                kind,
                os_error,
            } => {
                let cause = match os_error {
                    Some(number) => io::Error::from_raw_os_error(*number).to_string(),
                    None => said(*kind),
                };
                write!(f, "cannot {action} {path}: {cause}")
            }
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (code, remedy) = match &error {
            StoreError::Name(_) | StoreError::NotAProfile { .. } => (
                Code::InvalidArgument,
                "Choose another name for the profile.",
            ),
            StoreError::NoSuchProfile { .. } => {
                (Code::InvalidArgument, "Store a key in the profile first.")
            }
            StoreError::NoFile { .. } => (
                Code::InvalidArgument,
                "Set the option config_path or the variable FAL_CONFIG_PATH.",
            ),
            StoreError::Unusable { .. } => (
                Code::MalformedCredentials,
                "Correct the file, or move it away.",
            ),
            StoreError::Io {
                os_error: Some(code),
                ..
            } if descriptors::are_used_up(&io::Error::from_raw_os_error(*code)) => {
                (Code::Io, descriptors::REMEDY)
            }
            _ if error.is_in_use() => (Code::Io, "Try again when the other program has finished."),
            _ => (Code::Io, Code::Io.remedy()),
        };
        let retryable = error.is_in_use();
        let os_code = match &error {
            StoreError::Io { os_error, .. } => *os_error,
            _ => None,
        };
        Error::new(code, error.to_string())
            .with_os_code(os_code)
            .with_remedy(remedy)
            .with_retryable(retryable)
            .with_source(error)
    }
}
