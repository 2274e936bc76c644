//! # Realtime
//!
//! A session with a realtime app: inputs are sent and results received over a WebSocket, which is
//! reopened if it breaks. The events of the session's operation report what happens: a
//! FAL_EVENT_MESSAGE for each result, in order and never dropped, and FAL_EVENT_CONNECTION with one
//! of these values of /state:
//!
//! "connected", with /request_id, which is null if fal sent none;
//!
//! "lost", with /reason and /unanswered, the number of inputs without a result. They may have been
//! executed and are never sent again. libfal reconnects, and gives up after as many losses as
//! fal_options_set_max_attempts() allows attempts;
//!
//! "dropped", with /count, the number of inputs that were never sent: those that were dropped from
//! the full queue, and those that were still queued when the session ended. The sum of these counts
//! is fal_realtime_unsent().
//!
//! The operation succeeds when the host or the app closes the session, also when the app does so
//! because it received no input for too long. The response is JSON with /ended ("closed" by the host,
//! "server" for the app, or "timeout" for an app that received no input), /connections, /sent,
//! /received, /unanswered and /unsent. The operation fails when the app reports an error, and with
//! FAL_E_DEADLINE after the request's own timeout. fal does not say to which input a result belongs, so /unanswered is an
//! estimate: at least the inputs after which no result arrived.
//!
//! Messages are MessagePack and are presented as JSON. In both directions, bytes are {"$bytes":
//! "<base64>"} and extensions {"$ext": [type, "<base64>"]}. Integers of 64 bits are exact. NaN and
//! infinities become null. A key of a map that is not a string becomes its JSON text; if it is a
//! list, a map or an extension, the whole message is presented as bytes. fal_event_get_bytes() and
//! fal_request_set_bytes() avoid base64. Text frames are presented unchanged.

use super::client::fal_client;
use super::op::fal_op;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use super::socket_options::{fal_socket_options, options_or_default};
use crate::error::Error;
use crate::services::realtime::Realtime;

/// A session with a realtime app. Shared: see fal_realtime_retain() and fal_realtime_release(). Any
/// thread may use it.
pub struct fal_realtime {
    inner: Realtime,
    op: Shared<fal_op>,
    counted: Counted,
}

fallible! {
    /// Starts a session with the endpoint of a request. The path, headers and timeout of the
    /// request apply; without a timeout the session ends after a year. The request's input is sent
    /// first, unless it is empty. options may be NULL for the defaults. Request and options are
    /// copied. Release the session with fal_realtime_release().
    fn fal_client_realtime_start(
        client: &fal_client,
        request: &fal_request,
        options: Option<&fal_socket_options>,
    ) -> Shared<fal_realtime> {
        let options = options_or_default(options);
        let inner = client.inner.realtime_start(request.inner.clone(), options)?;
        let op = fal_op::new(inner.op().clone());
        Shared::new(|counted| fal_realtime { inner, op, counted })
    }

    /// Queues the input of a request to be sent, also before the session is connected; nothing else
    /// of the request is used. Success does not mean that the input was sent or executed: only
    /// results show that.
    ///
    /// FAL_E_QUEUE_FULL if the queue is full and no input may be dropped, FAL_E_CLOSED if the
    /// session is closing or has ended, FAL_E_INVALID_ARGUMENT if the input has files, which only
    /// the first input of a session may have, or is too large.
    fn fal_realtime_send(realtime: &fal_realtime, request: &fal_request) {
        realtime.inner.send_request(&request.inner)?;
    }

    /// Queues an input, given as JSON text, to be sent. Fails like fal_realtime_send().
    fn fal_realtime_send_json(realtime: &fal_realtime, json: text[json_len]) {
        let input = serde_json::from_str(json)
            .map_err(|e| Error::invalid(format!("json is not JSON: {e}")))?;
        realtime.inner.send(&input)?;
    }
}

infallible! {
    /// Returns the session's operation, which has its events. It is borrowed from the session:
    /// retain it to keep it longer. fal_op_cancel() ends the session at once. NULL for NULL.
    fn fal_realtime_op(realtime: &fal_realtime) -> *const fal_op = (std::ptr::null()) {
        realtime.op.lend()
    }

    /// Returns how many inputs were accepted but not sent: those that are queued and those that
    /// were dropped. After the end of the session, whatever its cause, these were never sent.
    /// Inputs that may have been sent do not count; the events and fal_error_may_have_executed()
    /// report them. Any thread may call it; it never fails. 0 for NULL and in a forked child.
    fn fal_realtime_unsent(realtime: &fal_realtime) -> u64 = 0 {
        realtime.inner.unsent()
    }

    /// Closes the session after sending the queued inputs, and returns at once. Results are
    /// delivered until the app closes the session, too. NULL is ignored.
    fn fal_realtime_close(realtime: &fal_realtime) -> () = () {
        realtime.inner.close()
    }
}

counted! {
    /// Adds a reference to the session and returns it. NULL returns NULL.
    fn fal_realtime_retain(realtime: *const fal_realtime) -> *mut fal_realtime;

    /// Releases one reference. The last release closes the session as fal_realtime_close() does.
    /// NULL is ignored.
    fn fal_realtime_release(realtime: *mut fal_realtime);
}
