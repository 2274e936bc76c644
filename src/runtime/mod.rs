//! The global runtime: one per process, started on first use, fork-aware, and stoppable.
//!
//! Reaching the running instance takes no lock, and a fork is detected before any state of the
//! parent is touched: a lock that another thread held during the fork is never released in the
//! child. The process-wide state, and what a forked child does with it:
//!
//! - `CURRENT`: an atomic pointer. The child recognizes the parent's instance, ignores it and never
//!   frees it.
//! - `LIFECYCLE`, with the lock of starts and shutdowns: the child makes its own.
//! - `CONFIG`: an atomic pointer. The child inherits the configuration.
//! - `GENERATION`: a counter. The child continues from the parent's number, so no two instances in
//!   a family of processes share a number.
//! - the id of the process (`system/process.rs`): on Linux in a page that the kernel clears in the
//!   child, elsewhere asked for each time.
//! - `ROLE`, `GUEST`: thread-locals of the forking thread, which is the child's only thread.

pub(crate) mod blocking;
mod config;
mod failure;
pub(crate) mod fork;
mod hooks;
pub(crate) mod host_functions;
mod host_threads;
mod instance;
mod lifecycle;
pub(crate) mod per_runtime;
mod shares;
mod thread_role;
mod threads;

pub use config::Config;
pub(crate) use failure::{shut_down, task_error};
pub use hooks::ThreadHook;
pub(crate) use instance::Instance;
pub(crate) use lifecycle::{current, current_or_closing, run_to_completion};
pub use lifecycle::{flush_log, shutdown};
#[allow(unused_imports, reason = "only the shared library is unloaded")]
pub(crate) use lifecycle::{free, has_ended};
pub(crate) use shares::permit;
pub use thread_role::may_wait;
pub(crate) use thread_role::{carries_calls, in_callback};
#[cfg(feature = "capi")]
pub(crate) use thread_role::{in_guest, is_guest};

/// Counts the calling thread as one of the runtime's, so that a shutdown waits for its end.
#[cfg(all(feature = "keyring", target_os = "macos"))]
pub(crate) fn counted() -> Option<threads::Counted> {
    current_or_closing()
        .ok()
        .map(|instance| instance.threads().counted())
}
