//! The role of the calling thread, which decides whether it may block.

use std::cell::Cell;

use crate::error::{Code, Error, Result};

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Host) };
    /// How many calls through the C ABI this thread is in.
    #[cfg(feature = "capi")]
    static GUEST: Cell<usize> = const { Cell::new(0) };
}

/// What a thread is running.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A thread of the host, outside of callbacks.
    Host,
    /// A thread of the runtime.
    Runtime,
    /// A callback of the host, which must not block.
    Callback,
    /// A credential function of the host. It may block for anything but the end of its own thread.
    CredentialFunction,
}

/// Sets the role of a new thread.
pub(super) fn enter(role: Role) {
    ROLE.set(role);
}

/// Runs `call` in a role.
pub(super) fn in_role<T>(role: Role, call: impl FnOnce() -> T) -> T {
    struct Restore(Role);
    impl Drop for Restore {
        fn drop(&mut self) {
            ROLE.set(self.0);
        }
    }
    let _restore = Restore(ROLE.replace(role));
    call()
}

/// Whether this is a thread of the runtime, on which no code of the host may run.
pub(crate) fn carries_calls() -> bool {
    ROLE.get() == Role::Runtime
}

/// Runs a callback of the host, in which blocking is refused.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    in_role(Role::Callback, call)
}

/// Runs a call that came through the C ABI.
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
    GUEST.get() > 0 || carries_calls()
}

/// Fails with [`Code::WouldDeadlock`] where blocking would stop the thread that has to make the
/// progress: inside a callback and on a thread of the runtime.
pub fn may_wait() -> Result<()> {
    match ROLE.get() {
        Role::Host | Role::CredentialFunction => Ok(()),
        Role::Runtime => Err(would_deadlock("waiting on a thread of libfal's runtime")),
        Role::Callback => Err(would_deadlock("waiting inside a callback of libfal")),
    }
}

pub(super) fn may_shut_down() -> Result<()> {
    match ROLE.get() {
        Role::CredentialFunction => {
            Err(would_deadlock("shutting down inside a callback of libfal"))
        }
        _ => may_wait(),
    }
}

fn would_deadlock(what: &str) -> Error {
    Error::new(Code::WouldDeadlock, what)
}
