//! Plain WebSockets of apps, without a protocol of fal's on top (docs/protocol.md §7.6).

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;
use crate::services::socket::{Handle, Language, SocketOptions};
use crate::system::memory;

/// A connection to an app's own WebSocket. Clones are handles to the same one.
///
/// Its operation ([`op`](Self::op)) tells each message as an event
/// [`Message`](crate::EventKind::Message), text or [bytes](crate::Event::is_bytes), in order; they
/// wait to be read. It ends well when either side closes the connection, with the response of a
/// [`Realtime`](crate::Realtime) session, and fails with
/// [`Code::ConnectionLost`](crate::Code::ConnectionLost) if the connection breaks: what a new one
/// would continue only the app knows, so none is made.
///
/// Once the last handle is dropped, the connection is closed as by [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct WebSocket {
    session: Handle,
}

impl Client {
    /// Opens a WebSocket of an app, whose endpoint, [path](Request::set_path), headers and time
    /// limit the request gives; without a time limit it lasts a year. The request's input is not
    /// used.
    pub fn websocket_start(&self, request: Request, options: SocketOptions) -> Result<WebSocket> {
        Ok(WebSocket {
            session: self.session(&request, "", options, Language::Raw)?,
        })
    }
}

impl WebSocket {
    /// Sends a text message. It waits its turn.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many wait, and with
    /// [`Code::Closed`](crate::Code::Closed) once the connection has ended or is closing.
    pub fn send_text(&self, text: &str) -> Result<()> {
        self.session.push(Message::text(memory::text(text)?))
    }

    /// Sends a binary message, in the same way.
    pub fn send_bytes(&self, bytes: Bytes) -> Result<()> {
        self.session.push(Message::binary(bytes))
    }

    /// How many messages were taken and not sent: those that wait now, and those that were dropped.
    /// Once the connection has ended, in whatever way, they are those that never will be; events
    /// with the state `dropped` tell of them, too. 0 in a forked child.
    pub fn unsent(&self) -> u64 {
        self.session.unsent()
    }

    /// Closes the connection once what waits is sent. Messages are delivered until the app has
    /// closed it too.
    pub fn close(&self) {
        self.session.close();
    }

    /// The connection's operation, with its events. Cancelling it ends the connection at once.
    pub fn op(&self) -> &Op {
        self.session.op()
    }
}
