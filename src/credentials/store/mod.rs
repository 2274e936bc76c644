//! Storing keys in the configuration file of the official CLI, for every program on the machine.
//!
//! The file is the one that the credential chain reads. A change touches the lines that it has to
//! and leaves every other byte alone: comments, order, unknown members, line ends, a byte order
//! mark. The new file takes the place of the old one as a whole, is for its owner only (mode 0600;
//! on Windows the access control list of the old one stays, and a new one that others could read is
//! for the user and the system only), and programs that use this library wait for each other. The
//! official CLI does not (docs/protocol.md §1.3): if it changes the file in the very same moment,
//! that is noticed up to the last microseconds, and the change is made again on top. A file that is
//! read-only stays as it is, and on Windows one that another program has open for longer than some
//! seconds. Hard links to the file, and on a Unix its access control lists and extended attributes,
//! are not carried over.
//!
//! What is read and written is overwritten in memory afterwards, but for names, for the lengths and
//! places of the parts, and for values that the TOML parser had to copy because they hold escapes.

mod disk;
mod edit;
mod error;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/config.rs"]
pub(crate) mod fuzz;
mod name;
mod same;
mod toml_index;

use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::config::{self, ConfigFile, Content, INTERNAL, Located, Profile};
use super::printable::printable_name;
use super::{Environment, Options, file};
use crate::key::{Key, KeyProblem};
use disk::Locked;
use edit::Edit;

pub use error::StoreError;
pub use name::NameProblem;

/// How long another program's change is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// How often a change is made again because a program that takes no lock came in between.
const ATTEMPTS: usize = 8;

const KEY: &str = "key";
const ACTIVE: &str = "profile";

/// Whether a profile becomes the active one: the one that programs use whose user chose none by
/// `FAL_PROFILE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activate {
    /// It does.
    Yes,
    /// The active profile stays, if there is one.
    No,
}

/// A profile of the configuration file. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileInfo {
    /// Its name; `(name not shown)` for one that cannot be stored to, since it may be a key in the
    /// wrong place.
    pub name: String,
    /// The public half of its key, in printable form; `None` if it has no key or there is a
    /// problem.
    pub key_id: Option<String>,
    /// Why its key cannot be used.
    pub problem: Option<String>,
    /// The host of the CLI that it sets; libfal does not use it. `(host not shown)` if it is none.
    pub host: Option<String>,
    /// Whether the file makes it the active one. `FAL_PROFILE` is stronger.
    pub active: bool,
    /// The line of its name in the file, from 1.
    pub line: usize,
}

/// What became of the table of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Table {
    /// It was there, and is.
    Kept,
    /// It was made.
    Created,
    /// Nothing was left in it, and it is gone.
    Removed,
}

/// What a change did. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The file, as it may be printed.
    pub path: String,
    /// Whether the file was written; not, if it was already as wished.
    pub written: bool,
    /// What became of the profile's table.
    pub table: Table,
    /// The public half of the key that the profile had before, in printable form.
    pub previous_key_id: Option<String>,
    /// The active profile after the change, as it may be printed.
    pub active: Option<String>,
    /// The permission bits of the file before, if others than its owner had any and no longer have.
    pub tightened_from: Option<u32>,
}

/// The configuration file, to be changed. Every function blocks on the disk, and up to 20 seconds
/// on other programs.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    lock_wait: Duration,
}

impl Store {
    /// The file that [`resolve`](super::resolve) would read: the option `config_path`, else
    /// `FAL_CONFIG_PATH`, else `~/.fal/config.toml`. Reads nothing yet; it need not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoFile`] if a variable is malformed or the home directory is unknown.
    pub fn open(options: &Options, environment: &Environment) -> Result<Self, StoreError> {
        match config::locate(options, environment) {
            Ok(Located { path, .. }) => Ok(Self {
                path,
                lock_wait: LOCK_WAIT,
            }),
            Err(unknown) => Err(StoreError::NoFile {
                reason: match unknown.content {
                    Content::Bad { reason, .. } => reason,
                    Content::Missing(_) | Content::File(_) => unknown.notes.join("; "),
                },
            }),
        }
    }

    /// The same, waiting this long for other programs.
    pub fn with_lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// The file, as it may be printed.
    pub fn path(&self) -> String {
        file::shown(&self.path)
    }

