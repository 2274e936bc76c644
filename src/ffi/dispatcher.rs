//! # Dispatcher
//!
//! Callbacks on a thread of the host's choice: a game runs the dispatcher once a frame, an event
//! loop when it is woken. A host that polls its operations needs none of this.

use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::{self, Out, User, plain};
use super::error::fal_error;
use super::outcome::status;
use super::shared::{Counted, Shared};
use super::status::fal_status;
use super::times;
use crate::operation::dispatcher::Dispatcher;

/// A queue of callbacks. Shared: fal_dispatcher_retain() and fal_dispatcher_release().
pub struct fal_dispatcher {
    pub(super) inner: Dispatcher,
    counted: Counted,
}

impl AsRef<Counted> for fal_dispatcher {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

/// Told that callbacks are ready, on a thread that is there for such functions or one of the
/// host's, perhaps on both at once. It should only signal: while it runs, the next call waits.
pub type fal_wake_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// An empty dispatcher. NULL only if memory is gone.
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
    /// One more owner of the dispatcher; returns it. NULL gives NULL.
    fn fal_dispatcher_retain(dispatcher: *const fal_dispatcher) -> *mut fal_dispatcher;

    /// One owner less. Callbacks that nobody runs any more are never called: run the dispatcher
    /// until fal_dispatcher_outstanding() is 0 before you release it. NULL does nothing.
    fn fal_dispatcher_release(dispatcher: *mut fal_dispatcher);
}

/// Calls the callbacks of operations that have ended, here and now on this thread: at most max of
/// them, and none is begun once budget_us microseconds are over, but at least one if one is ready.
/// *ran, which may be NULL, is how many were called.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, FAL_E_FORKED in a child of the process that made the
/// dispatcher.
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
    /// How many callbacks are accepted and not called yet, whether their operations have ended or
    /// not; 0 for NULL.
    fn fal_dispatcher_outstanding(dispatcher: &fal_dispatcher) -> usize = 0 {
        dispatcher.inner.outstanding()
    }
}

fallible! {
    /// Has callback called when others become ready, so that an event loop can sleep; one call may
    /// be for several. NULL ends it. user has to outlive the dispatcher and its operations, and a
    /// little more: a call that has begun on another thread may go on after the callback is ready,
    /// replaced or its dispatcher released. None is under way after fal_shutdown() has returned
    /// FAL_OK.
    fn fal_dispatcher_set_wake(
        dispatcher: &fal_dispatcher,
        callback: fal_wake_callback,
        user: *mut c_void,
    ) {
        let user = User::new(user);
        dispatcher.inner.set_wake(callback.map(|callback| {
            // SAFETY: the host gave this callback for this argument.
            let wake = move || unsafe { callback(user.get()) };
            Arc::new(wake) as Arc<dyn Fn() + Send + Sync>
        }))?;
    }
}
