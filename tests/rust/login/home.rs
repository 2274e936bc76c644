//! A folder with a login, and tokens for it.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fal::credentials::login::{AccessToken, Begun, LoginError, LoginFile, Refresh, Wait};
use fal_emulator::Login;
use tempfile::TempDir;

pub(crate) const REFRESH: &str = "fake-secret-refresh-1";

static NEVER: AtomicBool = AtomicBool::new(false);

/// A wait without cancellation.
pub(crate) fn up_to(limit: Duration) -> Wait<'static> {
    Wait {
        limit,
        cancelled: &NEVER,
    }
}

pub(crate) fn patient() -> Wait<'static> {
    up_to(Wait::OFFICIAL_LIMIT)
}

pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn with(content: impl AsRef<[u8]>) -> Self {
        let home = Self::new();
        home.write(content);
        home
    }

    /// Writes a login in the format of the official clients.
    pub(crate) fn of(login: &Login) -> Self {
        Self::with(format!("{}\n{}", login.refresh_token, login.access_token))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("auth0_token")
    }

    pub(crate) fn login(&self) -> LoginFile {
        LoginFile::in_folder(self.folder())
    }

    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(self.path(), content).unwrap();
        set_mode(&self.path(), 0o600);
    }

    pub(crate) fn content(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The files in the folder, without the locks.
    pub(crate) fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| ![".portalock", ".libfal.lock"].contains(&name.as_str()))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn begin(&self) -> Result<Begun, LoginError> {
        let begun = self.login().begin(SystemTime::now(), None, patient());
        assert_no_secret(&begun);
        begun
    }

    pub(crate) fn refresh(&self) -> Refresh {
        match self.begin().unwrap() {
            Begun::Refresh(refresh) => *refresh,
            Begun::Fresh(_) => panic!("no refresh is needed"),
        }
    }

    pub(crate) fn fresh(&self) -> AccessToken {
        match self.begin().unwrap() {
            Begun::Fresh(access) => access,
            Begun::Refresh(_) => panic!("a refresh is needed"),
        }
    }
}

/// A token that expires in `seconds` seconds.
pub(crate) fn access_token(seconds: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = format!(r#"{{"exp":{}}}"#, now.checked_add_signed(seconds).unwrap());
    format!("fake-secret.{}.fake", URL_SAFE_NO_PAD.encode(claims))
}

pub(crate) fn assert_no_secret(shown: &impl Debug) {
    let text = format!("{shown:?} {shown:#?}");
    assert!(!text.contains("fake-secret"), "a secret is shown: {text}");
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) {}
