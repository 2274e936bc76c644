//! Errors of a command. They contain no part of its standard output and no secret.

use std::fmt;
use std::io;
use std::time::Duration;

use super::process::{Exit, MAX_OUTPUT};

/// Why a command has not delivered a credential.
#[derive(Debug)]
pub(crate) enum CommandProblem {
    /// This process was itself started by a key command.
    Recursion,
    NotStarted {
        /// The program in printable form.
        program: String,
        cause: String,
    },
    /// The exit code was not 0.
    Failed {
        program: String,
        exit: Exit,
        stderr: String,
    },
    TimedOut {
        program: String,
        after: Duration,
        stderr: String,
    },
    /// The caller cancelled the run.
    Cancelled,
    /// The command tried to use the terminal.
    WantsTerminal { program: String, stderr: String },
    /// The command printed more than 64 KiB.
    TooMuchOutput { program: String },
    /// The output is not a credential.
    Output {
        program: String,
        problem: String,
        exit: Exit,
        stderr: String,
    },
    /// The operating system failed during the run.
    System {
        program: String,
        kind: io::ErrorKind,
    },
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recursion => f.write_str(
                "cannot run a key command in a program that a key command started; use another \
                 source there",
            ),
            Self::NotStarted { program, cause } => {
                write!(f, "cannot start the command {program}: {cause}")
            }
            Self::Failed { program, exit, .. } => write!(f, "the command {program} failed: {exit}"),
            Self::TimedOut { program, after, .. } => write!(
                f,
                "the command {program} did not end within {} s and was killed",
                after.as_secs_f64()
            ),
            Self::Cancelled => f.write_str("the command was killed because the call was cancelled"),
            Self::WantsTerminal { program, .. } => {
                write!(
                    f,
                    "the command {program} tried to use the terminal and was killed"
                )
            }
            Self::TooMuchOutput { program } => write!(
                f,
                "the command {program} printed more than {MAX_OUTPUT} bytes and was killed"
            ),
            Self::Output {
                program,
                problem,
                exit,
                ..
            } => {
                write!(
                    f,
                    "cannot use the output of the command {program}: {problem}"
                )?;
                match exit {
                    Exit::Unknown => write!(f, " ({exit})"),
                    _ => Ok(()),
                }
            }
            Self::System { program, kind } => {
                write!(f, "cannot watch the command {program}: {kind}")
            }
        }?;
        match self {
            Self::Failed { stderr, .. }
            | Self::TimedOut { stderr, .. }
            | Self::WantsTerminal { stderr, .. }
            | Self::Output { stderr, .. }
                if !stderr.is_empty() =>
            {
                write!(f, "; it said: {stderr}")
            }
            _ => Ok(()),
        }
    }
}
