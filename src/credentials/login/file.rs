//! The file of a login.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::error::LoginError;
use super::token::{self, AccessToken};
use crate::credentials::environment::{Environment, Variable};
use crate::credentials::file::{self, FileProblem};
use crate::credentials::variables::{NamedFile, blank, not_unicode};

const FOLDER_VARIABLE: &str = "FAL_HOME_DIR";
const TOKEN_FILE: &str = "auth0_token";

/// The official clients write the file in place: for a moment it is empty.
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// The file of one user's login, whether it exists or not.
#[derive(Clone, Debug)]
pub struct LoginFile {
    pub(super) folder: PathBuf,
    notes: Vec<String>,
}

impl LoginFile {
    /// The file of `FAL_HOME_DIR`, else of `~/.fal`. Touches no file.
    ///
    /// # Errors
    /// [`LoginError::NoFolder`] if the folder cannot be told.
    pub fn locate(environment: &Environment) -> Result<Self, LoginError> {
        match environment.variable(FOLDER_VARIABLE) {
            Variable::NotUnicode => Err(LoginError::NoFolder {
                reason: not_unicode(FOLDER_VARIABLE),
            }),
            Variable::Set(text) => NamedFile::from_variable(environment, FOLDER_VARIABLE, &text)
                .map(|NamedFile { path, notes }| Self {
                    folder: path,
                    notes,
                })
                .map_err(|reason| LoginError::NoFolder { reason }),
            Variable::Blank => Self::locate_default(environment, vec![blank(FOLDER_VARIABLE)]),
            Variable::Unset => Self::locate_default(environment, Vec::new()),
        }
    }

    fn locate_default(environment: &Environment, notes: Vec<String>) -> Result<Self, LoginError> {
        let unknown = || LoginError::NoFolder {
            reason: "the home directory is unknown".to_owned(),
        };
        let home = environment.home().ok_or_else(unknown)?;
        Ok(Self {
            folder: home.join(".fal"),
            notes,
        })
    }

    /// The file of this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            notes: Vec::new(),
        }
    }

    /// The path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(TOKEN_FILE)
    }

    /// The path as it may be printed.
    pub fn location(&self) -> String {
        file::shown(&self.path())
    }

    /// Remarks about how the folder was named, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the file holds; `None` without a login, that is without a file or with an empty one.
    ///
    /// Takes no lock and makes no request.
    ///
    /// # Errors
    /// [`LoginError::Unreadable`], [`LoginError::Malformed`].
    pub fn read(&self) -> Result<Option<Login>, LoginError> {
        match self.read_once()? {
            Content::Empty => {
                std::thread::sleep(EMPTY_PAUSE);
                self.read_once().map(Content::login)
            }
            content => Ok(content.login()),
        }
    }

    fn read_once(&self) -> Result<Content, LoginError> {
        let path = self.path();
        match file::read(&path) {
            Ok(file) => parse(&file.text, &path, file.exposed),
            Err(FileProblem::Missing) => Ok(Content::Missing),
            Err(problem) => Err(LoginError::Unreadable {
                path: file::shown(&path),
                reason: problem.to_string(),
            }),
        }
    }
}

/// What a login file holds. `Debug` shows no token.
pub struct Login {
    pub(super) refresh_token: Zeroizing<String>,
    pub(super) access: Option<AccessToken>,
    notes: Vec<String>,
}

impl Login {
    /// The stored access token, unless it has expired or will within 300 s. Its signature is not
    /// checked.
    pub fn access_token(&self, now: SystemTime) -> Option<&AccessToken> {
        self.access.as_ref().filter(|access| access.is_fresh(now))
    }

    /// Remarks for the user, one sentence each: that others can read the file, and the remedy.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("access", &self.access)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

enum Content {
    Missing,
    Empty,
    Login(Login),
}

impl Content {
    fn login(self) -> Option<Login> {
        match self {
            Self::Login(login) => Some(login),
            Self::Missing | Self::Empty => None,
        }
    }
}

/// As the Python client does: lines are trimmed, empty ones skipped, those after the second
/// ignored. The CLI takes lines as they are, and would send the white space.
fn parse(text: &str, path: &Path, exposed: Option<String>) -> Result<Content, LoginError> {
    let mut lines = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let Some(refresh_token) = lines.next() else {
        return Ok(Content::Empty);
    };
    if !token::is_token(refresh_token) {
        let reason = "line 1 is no token: log in again with `fal auth login`";
        return Err(LoginError::Malformed {
            path: file::shown(path),
            reason,
        });
    }
    let mut notes: Vec<_> = exposed.into_iter().collect();
    let access = lines.next().and_then(|line| {
        let access = AccessToken::parse(line);
        if access.is_none() {
            notes.push("line 2 is no access token: it will be renewed".to_owned());
        }
        access
    });
    Ok(Content::Login(Login {
        refresh_token: Zeroizing::new(refresh_token.to_owned()),
        access,
        notes,
    }))
}
