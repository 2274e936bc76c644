//! A program that prints the key, such as a password manager.
//!
//! The program runs in its own process group, without a terminal, and until a timeout at most. A
//! shell runs it only on request. Its output is read into two zeroized buffers and never shown.

mod error;
mod excerpt;
mod output;
mod process;
mod words;

use std::fmt;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::environment::Environment;
#[cfg(all(test, unix))]
use super::environment::Platform;
use process::{Ending, Exit, Finished, Prepared, RUNNING_VARIABLE};

pub(crate) use error::{CommandProblem, InvocationProblem, StartProblem};
#[cfg(all(test, unix))]
pub(crate) use output::OutputProblem;
pub(crate) use output::{CommandOutput, Secret};

/// The default timeout of a command. The user may have to unlock a password manager.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A command that prints a credential. `Debug` shows the program, but not its arguments.
#[derive(Clone)]
pub(crate) struct KeyCommand {
    invocation: Invocation,
}

#[derive(Clone)]
enum Invocation {
    /// Started directly.
    Program {
        program: Zeroizing<String>,
        arguments: Vec<Zeroizing<String>>,
    },
    /// A text that the shell runs.
    Shell(Zeroizing<String>),
}

impl KeyCommand {
    /// Splits a text into a program and its arguments, as a shell does. No shell runs it.
    ///
    /// # Errors
    ///
    /// An [`InvocationProblem`], for example if the text contains shell syntax other than quotes.
    /// The error contains no part of the text but one character.
    pub(crate) fn from_text(
        text: &str,
        environment: &Environment,
    ) -> Result<Self, InvocationProblem> {
        check_nul(text)?;
        Self::from_words(words::split(text, environment.platform())?, environment)
    }

    /// Takes a program and its arguments. Expands a leading `~` of the program.
    ///
    /// # Errors
    ///
    /// An [`InvocationProblem`], which contains no part of the words.
    pub(crate) fn from_words(
        words: impl IntoIterator<Item = Zeroizing<String>>,
        environment: &Environment,
    ) -> Result<Self, InvocationProblem> {
        let mut words = words.into_iter();
        let program = words
            .next()
            .filter(|program| !program.trim().is_empty())
            .ok_or(InvocationProblem::Empty)?;
        let arguments: Vec<_> = words.collect();
        arguments
            .iter()
            .chain([&program])
            .try_for_each(|word| check_nul(word))?;
        let program = expand(program, environment)?;
        Ok(Self {
            invocation: Invocation::Program { program, arguments },
        })
    }

    /// Takes a text that `sh -c` (on Windows `cmd /C`) runs.
    ///
    /// # Errors
    ///
    /// An [`InvocationProblem`], which contains no part of the text.
    pub(crate) fn from_shell(text: &str) -> Result<Self, InvocationProblem> {
        check_nul(text)?;
        let text = text.trim();
        if text.is_empty() {
            return Err(InvocationProblem::Empty);
        }
        Ok(Self {
            invocation: Invocation::Shell(Zeroizing::new(text.to_owned())),
        })
    }

    /// Returns the program in printable form, without its arguments.
    pub(crate) fn program(&self) -> String {
        match &self.invocation {
            Invocation::Program { program, .. } => format!("`{}`", excerpt::of_text(program)),
            Invocation::Shell(_) => process::SHELL.to_owned(),
        }
    }

