//! # Watched operations
//!
//! The events and the ends of all watched operations come from one queue, without a callback, each
//! with a pointer of the host. A game reads them once per frame.

use std::ffi::c_void;
use std::ptr;

use super::boundary::{self, Out, User};
use super::dispatcher::fal_dispatcher;
use super::error::fal_error;
use super::event::fal_event;
use super::op::fal_op;
use super::outcome::{outcome, status};
use super::shared::Shared;
use super::status::{FAL_OK, FAL_PENDING, fal_status};
use super::times;

/// What a notice returns of the operation that is watched.
struct Watched {
    op: Shared<fal_op>,
    user: User,
}

/// Makes fal_dispatcher_next() return the events and the end of an operation, with user. An
/// operation that has ended already has only its unread events and its end left; one whose events
/// were discarded, only its end.
///
/// The dispatcher keeps the operation, so all its references may be released. user is passed on as
/// it is and never looked at; it comes for the last time with the end, or never once the dispatcher
/// is gone. A watch cannot be taken back: to be rid of it, cancel the operation and read up to its
/// end. An operation that streams pauses while 1024 events or 16 MiB of it are unread, as always. An
/// event that fal_op_next_event() returns does not come here, too.
///
/// FAL_E_INVALID_ARGUMENT if the operation is watched already, by any dispatcher, or has a callback
/// of fal_op_when_event().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_watch(
    op: *const fal_op,
    dispatcher: *const fal_dispatcher,
    user: *mut c_void,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let watched = unsafe { Shared::of(op, "op") }?;
        // SAFETY: NULL or live, by the header's contract.
        let dispatcher = unsafe { boundary::borrow(dispatcher, "dispatcher") }?;
        let inner = watched.inner.clone();
        let user = User::new(user);
        dispatcher
            .inner
            .watch(&inner, Watched { op: watched, user })
    })
}

/// Reads the next event of any watched operation, and blocks for at most timeout_ms milliseconds
/// until there is one. Returns FAL_OK and
///
/// - *op, the operation that was passed to fal_op_watch(), the same pointer, with a reference to be
///   released with fal_op_release();
/// - *event, to be freed with fal_event_free(); or NULL once the operation has ended and all of its
///   events were read: its outcome can be taken, it is no longer watched, and nothing of it follows;
/// - *user, the pointer that was passed to fal_op_watch(). user may be NULL.
///
/// Returns FAL_PENDING and NULL for all if there is none in time. The operations take turns; the
/// events of one come in their order. Several threads may read; each notice goes to one of them.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. FAL_E_FORKED as
/// fal_dispatcher_run().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_dispatcher_next(
    dispatcher: *const fal_dispatcher,
    timeout_ms: i64,
    op: *mut *mut fal_op,
    event: *mut *mut fal_event,
    user: *mut *mut c_void,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        let mut nowhere = ptr::null_mut();
        let user = if user.is_null() {
            &raw mut nowhere
        } else {
            user
        };
        // SAFETY: each is NULL, a local, or writable, by the header's contract.
        let (op, event, user) = unsafe {
            let op = Out::object(op, "op");
            let event = Out::object(event, "event");
            let user = Out::new(user, ptr::null_mut(), "user");
            (op?, event?, user?)
        };
        // SAFETY: NULL or live, by the header's contract.
        let dispatcher = unsafe { boundary::borrow(dispatcher, "dispatcher") }?;
        let Some(notice) = dispatcher.inner.next(times::wait(timeout_ms))? else {
            return Ok(FAL_PENDING);
        };
        if let Some(Watched {
            op: watched,
            user: given,
        }) = notice.tag()
        {
            op.set(watched.clone().give());
            user.set(given.get());
        }
        if let Some(read) = notice.into_event() {
            event.give(fal_event::new(read));
        }
        Ok(FAL_OK)
    })
}
