//! Helpers for tests that start and stop the process's only runtime and therefore run one at a
//! time.

#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each program takes what it needs")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fal::credentials::Environment;
use fal::{ClientBuilder, runtime};
use fal_emulator::Emulator;

use crate::logged;

/// How long a test waits for an event before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other test runs, and returns with the runtime stopped.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    runtime::shutdown(PATIENCE).unwrap();
    turn
}

pub(crate) fn builder(emulator: &Emulator) -> ClientBuilder {
    let variables = [
        ("FAL_KEY", emulator.api_key().to_owned()),
        ("FAL_EMULATOR_HOST", emulator.host()),
    ];
    logged::builder().environment(Environment::from_variables(variables))
}

/// Waits for a child process and returns its exit code. A child that hangs is killed and counts as
/// failed.
pub(crate) fn exit_code(child: i32) -> i32 {
    let began = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `child` is a child of this process and `status` is writable.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if ended == child {
            return if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                -status
            };
        }
        if began.elapsed() > PATIENCE {
            // SAFETY: `child` has not been waited for, so its id is still its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
            return -1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
