//! # Runtime
//!
//! The runtime is the library's threads. The first operation starts it; there is one per process,
//! and none after fal_shutdown(). A forked child gets its own.

use std::ffi::c_void;
use std::sync::Arc;

use super::times;
use crate::runtime::host_functions::HostOwned;
use crate::runtime::{self, Config, ThreadHook};

/// Called on a thread of the runtime, before or after everything else that runs there, perhaps on
/// several threads at once. Work for the thread waits until it returns. It must not wait for libfal.
pub type fal_thread_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

fallible! {
    /// Sets the number of worker threads, 1 to 64; by default 1. More of them help a host that sends
    /// or receives gigabits a second by TLS.
    ///
    /// Call it before the first operation is started, or after fal_shutdown().
    /// FAL_E_INVALID_ARGUMENT while the runtime is running.
    fn fal_runtime_set_worker_threads(count: usize) {
        Config::installed().worker_threads(count)?.install()?;
    }

    /// Sets functions that are called on each thread of the runtime, those that run callbacks
    /// included: on_start when it starts, and on_stop before it ends. NULL means none. The
    /// functions stay set for the next start. release, which may be NULL, is called once they were
    /// replaced, or if this function fails. Call it before the first operation is started, or after
    /// fal_shutdown(). FAL_E_INVALID_ARGUMENT while the runtime is running.
    fn fal_runtime_set_thread_hooks(
        on_start: fal_thread_callback,
        on_stop: fal_thread_callback,
        user: lease[release],
    ) {
        let user = Arc::new(HostOwned::new(user));
        let hook = |callback: fal_thread_callback| {
            callback.map(|callback| {
                let user = user.clone();
                let hook = move || {
                    if let Some(user) = user.get() {
                        // SAFETY: the host passed this callback for this argument.
                        unsafe { callback(user.user()) }
                    }
                };
                Arc::new(hook) as ThreadHook
            })
        };
        Config::installed()
            .thread_hooks(hook(on_start), hook(on_stop))
            .install()?;
    }

    /// Blocks until all log lines have been delivered, those that are logged meanwhile included,
    /// for at most timeout_ms milliseconds. fal_shutdown() does this, too; a program that ends
    /// without either loses its last lines. Does nothing if the runtime is not running. With a
    /// negative timeout_ms, a log callback that never returns makes it block forever.
    ///
    /// FAL_E_DEADLINE if some lines were not delivered in time, FAL_E_WOULD_DEADLOCK inside a
    /// callback.
    fn fal_log_flush(timeout_ms: i64) {
        runtime::flush_log(times::wait(timeout_ms))?;
    }

    /// Stops the runtime: rejects new work, ends every operation with FAL_E_SHUT_DOWN, and joins
    /// every thread. Objects stay valid and are freed as before, and outcomes, events, notices and
    /// callbacks that are ready can still be taken, read and run. The library can then be unloaded,
    /// or used again: the next operation starts a new runtime, also with clients created before.
    /// Does nothing if the runtime is not running.
    ///
    /// It waits for work that must not be interrupted: the renewal of a login that was sent, the
    /// response to a submission that was sent, the cancellation of jobs, and running callbacks. All
    /// log lines are delivered.
    ///
    /// Use a limit: with a negative timeout_ms, a callback that never returns makes it block
    /// forever.
    ///
    /// FAL_E_DEADLINE if this work, which is then interrupted, or a thread did not end within
    /// timeout_ms milliseconds; a later call waits for the remaining threads. FAL_E_WOULD_DEADLOCK
    /// inside a callback. After an error callbacks may still be running, and the library must not
    /// be unloaded.
    ///
    /// On Windows, do not call it in DllMain or in code that runs there, such as destructors of
    /// static objects of a DLL: Windows ends no thread meanwhile, so it waits for all of timeout_ms
    /// and fails. A plug-in calls it before it is unloaded. When the process exits and its other
    /// threads are gone, it does nothing and returns FAL_OK.
    ///
    /// On Windows, and on Linux with glibc, the library stays loaded until a shutdown has succeeded,
    /// even if the host closes its handle.
    fn fal_shutdown(timeout_ms: i64) {
        runtime::shutdown(times::wait(timeout_ms))?;
    }
}
