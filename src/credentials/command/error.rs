//! Errors of a command. They contain no part of its standard output and no secret.

use std::fmt;
use std::io;
use std::time::Duration;

use super::output::OutputProblem;
use super::process::{Exit, MAX_OUTPUT};
use super::words::WordsProblem;

/// Why a text or a list of words is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationProblem {
    /// There is no program.
    Empty,
    /// A word contains a NUL.
    Nul,
    Words(WordsProblem),
    /// The program starts with `~`, and the home directory is unknown.
    UnknownHome,
}

impl fmt::Display for InvocationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the command is empty"),
            Self::Nul => f.write_str("the command holds a NUL character"),
            Self::Words(problem) => problem.fmt(f),
            Self::UnknownHome => {
                f.write_str("the command starts with `~`, and the home directory is unknown")
            }
        }
    }
}

impl std::error::Error for InvocationProblem {}

impl From<WordsProblem> for InvocationProblem {
    fn from(problem: WordsProblem) -> Self {
        Self::Words(problem)
    }
}

/// Why a command has not delivered a credential.
#[derive(Debug)]
pub(crate) enum CommandProblem {
    /// This process was itself started by a key command.
    Recursion,
    NotStarted {
        /// The program in printable form.
        program: String,
        cause: StartProblem,
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
        problem: OutputProblem,
        exit: Exit,
        stderr: String,
    },
    /// The operating system failed during the run.
    System {
        program: String,
        kind: io::ErrorKind,
    },
}

/// Why a program was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartProblem {
    /// `on_path` is set if the name contains no directory, so that PATH was searched.
    NotFound {
        on_path: bool,
    },
    /// The file exists, but the program in its first line does not.
    NoInterpreter,
    Directory,
    PermissionDenied,
    /// The file is neither a program for this system nor a script with a `#!` line.
    NotAProgram,
    Other(io::ErrorKind),
}

impl fmt::Display for StartProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { on_path: true } => f.write_str(
                "not found in PATH (a desktop may set another PATH than a shell; write the full path)",
            ),
            Self::NotFound { on_path: false } => f.write_str("not found"),
            Self::NoInterpreter => f.write_str("the interpreter in the first line of the script was not found"),
            Self::Directory => f.write_str("a directory, not a program"),
            Self::PermissionDenied => f.write_str("permission denied (is it executable?)"),
            Self::NotAProgram if cfg!(windows) => f.write_str(
                "not a program for this system (for a script, write its interpreter before it)",
            ),
            Self::NotAProgram => {
                f.write_str("not a program for this system (a script needs a first line such as `#!/bin/sh`)")
            }
            Self::Other(kind) => kind.fmt(f),
        }
    }
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recursion => f.write_str(
                "cannot run a key command in a program that a key command started; use another source \
                 there",
            ),
            Self::NotStarted { program, cause } => write!(f, "cannot start the command {program}: {cause}"),
            Self::Failed { program, exit, stderr } => {
                write!(f, "the command {program} failed: {exit}")?;
                said(f, stderr)
            }
            Self::TimedOut { program, after, stderr } => {
                write!(f, "the command {program} did not end within {} s and was killed", after.as_secs_f64())?;
                said(f, stderr)
            }
            Self::Cancelled => f.write_str("the command was killed because the call was cancelled"),
            Self::WantsTerminal { program, stderr } => {
                write!(f, "the command {program} tried to use the terminal and was killed")?;
                said(f, stderr)
            }
            Self::TooMuchOutput { program } => {
                write!(f, "the command {program} printed more than {MAX_OUTPUT} bytes and was killed")
            }
            Self::Output { program, problem, exit, stderr } => {
                write!(f, "cannot use the output of the command {program}: {problem}")?;
                if *exit == Exit::Unknown {
                    write!(f, " ({exit})")?;
                }
                said(f, stderr)
            }
            Self::System { program, kind } => write!(f, "cannot watch the command {program}: {kind}"),
        }
    }
}

fn said(f: &mut fmt::Formatter<'_>, stderr: &str) -> fmt::Result {
    if stderr.is_empty() {
        Ok(())
    } else {
        write!(f, "; it said: {stderr}")
    }
}

impl std::error::Error for CommandProblem {}
