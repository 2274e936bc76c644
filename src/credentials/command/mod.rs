//! A program that prints the key, such as a password manager.
//!
//! The program runs in its own process group, without a terminal, and until a timeout at most. A
//! shell runs it only on request. Its output is read into two zeroized buffers and never shown.

mod error;
mod excerpt;
mod invocation;
mod output;
mod process;
mod words;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

pub(crate) use error::CommandProblem;
pub(crate) use invocation::KeyCommand;
pub(crate) use output::CommandOutput;
use process::{Ending, Exit, Failure, RUNNING_VARIABLE};

/// The default timeout of a command. The user may have to unlock a password manager.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

impl KeyCommand {
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
        let (started, program) = (SystemTime::now(), self.program());
        let finished = match process::run(self, timeout, cancelled) {
            Ok(finished) => finished,
            Err(Failure::Start(error)) => {
                let cause = self.why_not_started(&error);
                return Err(CommandProblem::NotStarted { program, cause });
            }
            Err(Failure::Follow(error)) => {
                let kind = error.kind();
                return Err(CommandProblem::System { program, kind });
            }
        };
        let stdout = finished.stdout.bytes();
        let stderr = || {
            let text = Zeroizing::new(process::text_of(finished.stderr.bytes()));
            excerpt::of_stderr(&text, !finished.stderr.overflowed(), stdout)
        };
        let exit = match finished.ending {
            Ending::Exited(exit) => exit,
            Ending::Cancelled => return Err(CommandProblem::Cancelled),
            Ending::TooMuchOutput => return Err(CommandProblem::TooMuchOutput { program }),
            Ending::TimedOut => {
                return Err(CommandProblem::TimedOut {
                    program,
                    after: timeout,
                    stderr: stderr(),
                });
            }
            Ending::WantsTerminal => {
                let stderr = stderr();
                return Err(CommandProblem::WantsTerminal { program, stderr });
            }
        };
        if !matches!(exit, Exit::Code(0) | Exit::Unknown) {
            return Err(CommandProblem::Failed {
                program,
                exit,
                stderr: stderr(),
            });
        }
        output::read(stdout, started).map_err(|problem| CommandProblem::Output {
            program,
            problem,
            exit,
            stderr: stderr(),
        })
    }

    fn why_not_started(&self, error: &io::Error) -> String {
        let path = match self {
            Self::Program { program, .. } => Path::new(program.as_str()),
            Self::Shell(_) => Path::new(""),
        };
        let on_path = path.components().count() < 2;
        let cause = match error.kind() {
            _ if process::is_not_a_program(error) && cfg!(windows) => {
                "not a program for this system (for a script, write its interpreter before it)"
            }
            _ if process::is_not_a_program(error) => {
                "not a program for this system (a script needs a first line such as `#!/bin/sh`)"
            }
            ErrorKind::NotFound if on_path => {
                "not found in PATH (a desktop may set another PATH than a shell; write the full path)"
            }
            ErrorKind::NotFound if path.is_file() => {
                "the interpreter in the first line of the script was not found"
            }
            ErrorKind::NotFound => "not found",
            ErrorKind::PermissionDenied if !on_path && path.is_dir() => {
                "a directory, not a program"
            }
            ErrorKind::PermissionDenied => "permission denied (is it executable?)",
            kind => return kind.to_string(),
        };
        cause.to_owned()
    }
}

#[cfg(all(test, unix))]
mod tests;