    /// Every profile, in the order of the file; none if there is no file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unusable`] if the file cannot be read or is not TOML.
    pub fn profiles(&self) -> Result<Vec<ProfileInfo>, StoreError> {
        let Some(config) = usable(config::read(&self.path))? else {
            return Ok(Vec::new());
        };
        let profiles = config.profiles.iter();
        Ok(profiles.map(|profile| info(&config, profile)).collect())
    }

    /// Puts a key into a profile, in the place of one that is there. Makes the profile, the file
    /// and its folder (mode 0700) if they are missing. Other members of the profile stay.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]; the file is then as it was.
    pub fn store_key(
        &self,
        profile: &str,
        key: &Key,
        activate: Activate,
    ) -> Result<Change, StoreError> {
        name::check(profile).map_err(StoreError::Name)?;
        let text = edit::concat(&[key.id(), ":", key.expose_secret()]);
        self.change(profile, Folder::Make, |config, draft| {
            if key_text(config, profile) != Some(text.as_str()) {
                draft.set(profile, KEY, &text)?;
            }
            if activate == Activate::Yes && config.active.as_deref() != Some(profile) {
                draft.set(INTERNAL, ACTIVE, profile)?;
            }
            Ok(())
        })
    }

    /// Removes the key of a profile and nothing else of it. If the profile then has nothing in it,
    /// not even a comment, it goes too, and no profile is active if it was the active one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchProfile`], or another [`StoreError`]; the file is then as it was.
    pub fn remove_key(&self, profile: &str) -> Result<Change, StoreError> {
        self.change(profile, Folder::Leave, |config, draft| {
            if existing(config, profile)?.key.is_none() {
                return Ok(());
            }
            draft.unset(profile, KEY)?;
            let is_gone = draft.apply(&Edit::DropEmpty { table: profile })?;
            if is_gone && config.active.as_deref() == Some(profile) {
                draft.unset(INTERNAL, ACTIVE)?;
            }
            Ok(())
        })
    }

    /// Makes a profile the active one, or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchProfile`], or another [`StoreError`]; the file is then as it was.
    pub fn set_active(&self, profile: Option<&str>) -> Result<Change, StoreError> {
        if let Some(profile) = profile {
            name::check(profile).map_err(StoreError::Name)?;
        }
        let table = profile.unwrap_or(INTERNAL);
        self.change(table, Folder::Leave, |config, draft| {
            let Some(profile) = profile else {
                return draft.unset(INTERNAL, ACTIVE);
            };
            existing(config, profile)?;
            if config.active.as_deref() != Some(profile) {
                draft.set(INTERNAL, ACTIVE, profile)?;
            }
            Ok(())
        })
    }

    /// Reads the file, changes it, and puts the result in its place, with no other program in
    /// between.
    fn change(
        &self,
        profile: &str,
        folder: Folder,
        edit: impl Fn(&ConfigFile, &mut Draft<'_>) -> Result<(), StoreError>,
    ) -> Result<Change, StoreError> {
        let make_folder = folder == Folder::Make;
        let Some(locked) = Locked::acquire(&self.path, make_folder, self.lock_wait)? else {
            let empty = self.parse("")?;
            edit(&empty, &mut Draft::of(self, ""))?;
            return Ok(self.outcome(profile, &empty, &empty));
        };
        for _ in 0..ATTEMPTS {
            let snapshot = locked.read()?;
            let old = &snapshot.file.text;
            let before = self.parse(old)?;
            let mut draft = Draft::of(self, old);
            edit(&before, &mut draft)?;
            let tightened_from = snapshot.loose_mode();
            if draft.new.is_none() && tightened_from.is_none() {
                return Ok(self.outcome(profile, &before, &before));
            }
            let new = draft.text();
            if locked.replace(&snapshot, new)? {
                let after = self.parse(new)?;
                return Ok(Change {
                    written: true,
                    tightened_from,
                    ..self.outcome(profile, &before, &after)
                });
            }
        }
        Err(StoreError::Contended { path: self.path() })
    }

    fn parse(&self, text: &str) -> Result<ConfigFile, StoreError> {
        let parsed = usable(config::parse(text, self.path(), None))?;
        parsed.ok_or_else(|| StoreError::NoFile {
            reason: self.path(),
        })
    }

    /// What became of a profile, as if nothing had been written.
    fn outcome(&self, profile: &str, before: &ConfigFile, after: &ConfigFile) -> Change {
        let table = match (before.profile(profile), after.profile(profile)) {
            (None, Some(_)) => Table::Created,
            (Some(_), None) => Table::Removed,
            _ => Table::Kept,
        };
        let previous = before.profile(profile).map(|profile| info(before, profile));
        Change {
            path: self.path(),
            written: false,
            table,
            previous_key_id: previous.and_then(|profile| profile.key_id),
            active: after.active.as_deref().map(printable),
            tightened_from: None,
        }
    }
}

/// The text as it will be.
struct Draft<'a> {
    store: &'a Store,
    old: &'a str,
    /// `None` as long as it is the old one.
    new: Option<Zeroizing<String>>,
}

