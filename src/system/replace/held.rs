//! Files that another program holds open in a way that keeps others out, as only Windows knows
//! them.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use crate::system::random;

/// How long a file that is to be replaced may be held. Scanners and indexers hold it for a fraction
/// of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// The same for one that is to be opened or read.
const OPEN_PATIENCE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(8);

/// `ERROR_ACCESS_DENIED`, which is what a rename over an open file gives, and the name of one that was
/// removed.
const DENIED: i32 = 5;
/// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
const HELD: [i32; 2] = [32, 33];

/// Whether another program keeps others out of the file.
pub(crate) fn is_held(error: &io::Error) -> bool {
    cfg!(windows)
        && error
            .raw_os_error()
            .is_some_and(|code| HELD.contains(&code))
}

/// Whether Windows denies the access, as it does where another program has removed the file and
/// somebody has it open still.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error() == Some(DENIED)
}

/// Tries again while another program holds the file that is to be replaced.
pub(super) fn while_held<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retry(
        PATIENCE,
        |error| is_denied(error) || is_held(error),
        attempt,
    )
}

/// Opens or reads a file of which another program may keep others out: tries again for a moment.
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

/// The error by its kind; the standard library has none for it.
pub(super) fn with_kind(error: io::Error) -> io::Error {
    if is_held(&error) {
        io::Error::new(ErrorKind::ResourceBusy, IN_USE)
    } else {
        error
    }
}

pub(crate) const IN_USE: &str = "in use by another program";

/// What helps against it.
pub(crate) const SET_FREE: &str = "Close the program that has the file open, and try again.";

/// A kind in words.
pub(crate) fn said(kind: ErrorKind) -> String {
    if cfg!(windows) && kind == ErrorKind::ResourceBusy {
        IN_USE.to_owned()
    } else {
        kind.to_string()
    }
}
