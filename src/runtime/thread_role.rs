//! What a thread may do: whether it may block, and whether it runs the host's code.

use std::cell::Cell;

use crate::error::{Code, Error, Result};

thread_local! {
    static BUSY: Cell<Busy> = const { Cell::new(Busy::No) };
    #[cfg(feature = "capi")]
    static GUEST: Cell<usize> = const { Cell::new(0) };
}

/// Why this thread must not wait for an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Busy {
    No,
    RuntimeThread,
    Callback,
    /// On a thread of ours on which the host may take its time: only the end of that thread cannot
    /// be waited for.
    Question,
}

/// What a thread for functions of the host's may do.
pub(crate) fn on_host_thread(kind: host_functions::Kind) {
    BUSY.set(if kind == host_functions::Kind::Questions {
        Busy::Question
    } else {
        Busy::Callback
    });
}

/// Whether this thread carries out calls, so that nothing of the host's may run on it.
pub(crate) fn carries_calls() -> bool {
    BUSY.get() == Busy::RuntimeThread
}

/// Runs a callback of the host, in which waiting is refused.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    busy(Busy::Callback, call)
}

fn busy<T>(with: Busy, call: impl FnOnce() -> T) -> T {
    struct Restore(Busy);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUSY.set(self.0);
        }
    }
    let _restore = Restore(BUSY.replace(with));
    call()
}

/// Runs a call that came in through the C ABI.
#[cfg(feature = "capi")]
pub(crate) fn in_guest<T>(call: impl FnOnce() -> T) -> T {
    GUEST.set(GUEST.get() + 1);
    let outcome = call();
    GUEST.set(GUEST.get() - 1);
    outcome
}

/// Whether this thread is running libfal's code on behalf of a host that is not a Rust program.
#[cfg(feature = "capi")]
pub(crate) fn is_guest() -> bool {
    GUEST.get() > 0 || BUSY.get() == Busy::RuntimeThread
}

/// Fails with [`Code::WouldDeadlock`] where waiting would stop the thread that has to make the
/// progress: inside a callback and on a thread of the runtime.
pub fn may_wait() -> Result<()> {
    match BUSY.get() {
        Busy::No | Busy::Question => Ok(()),
        Busy::RuntimeThread => Err(Error::new(
            Code::WouldDeadlock,
            "waiting on a thread of libfal's runtime",
        )),
        Busy::Callback => Err(Error::new(
            Code::WouldDeadlock,
            "waiting inside a callback of libfal",
        )),
    }
}

fn may_shut_down() -> Result<()> {
    match BUSY.get() {
        Busy::Question => Err(Error::new(
            Code::WouldDeadlock,
            "shutting down inside a callback of libfal",
        )),
        _ => may_wait(),
    }
}
