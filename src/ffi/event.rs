//! # Events
//!
//! An event reports something that happened while an operation was running. A host reads events
//! whenever it likes, such as once per frame or on a thread of its own, and can still read them
//! after the operation has ended. It may ignore them, except those of operations that stream: these
//! pause while 1024 events or 16 MiB are unread, so read or discard the events. Functions that
//! block until a response arrives, such as fal_client_subscribe(), discard events.

use std::ffi::{c_char, c_void};
use std::ptr;

use super::boundary::{self, Out, plain};
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

/// The kind of an event, which fal_event_kind() returns. Later versions may add some: ignore those
/// that are unknown.
pub type fal_event_type = i32;

/// No event: what fal_event_kind() returns for NULL.
pub const FAL_EVENT_NONE: fal_event_type = 0;
/// The state of a job: /status ("IN_QUEUE", "IN_PROGRESS" or "COMPLETED"), /request_id and, while
/// it is queued, /queue_position, the number of requests ahead of it.
pub const FAL_EVENT_STATUS: fal_event_type = 1;
/// A line of a job's log: /message, /level, /source and /timestamp.
pub const FAL_EVENT_LOG: fal_event_type = 2;
/// The progress of all files of the operation together: /transferred and, if it is known, /total, in
/// bytes. An unread one is replaced by the next.
pub const FAL_EVENT_PROGRESS: fal_event_type = 3;
/// An item of a stream, as the app sent it. fal_event_workflow() returns the kind of a workflow's
/// item.
pub const FAL_EVENT_ITEM: fal_event_type = 4;
/// A message of a realtime session or a WebSocket.
pub const FAL_EVENT_MESSAGE: fal_event_type = 5;
/// The state of such a connection: /state is "connected", "lost" or "dropped".
pub const FAL_EVENT_CONNECTION: fal_event_type = 6;

/// The kind of an item of a workflow's stream, which fal_event_workflow() returns. Later versions may
/// add some: ignore those that are unknown.
pub type fal_workflow_type = i32;

/// No item of a workflow, or one with an unknown /type.
pub const FAL_WORKFLOW_NONE: fal_workflow_type = 0;
/// A step of a workflow was submitted to its app: /node_id, /app_id and /request_id, all strings.
pub const FAL_WORKFLOW_SUBMIT: fal_workflow_type = 1;
/// A step has finished: /node_id, /output and, if fal sent it, /app_id.
pub const FAL_WORKFLOW_COMPLETION: fal_workflow_type = 2;
/// The workflow has finished: /output and, if fal sent it, /node_id of the output's step.
pub const FAL_WORKFLOW_OUTPUT: fal_workflow_type = 3;
/// A step has failed: /node_id and, if fal sent them, /message, /error/status and /error/body of
/// the step's response.
pub const FAL_WORKFLOW_ERROR: fal_workflow_type = 4;

/// An event. Unique; freed with fal_event_free(). It is immutable: several threads may read it at
/// once, also after its operation is gone.
pub struct fal_event {
    kind: EventKind,
    bytes: bool,
    packed: Packed,
    content: fal_response,
}

