//! # WebSockets
//!
//! An app's own WebSocket, without a protocol of fal's on top. The events of its operation are
//! those of a realtime session; a message is text, or bytes (fal_event_is_bytes()). The operation
//! ends well when either side closes the connection, and fails with FAL_E_CONNECTION_LOST if it
//! breaks: what a new one would continue only the app knows, so none is made.

use std::ffi::{c_char, c_void};

use super::boundary::{self, plain, status};
use super::client::fal_client;
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::session::{self, Session};
use super::shared::{self, Counted, Shared};
use super::socket_options::fal_socket_options;
use super::status::fal_status;
use crate::client::Client;
use crate::services::websocket::WebSocket;

/// A connection to an app's own WebSocket. Shared: fal_websocket_retain() and
/// fal_websocket_release(). Any thread may use it.
pub struct fal_websocket {
    session: Session<WebSocket>,
    counted: Counted,
}

impl AsRef<Counted> for fal_websocket {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

/// Opens a WebSocket of the endpoint of a request; its path, headers and time limit hold, too, its
/// input does not. Without a time limit it lasts a year. options may be NULL, for the defaults.
/// Request and options are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_websocket_start(
    client: *const fal_client,
    request: *const fal_request,
    options: *const fal_socket_options,
    out: *mut *mut fal_websocket,
    err: *mut *mut fal_error,
) -> fal_status {
    let begin = |client: &Client, request, options| {
        let websocket = client.websocket_start(request, options)?;
        let op = websocket.op().clone();
        let session = Session::new(websocket, op);
        Ok(Shared::new(|counted| fal_websocket { session, counted }))
    };
    // SAFETY: as the header says.
    unsafe { session::start(client, request, options, out, err, begin) }
}

/// Sends a text message. It waits its turn.
///
/// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the connection has
/// ended or is closing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_send_text(
    websocket: *const fal_websocket,
    text: *const c_char,
    text_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let websocket = unsafe { boundary::borrow(websocket, "websocket") }?;
        // SAFETY: NULL or a string, by the header's contract.
        websocket
            .session
            .get()
            .send_text(unsafe { boundary::text(text, text_len, "text") }?)
    })
}

/// Sends a binary message, whose bytes are copied, in the same way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_send_bytes(
    websocket: *const fal_websocket,
    data: *const c_void,
    data_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let websocket = unsafe { boundary::borrow(websocket, "websocket") }?;
        // SAFETY: readable, by the header's contract.
        let data = unsafe { boundary::copy(data, data_len, "data") }?;
        websocket.session.get().send_bytes(data)
    })
}

/// The connection's operation, with its events; borrowed from the connection, so retain it to keep
/// it longer. fal_op_cancel() ends the connection at once. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_op(websocket: *const fal_websocket) -> *const fal_op {
    plain(std::ptr::null(), || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { websocket.as_ref() }.map_or(std::ptr::null(), |websocket| websocket.session.op())
    })
}

/// How many messages were taken and not sent: those that wait now, and those that were dropped.
/// Once the connection has ended, in whatever way, they are those that never will be; events with
/// the /state "dropped" tell of them, too. Any thread; never fails. 0 for NULL, and in a forked
/// child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_unsent(websocket: *const fal_websocket) -> u64 {
    plain(0, || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { websocket.as_ref() }.map_or(0, |websocket| websocket.session.get().unsent())
    })
}

/// Closes the connection once what waits is sent, and returns at once. Messages are delivered until
/// the app has closed it too. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_close(websocket: *const fal_websocket) {
    plain((), || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { websocket.as_ref() }.map_or((), |websocket| websocket.session.get().close())
    });
}

/// One more owner of the connection; returns it. NULL gives NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_retain(
    websocket: *const fal_websocket,
) -> *mut fal_websocket {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::retain(websocket) }
}

/// One owner less; the last one closes the connection, as fal_websocket_close() does. NULL does
/// nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_websocket_release(websocket: *mut fal_websocket) {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::release(websocket) }
}
