//! The errors of the runtime itself.

use tokio::task::JoinError;

use crate::error::{Code, Error};
use crate::system::descriptors;

/// The error of a task that did not complete.
pub(crate) fn task_error(what: &str, end: &JoinError) -> Error {
    match end.is_panic() {
        // The text of a panic may quote a secret, so the error leaves it out.
        true => Error::new(Code::Panic, format!("{what} panicked")),
        false => shut_down(),
    }
}

pub(crate) fn shut_down() -> Error {
    Error::new(Code::ShutDown, "libfal is shutting down")
}

/// The error of a shutdown that ended work which must run to completion.
pub(super) fn cut_short() -> Error {
    Error::new(
        Code::Deadline,
        "the shutdown ended the renewal of a login, or the submission or cancellation of a job, before it was complete",
    )
    .with_remedy("Allow the shutdown more time: 60 s are enough for all of them.")
}

pub(super) fn cannot_start_threads(error: &std::io::Error) -> Error {
    let message = format!("cannot start the runtime's threads: {error}");
    let failed = Error::new(Code::Io, message).with_cause(error);
    match descriptors::are_used_up(error) {
        true => failed.with_remedy(descriptors::REMEDY),
        false => failed,
    }
}

pub(super) fn stop_panicked() -> Error {
    Error::new(Code::Panic, "the runtime panicked while it stopped")
}
