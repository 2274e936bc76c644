//! Files that another program has opened without sharing, which only Windows allows.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use crate::system::random;

/// How long replacing a file is retried while another program has it open. Virus scanners and
/// indexers have it open for a fraction of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// How long opening or reading a file is retried.
const OPEN_PATIENCE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(8);

/// `ERROR_ACCESS_DENIED`: also the error of a rename over an open file, and of opening a file that
/// was removed and is still open.
const DENIED: i32 = 5;
/// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
const HELD: [i32; 2] = [32, 33];

/// Returns whether the operation failed because another program has the file open.
pub(crate) fn is_held(error: &io::Error) -> bool {
    cfg!(windows)
        && error
            .raw_os_error()
            .is_some_and(|code| HELD.contains(&code))
}

/// Returns whether Windows denied access. It also does so for a file that was removed and that a
/// program still has open.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error() == Some(DENIED)
}

/// Retries `attempt` for [`PATIENCE`] while another program has the file to be replaced open.
pub(super) fn while_held<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retry(
        PATIENCE,
        |error| is_denied(error) || is_held(error),
        attempt,
    )
}

/// Retries `attempt`, which opens or reads a file, for one second while another program has the
/// file open.
pub(crate) fn patiently<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retry(OPEN_PATIENCE, is_held, attempt)
}

fn retry<T>(
    patience: Duration,
    is_temporary: impl Fn(&io::Error) -> bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_temporary(&error) && start.elapsed() < patience => {
                thread::sleep(random::jittered(PAUSE, 1.0, 2.0));
            }
            outcome => return outcome.map_err(with_kind),
        }
    }
}

/// Gives the error a kind if the file is open in another program. The standard library maps these
/// errors to no kind.
pub(super) fn with_kind(error: io::Error) -> io::Error {
    if is_held(&error) {
        io::Error::new(ErrorKind::ResourceBusy, IN_USE)
    } else {
        error
    }
}

pub(crate) const IN_USE: &str = "in use by another program";

/// The remedy for [`IN_USE`].
pub(crate) const SET_FREE: &str = "Close the program that has the file open, and try again.";

/// Describes an error of this kind.
pub(crate) fn said(kind: ErrorKind) -> String {
    if cfg!(windows) && kind == ErrorKind::ResourceBusy {
        IN_USE.to_owned()
    } else {
        kind.to_string()
    }
}
