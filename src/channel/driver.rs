//! The connection of a channel: requests go out as they come, answers come back in the same order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::error::{Code, Error, Result};
use crate::socket::{Socket, broken};
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

/// Those whose requests were sent and whose answers have not ended, the next one first.
type Open = Mutex<VecDeque<mpsc::Sender<Piece>>>;

/// Drives a connection until it ends or nobody has a request left.
pub(super) async fn drive(socket: Socket, mut jobs: mpsc::Receiver<Job>) {
    let (mut sink, mut stream) = socket.stream.split();
    let open = Open::default();
    let sending = async {
        while let Some(job) = jobs.recv().await {
            // Whoever has ended meanwhile needs no answer, so nothing has to be run.
            if job.answer.is_closed() {
                continue;
            }
            job.progress.sending(false);
            locked(&open).push_back(job.answer);
            if let Err(error) = sink.send(Message::text(job.text)).await {
                return broken(error);
            }
        }
        // The last answers are waited for.
        while !locked(&open).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
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
                    return Error::new(Code::ConnectionLost, "the other side closed the connection");
                }
                Some(Ok(message)) => message,
                Some(Err(error)) => return broken(error),
            };
            // Frames that are no news, however many, do not keep the others from being heard.
            tokio::task::consume_budget().await;
            if let Err(error) = hear(message, &open, &mut current).await {
                return error;
            }
        }
    };
    let error = tokio::select! {
        error = receiving => error,
        error = sending => error,
    };
    drop(jobs);
    let left = std::mem::take(&mut *locked(&open));
    for answer in left {
        let error = error.clone().with_outcome_unknown(true);
        let _ = tokio::time::timeout(GRACE, answer.send(Piece::Lost(error))).await;
    }
}

/// The answer that is under way, and its id.
type Current = Option<(mpsc::Sender<Piece>, String)>;

async fn hear(message: Message, open: &Open, current: &mut Current) -> Result<()> {
    let control = match &message {
        Message::Text(text) => control(text),
        Message::Binary(_) => None,
        _ => return Ok(()),
    };
    let unexpected = || Error::new(Code::Protocol, "the answers over the WebSocket are not in order");
    match (control, current.as_ref()) {
        (Some(Control::Start { id, status, headers }), None) => {
            let answer = locked(open).front().cloned().ok_or_else(unexpected)?;
            // A request that was given up has nobody to read its answer.
            let _ = answer.send(Piece::Start { status, headers }).await;
            *current = Some((answer, id));
        }
        (Some(Control::End { id }), Some((answer, expected))) if id == *expected => {
            let _ = answer.send(Piece::End).await;
            locked(open).pop_front();
            *current = None;
        }
        (Some(_), _) | (None, None) => return Err(unexpected()),
        (None, Some((answer, _))) => {
            let _ = answer.send(Piece::Body(message.into_data())).await;
        }
    }
    Ok(())
}

enum Control {
    Start { id: String, status: u16, headers: HeaderMap },
    End { id: String },
}

/// A frame of control is JSON with `type` and `request_id`; everything else belongs to a body.
fn control(text: &str) -> Option<Control> {
    let frame: Map<String, Value> = serde_json::from_str(text).ok()?;
    let id = frame.get("request_id")?.as_str()?.to_owned();
    match frame.get("type")?.as_str()? {
        "start" => {
            let status = frame.get("status")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
            let given = frame.get("headers").and_then(Value::as_object).into_iter().flatten();
            let header = |(name, value): (&String, &Value)| {
                let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok())?;
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
            };
            let mut headers: HeaderMap = given.filter_map(header).collect();
            if let Ok(id) = HeaderValue::from_str(&id) {
                headers.entry("x-fal-request-id").or_insert(id);
            }
            Some(Control::Start { id, status, headers })
        }
        "end" => Some(Control::End { id }),
        _ => None,
    }
}

fn locked(open: &Open) -> std::sync::MutexGuard<'_, VecDeque<mpsc::Sender<Piece>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
