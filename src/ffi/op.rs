//! # Operations
//!
//! An operation is a running call. It ends exactly once: with its response, an error,
//! FAL_E_CANCELLED or FAL_E_SHUT_DOWN. Every function here may be called by any thread at any time.
//! Releasing an operation neither cancels it nor waits for it. In a forked child, an operation that
//! the parent started fails with FAL_E_FORKED.

use std::ffi::c_void;

use super::boundary::{self, Out};
use super::dispatcher::fal_dispatcher;
use super::error::fal_error;
use super::outcome::outcome;
use super::response::fal_response;
use super::shared::{Counted, Shared};
use super::status::{FAL_E_FORKED, FAL_E_INVALID_ARGUMENT, FAL_OK, FAL_PENDING, fal_status};
use super::texts::Texts;
use super::times;
use crate::error::Result;
use crate::operation::Op;

/// A running call. Shared: see fal_op_retain() and fal_op_release(). Any thread may use it at any
/// time. It keeps what it needs of its client.
pub struct fal_op {
    pub(super) inner: Op,
    texts: Texts,
    counted: Counted,
}

impl fal_op {
    pub(super) fn new(inner: Op) -> Shared<Self> {
        Shared::new(|counted| fal_op {
            inner,
            texts: Texts::default(),
            counted,
        })
    }
}

/// Called by fal_dispatcher_run() when an operation has ended or has events. op is the operation, but
/// not the pointer that was registered: tell operations apart by user. op and the strings that are
/// read from it are borrowed during the call: take the outcome, read the events, or retain op. The
/// callback may start operations, but waiting for one fails with FAL_E_WOULD_DEADLOCK.
pub type fal_op_callback = Option<unsafe extern "C" fn(op: *mut fal_op, user: *mut c_void)>;

counted! {
    /// Adds a reference to the operation and returns it. NULL returns NULL.
    fn fal_op_retain(op: *const fal_op) -> *mut fal_op;

    /// Releases one reference. The operation itself continues, even after the last release. NULL is
    /// ignored.
    fn fal_op_release(op: *mut fal_op);
}

/// Returns FAL_PENDING while the operation is running, and FAL_OK once it has ended, whether it
/// succeeded or not; FAL_E_FORKED in a forked child; FAL_E_INVALID_ARGUMENT for NULL. It never
/// blocks, takes no lock and allocates nothing, so it creates no fal_error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_poll(op: *const fal_op) -> fal_status {
    // Without the guard of the other functions, which would cost more than the call: it reads
    // atomics only, so it cannot panic.
    // SAFETY: NULL or live, by the header's contract.
    match unsafe { op.as_ref() }.map(|op| op.inner.ended()) {
        None => FAL_E_INVALID_ARGUMENT,
        Some(None) => FAL_E_FORKED,
        Some(Some(true)) => FAL_OK,
        Some(Some(false)) => FAL_PENDING,
    }
}

infallible! {
    /// Returns whether the operation has ended, whether it succeeded or not. It never blocks, takes
    /// no lock and allocates nothing. Returns true for NULL and in a forked child, where there is
    /// nothing to wait for; fal_op_take() then returns the error.
    fn fal_op_is_done(op: &fal_op) -> bool = true {
        op.inner.ended().unwrap_or(true)
    }
}

/// Blocks until the operation has ended, for at most timeout_ms milliseconds. Returns FAL_OK if it
/// has ended, and FAL_PENDING if not.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, unless the operation has already ended.
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

/// Blocks until one of several operations has ended, for at most timeout_ms milliseconds. Returns
/// FAL_OK if one has, and its index in *index: of the first in the order of the array, if several
/// have. Returns FAL_PENDING if none has. ops has count pointers, none of them NULL; count is at
/// least 1.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. In a forked child,
/// FAL_E_FORKED if an operation of the parent comes in the array before the first that has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_wait_any(
    ops: *const *const fal_op,
    count: usize,
    timeout_ms: i64,
    index: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let index = unsafe { Out::new(index, 0, "index") }?;
        // SAFETY: NULL or this many pointers, by the header's contract.
        let ops = unsafe { boundary::list(ops, count, "ops") }?;
        let ops = ops.iter().map(|op| {
            // SAFETY: NULL or live, by the header's contract.
            Ok(&unsafe { boundary::borrow(*op, "an element of ops") }?.inner)
        });
        let ops: Vec<&Op> = ops.collect::<Result<_>>()?;
        let ended = Op::wait_any(&ops, times::wait(timeout_ms))?;
        Ok(match ended.map(|ended| index.set(ended)) {
            Some(()) => FAL_OK,
            None => FAL_PENDING,
        })
    })
}

infallible! {
    /// Requests that the operation ends with FAL_E_CANCELLED, and returns at once. Does nothing if
    /// it has already ended, and for NULL. It may be called any number of times.
    fn fal_op_cancel(op: &fal_op) -> () = () {
        op.inner.cancel()
    }
}

/// Takes the outcome. Returns FAL_OK and a response, to be freed with fal_response_free(); or the
/// operation's error; or FAL_PENDING, without an error, while it is running. After the first time
/// it is FAL_E_TAKEN.
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

strings! {
    /// Returns fal's id of the request as soon as it is known, for a support request or to come back
    /// to the job; NULL before, and if fal sends none. A job has it once it is submitted, a stream
    /// once it begins, and any other call once it has ended. The string is borrowed from the
    /// operation.
    fn fal_op_request_id(op: &fal_op) {
        op.inner.request_id()
    }
}

fallible! {
    /// Makes fal_dispatcher_run() call callback once when the operation has ended, whether it
    /// succeeded, failed, was cancelled or was shut down. If it has already ended, the next run
    /// calls it; this function never does. Each call of this function adds a callback, which must
    /// not be NULL.
    ///
    /// The operation is kept alive until that call, so the callback can take the outcome also if
    /// all references were released. release, which may be NULL, is called after it, after the last
    /// reference to the dispatcher was released, or if this function fails. No callback of
    /// fal_op_when_event() for the same operation and dispatcher starts after it.
    fn fal_op_when_done(
        op: &fal_op,
        dispatcher: &fal_dispatcher,
        callback: fal_op_callback,
        user: lease[release],
    ) {
        let callback = callback.ok_or_else(|| boundary::null("callback"))?;
        dispatcher.inner.when_done(&op.inner, move |op| {
            let op = fal_op::new(op);
            // SAFETY: the host passed this callback for these arguments; `op` outlives the call.
            unsafe { callback(op.lend().cast_mut(), user.user()) }
        })?;
    }
}
