//! Plain WebSockets of apps, without a protocol of fal's on top (fal-protocol.md §7.6).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::realtime::{Closing, SESSION};
use crate::request::Request;
use crate::socket::{self, Access, Inputs, LIFETIME, Language, Plan, WhenFull};

/// The most bytes of a message, unless the client allows answers of fewer only.
const MOST_BYTES: usize = 32 << 20;
const MOST_INPUTS: usize = 64;
const PING: Duration = Duration::from_secs(30);

/// A connection to an app's own WebSocket. Clones are handles to the same one.
///
/// Its operation ([`op`](Self::op)) tells each message as an event [`Message`](crate::EventKind::Message), text or
/// [bytes](crate::Event::is_bytes), in order; they wait to be read. It ends well when either side closes the connection, with the
/// response of a [`Realtime`](crate::Realtime) session, and fails with
/// [`Code::ConnectionLost`](crate::Code::ConnectionLost) if the connection breaks: what a new one would continue only the app knows, so
/// none is made.
///
/// Once the last handle is dropped, the connection is closed as by [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct WebSocket {
    op: Op,
    inputs: Arc<Closing>,
}

/// How a plain WebSocket is to be.
#[derive(Clone, Debug)]
pub struct WebSocketOptions {
    access: Access,
    most_messages: usize,
    most_bytes: Option<usize>,
    ping: Option<Duration>,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        WebSocketOptions { access: Access::Token, most_messages: MOST_INPUTS, most_bytes: None, ping: Some(PING) }
    }
}

impl WebSocketOptions {
    /// The options' defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the connection with the `Authorization` header in place of a short-lived token (fal-protocol.md §7.2).
    pub fn use_header(mut self, header: bool) -> Self {
        self.access = if header { Access::Header } else { Access::Token };
        self
    }

    /// How many messages may wait to be sent, 1 to 65536, by default 64; more are refused.
    pub fn queue(mut self, most: usize) -> Result<Self> {
        if !(1..=65536).contains(&most) {
            return Err(Error::invalid(format!("a queue of {most} messages: 1 to 65536 are possible")));
        }
        self.most_messages = most;
        Ok(self)
    }

    /// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers if that is less.
    pub fn max_message_bytes(mut self, most: usize) -> Self {
        self.most_bytes = Some(most);
        self
    }

    /// As [`RealtimeOptions::ping`](crate::RealtimeOptions::ping).
    pub fn ping(mut self, idle: Option<Duration>) -> Self {
        self.ping = idle.filter(|idle| !idle.is_zero());
        self
    }
}

impl Client {
    /// Opens a WebSocket of an app, whose endpoint, [path](Request::set_path), headers and time limit the request gives; without a time limit it lasts a year. The
    /// request's input is not used.
    pub fn websocket_start(&self, request: Request, options: WebSocketOptions) -> Result<WebSocket> {
        let endpoint = request.endpoint()?.clone();
        let most = options.most_bytes.unwrap_or(self.response_limit().min(MOST_BYTES));
        let plan = Plan {
            url: request.address(self.hosts().run_url(&endpoint)?, ""),
            endpoint,
            headers: request.headers.clone(),
            access: options.access,
            token_lifetime: LIFETIME,
            language: Language::Raw,
            most,
            ping: options.ping,
            reconnects: false,
            local: None,
        };
        let inputs = Arc::new(Inputs::new(options.most_messages, most, WhenFull::Refuse));
        let timeout = request.timeout.unwrap_or(SESSION);
        let taken = inputs.clone();
        let op = self.start_steps_within(timeout, |steps| socket::run(steps, plan, taken))?;
        Ok(WebSocket { op, inputs: Arc::new(Closing(inputs)) })
    }
}

impl WebSocket {
    /// Sends a text message. It waits its turn.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many wait, and with [`Code::Closed`](crate::Code::Closed) once the
    /// connection has ended or is closing.
    pub fn send_text(&self, text: &str) -> Result<()> {
        self.inputs.0.push(Message::text(text))
    }

    /// Sends a binary message, in the same way.
    pub fn send_bytes(&self, bytes: Bytes) -> Result<()> {
        self.inputs.0.push(Message::binary(bytes))
    }

    /// Closes the connection once what waits is sent. Messages are delivered until the app has closed it too.
    pub fn close(&self) {
        self.inputs.0.close();
    }

    /// The connection's operation, with its events. Cancelling it ends the connection at once.
    pub fn op(&self) -> &Op {
        &self.op
    }
}
