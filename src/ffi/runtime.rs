//! # Runtime
//!
//! The threads that do the work: started by the first call, one runtime per process, none before
//! and, after fal_shutdown(), none any more. A forked child gets a fresh one.

use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::User;
use super::times;
use crate::runtime::{self, Config, ThreadHook};

/// Called on a thread of the runtime, before and after everything else that runs there: one that
/// takes long holds up all that waits for the thread. It must not wait for libfal.
pub type fal_thread_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

fallible! {
    /// How many threads do the work, 1 to 64; by default two. Before the first call, or after a
    /// shutdown; FAL_E_INVALID_ARGUMENT while the runtime is running.
    fn fal_runtime_set_worker_threads(count: usize) {
        Config::installed().worker_threads(count)?.install()?;
    }

    /// Has on_start called on each thread of the runtime when it starts, and on_stop before it
    /// ends; NULL for neither. Those that call functions of the host's are among them. user has to
    /// stay valid until the shutdown. When it can be set is as for
    /// fal_runtime_set_worker_threads().
    fn fal_runtime_set_thread_hooks(
        on_start: fal_thread_callback,
        on_stop: fal_thread_callback,
        user: *mut c_void,
    ) {
        let user = User::new(user);
        let hook = |callback: fal_thread_callback| {
            callback.map(|callback| {
                // SAFETY: the host gave this callback for this argument.
                let hook = move || unsafe { callback(user.get()) };
                Arc::new(hook) as ThreadHook
            })
        };
        Config::installed()
            .thread_hooks(hook(on_start), hook(on_stop))
            .install()?;
    }

    /// Waits until every line of the log has been given to its function, at most timeout_ms
    /// milliseconds; lines that are logged meanwhile count too. fal_shutdown() does the same; a
    /// program that ends without it would lose its last lines. Without a running runtime it does
    /// nothing.
    ///
    /// With a negative timeout_ms it waits for a function that never returns for ever.
    ///
    /// FAL_E_DEADLINE if lines are left then, FAL_E_WOULD_DEADLOCK inside a callback.
    fn fal_log_flush(timeout_ms: i64) {
        runtime::flush_log(times::wait(timeout_ms))?;
    }

    /// Stops the runtime: refuses new work, ends every operation with FAL_E_SHUT_DOWN, and joins
    /// every thread. Afterwards the library can be unloaded, or used again: the next call starts a
    /// new runtime, also with clients made before. Without a running runtime it does nothing.
    ///
    /// What has to be finished once it is begun is waited for: the renewal of a login that was
    /// sent, the cancellation of a job, and the functions of the host's that are called: each line
    /// of the log is delivered.
    ///
    /// Give it a limit: with a negative timeout_ms it waits for a function of the host's that never
    /// returns for ever.
    ///
    /// FAL_E_DEADLINE if that, which is then cut short, or a thread did not end within timeout_ms
    /// milliseconds; a later call waits for the threads that are left. FAL_E_WOULD_DEADLOCK inside
    /// a callback. After an error, callbacks that have begun may still be under way, and the
    /// library must not be unloaded.
    ///
    /// Not in DllMain, nor in what runs there: the destructor of a static object in a DLL. Windows
    /// ends no thread meanwhile, so that this waits for all of timeout_ms and fails. A plug-in
    /// shuts libfal down before it is unloaded. As the process exits, when its other threads are
    /// gone, this does nothing and returns FAL_OK. Until a shutdown has succeeded, the library
    /// stays loaded whatever becomes of the handle it was loaded by.
    fn fal_shutdown(timeout_ms: i64) {
        runtime::shutdown(times::wait(timeout_ms))?;
    }
}
