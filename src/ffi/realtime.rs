//! # Realtime
//!
//! A session with a realtime app: inputs in, results out, over a WebSocket that is opened anew if it breaks. What happens is
//! told by the events of the session's operation: a FAL_EVENT_MESSAGE for each result, in order, which waits to be read,
//! and FAL_EVENT_CONNECTION with /state
//!
//! "connected", and /request_id if fal gave one;
//! "lost", with /reason and how many inputs were /unanswered: they may or may not have been executed, and are never sent again.
//! Another connection is made, unless that fails again and again;
//! "dropped", with the /count of inputs that were never sent.
//!
//! The operation ends well when the host or the app closes the session, its time-out for want of inputs included; the
//! response is JSON with /ended ("closed", "server" or "timeout"), /connections, /sent, /received, /unanswered and /unsent. It fails
//! when the app reports an error. fal does not say which result answers which input, so "unanswered" is an estimate: at least the
//! inputs after which no result came.
//!
//! Messages are MessagePack. In JSON their bytes are {"$bytes": "<base64>"} and their extensions {"$ext": [type, "<base64>"]}, both
//! ways; integers are exact over 64 bits; NaN and the infinities are null; a map's key that is no string is its JSON
//! text. fal_event_get_bytes() and fal_request_set_bytes() spare the base64. Text frames are handed over as they are.

use std::ffi::c_char;
use std::sync::Arc;

use super::boundary::{self, Out, plain, status};
use super::client::{copy, fal_client};
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::socket_options::{self, fal_socket_options};
use super::status::fal_status;
use crate::error::Error;
use crate::realtime::Realtime;

/// A session with a realtime app. Shared: fal_realtime_retain() and fal_realtime_release(). Any thread may use it.
pub struct fal_realtime {
    realtime: Realtime,
    /// Shared by itself, so that the host may keep it.
    op: Arc<fal_op>,
}

/// Starts a session with the endpoint of a request; its path, headers and time limit hold, too. Without a time limit it lasts a year. The request's
/// input is the first to be sent, unless it is empty. options may be NULL, for the defaults. Request and options are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_realtime_start(
    client: *const fal_client,
    request: *const fal_request,
    options: *const fal_socket_options,
    out: *mut *mut fal_realtime,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { boundary::borrow(client, "client") }?;
        // SAFETY: NULL or live, by the header's contract.
        let (request, options) = unsafe { (copy(request)?, socket_options::copy(options)) };
        let realtime = client.client().realtime_start(request, options)?;
        let op = Arc::new(fal_op::new(realtime.op().clone()));
        out.set(boundary::share(fal_realtime { realtime, op }));
        Ok(())
    })
}

/// Sends the input of a request, set field by field; nothing else of the request is used. It waits its turn; whether it was executed
/// only results tell.
///
/// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the session has ended or is closing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_send(
    realtime: *const fal_realtime,
    request: *const fal_request,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let realtime = unsafe { boundary::borrow(realtime, "realtime") }?;
        // SAFETY: NULL or live, by the header's contract.
        let request = unsafe { boundary::borrow(request, "request") }?;
        realtime.realtime.send_request(request.get())
    })
}

/// Sends an input, given as JSON text, in the same way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_send_json(
    realtime: *const fal_realtime,
    json: *const c_char,
    json_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let realtime = unsafe { boundary::borrow(realtime, "realtime") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let json = unsafe { boundary::text(json, json_len, "json") }?;
        let input = serde_json::from_str(json).map_err(|e| Error::invalid(format!("json is not JSON: {e}")))?;
        realtime.realtime.send(&input)
    })
}

/// The session's operation, with its events; borrowed from the session, so retain it to keep it longer. fal_op_cancel() ends the
/// session at once. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_op(realtime: *const fal_realtime) -> *const fal_op {
    plain(std::ptr::null(), || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { realtime.as_ref() }.map_or(std::ptr::null(), |session| Arc::as_ptr(&session.op))
    })
}

/// Ends the session once what waits is sent, and returns at once. Results are delivered until the app has closed it too. NULL
/// does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_close(realtime: *const fal_realtime) {
    // SAFETY: NULL or live, by the header's contract.
    plain((), || unsafe { realtime.as_ref() }.map_or((), |realtime| realtime.realtime.close()));
}

/// One more owner of the session; returns it. NULL gives NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_retain(realtime: *const fal_realtime) -> *mut fal_realtime {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { boundary::retain(realtime) }
}

/// One owner less; the last one closes the session, as fal_realtime_close() does. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_realtime_release(realtime: *mut fal_realtime) {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { boundary::release(realtime) }
}
