//! A configuration file of the test's own.

use std::fs;
use std::path::{Path, PathBuf};

use fal::credentials::store::{Activate, Change, Store, StoreError};
use fal::credentials::{Environment, Options, Resolution, resolve};
use fal::key::Key;
use tempfile::TempDir;

/// A part of every secret in these tests.
pub(crate) const SECRET: &str = "fake-secret";
pub(crate) const NEW: &str = "new-id:fake-secret-new";

pub(crate) struct Place {
    home: TempDir,
    pub(crate) file: PathBuf,
}

impl Place {
    /// A home directory without `.fal`.
    pub(crate) fn empty() -> Self {
        let home = TempDir::new().unwrap();
        let file = home.path().join(".fal/config.toml");
        Self { home, file }
    }

    /// A home directory with a file of this text, which only its owner can read.
    pub(crate) fn with(text: impl AsRef<[u8]>) -> Self {
        let place = Self::empty();
        fs::create_dir(place.folder()).unwrap();
        fs::write(&place.file, text).unwrap();
        set_mode(&place.file, 0o600);
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.file.parent().unwrap()
    }

    pub(crate) fn environment(&self) -> Environment {
        Environment::from_variables([
            ("HOME", self.home.path()),
            ("USERPROFILE", self.home.path()),
        ])
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&Options::new(), &self.environment()).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(fs::read(&self.file).unwrap()).unwrap()
    }

    pub(crate) fn put(&self, profile: &str) -> Result<Change, StoreError> {
        clean(self.store().store_key(profile, &key(NEW), Activate::No))
    }

    pub(crate) fn remove(&self, profile: &str) -> Result<Change, StoreError> {
        clean(self.store().remove_key(profile))
    }

    /// Resolves the credentials with this file.
    pub(crate) fn resolve(&self, profile: &str) -> Resolution {
        resolve(&Options::new().profile(profile), &self.environment())
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The text with `~` in the place of the home directory's path.
    pub(crate) fn without_home(&self, text: impl ToString) -> String {
        let text = text
            .to_string()
            .replace(self.home.path().to_str().unwrap(), "~");
        if cfg!(windows) {
            text.replace('\\', "/")
        } else {
            text
        }
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).unwrap().0
}

/// Asserts that the result of a function shows no secret.
pub(crate) fn clean(result: Result<Change, StoreError>) -> Result<Change, StoreError> {
    assert_no_secret(&format!("{result:?} {result:#?}"));
    if let Err(error) = &result {
        let core = fal::Error::from(error.clone());
        assert_no_secret(&format!("{error} {core} {core:?} {}", core.remedy()));
    }
    result
}

pub(crate) fn assert_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "a secret is shown: {text}");
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) {}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
