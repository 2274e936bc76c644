//! # Realtime
//!
//! A session with a realtime app: inputs in, results out, over a WebSocket that is opened anew if
//! it breaks. What happens is told by the events of the session's operation: a FAL_EVENT_MESSAGE
//! for each result, in order, which waits to be read, and FAL_EVENT_CONNECTION with /state
//!
//! "connected", and /request_id if fal gave one; "lost", with /reason and how many inputs were
//! /unanswered: they may or may not have been executed, and are never sent again. Another
//! connection is made, unless that fails again and again; "dropped", with the /count of inputs that
//! were never sent: those that made room for others, and at the end, in whatever way it comes,
//! those that still waited. The counts add up to fal_realtime_unsent().
//!
//! The operation ends well when the host or the app closes the session, its time-out for want of
//! inputs included; the response is JSON with /ended ("closed", "server" or "timeout"),
//! /connections, /sent, /received, /unanswered and /unsent. It fails when the app reports an error.
//! fal does not say which result answers which input, so "unanswered" is an estimate: at least the
//! inputs after which no result came.
//!
//! Messages are MessagePack. In JSON their bytes are {"$bytes": "<base64>"} and their extensions
//! {"$ext": [type, "<base64>"]}, both ways; integers are exact over 64 bits; NaN and the infinities
//! are null; a map's key that is no string is its JSON text; one that is a list, a map or an
//! extension makes the message bytes. fal_event_get_bytes() and fal_request_set_bytes() spare the
//! base64. Text frames are handed over as they are.

use super::client::fal_client;
use super::op::fal_op;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use super::socket_options::{fal_socket_options, options_or_default};
use crate::error::Error;
use crate::services::realtime::Realtime;

/// A session with a realtime app. Shared: fal_realtime_retain() and fal_realtime_release(). Any
/// thread may use it.
pub struct fal_realtime {
    inner: Realtime,
    op: Shared<fal_op>,
    counted: Counted,
}

impl AsRef<Counted> for fal_realtime {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

fallible! {
    /// Starts a session with the endpoint of a request; its path, headers and time limit hold, too.
    /// Without a time limit it lasts a year. The request's input is the first to be sent, unless it
    /// is empty. options may be NULL, for the defaults. Request and options are copied.
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

    /// Sends the input of a request, set field by field; nothing else of the request is used. It
    /// waits its turn; whether it was executed only results tell.
    ///
    /// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the session has
    /// ended or is closing.
    fn fal_realtime_send(realtime: &fal_realtime, request: &fal_request) {
        realtime.inner.send_request(&request.inner)?;
    }

    /// Sends an input, given as JSON text, in the same way.
    fn fal_realtime_send_json(realtime: &fal_realtime, json: text[json_len]) {
        let input = serde_json::from_str(json)
            .map_err(|e| Error::invalid(format!("json is not JSON: {e}")))?;
        realtime.inner.send(&input)?;
    }
}

infallible! {
    /// The session's operation, with its events; borrowed from the session, so retain it to keep it
    /// longer. fal_op_cancel() ends the session at once. NULL for NULL.
    fn fal_realtime_op(realtime: &fal_realtime) -> *const fal_op = (std::ptr::null()) {
        realtime.op.lend()
    }

    /// How many inputs were taken and not sent: those that wait now, and those that were dropped.
    /// Once the session has ended, in whatever way (closed, failed, cancelled, out of time, shut
    /// down), they are those that never will be. Inputs that may have left do not count; of them
    /// the events and fal_error_may_have_executed() tell. Any thread; never fails. 0 for NULL, and
    /// in a forked child.
    fn fal_realtime_unsent(realtime: &fal_realtime) -> u64 = 0 {
        realtime.inner.unsent()
    }

    /// Ends the session once what waits is sent, and returns at once. Results are delivered until
    /// the app has closed it too. NULL does nothing.
    fn fal_realtime_close(realtime: &fal_realtime) -> () = () {
        realtime.inner.close()
    }
}

counted! {
    /// One more owner of the session; returns it. NULL gives NULL.
    fn fal_realtime_retain(realtime: *const fal_realtime) -> *mut fal_realtime;

    /// One owner less; the last one closes the session, as fal_realtime_close() does. NULL does
    /// nothing.
    fn fal_realtime_release(realtime: *mut fal_realtime);
}
