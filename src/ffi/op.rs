//! # Operations
//!
//! A call under way. It ends exactly once: with its answer, an error, FAL_E_CANCELLED or
//! FAL_E_SHUT_DOWN. Every function here may be called from any thread at any time. Releasing an
//! operation neither cancels nor waits. An operation started before a fork answers FAL_E_FORKED in
//! the child.

use std::ffi::c_void;

use super::boundary::{self, Out, User, plain};
use super::dispatcher::fal_dispatcher;
use super::error::fal_error;
use super::outcome::outcome;
use super::response::fal_response;
use super::shared::{Counted, Shared};
use super::status::{
    FAL_E_FORKED, FAL_E_INVALID_ARGUMENT, FAL_E_PANIC, FAL_OK, FAL_PENDING, fal_status,
};
use super::times;
use crate::operation::Op;

/// A call under way. Shared: fal_op_retain() and fal_op_release(). It keeps what it needs of its
/// client.
pub struct fal_op {
    pub(super) inner: Op,
    counted: Counted,
}

impl fal_op {
    pub(super) fn new(inner: Op) -> Shared<Self> {
        Shared::new(|counted| fal_op { inner, counted })
    }
}

impl AsRef<Counted> for fal_op {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

/// Told once that an operation has ended, by fal_dispatcher_run(). op is borrowed for the call:
/// take its outcome, or retain it. Waiting in here is refused with FAL_E_WOULD_DEADLOCK; starting
/// new operations is fine.
pub type fal_op_callback = Option<unsafe extern "C" fn(op: *mut fal_op, user: *mut c_void)>;

counted! {
    /// One more owner of the operation; returns it. NULL gives NULL.
    fn fal_op_retain(op: *const fal_op) -> *mut fal_op;

    /// One owner less. The operation itself goes on. NULL does nothing.
    fn fal_op_release(op: *mut fal_op);
}

/// FAL_PENDING while the operation is under way, FAL_OK once it has ended in whatever way. Never
/// blocks, takes no lock and allocates nothing, which is why it makes no fal_error: FAL_E_FORKED
/// and FAL_E_INVALID_ARGUMENT come bare.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_poll(op: *const fal_op) -> fal_status {
    plain(FAL_E_PANIC, || {
        // SAFETY: NULL or live, by the header's contract.
        match unsafe { op.as_ref() }.map(|op| op.inner.ended()) {
            None => FAL_E_INVALID_ARGUMENT,
            Some(None) => FAL_E_FORKED,
            Some(Some(true)) => FAL_OK,
            Some(Some(false)) => FAL_PENDING,
        }
    })
}

infallible! {
    /// Whether the operation has ended in whatever way. Never blocks, takes no lock and allocates
    /// nothing. Also true where nothing is left to wait for: in a forked child, and for NULL;
    /// fal_op_take() then says why.
    fn fal_op_is_done(op: &fal_op) -> bool = true {
        op.inner.ended().unwrap_or(true)
    }
}

/// Waits until the operation has ended, at most timeout_ms milliseconds. FAL_OK if it has ended,
/// FAL_PENDING if not.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, unless it has ended already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_wait(
    op: *const fal_op,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let op = unsafe { boundary::borrow(op, "op") }?;
        Ok(if op.inner.wait(times::wait(timeout_ms))? {
            FAL_OK
        } else {
            FAL_PENDING
        })
    })
}

infallible! {
    /// Asks the operation to end with FAL_E_CANCELLED, and returns at once. It may be called any
    /// number of times; once the operation has ended, and for NULL, it does nothing.
    fn fal_op_cancel(op: &fal_op) -> () = () {
        op.inner.cancel()
    }
}

/// Takes the outcome: FAL_OK and a response that the caller frees, or the operation's error.
/// FAL_PENDING, and no error, while it is under way; FAL_E_TAKEN after the first time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_take(
    op: *const fal_op,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let op = unsafe { boundary::borrow(op, "op") }?;
        let Some(outcome) = op.inner.take() else {
            return Ok(FAL_PENDING);
        };
        out.give(fal_response::new(outcome?));
        Ok(FAL_OK)
    })
}

fallible! {
    /// Has callback called once by fal_dispatcher_run() after the operation has ended in whatever
    /// way: answered, failed, cancelled or shut down. If it has ended already, the next run calls
    /// it; it is never called in here.
    ///
    /// The operation and the dispatcher are kept alive until then; user has to be valid that long.
    /// Where a callback holds the operation, releasing every other handle does not discard its
    /// outcome: it can be taken in the callback.
    fn fal_op_when_done(
        op: &fal_op,
        dispatcher: &fal_dispatcher,
        callback: fal_op_callback,
        user: *mut c_void,
    ) {
        let callback = callback.ok_or_else(|| boundary::null("callback"))?;
        let user = User::new(user);
        dispatcher.inner.when_done(&op.inner, move |op| {
            let ended = fal_op::new(op);
            // SAFETY: the host gave this callback for these arguments; `ended` lives longer than
            // the call.
            unsafe { callback(ended.lend().cast_mut(), user.get()) }
        })?;
    }
}
