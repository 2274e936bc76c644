//! The profile that `FAL_PROFILE` or the configuration file selects, as in the official CLI
//! (docs/protocol.md §1.3).
//!
//! One difference: the CLI ignores the name of a profile that does not exist. Here that is an error
//! if the user or the caller named the profile, because another credential may bill another
//! account. If the system keyring is enabled, it may hold the key of that name instead.

use super::{Context, Finding, Source};
use super::{key_command, system_keyring};
use crate::credentials::command::KeyCommand;
use crate::credentials::config::{CommandEntry, Config, ConfigFile, Content, Profile, Words};
use crate::credentials::environment::{Environment, Variable};
use crate::credentials::printable::printable_name;
use crate::credentials::variables::{blank, not_unicode, trimmed};
use crate::key::{Key, KeyProblem};

const NAME_VARIABLE: &str = "FAL_PROFILE";

/// How many profile names an error lists.
const LISTED: usize = 8;

pub(crate) const SOURCE: Source = Source {
    name: "profile",
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    let config = context.config();
    match context.environment.variable(NAME_VARIABLE) {
        Variable::NotUnicode => Finding::malformed(not_unicode(NAME_VARIABLE)).at(NAME_VARIABLE),
        Variable::Set(text) => {
            let (name, notes) = trimmed(NAME_VARIABLE, &text);
            let missing = |reason| match system_keyring::may_hold(context) {
                true => absent(reason),
                false => Finding::malformed(reason),
            };
            named(context, name, &absent, &missing).notes(notes)
        }
        Variable::Blank => active(config, context.environment).notes([blank(NAME_VARIABLE)]),
        Variable::Unset => active(config, context.environment),
    }
}

/// Reads the profile that the caller named. The profile, or else the keyring if it is enabled, must
/// have a key.
pub(crate) fn asked_for(context: &Context<'_>, name: &str) -> Finding {
    let lacking = |reason| match system_keyring::may_hold(context) {
        true => system_keyring::entry(name.to_owned()).notes([reason]),
        false => Finding::malformed(reason),
    };
    named(context, name, &lacking, &lacking)
}

/// Turns the reason for a missing key into a finding.
type Lacking<'a> = &'a dyn Fn(String) -> Finding;

fn absent(reason: String) -> Finding {
    Finding::absent().notes([reason])
}

/// Reads the profile that the caller or `FAL_PROFILE` named.
fn named(context: &Context<'_>, name: &str, keyless: Lacking<'_>, missing: Lacking<'_>) -> Finding {
    let config = context.config();
    let finding = match &config.content {
        Content::File(file) => match file.profile(name) {
            Some(profile) => key_of(file, profile, keyless, context.environment),
            None => {
                missing(format!("{}; {}", no_such(name), names(file))).at_least(Some(&file.path))
            }
        },
        Content::Missing(path) => {
            missing(format!("{}; there is no configuration file", no_such(name)))
                .at_least(path.as_deref())
        }
        Content::Bad { location, reason } => Finding::malformed(reason).at(location),
    };
    finding.notes(&config.notes)
}

/// Reads the profile that the configuration file makes active.
fn active(config: &Config, environment: &Environment) -> Finding {
    let finding = match &config.content {
        Content::File(file) => match &file.active {
            Some(name) if name.is_empty() => Finding::absent().at(&file.path),
            Some(name) => match file.profile(name) {
                Some(profile) => key_of(file, profile, &absent, environment),
                None => Finding::absent().at(&file.path).notes([format!(
                    "[__internal__] selects a profile that does not exist: {}",
                    no_such(name)
                )]),
            },
            None => Finding::absent()
                .at(&file.path)
                .notes(["no profile is selected"]),
        },
        Content::Missing(path) => Finding::absent()
            .at_least(path.as_deref())
            .notes(["there is no configuration file"]),
        Content::Bad { location, reason } => Finding::malformed(reason).at(location),
    };
    finding.notes(&config.notes)
}

fn key_of(
    file: &ConfigFile,
    profile: &Profile,
    keyless: Lacking<'_>,
    environment: &Environment,
) -> Finding {
    let at = |line: usize| format!("{}:{line} [{}]", file.path, printable_name(&profile.name));
    let Some(key) = &profile.key else {
        return match &profile.key_command {
            None => keyless("the profile has no key".to_owned()).at_least(Some(&at(profile.line))),
            Some(command) => command_of(command, environment)
                .at(at(command.line))
                .notes(&file.exposed),
        };
    };
    let finding = match key.text.as_deref() {
        None => Finding::malformed("the key of the profile is not a string"),
        Some(text) => match Key::parse(text) {
            Err(KeyProblem::Empty) => keyless("the key of the profile is empty".to_owned()),
            parsed => Finding::key(parsed),
        },
    };
    finding.at_least(Some(&at(key.line))).notes(&file.exposed)
}

fn command_of(entry: &CommandEntry, environment: &Environment) -> Finding {
    match &entry.words {
        Words::Text(text) => {
            key_command::found(key_command::of_text(text, entry.shell, environment))
        }
        Words::List(_) if entry.shell => {
            Finding::malformed("key_command_shell needs a key_command that is a string, not a list")
        }
        Words::List(words) => {
            key_command::found(KeyCommand::from_words(words.iter().cloned(), environment))
        }
        Words::Other => Finding::malformed(
            "the key_command of the profile is not a string or a list of strings",
        ),
    }
}

fn no_such(name: &str) -> String {
    format!("no profile named {}", printable_name(name))
}

fn names(file: &ConfigFile) -> String {
    let names: Vec<_> = file
        .profiles
        .iter()
        .take(LISTED)
        .map(|profile| printable_name(&profile.name))
        .collect();
    match file.profiles.len().saturating_sub(LISTED) {
        _ if names.is_empty() => "the file has none".to_owned(),
        0 => format!("the file has: {}", names.join(", ")),
        more => format!("the file has: {} and {more} more", names.join(", ")),
    }
}