impl<'a> Draft<'a> {
    fn of(store: &'a Store, old: &'a str) -> Self {
        let new = None;
        Self { store, old, new }
    }

    fn text(&self) -> &str {
        self.new.as_deref().map_or(self.old, String::as_str)
    }

    fn set(&mut self, table: &str, member: &str, value: &str) -> Result<(), StoreError> {
        let edit = Edit::Set {
            table,
            member,
            value,
        };
        self.apply(&edit).map(drop)
    }

    fn unset(&mut self, table: &str, member: &str) -> Result<(), StoreError> {
        self.apply(&Edit::Unset { table, member }).map(drop)
    }

    /// Whether the edit changed anything.
    fn apply(&mut self, edit: &Edit<'_>) -> Result<bool, StoreError> {
        let edited = edit
            .apply(self.text())
            .map_err(|refusal| StoreError::refused(refusal, edit.table(), self.store.path()))?;
        let is_changed = edited.is_some();
        self.new = edited.or(self.new.take());
        Ok(is_changed)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Folder {
    Make,
    Leave,
}

/// The content of the file; `None` if there is no file.
fn usable(content: Content) -> Result<Option<ConfigFile>, StoreError> {
    match content {
        Content::File(config) => Ok(Some(config)),
        Content::Missing(_) => Ok(None),
        Content::Bad { location, reason } => Err(StoreError::unusable(location, reason)),
    }
}

fn existing<'c>(config: &'c ConfigFile, name: &str) -> Result<&'c Profile, StoreError> {
    let profile = config.profile(name);
    profile.ok_or_else(|| StoreError::NoSuchProfile {
        profile: printable_name(name).to_owned(),
    })
}

fn key_text<'c>(config: &'c ConfigFile, profile: &str) -> Option<&'c str> {
    let key = config.profile(profile)?.key.as_ref()?;
    key.text.as_deref().map(String::as_str)
}

fn info(config: &ConfigFile, profile: &Profile) -> ProfileInfo {
    let parsed = profile.key.as_ref().map(|entry| {
        let Some(text) = entry.text.as_deref() else {
            return Err("the key of the profile is not a string".to_owned());
        };
        Key::parse(text).map_err(|problem| match problem {
            KeyProblem::Empty => "the key of the profile is empty".to_owned(),
            problem => problem.to_string(),
        })
    });
    let (key_id, problem) = match parsed {
        None => (None, None),
        Some(Ok((key, _))) => (Some(key.printable_id()), None),
        Some(Err(problem)) => (None, Some(problem)),
    };
    ProfileInfo {
        name: printable(&profile.name),
        key_id,
        problem,
        host: profile.host.as_deref().map(printable_host),
        active: config.active.as_deref() == Some(&profile.name),
        line: profile.line,
    }
}

/// The name of a profile, unless it may be something else in the wrong place.
fn printable(name: &str) -> String {
    let is_valid = name::check(name).is_ok();
    let shown = if is_valid { name } else { "(name not shown)" };
    shown.to_owned()
}

/// The host, unless it may be something else in the wrong place.
fn printable_host(host: &str) -> String {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_name = name.contains('.') || name == "localhost";
    let is_plain = name.len() <= 253
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    let shown = if is_name && is_plain && port.parse::<u16>().is_ok() {
        host
    } else {
        "(host not shown)"
    };
    shown.to_owned()
}
