//! Why the runtime did not do what it was given.

use tokio::task::JoinError;

use crate::error::{Code, Error};

/// Why what was given to the runtime did not come to its end.
pub(crate) fn undone(what: &str, end: &JoinError) -> Error {
    match end.is_panic() {
        // What a panic says may be a part of what was worked on.
        true => Error::new(Code::Panic, format!("{what} panicked")),
        false => shut_down(),
    }
}

fn unfinished() -> Error {
    Error::new(Code::Deadline, "work that has to be finished once it is begun did not end in time, and was cut short")
        .with_remedy(
            "Allow the shutdown more time: 30 s are enough for a login to be renewed or a job to be cancelled.",
        )
}

pub(crate) fn shut_down() -> Error {
    Error::new(Code::ShutDown, "libfal is shutting down")
}

fn thread_error(error: &std::io::Error) -> Error {
    Error::new(
        Code::Io,
        format!("the runtime's threads could not be started: {error}"),
    )
}
