//! `FAL_KEY_COMMAND`: a program that prints the key. It runs when a key is needed, not to explain.

use super::{Context, Finding, Source};
use crate::credentials::command::{InvocationProblem, KeyCommand};
use crate::credentials::environment::Variable;
use crate::credentials::variables::{blank, not_unicode};
use crate::credentials::{Environment, Provider};

const NAME: &str = "FAL_KEY_COMMAND";
const SHELL: &str = "FAL_KEY_COMMAND_SHELL";

pub(crate) const SOURCE: Source = Source {
    name: NAME,
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    let environment = context.environment;
    match environment.variable(NAME) {
        Variable::Unset => Finding::absent(),
        Variable::Blank => Finding::absent().at(NAME).notes([blank(NAME)]),
        Variable::NotUnicode => Finding::malformed(not_unicode(NAME)).at(NAME),
        Variable::Set(text) => {
            found(of_text(&text, wants_shell(environment), environment)).at(NAME)
        }
    }
}

/// A command given as one text.
pub(crate) fn of_text(
    text: &str,
    shell: bool,
    environment: &Environment,
) -> Result<KeyCommand, InvocationProblem> {
    match shell {
        true => KeyCommand::from_shell(text),
        false => KeyCommand::from_text(text, environment),
    }
}

pub(crate) fn found(command: Result<KeyCommand, InvocationProblem>) -> Finding {
    match command {
        Ok(command) => {
            let note = format!("runs {} when a key is needed", command.program());
            Finding::found(Provider::Command(command)).notes([note])
        }
        Err(problem) => Finding::malformed(problem.to_string()),
    }
}

fn wants_shell(environment: &Environment) -> bool {
    matches!(environment.variable(SHELL), Variable::Set(text) if text.trim() == "1")
}
