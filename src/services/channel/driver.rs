//! The connection of a channel. Responses arrive in the order in which the requests were sent.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Message;

use crate::codec::json;
use crate::error::{Code, Error, Idempotency, Result};
use crate::limits::HEADERS;
use crate::services::socket::{Socket, broken, pause};
use crate::transport::Progress;

/// How long the server may take to close the connection, and a host to read that it was lost.
const GRACE: Duration = Duration::from_secs(5);

/// One request.
pub(super) struct Job {
    pub(super) text: String,
    pub(super) progress: Arc<Progress>,
    pub(super) response: mpsc::Sender<Piece>,
}

/// A piece of a response.
pub(super) enum Piece {
    Start { status: u16, headers: HeaderMap },
    Body(Bytes),
    End,
    Lost(Error),
}

/// The state that the sending, receiving and watching parts share.
struct Shared {
    state: Mutex<State>,
    /// Notified when a response ends.
    ended: Notify,
}

struct State {
    /// The receivers of the responses to the requests that were sent, the next response first.
    open: VecDeque<mpsc::Sender<Piece>>,
    /// When a host read the last piece.
    read: Instant,
    /// A host has yet to read a piece, so the client, not the server, causes the silence.
    delivering: bool,
}

impl Shared {
    fn new() -> Self {
        let state = State {
            open: VecDeque::new(),
            read: Instant::now(),
            delivering: false,
        };
        Shared {
            state: Mutex::new(state),
            ended: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a piece and waits for its reader. The response of a cancelled request has no reader.
    async fn deliver(&self, response: &mpsc::Sender<Piece>, piece: Piece) {
        self.state().delivering = true;
        let _ = response.send(piece).await;
        let mut state = self.state();
        (state.read, state.delivering) = (Instant::now(), false);
    }

    /// Waits until each response has ended or has lost its reader.
    async fn empty(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            let wanted = self
                .state()
                .open
                .iter()
                .find(|response| !response.is_closed())
                .cloned();
            let Some(response) = wanted else { return };
            tokio::select! {
                () = response.closed() => {}
                () = ended => {}
            }
        }
    }

    /// Since when no host has delayed the reading; `None` while one does.
    fn free(&self) -> Option<Instant> {
        let state = self.state();
        (!state.delivering).then_some(state.read)
    }
}

/// Drives a connection until it ends, or until `jobs` is closed and every response has ended. Sends
/// a ping every `ping`.
pub(super) async fn drive(socket: Socket, mut jobs: mpsc::Receiver<Job>, ping: Option<Duration>) {
    let (mut sink, mut stream) = socket.stream.split();
    let shared = Shared::new();
    let pause = pause(ping);
    let sending = async {
        let mut due = tokio::time::Instant::now() + pause;
        loop {
            let next = tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => None,
                next = jobs.recv() => Some(next),
            };
            let message = match next {
                // The operation has ended, or has just withdrawn its request.
                Some(Some(job))
                    if job.response.is_closed()
                        || !job.progress.begins(Idempotency::NonIdempotent) =>
                {
                    continue;
                }
                Some(Some(job)) => {
                    shared.state().open.push_back(job.response);
                    Message::text(job.text)
                }
                Some(None) => break,
                None => {
                    due = tokio::time::Instant::now() + pause;
                    Message::Ping(Bytes::new())
                }
            };
            if let Err(error) = sink.send(message).await {
                return broken(error);
            }
        }
        while tokio::time::timeout(pause, shared.empty()).await.is_err() {
            if let Err(error) = sink.send(Message::Ping(Bytes::new())).await {
                return broken(error);
            }
        }
        let _ = sink.send(Message::Close(None)).await;
        tokio::time::sleep(GRACE).await;
        Error::new(Code::Closed, "the channel was closed")
    };
    let receiving = async {
        let mut current = None;
        loop {
            let message = match stream.next().await {
                Some(Ok(Message::Close(_))) | None => {
                    return Error::new(
                        Code::ConnectionLost,
                        "the other side closed the connection",
                    );
                }
                Some(Ok(message)) => message,
                Some(Err(error)) => return broken(error),
            };
            // Any number of empty frames may be ready without a pause in between.
            tokio::task::consume_budget().await;
            if let Err(error) = receive(message, &shared, &mut current).await {
                return error;
            }
        }
    };
    let watching = async {
        let silence = socket.pulse.lost(ping, || shared.free()).await;
        Error::new(
            Code::ConnectionLost,
            format!("nothing was heard for {} s", silence.as_secs()),
        )
    };
    let error = tokio::select! {
        error = receiving => error,
        error = sending => error,
        error = watching => error,
    };
    drop(jobs);
    let left = std::mem::take(&mut shared.state().open);
    for response in left {
        let error = error.clone().with_outcome_unknown(true);
        let _ = tokio::time::timeout(GRACE, response.send(Piece::Lost(error))).await;
    }
}

/// The response that is arriving, and its id.
type Current = Option<(mpsc::Sender<Piece>, String)>;

async fn receive(message: Message, shared: &Shared, current: &mut Current) -> Result<()> {
    let control = match &message {
        // The text may be a whole body, and long.
        Message::Text(text) => json::look(text.clone().into(), |text| control(&text)).await?,
        Message::Binary(_) => None,
        _ => return Ok(()),
    };
    let unexpected = || {
        let message = "the responses over the WebSocket are not in order";
        Error::new(Code::Protocol, message)
    };
    match (control, current.as_ref()) {
        (Some((id, start @ Piece::Start { .. })), None) => {
            let response = shared.state().open.front().cloned();
            let response = response.ok_or_else(unexpected)?;
            shared.deliver(&response, start).await;
            *current = Some((response, id));
        }
        (Some((id, end @ Piece::End)), Some((response, expected))) if id == *expected => {
            shared.deliver(response, end).await;
            shared.state().open.pop_front();
            shared.ended.notify_waiters();
            *current = None;
        }
        (Some(_), _) | (None, None) => return Err(unexpected()),
        (None, Some((response, _))) => {
            let body = Piece::Body(message.into_data());
            shared.deliver(response, body).await;
        }
    }
    Ok(())
}

/// Reads the id and the piece of a control frame: JSON with `type` and `request_id`. Any other
/// frame is part of a body.
pub(super) fn control(text: &[u8]) -> Option<(String, Piece)> {
    let names = ["type", "request_id", "status", "headers"];
    let [kind, id, status, headers] = json::members(text, names)?;
    let id = json::text(id?)?;
    let piece = match json::text(kind?)?.as_str() {
        "start" => {
            let status = status?.get().parse().ok()?;
            let mut headers = headers.map(header_map).unwrap_or_default();
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.entry("x-fal-request-id").or_insert(id);
            }
            Piece::Start { status, headers }
        }
        "end" => Piece::End,
        _ => return None,
    };
    Some((id, piece))
}

/// Reads headers from an object. An object of more than [`HEADERS`] values yields no headers.
fn header_map(headers: &RawValue) -> HeaderMap {
    let mut left = HEADERS;
    let headers = json::tree_within(headers.get().as_bytes(), &mut left);
    let headers = headers.ok().and_then(|headers| headers.ok());
    let members = headers.as_ref().and_then(Value::as_object);
    let header = |(name, value): (&String, &Value)| {
        let value = HeaderValue::from_str(value.as_str()?).ok()?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    members.into_iter().flatten().filter_map(header).collect()
}
