//! The file that holds the tokens of a login.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::error::LoginError;
use super::token::{self, AccessToken};
use crate::credentials::environment::Environment;
use crate::credentials::file::{self, FileProblem};
use crate::credentials::variables::Place;

const FOLDER_VARIABLE: &str = "FAL_HOME_DIR";
const TOKEN_FILE: &str = "auth0_token";

/// The pause before an empty file is read again. The official clients truncate the file before they
/// write it.
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// The login file of a user. The file need not exist.
#[derive(Clone, Debug)]
pub struct LoginFile {
    pub(super) folder: PathBuf,
    notes: Vec<String>,
}

impl LoginFile {
    /// Returns the file in `FAL_HOME_DIR`, by default in `~/.fal`. Reads no file.
    ///
    /// # Errors
    /// [`LoginError::NoFolder`] if the folder is unknown.
    pub fn locate(environment: &Environment) -> Result<Self, LoginError> {
        match Place::of(environment, FOLDER_VARIABLE) {
            Ok(Place::Named(folder) | Place::Default(folder)) => Ok(Self {
                folder: folder.path,
                notes: folder.notes,
            }),
            Ok(Place::Unknown(_)) => Err(LoginError::NoFolder {
                reason: "the home directory is unknown".to_owned(),
            }),
            Err(reason) => Err(LoginError::NoFolder { reason }),
        }
    }

    /// Returns the file in `folder`.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            notes: Vec::new(),
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(TOKEN_FILE)
    }

    /// Returns the path in printable form.
    pub fn location(&self) -> String {
        file::shown(&self.path())
    }

    /// Returns remarks about the variable that names the folder, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the file. Returns `None` if the file is missing or empty: there is no login.
    ///
    /// Takes no lock and sends no request.
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

/// The content of a login file. `Debug` shows no token.
pub struct Login {
    pub(super) refresh_token: Zeroizing<String>,
    pub(super) access: Option<AccessToken>,
    notes: Vec<String>,
}

impl Login {
    /// Returns the stored access token if it stays valid for more than 300 s. Does not verify the
    /// signature of the token.
    pub fn access_token(&self, now: SystemTime) -> Option<&AccessToken> {
        self.access.as_ref().filter(|access| access.is_fresh(now))
    }

    /// Returns remarks for the user, one sentence each, such as a warning that other users can read
    /// the file.
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

/// Parses the file as the Python client does: trims lines, skips empty lines, and ignores
/// everything after the second line. The CLI does not trim lines, and sends the white space.
fn parse(text: &str, path: &Path, exposed: Option<String>) -> Result<Content, LoginError> {
    let mut lines = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let Some(refresh_token) = lines.next() else {
        return Ok(Content::Empty);
    };
    if !token::is_token(refresh_token) {
        let reason = "line 1 is not a token; log in again with `fal auth login`";
        return Err(LoginError::Malformed {
            path: file::shown(path),
            reason,
        });
    }
    let mut notes: Vec<_> = exposed.into_iter().collect();
    let access = lines.next().and_then(|line| {
        let access = AccessToken::parse(line);
        if access.is_none() {
            notes.push("line 2 is not an access token; it will be renewed".to_owned());
        }
        access
    });
    Ok(Content::Login(Login {
        refresh_token: Zeroizing::new(refresh_token.to_owned()),
        access,
        notes,
    }))
}
