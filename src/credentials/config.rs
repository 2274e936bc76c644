//! The configuration file of the official CLI (docs/protocol.md §1.3).
//!
//! `FAL_CONFIG_PATH` names the file; the default is `~/.fal/config.toml`. As in the CLI,
//! `FAL_HOME_DIR` moves the token files but not this file (docs/protocol.md §1.2).

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::environment::Environment;
use super::file::{self, FileProblem, SecretFile};
use super::options::Options;
use super::variables::{NamedFile, Place};

const PATH_VARIABLE: &str = "FAL_CONFIG_PATH";

/// How many times an empty file is read again, and the pause before each read.
const EMPTY_READS: usize = 5;
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// The table with settings of the CLI. Every other table is a profile.
pub(super) const INTERNAL: &str = "__internal__";

/// The configuration file, or the reason why it cannot be used.
pub(super) struct Config {
    pub(super) content: Content,
    pub(super) notes: Vec<String>,
}

pub(super) enum Content {
    /// There is no file, which counts as an empty file. Holds the path if it is known.
    Missing(Option<String>),
    Bad {
        location: String,
        reason: String,
    },
    File(ConfigFile),
}

pub(super) struct ConfigFile {
    /// The path in printable form.
    pub(super) path: String,
    pub(super) profiles: Vec<Profile>,
    /// The active profile: `[__internal__].profile`.
    pub(super) active: Option<String>,
    /// A remark if other users have access to the file.
    pub(super) exposed: Option<String>,
}

pub(super) struct Profile {
    pub(super) name: String,
    /// The line of the header, from 1.
    pub(super) line: usize,
    pub(super) key: Option<Entry>,
    /// A command that prints the key. Used if there is no `key`.
    pub(super) key_command: Option<CommandEntry>,
    /// The gRPC host, which only the CLI uses.
    pub(super) host: Option<String>,
}

/// The `key` of a profile.
pub(super) struct Entry {
    /// From 1.
    pub(super) line: usize,
    /// `None` if the value is not a string.
    pub(super) text: Option<Zeroizing<String>>,
}

/// The `key_command` of a profile.
pub(super) struct CommandEntry {
    /// From 1.
    pub(super) line: usize,
    pub(super) words: Words,
    /// Whether `key_command_shell` is true.
    pub(super) shell: bool,
}

pub(super) enum Words {
    /// A string, which has to be split into words.
    Text(Zeroizing<String>),
    /// A program and its arguments.
    List(Vec<Zeroizing<String>>),
    /// A value of another type.
    Other,
}

impl Config {
    pub(super) fn load(options: &Options, environment: &Environment) -> Self {
        let located = match locate(options, environment) {
            Ok(located) => located,
            Err(config) => return config,
        };
        let content = read(&located.path);
        let mut notes = located.notes;
        // A missing default file is normal; a missing file that was named is not.
        if let (Content::Missing(_), Some(name)) = (&content, located.named_by) {
            notes.push(format!(
                "{name} names a file that does not exist: {}",
                file::shown(&located.path)
            ));
        }
        Self { content, notes }
    }
}

