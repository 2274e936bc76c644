//! Forks during calls. The child uses its parent's clients, and ends.

use std::path::Path;
use std::time::{Duration, Instant};

use fal::{Dispatcher, Request, runtime};

use super::acts::Hand;
use super::clients::Clients;
use super::counts;
use super::follow::PATIENCE;
use super::life::{is_forked, work};
use crate::ledger;
use crate::plan::{Act, Way};

/// Seconds after which a child counts as hung, and the system ends it.
const LIMIT: u32 = 240;

/// Forks, and waits for the child to end.
pub(crate) fn fork(acts: &[Act], clients: &Clients, dispatcher: &Dispatcher, scratch: &Path) {
    let mut request = Request::run("emulator/slow").unwrap();
    request.set_json(serde_json::json!({"ms": 50}));
    let inherited = clients.of(Way::Key).run_start(request);
    // SAFETY: the child only uses memory and the library, which supports forked children.
    let child = unsafe { libc::fork() };
    match child {
        0 => {
            // SAFETY: alarm() only takes a number.
            unsafe { libc::alarm(LIMIT) };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if let Ok(op) = &inherited {
                    if !is_forked(op.poll()) || !is_forked(op.wait(Some(Duration::ZERO))) {
                        ledger::wrong("an operation of the parent is not FORKED in its child");
                    }
                    op.cancel();
                }
                if !is_forked(dispatcher.run(1, None)) {
                    ledger::wrong("a dispatcher of the parent is not FORKED in its child");
                }
                live(acts, clients, scratch);
            }));
            // SAFETY: _exit() only takes a number. It runs and drops nothing of the parent.
            unsafe { libc::_exit(i32::from(done.is_err())) };
        }
        1.. => wait(child),
        _ => ledger::wrong(&format!("fork: {}", std::io::Error::last_os_error())),
    }
    if let Ok(op) = inherited
        && !op.wait(Some(PATIENCE)).unwrap()
    {
        ledger::wrong("an operation does not end after a fork");
    }
}

/// Runs the child's operations, and shuts the library down.
fn live(acts: &[Act], clients: &Clients, scratch: &Path) {
    let dispatcher = Dispatcher::new();
    let hand = Hand::new(clients, &dispatcher, None, scratch.to_owned());
    let due = work(hand, acts);
    if let Err(error) = runtime::shutdown(PATIENCE) {
        ledger::wrong(&format!("the shutdown in a child: {error}"));
    }
    dispatcher.run(usize::MAX, None).unwrap();
    let calls = due
        .iter()
        .map(|due| due.calls.load(std::sync::atomic::Ordering::SeqCst));
    if calls.into_iter().any(|calls| calls != 1) || dispatcher.outstanding() > 0 {
        ledger::wrong("callbacks in a child were not called once each");
    }
    let end = Instant::now() + PATIENCE;
    while counts::threads() > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    if counts::threads() > 1 {
        ledger::wrong(&format!(
            "{} threads in a child after its shutdown",
            counts::threads()
        ));
    }
}

fn wait(child: libc::pid_t) {
    let mut status = 0;
    // SAFETY: `status` is valid for writes during the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    if waited != child || status != 0 {
        ledger::wrong(&format!(
            "a child ended with the wait status {status:#x}; 0xe is one that hung"
        ));
    }
}
