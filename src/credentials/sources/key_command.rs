//! `FAL_KEY_COMMAND`: a program that prints the key. It runs at the first call, not when the
//! sources are read.

use super::{Context, Finding, Source, variable};
use crate::credentials::command::KeyCommand;
use crate::credentials::environment::Environment;
use crate::credentials::provider::Provider;

const NAME: &str = "FAL_KEY_COMMAND";
const SHELL: &str = "FAL_KEY_COMMAND_SHELL";

pub(crate) const SOURCE: Source = Source {
    name: NAME,
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    let environment = context.environment;
    match variable(environment, NAME) {
        Ok(text) => found(of_text(&text, environment.is_one(SHELL), environment)).at(NAME),
        Err(finding) => finding,
    }
}

/// Parses a command that is one text.
pub(crate) fn of_text(
    text: &str,
    shell: bool,
    environment: &Environment,
) -> Result<KeyCommand, String> {
    match shell {
        true => KeyCommand::from_shell(text),
        false => KeyCommand::from_text(text, environment),
    }
}

pub(crate) fn found(command: Result<KeyCommand, String>) -> Finding {
    match command {
        Ok(command) => {
            let note = format!("runs {} when a key is needed", command.program());
            Finding::found(Provider::Command(command)).notes([note])
        }
        Err(reason) => Finding::malformed(reason),
    }
}
