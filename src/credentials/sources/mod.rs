//! The sources, and the types that they share.

pub(super) mod colab;
pub(super) mod explicit;
pub(super) mod key_command;
pub(super) mod key_file;
pub(super) mod key_pair;
pub(super) mod key_variable;
pub(super) mod profile;
pub(super) mod system_keyring;
pub(super) mod user_login;

use std::cell::OnceCell;

use crate::credentials::config::Config;
use crate::credentials::credential::Credential;
use crate::credentials::environment::{Environment, Variable};
use crate::credentials::options::Options;
use crate::credentials::provider::Provider;
use crate::credentials::variables::{blank, not_unicode};
use crate::key::{Key, KeyProblem, Note};

/// A place where a credential may be stored.
pub(crate) struct Source {
    /// The name of the source. Names do not change between versions.
    pub(crate) name: &'static str,
    /// Whether `FAL_FORCE_AUTH_BY_USER=1` skips the source. It skips every key that the caller does
    /// not pass or name.
    pub(crate) skippable: bool,
    /// Reads the source. Runs no program and does not ask the user.
    pub(crate) read: fn(&Context<'_>) -> Finding,
}

/// The input of all sources of one resolution.
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

    /// Returns the configuration file. The first call reads it.
    pub(crate) fn config(&self) -> &Config {
        self.config
            .get_or_init(|| Config::load(self.options, self.environment))
    }
}

/// The content of a source. Only the credential contains a secret.
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) location: Option<String>,
    pub(crate) notes: Vec<String>,
}

pub(crate) enum Outcome {
    Found(Provider),
    Absent,
    /// The content cannot be used, for this reason.
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

    /// Sets the location, unless a more precise one is set.
    pub(crate) fn at_least(mut self, location: Option<&str>) -> Self {
        self.location = self.location.or_else(|| location.map(str::to_owned));
        self
    }

    pub(crate) fn notes(mut self, notes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.notes.extend(notes.into_iter().map(Into::into));
        self
    }
}

/// Returns the text of a variable, or the finding if the variable is unset, blank or malformed.
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