impl ConfigFile {
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

pub(super) struct Located {
    pub(super) path: PathBuf,
    /// The option or variable that names the path. `None` for the default path.
    named_by: Option<&'static str>,
    notes: Vec<String>,
}

/// Returns the path of the file, or a [`Config`] that says why the path is unknown.
pub(super) fn locate(options: &Options, environment: &Environment) -> Result<Located, Config> {
    if let Some(path) = &options.config_path {
        let named_by = Some("the option `config_path`");
        return Ok(Located {
            path: path.clone(),
            named_by,
            notes: Vec::new(),
        });
    }
    let (NamedFile { path, notes }, named_by) = match Place::of(environment, PATH_VARIABLE) {
        Ok(Place::Named(file)) => (file, Some(PATH_VARIABLE)),
        Ok(Place::Default(mut folder)) => {
            folder.path.push("config.toml");
            (folder, None)
        }
        Ok(Place::Unknown(mut notes)) => {
            notes.push("the home directory is unknown".to_owned());
            return Err(Config {
                content: Content::Missing(None),
                notes,
            });
        }
        Err(reason) => {
            let content = Content::Bad {
                location: PATH_VARIABLE.to_owned(),
                reason,
            };
            return Err(Config {
                content,
                notes: Vec::new(),
            });
        }
    };
    Ok(Located {
        path,
        named_by,
        notes,
    })
}

pub(super) fn read(path: &Path) -> Content {
    let shown = file::shown(path);
    let mut found = file::read(path);
    // The CLI truncates the file before it rewrites it. A read at that moment must not make another
    // source decide, because that source may bill another account.
    for _ in 0..EMPTY_READS {
        if !found.as_ref().is_ok_and(|file| file.text.is_empty()) {
            break;
        }
        std::thread::sleep(EMPTY_PAUSE);
        found = file::read(path);
    }
    match found {
        Ok(SecretFile { text, exposed, .. }) => parse(&text, shown, exposed),
        Err(FileProblem::Missing) => Content::Missing(Some(shown)),
        Err(problem) => Content::Bad {
            location: shown,
            reason: problem.to_string(),
        },
    }
}

pub(super) fn parse(text: &str, path: String, exposed: Option<String>) -> Content {
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            return syntax_error(text, start, &path);
        }
    };
    let mut config = ConfigFile {
        path,
        profiles: Vec::new(),
        active: None,
        exposed,
    };
    for (name, value) in table {
        // Top-level values are global settings of the CLI.
        let DeValue::Table(mut entries) = value.into_inner() else {
            continue;
        };
        if name.get_ref() == INTERNAL {
            config.active = string(&mut entries, "profile");
        } else {
            config.profiles.push(profile(text, name, entries));
        }
    }
    config.profiles.sort_unstable_by_key(|profile| profile.line);
    Content::File(config)
}

/// Describes a syntax error without the parser's message, which may quote a line with a secret.
fn syntax_error(text: &str, offset: usize, path: &str) -> Content {
    let before = text.get(..offset).unwrap_or(text);
    let line = line_of(text, offset);
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    Content::Bad {
        location: format!("{path}:{line}:{column}"),
        reason: format!(
            "not valid TOML at line {line}, column {column} (a value is quoted and set once: key = \"…\")"
        ),
    }
}

fn string(entries: &mut DeTable<'_>, name: &str) -> Option<String> {
    match entries.remove(name)?.into_inner() {
        DeValue::String(text) => Some(text.into_owned()),
        _ => None,
    }
}

fn profile(text: &str, name: Spanned<Cow<'_, str>>, mut entries: DeTable<'_>) -> Profile {
    let line = line_of(text, name.span().start);
    let key = entries.remove("key").map(|value| Entry {
        line: line_of(text, value.span().start),
        text: match value.into_inner() {
            DeValue::String(key) => Some(Zeroizing::new(key.into_owned())),
            _ => None,
        },
    });
    let key_command = command(text, &mut entries);
    let host = string(&mut entries, "host");
    Profile {
        name: name.into_inner().into_owned(),
        line,
        key,
        key_command,
        host,
    }
}

fn command(text: &str, entries: &mut DeTable<'_>) -> Option<CommandEntry> {
    let value = entries.remove("key_command")?;
    let shell = entries
        .remove("key_command_shell")
        .is_some_and(|shell| matches!(shell.into_inner(), DeValue::Boolean(true)));
    let line = line_of(text, value.span().start);
    let word = |value: Spanned<DeValue<'_>>| match value.into_inner() {
        DeValue::String(word) => Some(Zeroizing::new(word.into_owned())),
        _ => None,
    };
    let words = match value.into_inner() {
        DeValue::String(text) => Words::Text(Zeroizing::new(text.into_owned())),
        DeValue::Array(list) => list
            .into_iter()
            .map(word)
            .collect::<Option<_>>()
            .map_or(Words::Other, Words::List),
        _ => Words::Other,
    };
    Some(CommandEntry { line, words, shell })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}
