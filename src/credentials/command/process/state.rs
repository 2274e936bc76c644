//! The state and the exit status of a program.

use std::fmt;

/// How a program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    #[cfg_attr(windows, expect(dead_code, reason = "Windows has no signals"))]
    Signal(i32),
    /// The host reaps its children itself, or ignores SIGCHLD.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "ended by signal {signal}"),
            Self::Unknown => f.write_str(
                "its exit code is unknown, because the host ignores or reaps its children",
            ),
        }
    }
}

pub(super) enum State {
    Running,
    /// Stopped by the system, because a background process must not use the terminal.
    #[cfg_attr(
        windows,
        expect(
            dead_code,
            reason = "Windows does not stop programs that use the console"
        )
    )]
    WantsTerminal,
    Exited,
}
