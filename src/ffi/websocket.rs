//! # WebSockets
//!
//! A connection to an app's own WebSocket, without a protocol of fal on top. The events of its
//! operation are those of a realtime session; a message is text or bytes (fal_event_is_bytes()).
//! The operation succeeds when either side closes the connection, and fails with
//! FAL_E_CONNECTION_LOST if it breaks. libfal does not reconnect, because only the app knows what a
//! new connection would continue.

use super::boundary::copy;
use super::client::fal_client;
use super::op::fal_op;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use super::socket_options::{fal_socket_options, options_or_default};
use crate::services::websocket::WebSocket;

/// A connection to an app's own WebSocket. Shared: see fal_websocket_retain() and
/// fal_websocket_release(). Any thread may use it.
pub struct fal_websocket {
    inner: WebSocket,
    op: Shared<fal_op>,
    counted: Counted,
}

fallible! {
    /// Starts opening a WebSocket of the endpoint of a request. The path, headers and timeout of
    /// the request apply, its input does not; without a timeout the connection ends after a year.
    /// options may be NULL for the defaults. Request and options are copied. Release the connection
    /// with fal_websocket_release().
    fn fal_client_websocket_start(
        client: &fal_client,
        request: &fal_request,
        options: Option<&fal_socket_options>,
    ) -> Shared<fal_websocket> {
        let options = options_or_default(options);
        let inner = client.inner.websocket_start(request.inner.clone(), options)?;
        let op = fal_op::new(inner.op().clone());
        Shared::new(|counted| fal_websocket { inner, op, counted })
    }

    /// Queues a text message to be sent.
    ///
    /// FAL_E_QUEUE_FULL if the queue is full and no message may be dropped, FAL_E_CLOSED if the
    /// connection is closing or has ended.
    fn fal_websocket_send_text(websocket: &fal_websocket, text: text[text_len]) {
        websocket.inner.send_text(text)?;
    }

    /// Queues a binary message to be sent. The bytes are copied. Fails like
    /// fal_websocket_send_text().
    fn fal_websocket_send_bytes(websocket: &fal_websocket, data: bytes[data_len]) {
        websocket.inner.send_bytes(copy(data)?)?;
    }
}

infallible! {
    /// Returns the connection's operation, which has its events. It is borrowed from the
    /// connection: retain it to keep it longer. fal_op_cancel() ends the connection at once. NULL
    /// for NULL.
    fn fal_websocket_op(websocket: &fal_websocket) -> *const fal_op = (std::ptr::null()) {
        websocket.op.lend()
    }

    /// Returns how many messages were accepted but not sent: those that are queued and those that
    /// were dropped. After the end of the connection, whatever its cause, these were never sent;
    /// events with the /state "dropped" report them, too. Any thread may call it; it never fails. 0
    /// for NULL and in a forked child.
    fn fal_websocket_unsent(websocket: &fal_websocket) -> u64 = 0 {
        websocket.inner.unsent()
    }

    /// Closes the connection after sending the queued messages, and returns at once. Messages are
    /// delivered until the app closes the connection, too. NULL is ignored.
    fn fal_websocket_close(websocket: &fal_websocket) -> () = () {
        websocket.inner.close()
    }
}

counted! {
    /// Adds a reference to the connection and returns it. NULL returns NULL.
    fn fal_websocket_retain(websocket: *const fal_websocket) -> *mut fal_websocket;

    /// Releases one reference. The last release closes the connection as fal_websocket_close()
    /// does. NULL is ignored.
    fn fal_websocket_release(websocket: *mut fal_websocket);
}
