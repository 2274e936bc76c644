//! # Events
//!
//! What happens while an operation is under way: one type for all of them. A host reads events
//! whenever it likes, once a frame or on a thread of its own, and reads what is left after the
//! operation has ended. A host that wants none need do nothing, except with operations that stream:
//! they pause while 1024 events or 16 MiB wait to be read, so read or discard them. The functions
//! that wait for an operation's end by themselves, such as fal_client_subscribe(), discard them.

use std::ffi::{c_char, c_void};

use super::boundary::{self, Out, User};
use super::dispatcher::fal_dispatcher;
use super::error::fal_error;
use super::op::{fal_op, fal_op_callback};
use super::outcome::{outcome, status};
use super::response::fal_response;
use super::status::{FAL_OK, FAL_PENDING, fal_status};
use super::texts::set_len;
use super::times;
use crate::operation::NextEvent;
use crate::operation::event::{Event, EventKind, Packed};
use crate::services::workflow::WorkflowEvent;

/// The state of a queued request: /status ("IN_QUEUE", "IN_PROGRESS", "COMPLETED"), /request_id,
/// and, while it waits, /queue_position: how many are ahead of it.
pub const FAL_EVENT_STATUS: i32 = 1;
/// A line of a queued request's log: /message, /level, /source and /timestamp.
pub const FAL_EVENT_LOG: i32 = 2;
/// How much of a file was sent or received: /transferred and, if it is known, /total, in bytes.
pub const FAL_EVENT_PROGRESS: i32 = 3;
/// An item of a stream, as the app sent it; fal_event_workflow() tells what one of a workflow says.
pub const FAL_EVENT_ITEM: i32 = 4;
/// A message of a realtime or WebSocket connection.
pub const FAL_EVENT_MESSAGE: i32 = 5;
/// What became of such a connection: /state is "connected", "lost" or "dropped".
pub const FAL_EVENT_CONNECTION: i32 = 6;

/// A step of a workflow was given to its app: /node_id, /app_id and /request_id, all strings.
pub const FAL_WORKFLOW_SUBMIT: i32 = 1;
/// A step has finished: /node_id, /output, and /app_id if the app is told.
pub const FAL_WORKFLOW_COMPLETION: i32 = 2;
/// The workflow has finished: /output, and /node_id if the step of the output is told.
pub const FAL_WORKFLOW_OUTPUT: i32 = 3;
/// A step has failed: /node_id, and, as far as they are told, /message, /error/status and
/// /error/body of the step's answer.
pub const FAL_WORKFLOW_ERROR: i32 = 4;

/// Something that happened. Unique; freed with fal_event_free().
pub struct fal_event {
    kind: EventKind,
    bytes: bool,
    packed: Packed,
    content: fal_response,
}

impl fal_event {
    fn new(event: Event) -> Self {
        let bytes = event.is_bytes();
        let (kind, content, packed) = event.into_parts();
        fal_event {
            kind,
            bytes,
            packed,
            content: fal_response::new(content),
        }
    }
}

/// Reads the next event of an operation, waited for at most timeout_ms milliseconds. FAL_OK and an
/// event that the caller frees; FAL_OK and NULL once the operation has ended and all events were
/// read; FAL_PENDING if there is none yet. Several threads may read; each event goes to one of
/// them.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_op_next_event(
    op: *const fal_op,
    timeout_ms: i64,
    out: *mut *mut fal_event,
    err: *mut *mut fal_error,
) -> fal_status {
    outcome(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let op = unsafe { boundary::borrow(op, "op") }?;
        match op.inner.wait_event(times::wait(timeout_ms))? {
            NextEvent::Event(event) => out.give(fal_event::new(event)),
            NextEvent::Pending => return Ok(FAL_PENDING),
            NextEvent::End => {}
        }
        Ok(FAL_OK)
    })
}

infallible! {
    /// Throws away the events that wait to be read, and keeps none from now on. NULL does nothing.
    fn fal_op_discard_events(op: &fal_op) -> () = () {
        op.inner.discard_events()
    }

    /// How many events were lost because nobody read them; 0 for NULL. Items and messages are never
    /// lost.
    fn fal_op_dropped_events(op: &fal_op) -> u64 = 0 {
        op.inner.dropped_events()
    }
}

fallible! {
    /// Has callback called by fal_dispatcher_run() when events begin to wait: once, until it has
    /// been called, so it reads all of them, with a timeout of 0. It replaces an earlier one. The
    /// end of the operation is no event: see fal_op_when_done().
    ///
    /// user has to outlive the operation.
    fn fal_op_when_event(
        op: &fal_op,
        dispatcher: &fal_dispatcher,
        callback: fal_op_callback,
        user: *mut c_void,
    ) {
        let callback = callback.ok_or_else(|| boundary::null("callback"))?;
        let user = User::new(user);
        dispatcher.inner.when_event(&op.inner, move |op| {
            let stirred = fal_op::new(op);
            // SAFETY: the host gave this callback for these arguments; `stirred` lives longer than
            // the call.
            unsafe { callback(stirred.lend().cast_mut(), user.get()) }
        })?;
    }
}

frees! {
    /// Frees an event. NULL does nothing.
    fn fal_event_free(event: *mut fal_event);
}

infallible! {
    /// What it tells about, a FAL_EVENT_ constant; 0 for NULL. Later versions may have others:
    /// ignore what you do not know.
    fn fal_event_kind(event: &fal_event) -> i32 = 0 {
        event.kind as i32
    }

    /// What it tells, borrowed from the event: read it with the functions for responses, such as
    /// fal_response_get_string(). NULL for NULL.
    fn fal_event_content(event: &fal_event) -> *const fal_response = (std::ptr::null()) {
        &raw const event.content
    }

    /// What an item of a workflow's stream says, a FAL_WORKFLOW_ constant (docs/protocol.md §3.5):
    /// the content has the members that it names. 0 for any other event, one of an unknown /type
    /// included, and for NULL.
    fn fal_event_workflow(event: &fal_event) -> i32 = 0 {
        match WorkflowEvent::of(event.kind, &event.content.inner) {
            None => 0,
            Some(WorkflowEvent::Submit { .. }) => FAL_WORKFLOW_SUBMIT,
            Some(WorkflowEvent::Completion { .. }) => FAL_WORKFLOW_COMPLETION,
            Some(WorkflowEvent::Output { .. }) => FAL_WORKFLOW_OUTPUT,
            Some(WorkflowEvent::Error { .. }) => FAL_WORKFLOW_ERROR,
        }
    }

    /// Whether the content is bytes rather than text or JSON: the binary message of a WebSocket,
    /// the piece of a stream that is none of events. false for NULL.
    fn fal_event_is_bytes(event: &fal_event) -> bool = false {
        event.bytes
    }
}

/// The bytes at a JSON Pointer of a realtime app's message, which in its JSON are {"$bytes":
/// "<base64>"}; at the pointer "" of any other event its whole content as it is. Borrowed from the
/// event. FAL_E_WRONG_TYPE if there are none. len may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_event_get_bytes(
    event: *const fal_event,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut *const c_void,
    len: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: each pointer is NULL or valid, by the header's contract.
    status(err, || unsafe {
        set_len(len, 0);
        let out = Out::new(out, std::ptr::null(), "out")?;
        let event = boundary::borrow(event, "event")?;
        let pointer = boundary::text(pointer, pointer_len, "pointer")?;
        let bytes = event.packed.get_bytes(&event.content.inner, pointer)?;
        set_len(len, bytes.len());
        out.set(bytes.as_ptr().cast());
        Ok(())
    })
}
