//! # Dispatcher
//!
//! A dispatcher calls callbacks on a thread of the host's choice: a game runs it once per frame, an
//! event loop when it is woken. A host that polls its operations does not need one.

use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::{self, Out, User, plain};
use super::error::fal_error;
use super::outcome::status;
use super::shared::{Counted, Shared};
use super::status::fal_status;
use super::times;
use crate::operation::dispatcher::Dispatcher;

/// A queue of callbacks. Shared: see fal_dispatcher_retain() and fal_dispatcher_release().
pub struct fal_dispatcher {
    pub(super) inner: Dispatcher,
    counted: Counted,
}

/// Called when callbacks are ready to be run. It runs on a thread of libfal that runs only
/// callbacks, or on one of the host's threads, perhaps on both at once. It should only signal the
/// event loop: the next call waits until it returns.
pub type fal_wake_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Creates an empty dispatcher. Returns NULL only if there is no memory. Release it with
/// fal_dispatcher_release().
#[unsafe(no_mangle)]
pub extern "C" fn fal_dispatcher_new() -> *mut fal_dispatcher {
    plain(std::ptr::null_mut(), || {
        Shared::new(|counted| fal_dispatcher {
            inner: Dispatcher::new(),
            counted,
        })
        .give()
    })
}

counted! {
    /// Adds a reference to the dispatcher and returns it. NULL returns NULL.
    fn fal_dispatcher_retain(dispatcher: *const fal_dispatcher) -> *mut fal_dispatcher;

    /// Releases one reference. Callbacks that are left after the last release are never called, so
    /// run the dispatcher until fal_dispatcher_outstanding() is 0 before. NULL is ignored.
    fn fal_dispatcher_release(dispatcher: *mut fal_dispatcher);
}

/// Calls ready callbacks on this thread: at most max, and no further one after budget_us
/// microseconds, but at least one if any is ready. *ran is the number of called callbacks; ran may
/// be NULL.
///
/// FAL_E_WOULD_DEADLOCK inside a callback. FAL_E_FORKED if the dispatcher was created by the parent
/// process, before a fork.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_dispatcher_run(
    dispatcher: *const fal_dispatcher,
    max: usize,
    budget_us: i64,
    ran: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        let mut nowhere = 0;
        let place = if ran.is_null() { &raw mut nowhere } else { ran };
        // SAFETY: a local, or writable by the header's contract.
        let ran = unsafe { Out::new(place, 0, "ran") }?;
        // SAFETY: NULL or live, by the header's contract.
        let dispatcher = unsafe { boundary::borrow(dispatcher, "dispatcher") }?;
        ran.set(dispatcher.inner.run(max, times::wait_us(budget_us))?);
        Ok(())
    })
}

infallible! {
    /// Returns how many callbacks are registered and not called yet, whether their operations have
    /// ended or not; 0 for NULL. A callback for events counts while events are waiting.
    fn fal_dispatcher_outstanding(dispatcher: &fal_dispatcher) -> usize = 0 {
        dispatcher.inner.outstanding()
    }
}

fallible! {
    /// Sets the callback that is called when callbacks become ready, so that an event loop can
    /// sleep; one call may stand for several of them. NULL removes it. user must stay valid as long
    /// as the dispatcher and its operations exist, and until a call that already runs on another
    /// thread has returned. No call is running after fal_shutdown() has returned FAL_OK.
    fn fal_dispatcher_set_wake(
        dispatcher: &fal_dispatcher,
        callback: fal_wake_callback,
        user: *mut c_void,
    ) {
        let user = User::new(user);
        dispatcher.inner.set_wake(callback.map(|callback| {
            // SAFETY: the host passed this callback for this argument.
            let wake = move || unsafe { callback(user.get()) };
            Arc::new(wake) as Arc<dyn Fn() + Send + Sync>
        }))?;
    }
}
