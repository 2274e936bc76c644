//! # Dispatcher
//!
//! A dispatcher is where operations report to the host, in one of two ways. The host watches an
//! operation, and reads the events and the ends of all watched operations from one queue, without
//! any callback: see fal_op_watch() and fal_dispatcher_next(). Or the dispatcher calls callbacks on
//! a thread of the host's choice: see fal_op_when_done() and fal_dispatcher_run(). A game does
//! either once per frame, an event loop when it is woken.
//!
//! The order is certain. Once fal_op_poll(), fal_op_wait() or fal_op_is_done() says that an
//! operation has ended, its callback or notice is ready. Once that comes, these say so, too. All
//! callbacks for events come before the one for the end. Several threads may run a dispatcher, and
//! then one may still be in a call for events while another is in that for the end.

use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::{self, Out, plain};
use super::error::fal_error;
use super::outcome::{outcome, status};
use super::shared::{Counted, Shared};
use super::status::{FAL_OK, FAL_PENDING, fal_status};
use super::times;
use crate::operation::dispatcher::Dispatcher;

/// A queue of notices and callbacks. Shared: see fal_dispatcher_retain() and fal_dispatcher_release().
/// Any thread may use it; callbacks run on the thread that calls fal_dispatcher_run().
pub struct fal_dispatcher {
    pub(super) inner: Dispatcher,
    counted: Counted,
}

/// Called when notices or callbacks are ready, on a thread of libfal that runs only callbacks, or on
/// a thread of the host that registers something that is ready already, so two calls may run at
/// once. It should only signal the event loop: a slow call delays the next one on libfal's thread.
/// It must not wait for libfal.
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

    /// Releases one reference. After the last release nothing is watched any longer, and callbacks
    /// that are left are never called, but what was registered with them is released, soon after. A
    /// call of the wake callback that is under way goes on, and so do the operations. To miss nothing, run or read the dispatcher until fal_dispatcher_outstanding() is 0
    /// before. NULL is ignored.
    fn fal_dispatcher_release(dispatcher: *mut fal_dispatcher);
}

/// Calls ready callbacks on this thread: at most max, and no further one after budget_us
/// microseconds, but at least one if any is ready and max is not 0. A callback may release the
/// dispatcher, which then goes when this function returns. *ran is the number of called
/// callbacks; ran may be NULL.
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
        // A reference, because a callback may release the host's.
        // SAFETY: NULL or live, by the header's contract.
        let dispatcher = unsafe { Shared::of(dispatcher, "dispatcher") }?;
        ran.set(dispatcher.inner.run(max, times::wait_us(budget_us))?);
        Ok(())
    })
}

/// Blocks until at least one callback or notice is ready, for at most timeout_ms milliseconds.
/// Returns FAL_OK if one is, and FAL_PENDING if not; it may be left over from events that the host
/// has read elsewhere or from a callback that was taken back. For a host without an event loop.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. FAL_E_FORKED as
/// fal_dispatcher_run().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_dispatcher_wait(
    dispatcher: *const fal_dispatcher,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let dispatcher = unsafe { boundary::borrow(dispatcher, "dispatcher") }?;
        Ok(match dispatcher.inner.wait(times::wait(timeout_ms))? {
            true => FAL_OK,
            false => FAL_PENDING,
        })
    })
}

infallible! {
    /// Returns the number of callbacks that are registered and not called yet, plus that of watched
    /// operations, ended or not; 0 for NULL. A callback for events counts while events are waiting.
    fn fal_dispatcher_outstanding(dispatcher: &fal_dispatcher) -> usize = 0 {
        dispatcher.inner.outstanding()
    }
}

fallible! {
    /// Sets the callback that is called when callbacks or notices become ready, so that an event
    /// loop can sleep; one call may stand for several of them, so read until FAL_PENDING. NULL
    /// removes it. release, which may be NULL, is called once the callback was removed or replaced
    /// or the dispatcher and its operations are gone, and no call is running, or if this function
    /// fails.
    fn fal_dispatcher_set_wake(
        dispatcher: &fal_dispatcher,
        callback: fal_wake_callback,
        user: lease[release],
    ) {
        dispatcher.inner.set_wake(callback.map(|callback| {
            // SAFETY: the host passed this callback for this argument.
            let wake = move || unsafe { callback(user.user()) };
            Arc::new(wake) as Arc<dyn Fn() + Send + Sync>
        }))?;
    }
}
