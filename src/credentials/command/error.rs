//! Why a command gave no credential. Holds nothing of its standard output, and no secret.

use std::fmt;
use std::io;
use std::time::Duration;

use super::output::OutputProblem;
use super::process::{Exit, MAX_OUTPUT};
use super::words::WordsProblem;

/// Why what a user wrote is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationProblem {
    /// No program is named.
    Empty,
    /// A NUL, which no operating system passes on.
    Nul,
    Words(WordsProblem),
    /// The program starts with `~`.
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

/// Why a command gave no credential.
#[derive(Debug)]
pub(crate) enum CommandProblem {
    /// This process runs inside such a command already.
    Recursion,
    NotStarted {
        /// The program, as it may be shown.
        program: String,
        cause: StartProblem,
    },
    /// It exited with something else than 0.
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
    /// The caller gave up.
    Cancelled,
    /// It was stopped because it wanted to use the terminal.
    WantsTerminal { program: String, stderr: String },
    /// It printed more than 64 KiB.
    TooMuchOutput { program: String },
    /// What it printed is no credential.
    Output {
        program: String,
        problem: OutputProblem,
        exit: Exit,
        stderr: String,
    },
    /// The operating system failed while it ran.
    System {
        program: String,
        kind: io::ErrorKind,
    },
}

/// Why a program was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartProblem {
    /// `on_path` if its name has no directory.
    NotFound {
        on_path: bool,
    },
    /// The file exists, the program that its first line names does not.
    NoInterpreter,
    Directory,
    PermissionDenied,
    /// Neither a program of this system nor a script with a `#!` line.
    NotAProgram,
    Other(io::ErrorKind),
}

impl fmt::Display for StartProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { on_path: true } => f.write_str(
                "not found in PATH (a program started from a desktop may have another PATH than a shell: write the \
                 whole path)",
            ),
            Self::NotFound { on_path: false } => f.write_str("not found"),
            Self::NoInterpreter => f.write_str("not found: the program that the first line of the script names"),
            Self::Directory => f.write_str("a directory, not a program"),
            Self::PermissionDenied => f.write_str("permission denied (is it executable?)"),
            Self::NotAProgram if cfg!(windows) => f.write_str(
                "not a program that this system can run (a script needs the program that runs it before it)",
            ),
            Self::NotAProgram => {
                f.write_str("not a program that this system can run (a script needs a first line like `#!/bin/sh`)")
            }
            Self::Other(kind) => kind.fmt(f),
        }
    }
}

impl fmt::Display for CommandProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recursion => f.write_str(
                "this program was itself started by a key command, which is not run inside of itself: give the inner \
                 program a key another way",
            ),
            Self::NotStarted { program, cause } => write!(f, "the command {program}: {cause}"),
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
                write!(f, "the command {program} wants to use the terminal, which it cannot here, and was killed")?;
                said(f, stderr)
            }
            Self::TooMuchOutput { program } => {
                write!(f, "the command {program} printed more than {MAX_OUTPUT} bytes and was killed")
            }
            Self::Output { program, problem, exit, stderr } => {
                write!(f, "the output of the command {program}: {problem}")?;
                if *exit == Exit::Unknown {
                    write!(f, " ({exit})")?;
                }
                said(f, stderr)
            }
            Self::System { program, kind } => write!(f, "the command {program} could not be followed: {kind}"),
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
