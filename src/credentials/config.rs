//! The configuration file of the official CLI (docs/protocol.md §1.3).
//!
//! Its path is `FAL_CONFIG_PATH`, else `~/.fal/config.toml`. `FAL_HOME_DIR` moves the token files
//! and not this one, as in the CLI (docs/protocol.md §1.2).

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::environment::{Environment, Variable};
use super::file::{self, FileProblem, SecretFile};
use super::options::Options;
use super::variables::{NamedFile, blank, not_unicode};

const PATH_VARIABLE: &str = "FAL_CONFIG_PATH";

/// How often, and how long apart, a file that is empty is looked at again.
const EMPTY_LOOKS: usize = 5;
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// The table that is no profile.
pub(super) const INTERNAL: &str = "__internal__";

/// What is known of the configuration file.
pub(super) struct Config {
    pub(super) content: Content,
    pub(super) notes: Vec<String>,
}

pub(super) enum Content {
    /// There is no file, which counts as an empty one; where it would be, if that is known.
    Missing(Option<String>),
    /// The file cannot be used.
    Bad {
        location: String,
        reason: String,
    },
    File(ConfigFile),
}

pub(super) struct ConfigFile {
    /// The path, as it may be printed.
    pub(super) path: String,
    pub(super) profiles: Vec<Profile>,
    /// `[__internal__].profile`
    pub(super) active: Option<String>,
    /// That others have access to the file, and the remedy.
    pub(super) exposed: Option<String>,
}

pub(super) struct Profile {
    pub(super) name: String,
    /// The line of its header, from 1.
    pub(super) line: usize,
    pub(super) key: Option<Entry>,
    /// A program that prints the key, in place of one.
    pub(super) key_command: Option<CommandEntry>,
    /// The gRPC host of the CLI.
    pub(super) host: Option<String>,
}

/// A value of a profile.
pub(super) struct Entry {
    /// From 1.
    pub(super) line: usize,
    /// `None` if it is no string.
    pub(super) text: Option<Zeroizing<String>>,
}

/// `key_command`, and whether `key_command_shell` asks for a shell.
pub(super) struct CommandEntry {
    /// From 1.
    pub(super) line: usize,
    pub(super) words: Words,
    pub(super) shell: bool,
}

pub(super) enum Words {
    /// One text, to be split.
    Text(Zeroizing<String>),
    /// A program and its arguments.
    List(Vec<Zeroizing<String>>),
    /// Neither.
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
        // Only the default file may be missing without a remark.
        if let (Content::Missing(_), Some(name)) = (&content, located.named_by) {
            notes.push(format!(
                "{name} names no file: {}",
                file::shown(&located.path)
            ));
        }
        Self { content, notes }
    }

    fn missing(notes: Vec<String>) -> Self {
        Self {
            content: Content::Missing(None),
            notes,
        }
    }

    fn bad(location: &str, reason: String) -> Self {
        let content = Content::Bad {
            location: location.to_owned(),
            reason,
        };
        Self {
            content,
            notes: Vec::new(),
        }
    }
}

impl ConfigFile {
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

pub(super) struct Located {
    pub(super) path: PathBuf,
    /// What named it, unless it is the default.
    named_by: Option<&'static str>,
    notes: Vec<String>,
}

/// The path of the file; the error is what is known without one.
pub(super) fn locate(options: &Options, environment: &Environment) -> Result<Located, Config> {
    if let Some(path) = options.config_file() {
        let named_by = Some("the option `config_path`");
        return Ok(Located {
            path: path.to_owned(),
            named_by,
            notes: Vec::new(),
        });
    }
    match environment.variable(PATH_VARIABLE) {
        Variable::NotUnicode => Err(Config::bad(PATH_VARIABLE, not_unicode(PATH_VARIABLE))),
        Variable::Set(text) => NamedFile::from_variable(environment, PATH_VARIABLE, &text)
            .map(|NamedFile { path, notes }| Located {
                path,
                named_by: Some(PATH_VARIABLE),
                notes,
            })
            .map_err(|reason| Config::bad(PATH_VARIABLE, reason)),
        Variable::Blank => locate_default(environment, vec![blank(PATH_VARIABLE)]),
        Variable::Unset => locate_default(environment, Vec::new()),
    }
}

fn locate_default(environment: &Environment, mut notes: Vec<String>) -> Result<Located, Config> {
    match environment.home() {
        Some(home) => {
            let path = home.join(".fal").join("config.toml");
            Ok(Located {
                path,
                named_by: None,
                notes,
            })
        }
        None => {
            notes.push("the home directory is unknown".to_owned());
            Err(Config::missing(notes))
        }
    }
}

pub(super) fn read(path: &Path) -> Content {
    let shown = file::shown(path);
    let mut found = file::read(path);
    // The CLI empties the file before it writes it anew: another source, of another account, must
    // not be used meanwhile.
    for _ in 0..EMPTY_LOOKS {
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
        // A top-level scalar is a global setting of the CLI.
        let DeValue::Table(entries) = value.into_inner() else {
            continue;
        };
        if name.get_ref() == INTERNAL {
            config.active = active(entries);
        } else {
            config.profiles.push(profile(text, name, entries));
        }
    }
    config.profiles.sort_by_key(|profile| profile.line);
    Content::File(config)
}

/// The parser's own message is not used: it may quote the line, and the line may hold the secret.
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

fn active(mut entries: DeTable<'_>) -> Option<String> {
    string(&mut entries, "profile")
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
