//! Files that another program holds open in a way that keeps others out, as only Windows knows them.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use crate::random;

/// How long a file that is to be replaced may be held. Scanners and indexers hold it for a fraction of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// The same for one that is to be read.
const READ_PATIENCE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(8);

/// `ERROR_ACCESS_DENIED`, which is what a rename over an open file gives.
const DENIED: i32 = 5;
/// `ERROR_SHARING_VIOLATION` and `ERROR_LOCK_VIOLATION`.
const HELD: [i32; 2] = [32, 33];

/// Tries again while another program holds the file that is to be replaced.
pub(super) fn while_held<T>(patience: Duration, attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    tried(patience, |code| code == DENIED || HELD.contains(&code), attempt)
}

/// Tries again while another program keeps others from reading a file.
pub(crate) fn readable<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    tried(READ_PATIENCE, |code| HELD.contains(&code), attempt)
}

fn tried<T>(
    patience: Duration,
    is_held: impl Fn(i32) -> bool,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if cfg!(windows) && error.raw_os_error().is_some_and(&is_held) => {
                if start.elapsed() >= patience {
                    return Err(told(error));
                }
                thread::sleep(random::jittered(PAUSE, 1.0, 2.0));
            }
            done => return done,
        }
    }
}

/// The error by its kind; the standard library has none for it.
pub(super) fn told(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) if cfg!(windows) && HELD.contains(&code) => io::Error::new(ErrorKind::ResourceBusy, IN_USE),
        _ => error,
    }
}

const IN_USE: &str = "in use by another program";

/// A kind in words.
pub(crate) fn said(kind: ErrorKind) -> String {
    if cfg!(windows) && kind == ErrorKind::ResourceBusy { IN_USE.to_owned() } else { kind.to_string() }
}
