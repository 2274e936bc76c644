//! The connection of a channel: requests go out as they come, answers come back in the same order.

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

/// How long the other side may take to close.
const GRACE: Duration = Duration::from_secs(5);

/// One request.
pub(super) struct Job {
    pub(super) text: String,
    pub(super) progress: Arc<Progress>,
    pub(super) answer: mpsc::Sender<Piece>,
}

/// A piece of an answer.
pub(super) enum Piece {
    Start { status: u16, headers: HeaderMap },
    Body(Bytes),
    End,
    Lost(Error),
}

/// What those who send, receive and watch share.
struct Line {
    state: Mutex<State>,
    /// An answer has ended.
    ended: Notify,
}

struct State {
    /// Those whose requests were sent and whose answers have not ended, the next one first.
    open: VecDeque<mpsc::Sender<Piece>>,
    /// When a host had read the last piece.
    read: Instant,
    /// A host takes its time, so silence is ours.
    delivering: bool,
}

impl Line {
    fn new() -> Self {
        let state = State {
            open: VecDeque::new(),
            read: Instant::now(),
            delivering: false,
        };
        Line {
            state: Mutex::new(state),
            ended: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a piece over, however long its reader takes. A request that was given up has nobody to
    /// read its answer.
    async fn deliver(&self, answer: &mpsc::Sender<Piece>, piece: Piece) {
        self.state().delivering = true;
        let _ = answer.send(piece).await;
        let mut state = self.state();
        (state.read, state.delivering) = (Instant::now(), false);
    }

    /// The first answer has ended.
    fn ended(&self) {
        self.state().open.pop_front();
        self.ended.notify_waiters();
    }

    /// Waits until no answer is waited for: each has ended, or whoever asked for it has left.
    async fn empty(&self) {
        loop {
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            let wanted = self
                .state()
                .open
                .iter()
                .find(|answer| !answer.is_closed())
                .cloned();
            let Some(answer) = wanted else { return };
            tokio::select! {
                () = answer.closed() => {}
                () = ended => {}
            }
        }
    }

    /// Since when the hosts have let us read; none while one takes its time.
    fn free(&self) -> Option<Instant> {
        let state = self.state();
        (!state.delivering).then_some(state.read)
    }
}

/// Drives a connection until it ends or nobody has a request left. A ping is sent every `ping`.
pub(super) async fn drive(socket: Socket, mut jobs: mpsc::Receiver<Job>, ping: Option<Duration>) {
    let (mut sink, mut stream) = socket.stream.split();
    let line = Line::new();
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
                // Whoever has ended meanwhile needs no answer, so nothing has to be run.
                Some(Some(job)) if job.answer.is_closed() => continue,
                // The same, in this moment.
                Some(Some(job)) if !job.progress.begins(Idempotency::NonIdempotent) => continue,
                Some(Some(job)) => {
                    line.state().open.push_back(job.answer);
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
        // The last answers are waited for.
        while tokio::time::timeout(pause, line.empty()).await.is_err() {
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
            // Frames that are no news, however many, do not keep the others from being heard.
            tokio::task::consume_budget().await;
            if let Err(error) = hear(message, &line, &mut current).await {
                return error;
            }
        }
    };
    let watching = async {
        let silence = socket.pulse.lost(ping, || line.free()).await;
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
    let left = std::mem::take(&mut line.state().open);
    for answer in left {
        let error = error.clone().with_outcome_unknown(true);
        let _ = tokio::time::timeout(GRACE, answer.send(Piece::Lost(error))).await;
    }
}

/// The answer that is under way, and its id.
type Current = Option<(mpsc::Sender<Piece>, String)>;

async fn hear(message: Message, line: &Line, current: &mut Current) -> Result<()> {
    let control = match &message {
        // A body may be as long as an answer.
        Message::Text(text) => json::look(text.clone().into(), |text| control(&text)).await?,
        Message::Binary(_) => None,
        _ => return Ok(()),
    };
    let unexpected = || {
        Error::new(
            Code::Protocol,
            "the answers over the WebSocket are not in order",
        )
    };
    match (control, current.as_ref()) {
        (
            Some(Control::Start {
                id,
                status,
                headers,
            }),
            None,
        ) => {
            let answer = line.state().open.front().cloned().ok_or_else(unexpected)?;
            line.deliver(&answer, Piece::Start { status, headers })
                .await;
            *current = Some((answer, id));
        }
        (Some(Control::End { id }), Some((answer, expected))) if id == *expected => {
            line.deliver(answer, Piece::End).await;
            line.ended();
            *current = None;
        }
        (Some(_), _) | (None, None) => return Err(unexpected()),
        (None, Some((answer, _))) => {
            line.deliver(answer, Piece::Body(message.into_data())).await;
        }
    }
    Ok(())
}

pub(super) enum Control {
    Start {
        id: String,
        status: u16,
        headers: HeaderMap,
    },
    End {
        id: String,
    },
}

/// A frame of control is JSON with `type` and `request_id`; everything else belongs to a body.
pub(super) fn control(text: &[u8]) -> Option<Control> {
    let names = ["type", "request_id", "status", "headers"];
    let [kind, id, status, headers] = json::members(text, names)?;
    let id = json::text(id?)?;
    match json::text(kind?)?.as_str() {
        "start" => {
            let status = status?.get().parse().ok()?;
            let mut headers = headers.map(given).unwrap_or_default();
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.entry("x-fal-request-id").or_insert(id);
            }
            Some(Control::Start {
                id,
                status,
                headers,
            })
        }
        "end" => Some(Control::End { id }),
        _ => None,
    }
}

/// Headers as an object. More than any answer has are none.
fn given(headers: &RawValue) -> HeaderMap {
    let mut left = HEADERS;
    let headers = json::tree_within(headers.get().as_bytes(), &mut left)
        .ok()
        .and_then(|read| read.ok());
    let given = headers
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let header = |(name, value): (&String, &Value)| {
        let value = value
            .as_str()
            .and_then(|value| HeaderValue::from_str(value).ok())?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    given.filter_map(header).collect()
}
