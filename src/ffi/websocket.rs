//! # WebSockets
//!
//! An app's own WebSocket, without a protocol of fal's on top. The events of its operation are
//! those of a realtime session; a message is text, or bytes (fal_event_is_bytes()). The operation
//! ends well when either side closes the connection, and fails with FAL_E_CONNECTION_LOST if it
//! breaks: what a new one would continue only the app knows, so none is made.

use super::boundary::copy;
use super::client::fal_client;
use super::op::fal_op;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use super::socket_options::{fal_socket_options, options_or_default};
use crate::services::websocket::WebSocket;

/// A connection to an app's own WebSocket. Shared: fal_websocket_retain() and
/// fal_websocket_release(). Any thread may use it.
pub struct fal_websocket {
    inner: WebSocket,
    op: Shared<fal_op>,
    counted: Counted,
}

impl AsRef<Counted> for fal_websocket {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

fallible! {
    /// Opens a WebSocket of the endpoint of a request; its path, headers and time limit hold, too,
    /// its input does not. Without a time limit it lasts a year. options may be NULL, for the
    /// defaults. Request and options are copied.
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

    /// Sends a text message. It waits its turn.
    ///
    /// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the connection
    /// has ended or is closing.
    fn fal_websocket_send_text(websocket: &fal_websocket, text: text[text_len]) {
        websocket.inner.send_text(text)?;
    }

    /// Sends a binary message, whose bytes are copied, in the same way.
    fn fal_websocket_send_bytes(websocket: &fal_websocket, data: bytes[data_len]) {
        websocket.inner.send_bytes(copy(data)?)?;
    }
}

infallible! {
    /// The connection's operation, with its events; borrowed from the connection, so retain it to
    /// keep it longer. fal_op_cancel() ends the connection at once. NULL for NULL.
    fn fal_websocket_op(websocket: &fal_websocket) -> *const fal_op = (std::ptr::null()) {
        websocket.op.lend()
    }

    /// How many messages were taken and not sent: those that wait now, and those that were dropped.
    /// Once the connection has ended, in whatever way, they are those that never will be; events
    /// with the /state "dropped" tell of them, too. Any thread; never fails. 0 for NULL, and in a
    /// forked child.
    fn fal_websocket_unsent(websocket: &fal_websocket) -> u64 = 0 {
        websocket.inner.unsent()
    }

    /// Closes the connection once what waits is sent, and returns at once. Messages are delivered
    /// until the app has closed it too. NULL does nothing.
    fn fal_websocket_close(websocket: &fal_websocket) -> () = () {
        websocket.inner.close()
    }
}

counted! {
    /// One more owner of the connection; returns it. NULL gives NULL.
    fn fal_websocket_retain(websocket: *const fal_websocket) -> *mut fal_websocket;

    /// One owner less; the last one closes the connection, as fal_websocket_close() does. NULL does
    /// nothing.
    fn fal_websocket_release(websocket: *mut fal_websocket);
}