impl fal_event {
    pub(super) fn new(event: Event) -> Self {
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

/// Reads the next event of an operation, and blocks for at most timeout_ms milliseconds until there
/// is one. Returns FAL_OK and an event, to be freed with fal_event_free(); FAL_OK and NULL once the
/// operation has ended and all events were read; FAL_PENDING if there is no event yet. Several
/// threads may read; each event goes to one of them. FAL_OK alone does not mean that there is an
/// event, so a loop over events looks at *out, too.
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
    /// Discards all unread events and all future ones. NULL is ignored.
    fn fal_op_discard_events(op: &fal_op) -> () = () {
        op.inner.discard_events()
    }

    /// Returns how many events were dropped because they were not read in time; 0 for NULL. Items
    /// and messages are never dropped.
    fn fal_op_dropped_events(op: &fal_op) -> u64 = 0 {
        op.inner.dropped_events()
    }
}

fallible! {
    /// Makes fal_dispatcher_run() call callback when there are unread events: once for all of them,
    /// so the callback reads every event, with a timeout of 0. An operation has one such callback: a
    /// new one replaces it, whatever the dispatcher, and NULL takes it back. The end of the operation
    /// is not an event: see fal_op_when_done().
    ///
    /// release, which may be NULL, is called at once if callback is NULL or this function fails.
    /// Otherwise it is called when no call is running any more and one of these has happened, after
    /// which no call starts:
    ///
    /// - the callback was taken back or replaced,
    /// - fal_dispatcher_run() calls the callback of fal_op_when_done() for the same operation and
    ///   dispatcher,
    /// - the operation has ended, and all of its events were read or discarded,
    /// - the last reference to the dispatcher was released. release is then called when the operation
    ///   ends, its outcome is taken, or its last reference is released.
    ///
    /// FAL_E_INVALID_ARGUMENT if the operation is watched: see fal_op_watch().
    fn fal_op_when_event(
        op: &fal_op,
        dispatcher: &fal_dispatcher,
        callback: fal_op_callback,
        user: lease[release],
    ) {
        match callback {
            None => dispatcher.inner.take_back(&op.inner)?,
            Some(callback) => dispatcher.inner.when_event(&op.inner, move |op| {
                let op = fal_op::new(op);
                // SAFETY: the host passed this callback for these arguments; `op` outlives the
                // call.
                unsafe { callback(op.lend().cast_mut(), user.user()) }
            })?,
        }
    }
}

frees! {
    /// Frees an event. NULL is ignored.
    fn fal_event_free(event: *mut fal_event);
}

infallible! {
    /// Returns the kind of the event; FAL_EVENT_NONE for NULL.
    fn fal_event_kind(event: &fal_event) -> fal_event_type = FAL_EVENT_NONE {
        event.kind as i32
    }

    /// Returns the content of the event, borrowed from it, to be read with the functions for
    /// responses, such as fal_response_get_string(). NULL for NULL.
    fn fal_event_content(event: &fal_event) -> *const fal_response = (std::ptr::null()) {
        &raw const event.content
    }

    /// Returns the kind of an item of a workflow's stream (docs/protocol.md §3.5), whose content has
    /// the members that are listed at each kind. FAL_WORKFLOW_NONE for any other event or an unknown
    /// /type, and for NULL.
    fn fal_event_workflow(event: &fal_event) -> fal_workflow_type = FAL_WORKFLOW_NONE {
        match WorkflowEvent::of(event.kind, &event.content.inner) {
            None => FAL_WORKFLOW_NONE,
            Some(WorkflowEvent::Submit { .. }) => FAL_WORKFLOW_SUBMIT,
            Some(WorkflowEvent::Completion { .. }) => FAL_WORKFLOW_COMPLETION,
            Some(WorkflowEvent::Output { .. }) => FAL_WORKFLOW_OUTPUT,
            Some(WorkflowEvent::Error { .. }) => FAL_WORKFLOW_ERROR,
        }
    }

    /// Returns whether the content is bytes rather than text or JSON: a binary message of a
    /// WebSocket, or a piece of a stream that is not a stream of events. false for NULL.
    fn fal_event_is_bytes(event: &fal_event) -> bool = false {
        event.bytes
    }
}

infallible! {
    /// Returns the number of requests ahead of the job, of a FAL_EVENT_STATUS event while it is
    /// queued; -1 for any other event and for NULL.
    fn fal_event_queue_position(event: &fal_event) -> i64 = (-1) {
        number(event.kind.queue_position(&event.content.inner))
    }

    /// Returns how many bytes of the operation's files were sent or received, of a FAL_EVENT_PROGRESS
    /// event; -1 for any other event and for NULL.
    fn fal_event_transferred(event: &fal_event) -> i64 = (-1) {
        number(event.kind.transferred(&event.content.inner))
    }

    /// Returns the size of these files together in bytes; -1 if it is not known, for any other event
    /// and for NULL.
    fn fal_event_total(event: &fal_event) -> i64 = (-1) {
        number(event.kind.total(&event.content.inner))
    }
}

fn number(number: Option<u64>) -> i64 {
    number.map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// Returns the text of a FAL_EVENT_LOG event, borrowed from it; NULL for any other event and for
/// NULL. len may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_event_log_text(
    event: *const fal_event,
    len: *mut usize,
) -> *const c_char {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe {
            set_len(len, 0);
            let content = event.as_ref().map(|event| (event.kind, &event.content));
            let text = content.and_then(|(kind, content)| {
                let message = kind.message(&content.inner)?;
                content.texts.copy("message", len, message).ok()
            });
            text.unwrap_or(ptr::null())
        }
    })
}

/// Gets the bytes at a JSON Pointer of a realtime app's message, which as JSON are {"$bytes":
/// "<base64>"}. For any other event, the pointer "" gets the whole content unchanged. The bytes are
/// borrowed from the event. FAL_E_WRONG_TYPE if there are no bytes. len may be NULL.
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
