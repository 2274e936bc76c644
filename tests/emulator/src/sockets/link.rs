//! A WebSocket as its session uses it: an inbox that is filled concurrently, and a sender.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::registry::Counter;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The session sent a close frame.
    Closed,
    /// The connection is to end, or has ended, without a close frame.
    Gone,
}

/// The treatment of messages that arrive while the session is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// Keeps all messages.
    Keep,
    /// Keeps this many messages, the newest.
    DropOldest(usize),
}

#[derive(Default)]
struct Inbox {
    messages: Mutex<VecDeque<Message>>,
    filled: Notify,
}

/// A session's access to its WebSocket.
pub(crate) struct Link {
    sink: SplitSink<Socket, Message>,
    inbox: Arc<Inbox>,
    counter: Counter,
}

/// Returns the link, and the task that must run concurrently with its session: it reads, responds
/// to pings, and ends with the connection.
pub(super) fn link(
    socket: Socket,
    overflow: Overflow,
    counter: Counter,
) -> (Link, impl Future<Output = ()>) {
    let (sink, stream) = socket.split();
    let inbox = Arc::new(Inbox::default());
    let reader = read(stream, Arc::clone(&inbox), overflow, counter.clone());
    (
        Link {
            sink,
            inbox,
            counter,
        },
        reader,
    )
}

async fn read(
    mut stream: SplitStream<Socket>,
    inbox: Arc<Inbox>,
    overflow: Overflow,
    counter: Counter,
) {
    while let Some(Ok(message)) = stream.next().await {
        // The stream itself handles control frames.
        if !matches!(message, Message::Text(_) | Message::Binary(_)) {
            continue;
        }
        counter.received();
        let mut messages = inbox
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        messages.push_back(message);
        if let Overflow::DropOldest(most) = overflow
            && messages.len() > most
        {
            messages.pop_front();
        }
        drop(messages);
        inbox.filled.notify_one();
    }
}

impl Link {
    /// Receives the client's next message.
    pub(super) async fn receive(&mut self) -> Message {
        loop {
            let next = self
                .inbox
                .messages
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match next {
                Some(message) => return message,
                None => self.inbox.filled.notified().await,
            }
        }
    }

    pub(super) async fn send(&mut self, message: Message) -> Result<(), End> {
        // Counted before it is sent, so that a client that has read it finds it counted.
        self.counter.sent();
        self.sink.send(message).await.map_err(|_| End::Gone)
    }

    pub(crate) async fn send_text(&mut self, text: String) -> Result<(), End> {
        self.send(Message::text(text)).await
    }

    /// Starts the closing handshake.
    pub(crate) async fn close(&mut self, code: u16, reason: &str) -> End {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        match self.sink.send(Message::Close(Some(frame))).await {
            Ok(()) => End::Closed,
            Err(_) => End::Gone,
        }
    }
}
