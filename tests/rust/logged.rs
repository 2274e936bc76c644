//! Clients that log at the most verbose level, so that `make test` can search the log for secrets
//! (tests/secrets/search). `TEST_LOGS` names the folder for the log. Without it the lines are
//! dropped.

#![allow(clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use fal::{Client, ClientBuilder, Level};

/// Tests use this in the place of `Client::builder()`.
pub(crate) fn builder() -> ClientBuilder {
    static AT_EXIT: Once = Once::new();
    AT_EXIT.call_once(|| {
        // SAFETY: the function lives as long as the process.
        unsafe { libc::atexit(flush) };
    });
    Client::builder().log(Level::Debug, |level, _, line| write(level, line))
}

/// A test may end before its lines are written.
extern "C" fn flush() {
    let _ = fal::runtime::flush_log(Duration::from_secs(10));
}

/// Writes a line with one system call, because many processes append to the same file.
pub(crate) fn write(level: Level, line: &str) {
    let Some(folder) = std::env::var_os("TEST_LOGS") else {
        return;
    };
    let path = Path::new(&folder).join("rust.log");
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(format!("{level:?} {line}\n").as_bytes())
        .unwrap();
}
