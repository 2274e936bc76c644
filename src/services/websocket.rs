//! Plain WebSockets of apps, without a protocol of fal on top (docs/protocol.md §7.6).

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;
use crate::services::socket::{Handle, Protocol, SocketOptions};
use crate::system::memory;

/// A connection to an app's own WebSocket. Clones are handles to the same connection.
///
/// Each message becomes an event [`Message`](crate::EventKind::Message) of the operation
/// ([`op`](Self::op)): text or [bytes](crate::Event::is_bytes), in order. Messages wait until the
/// host reads them. When either side closes the connection, the operation succeeds with the
/// response of a [`Realtime`](crate::Realtime) session. When the connection breaks, the operation
/// fails with [`Code::ConnectionLost`](crate::Code::ConnectionLost). It does not reconnect, because
/// only the app knows what a new connection would continue.
///
/// Dropping the last handle closes the connection as [`close`](Self::close) does.
#[derive(Clone, Debug)]
pub struct WebSocket {
    session: Handle,
}

impl Client {
    /// Opens a WebSocket of an app. The request sets the endpoint, the
    /// [path](Request::set_path), the headers and the timeout, by default a year; its input is
    /// ignored.
    pub fn websocket_start(&self, request: Request, options: SocketOptions) -> Result<WebSocket> {
        Ok(WebSocket {
            session: self.session(&request, "", options, Protocol::Raw)?,
        })
    }
}

impl WebSocket {
    /// Sends a text message, after the messages that wait.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many messages wait, and with
    /// [`Code::Closed`](crate::Code::Closed) if the connection is closed or closing.
    pub fn send_text(&self, text: &str) -> Result<()> {
        self.session.push(Message::text(memory::text(text)?))
    }

    /// Sends a binary message, as [`send_text`](Self::send_text) does.
    pub fn send_bytes(&self, bytes: Bytes) -> Result<()> {
        self.session.push(Message::binary(bytes))
    }

    /// The number of messages that were accepted but not sent: those that wait now, and those that
    /// were dropped. Once the connection has ended, they are never sent. Events with the state
    /// `dropped` count them, too. Returns 0 in a forked child.
    pub fn unsent(&self) -> u64 {
        self.session.unsent()
    }

    /// Closes the connection once the messages that wait are sent. Messages of the app are
    /// delivered until the app closes the connection, too.
    pub fn close(&self) {
        self.session.close();
    }

    /// Returns the connection's operation. Cancelling it ends the connection at once.
    pub fn op(&self) -> &Op {
        self.session.op()
    }
}
