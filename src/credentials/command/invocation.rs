//! A key command: a program with arguments, or a text for a shell.

use std::fmt;

use zeroize::Zeroizing;

use super::{excerpt, words};
use crate::credentials::environment::Environment;

/// A command that prints a credential. `Debug` shows the program, but not its arguments.
#[derive(Clone)]
pub(crate) enum KeyCommand {
    /// Started directly.
    Program {
        program: Zeroizing<String>,
        arguments: Vec<Zeroizing<String>>,
    },
    /// A text that the shell runs.
    Shell(Zeroizing<String>),
}

const UNKNOWN_HOME: &str = "the command starts with `~`, and the home directory is unknown";

impl KeyCommand {
    /// Splits a text into a program and its arguments, as a shell does. No shell runs it.
    ///
    /// # Errors
    ///
    /// The reason, for example that the text contains shell syntax other than quotes. It contains
    /// no part of the text but one character.
    pub(crate) fn from_text(text: &str, environment: &Environment) -> Result<Self, String> {
        check_nul(text)?;
        Self::from_words(words::split(text, environment.platform())?, environment)
    }

    /// Takes a program and its arguments. Expands a leading `~` of the program.
    ///
    /// # Errors
    ///
    /// The reason, which contains no part of the words.
    pub(crate) fn from_words(
        words: impl IntoIterator<Item = Zeroizing<String>>,
        environment: &Environment,
    ) -> Result<Self, String> {
        let mut words = words.into_iter();
        let mut program = words.next().unwrap_or_default();
        check_empty(&program)?;
        let arguments: Vec<_> = words.collect();
        for word in arguments.iter().chain([&program]) {
            check_nul(word)?;
        }
        if program.starts_with('~') {
            // A home directory that is not Unicode cannot be part of this text.
            let path = environment
                .expand(&program)
                .map(|path| path.into_os_string());
            let path = path.and_then(|path| path.into_string().ok());
            program = Zeroizing::new(path.ok_or(UNKNOWN_HOME)?);
        }
        Ok(Self::Program { program, arguments })
    }

    /// Takes a text that `sh -c` (on Windows `cmd /C`) runs.
    ///
    /// # Errors
    ///
    /// The reason, which contains no part of the text.
    pub(crate) fn from_shell(text: &str) -> Result<Self, String> {
        check_nul(text)?;
        check_empty(text)?;
        Ok(Self::Shell(Zeroizing::new(text.trim().to_owned())))
    }

    /// Returns the program in printable form, without its arguments.
    pub(crate) fn program(&self) -> String {
        match self {
            Self::Program { program, .. } => format!("`{}`", excerpt::of_text(program)),
            Self::Shell(_) if cfg!(windows) => "`cmd /C`".to_owned(),
            Self::Shell(_) => "`sh -c`".to_owned(),
        }
    }
}

impl fmt::Debug for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = match self {
            Self::Program { arguments, .. } => arguments.len(),
            Self::Shell(_) => 1,
        };
        let program = self.program();
        write!(f, "KeyCommand({program} and {arguments} arguments)")
    }
}

fn check_nul(text: &str) -> Result<(), &'static str> {
    match text.contains('\0') {
        true => Err("the command contains a NUL character"),
        false => Ok(()),
    }
}

fn check_empty(text: &str) -> Result<(), &'static str> {
    match text.trim().is_empty() {
        true => Err("the command is empty"),
        false => Ok(()),
    }
}
