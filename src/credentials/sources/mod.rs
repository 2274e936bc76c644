//! What every source is made of, and what it may find.

pub(super) mod colab;
pub(super) mod explicit_callback;
pub(super) mod explicit_key;
pub(super) mod explicit_profile;
pub(super) mod explicit_token;
pub(super) mod key_command;
pub(super) mod key_file;
pub(super) mod key_pair;
pub(super) mod key_variable;
pub(super) mod profile;
pub(super) mod system_keyring;
pub(super) mod user_login;

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::credentials::config::Config;
use crate::credentials::environment::{Platform, Variable};
use crate::credentials::{Credential, Environment, Options, Provider};
use crate::key::{Key, KeyProblem, Note};

/// A place where a credential may be.
pub(crate) struct Source {
    /// Its stable name.
    pub(crate) name: &'static str,
    /// Whether `FAL_FORCE_AUTH_BY_USER=1` skips it: every key that the caller does not point to.
    pub(crate) skippable: bool,
    pub(crate) read: fn(&Context<'_>) -> Finding,
}

/// What the sources of one resolution share.
pub(crate) struct Context<'a> {
    pub(crate) options: &'a Options,
    pub(crate) environment: &'a Environment,
    config: OnceCell<Config>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(options: &'a Options, environment: &'a Environment) -> Self {
        Self {
            options,
            environment,
            config: OnceCell::new(),
        }
    }

    /// The configuration file, read at the first call.
    pub(crate) fn config(&self) -> &Config {
        self.config
            .get_or_init(|| Config::load(self.options, self.environment))
    }
}

/// What is at a source. Holds no secret outside the credential.
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) location: Option<String>,
    pub(crate) notes: Vec<String>,
}

pub(crate) enum Outcome {
    Found(Provider),
    Absent,
    /// Why what is there cannot be used.
    Malformed(String),
}

impl Finding {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            location: None,
            notes: Vec::new(),
        }
    }

    pub(crate) fn absent() -> Self {
        Self::new(Outcome::Absent)
    }

    pub(crate) fn found(provider: Provider) -> Self {
        Self::new(Outcome::Found(provider))
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::new(Outcome::Malformed(reason.into()))
    }

    pub(crate) fn key(parsed: Result<(Key, Vec<Note>), KeyProblem>) -> Self {
        match parsed {
            Ok((key, notes)) => Self::found(Provider::Ready(Credential::Key(key)))
                .notes(notes.iter().map(Note::to_string)),
            Err(problem) => Self::malformed(problem.to_string()),
        }
    }

    pub(crate) fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Where it is, unless that is known better already.
    pub(crate) fn at_least(mut self, location: Option<&str>) -> Self {
        self.location = self.location.or_else(|| location.map(str::to_owned));
        self
    }

    pub(crate) fn notes(mut self, notes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.notes.extend(notes.into_iter().map(Into::into));
        self
    }
}

/// The text of a variable, unless what it holds already answers for the source.
pub(crate) fn variable(
    environment: &Environment,
    name: &'static str,
) -> Result<zeroize::Zeroizing<String>, Finding> {
    match environment.variable(name) {
        Variable::Unset => Err(Finding::absent()),
        Variable::Blank => Err(Finding::absent().at(name).notes([blank(name)])),
        Variable::NotUnicode => Err(Finding::malformed(not_unicode(name)).at(name)),
        Variable::Set(text) => Ok(text),
    }
}

pub(crate) fn blank(name: &str) -> String {
    format!("{name} is set but empty")
}

pub(crate) fn not_unicode(name: &str) -> String {
    format!("{name} is not valid Unicode")
}

/// A variable that names a file: the path, and what was dropped from around its text.
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) notes: Vec<String>,
}

impl NamedFile {
    /// Expands a leading `~`. The error is the reason why that failed.
    pub(crate) fn from_variable(
        environment: &Environment,
        name: &'static str,
        text: &str,
    ) -> Result<Self, String> {
        let (text, mut notes) = trimmed(name, text);
        let text = match text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
        {
            // No name there has one; `set` of its command line keeps those around the value.
            Some(inner) if environment.platform() == Platform::Windows => {
                notes.push(format!("{name}: {}", Note::Quotes));
                inner
            }
            _ => text,
        };
        match environment.expand(text) {
            Some(path) => Ok(Self { path, notes }),
            None => Err(format!(
                "{name} starts with `~`, and the home directory is unknown"
            )),
        }
    }
}

/// The text without surrounding white space, and a note if there was any.
pub(crate) fn trimmed<'t>(name: &str, text: &'t str) -> (&'t str, Vec<String>) {
    let inner = text.trim();
    let changed = inner.len() < text.len();
    let note = changed.then(|| format!("{name}: {}", Note::WhiteSpace));
    (inner, note.into_iter().collect())
}

/// Like the secret half of one of fal's keys, which is 32 hexadecimal digits.
pub(crate) fn looks_like_secret(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A profile's name, unless it may be a key in the wrong place or would harm a terminal.
pub(crate) fn printable_name(name: &str) -> &str {
    const LONGEST: usize = 64;
    let printable = name
        .chars()
        .all(|c| c.is_alphanumeric() || " -_.@/+".contains(c))
        && !looks_like_secret(name);
    if name.is_empty() {
        "(empty name)"
    } else if printable && name.chars().count() <= LONGEST {
        name
    } else {
        "(name not shown)"
    }
}