    /// Runs the command and parses its output. Blocks for at most `timeout` and one second.
    ///
    /// Kills the whole process group after the timeout, and soon after `cancelled` returns true.
    /// Starts no thread. Works whatever the host does with SIGCHLD.
    ///
    /// # Errors
    ///
    /// A [`CommandProblem`], which contains no secret.
    #[allow(
        clippy::disallowed_methods,
        reason = "fal.h says that commands inherit the environment"
    )]
    pub(crate) fn run(
        &self,
        timeout: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<CommandOutput, CommandProblem> {
        // A command inherits the variables of the process, not those of an `Environment`.
        if std::env::var_os(RUNNING_VARIABLE).is_some() {
            return Err(CommandProblem::Recursion);
        }
        let started = SystemTime::now();
        let finished = process::run(self.prepared(), timeout, cancelled)
            .map_err(|failure| self.system(failure))?;
        self.judge(&finished, started, timeout)
    }

    fn prepared(&self) -> Prepared {
        match &self.invocation {
            Invocation::Program { program, arguments } => {
                process::program(program, arguments.iter().map(|argument| argument.as_str()))
            }
            Invocation::Shell(text) => process::shell(text),
        }
    }

    fn judge(
        &self,
        finished: &Finished,
        started: SystemTime,
        timeout: Duration,
    ) -> Result<CommandOutput, CommandProblem> {
        let program = self.program();
        let stdout = finished.stdout.bytes();
        let stderr = || {
            excerpt::of_stderr(
                finished.stderr.bytes(),
                !finished.stderr.overflowed(),
                stdout,
            )
        };
        let exit = match finished.ending {
            Ending::Cancelled => return Err(CommandProblem::Cancelled),
            Ending::TimedOut => {
                return Err(CommandProblem::TimedOut {
                    program,
                    after: timeout,
                    stderr: stderr(),
                });
            }
            Ending::WantsTerminal => {
                return Err(CommandProblem::WantsTerminal {
                    program,
                    stderr: stderr(),
                });
            }
            Ending::TooMuchOutput => return Err(CommandProblem::TooMuchOutput { program }),
            Ending::Exited(exit) => exit,
        };
        match exit {
            Exit::Code(0) | Exit::Unknown => {
                output::read(stdout, started).map_err(|problem| CommandProblem::Output {
                    program,
                    problem,
                    exit,
                    stderr: stderr(),
                })
            }
            Exit::Code(_) | Exit::Signal(_) => Err(CommandProblem::Failed {
                program,
                exit,
                stderr: stderr(),
            }),
        }
    }

    fn system(&self, failure: process::Failure) -> CommandProblem {
        let program = self.program();
        match failure {
            process::Failure::Start(error) => CommandProblem::NotStarted {
                program,
                cause: self.why_not_started(&error),
            },
            process::Failure::Follow(error) => CommandProblem::System {
                program,
                kind: error.kind(),
            },
        }
    }

    fn why_not_started(&self, error: &std::io::Error) -> StartProblem {
        use std::io::ErrorKind;
        let path = match &self.invocation {
            Invocation::Program { program, .. } => std::path::Path::new(program.as_str()),
            Invocation::Shell(_) => std::path::Path::new(""),
        };
        let on_path = path.components().count() < 2;
        match error.kind() {
            _ if process::is_not_a_program(error) => StartProblem::NotAProgram,
            ErrorKind::NotFound if !on_path && path.is_file() => StartProblem::NoInterpreter,
            ErrorKind::NotFound => StartProblem::NotFound { on_path },
            ErrorKind::PermissionDenied if !on_path && path.is_dir() => StartProblem::Directory,
            ErrorKind::PermissionDenied => StartProblem::PermissionDenied,
            kind => StartProblem::Other(kind),
        }
    }
}

impl fmt::Debug for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = match &self.invocation {
            Invocation::Program { arguments, .. } => arguments.len(),
            Invocation::Shell(_) => 1,
        };
        write!(
            f,
            "KeyCommand({} and {arguments} arguments)",
            self.program()
        )
    }
}

fn check_nul(text: &str) -> Result<(), InvocationProblem> {
    match text.contains('\0') {
        true => Err(InvocationProblem::Nul),
        false => Ok(()),
    }
}

fn expand(
    program: Zeroizing<String>,
    environment: &Environment,
) -> Result<Zeroizing<String>, InvocationProblem> {
    if !program.starts_with('~') {
        return Ok(program);
    }
    let path = environment
        .expand(&program)
        .ok_or(InvocationProblem::UnknownHome)?;
    // A home directory that is not Unicode cannot be part of this text.
    path.into_os_string()
        .into_string()
        .map(Zeroizing::new)
        .map_err(|_| InvocationProblem::UnknownHome)
}

#[cfg(all(test, unix))]
mod tests;
