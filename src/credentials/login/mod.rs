//! The tokens that `fal auth login` leaves behind (docs/protocol.md §1.4).
//!
//! The file belongs to the official CLI and is shared with it and with the official Python client:
//! line 1 is the refresh token, an optional line 2 the access token. Nothing here does HTTP. A
//! renewal has two halves around the request that the caller makes:
//!
//! ```text
//! LoginFile::begin ─┬─ Begun::Fresh     another thread or process was faster: no request
//!                   └─ Begun::Refresh ── POST https://auth.fal.ai/oauth/token ─┬─ Refresh::complete
//!                        holds the locks                                       └─ Refresh::failed
//! ```
//!
//! A refresh token works once: whoever sends it must store its successor. Hence nothing is sent
//! before the file was found to be replaceable, and a request that was sent should be waited for,
//! even if nobody needs the token any more. All functions block on files, and those that take a
//! [`Wait`] also on other processes.

mod answer;
mod error;
mod lock;
mod refresh;
mod replacement;
mod token;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

pub use error::LoginError;
pub use lock::Wait;
pub use refresh::{Begun, Refresh, Renewed};
pub use token::AccessToken;

use super::Environment;
use super::environment::Variable;
use super::file::{self, FileProblem};
use super::sources::{NamedFile, blank, not_unicode};
use lock::Locks;
use replacement::Replacement;

pub use crate::endpoint::AUTH_HOST;

/// The path there; the method is POST, the body [`Refresh::form`], of type
/// `application/x-www-form-urlencoded`.
pub const TOKEN_PATH: &str = "/oauth/token";

/// How long the official clients wait for the answer.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

/// The public name of the official CLI, for which fal issues these tokens.
const CLIENT_ID: &str = "TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N";

const FOLDER_VARIABLE: &str = "FAL_HOME_DIR";
const TOKEN_FILE: &str = "auth0_token";

/// The official clients write the file in place: for a moment it is empty.
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// The file of one user's login, whether it exists or not.
#[derive(Clone, Debug)]
pub struct LoginFile {
    folder: PathBuf,
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

    /// Starts a renewal, or finds that none is needed.
    ///
    /// Takes the lock of the official clients, then looks at the file again: of all threads and
    /// processes that find an expired token at once, one renews it and the others get
    /// [`Begun::Fresh`]. `rejected` is an access token that fal refused: as long as the file holds
    /// it, it is not fresh.
    ///
    /// # Errors
    /// [`LoginError::LoggedOut`] without a login; those of [`LoginFile::read`];
    /// [`LoginError::Locked`] after the wait; [`LoginError::Cancelled`];
    /// [`LoginError::NotWritable`] if the next refresh token could not be stored, in which case
    /// this one must not be used up.
    pub fn begin(
        &self,
        now: SystemTime,
        rejected: Option<&str>,
        wait: Wait<'_>,
    ) -> Result<Begun, LoginError> {
        let started = Instant::now();
        // Without a login nothing is locked, so that nothing is created.
        self.read()?.ok_or(LoginError::LoggedOut)?;
        let locks = Locks::acquire(&self.folder, wait);
        // Others may have renewed it or logged out meanwhile.
        let login = self.read()?.ok_or(LoginError::LoggedOut)?;
        let now = now + started.elapsed();
        if let Some(access) = login
            .access
            .filter(|access| access.is_fresh(now) && rejected != Some(access.expose()))
        {
            return Ok(Begun::Fresh(access));
        }
        let locks = locks?;
        let replacement =
            Replacement::prepare(&self.path()).map_err(|error| LoginError::NotWritable {
                path: self.location(),
                kind: error.kind(),
            })?;
        Ok(Begun::Refresh(Box::new(Refresh::new(
            self.clone(),
            login.refresh_token,
            replacement,
            locks,
        ))))
    }
}

/// What a login file holds. `Debug` shows no token.
pub struct Login {
    refresh_token: Zeroizing<String>,
    access: Option<AccessToken>,
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
