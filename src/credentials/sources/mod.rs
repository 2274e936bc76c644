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

use crate::credentials::config::Config;
use crate::credentials::credential::Credential;
use crate::credentials::environment::{Environment, Variable};
use crate::credentials::options::Options;
use crate::credentials::provider::Provider;
use crate::credentials::variables::{blank, not_unicode};
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
