//! Stores keys in the configuration file of the official CLI, for every program on the machine.
//!
//! The file is the one that the credential chain reads. A change affects only the lines that it
//! must, and keeps every other byte: comments, order, unknown members, line ends, a byte order
//! mark.
//!
//! The new file replaces the old one atomically, and only its owner has access: mode 0600 on Unix.
//! On Windows the new file gets the access control list of the old one; without an old file, the
//! user and the system get access if others would have it otherwise.
//!
//! Programs that use this library wait for each other. The official CLI takes no lock
//! (docs/protocol.md §1.3). A change that it makes at the same time is detected, except in the last
//! microseconds before the file is replaced, and the change of this library is then repeated on the
//! new content. A read-only file is not changed, nor, on Windows, one that another program has open
//! for more than a few seconds. Hard links to the file are lost, and on Unix its access control
//! lists and extended attributes.
//!
//! All text read and written is zeroized in memory, except names, the lengths and positions of
//! parts, and values with escapes, which the TOML parser copies.

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

/// How long a change waits for the lock of another program.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// How many times a change is tried if a program that takes no lock keeps changing the file.
const ATTEMPTS: usize = 8;

const KEY: &str = "key";
const ACTIVE: &str = "profile";

/// Whether a profile becomes the active one, which programs use if `FAL_PROFILE` names no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activate {
    /// The profile becomes the active one.
    Yes,
    /// The active profile stays, if there is one.
    No,
}

/// A profile of the configuration file. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileInfo {
    /// The name; `(name not shown)` if it is not a valid profile name, since it may then be a key
    /// in the wrong place.
    pub name: String,
    /// The public half of the key, in printable form; `None` if there is no key or it cannot be
    /// used.
    pub key_id: Option<String>,
    /// Why the key cannot be used.
    pub problem: Option<String>,
    /// The host that the profile sets for the CLI; libfal does not use it. `(host not shown)` if it
    /// is not a host name.
    pub host: Option<String>,
    /// Whether the file makes the profile the active one. `FAL_PROFILE` overrides it.
    pub active: bool,
    /// The line of the name in the file, from 1.
    pub line: usize,
}

/// The effect of a change on the table of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Table {
    /// The table existed before and after the change, or neither before nor after.
    Kept,
    /// The change created the table.
    Created,
    /// The change removed the table because it became empty.
    Removed,
}

/// What a change did. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The file, as it may be printed.
    pub path: String,
    /// Whether the file was written. False if it already had the requested content.
    pub written: bool,
    /// The effect on the table of the profile.
    pub table: Table,
    /// The public half of the key that the profile had before, in printable form.
    pub previous_key_id: Option<String>,
    /// The active profile after the change, as it may be printed.
    pub active: Option<String>,
    /// The permission bits of the file before the change, if they granted other users access that
    /// the change removed.
    pub tightened_from: Option<u32>,
}

/// The configuration file, for changes. Every method reads or writes the disk, and every change
/// blocks up to 20 seconds while another program holds the lock.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    lock_wait: Duration,
}

impl Store {
    /// Selects the file that [`resolve`](super::resolve) reads: the option `config_path`, else
    /// `FAL_CONFIG_PATH`, else `~/.fal/config.toml`. Reads nothing; the file need not exist.
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

    /// Sets how long a change waits for other programs. The default is 20 seconds.
    pub fn with_lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// Returns the path of the file, as it may be printed.
    pub fn path(&self) -> String {
        file::shown(&self.path)
    }

    /// Returns every profile, in the order of the file. Without a file the list is empty.
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

    /// Stores a key in a profile and replaces the previous key. Creates the profile, the file and
    /// its folder (mode 0700) if they are missing. Keeps other members of the profile.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]; the file is then unchanged.
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

    /// Removes the key of a profile, and keeps its other members. If the profile is then empty,
    /// without even a comment, the profile is removed too; if it was the active one, no profile is
    /// active afterwards.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchProfile`], or another [`StoreError`]; the file is then unchanged.
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

    /// Makes a profile the active one. With `None`, no profile is active afterwards.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchProfile`], or another [`StoreError`]; the file is then unchanged.
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

    /// Reads the file, edits the text, and replaces the file, under the lock.
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

    /// Compares a profile before and after a change. The caller sets `written` and
    /// `tightened_from`.
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

/// The text of the file while it is edited.
struct Draft<'a> {
    store: &'a Store,
    old: &'a str,
    /// The edited text; `None` while there is no difference.
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

    /// Applies an edit. Returns whether it changed the text.
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

/// Returns the parsed file; `None` if there is no file.
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

/// Returns the name of a profile as it may be printed.
fn printable(name: &str) -> String {
    let is_valid = name::check(name).is_ok();
    let shown = if is_valid { name } else { "(name not shown)" };
    shown.to_owned()
}

/// Returns the host as it may be printed. Text that is not a host name may be a key in the wrong
/// place.
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
