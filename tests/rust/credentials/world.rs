//! The surroundings of a resolution, and the secret that every report is searched for.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use fal::credentials::{
    Credential, Environment, Options, Resolution, SourceReport, State, resolve,
};
use fal::key::Key;
use tempfile::TempDir;

/// A part of every secret in these tests.
pub(crate) const SECRET: &str = "fake-secret";
pub(crate) const GOOD: &str = "fake-id:fake-secret-1";

/// The surroundings of one resolution: variables, options and a home directory of its own.
pub(crate) struct World {
    home: TempDir,
    pub(crate) variables: Vec<(String, OsString)>,
    options: Options,
    config: String,
    in_home: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        let variables = ["HOME", "USERPROFILE"]
            .map(|name| (name.to_owned(), home.path().as_os_str().to_owned()))
            .into();
        Self {
            home,
            variables,
            options: Options::new(),
            config: String::new(),
            in_home: false,
        }
    }

    pub(crate) fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Makes the home directory the working directory, too.
    pub(crate) fn in_home(self) -> Self {
        Self {
            in_home: true,
            ..self
        }
    }

    /// Appends to `~/.fal/config.toml`.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        let content = self.config.clone();
        self.file(".fal/config.toml", content)
    }

    /// Writes a file below the home directory that only its owner can read.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn resolve(&self) -> Resolution {
        let mut environment = Environment::from_variables(self.variables.clone());
        if self.in_home {
            environment = environment.with_working_directory(self.home.path());
        }
        let resolution = resolve(&self.options, &environment);
        assert_no_secret(&format!("{environment:?} {:?}", self.options));
        assert_no_secret(&format!("{resolution:?} {resolution:#?} {resolution}"));
        assert_no_secret(&resolution.to_json().to_string());
        let deciding = [State::Used, State::Malformed];
        let deciders = resolution
            .sources()
            .iter()
            .filter(|s| deciding.contains(&s.state))
            .count();
        assert!(deciders <= 1, "{resolution}");
        resolution
    }

    /// The text with `~` in the place of the home directory's path.
    pub(crate) fn without_home(&self, text: &str) -> String {
        let text = text.replace(self.home.path().to_str().unwrap(), "~");
        if cfg!(windows) {
            text.replace('\\', "/")
        } else {
            text
        }
    }

    /// The state, the location and the notes of one source.
    pub(crate) fn row(&self, resolution: &Resolution, name: &str) -> String {
        let report = source(resolution, name);
        let location = report.location.as_deref().unwrap_or("-");
        let notes: String = report
            .notes
            .iter()
            .map(|note| format!("; {note}"))
            .collect();
        self.without_home(&format!("{} {location}{notes}", report.state))
    }
}

pub(crate) fn assert_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "a secret is shown: {text}");
}

pub(crate) fn source<'r>(resolution: &'r Resolution, name: &str) -> &'r SourceReport {
    resolution
        .sources()
        .iter()
        .find(|report| report.source == name)
        .unwrap()
}

pub(crate) fn key(resolution: &Resolution) -> &Key {
    match resolution.credential() {
        Some(Credential::Key(key)) => key,
        other => panic!("no key but {other:?}\n{resolution}"),
    }
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) {}

/// Puts a key, given as text, where the source finds it.
pub(crate) type Put = fn(World, &str) -> World;

/// Every source, in order.
pub(crate) const SOURCES: [(&str, Put); 6] = [
    ("explicit key", |world, key| {
        world.options(|options| options.key(key))
    }),
    ("explicit profile", |world, key| {
        world
            .options(|o| o.profile("asked"))
            .config(&format!("[asked]\nkey = {}\n", quoted(key)))
    }),
    ("FAL_KEY", |world, key| world.set("FAL_KEY", key)),
    ("FAL_KEY_ID + FAL_KEY_SECRET", |world, key| {
        let (id, secret) = key.split_once(':').unwrap_or((key, key));
        world.set("FAL_KEY_ID", id).set("FAL_KEY_SECRET", secret)
    }),
    ("FAL_KEY_FILE", |world, key| {
        let path = world.path("key.txt");
        world.file("key.txt", key).set("FAL_KEY_FILE", path)
    }),
    ("profile", |world, key| {
        world
            .set("FAL_PROFILE", "team")
            .config(&format!("[team]\nkey = {}\n", quoted(key)))
    }),
];

/// Quotes the text as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
