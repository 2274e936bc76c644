//! One session with an app over a WebSocket, and over the next one if the connection breaks.
//!
//! Sending, receiving and renewing the token go on side by side, so that an app that waits for us
//! to read does not keep us from sending. An input is sent once: what was under way when a
//! connection broke is reported and not repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use url::Url;

use super::activity::pause;
use super::counters::{Counters, GRACE, Totals};
use super::handshake::{Socket, broken, open};
use super::language::Language;
use super::message::{Heard, Shaken, listen};
use super::options::SocketOptions;
use super::send_queue::{Input, Inputs};
use super::token::Tokens;
use crate::client::Exchange;
use crate::endpoint::EndpointId;
use crate::error::{Answer, Code, Error, Result, clause, veiled};
use crate::operation::Task;
use crate::operation::event::{Event, EventKind};
use crate::request::Request;
use crate::response::Response;
use crate::services::storage::resolve_files;

/// A connection that lasted this long did not fail at once.
const LASTING: Duration = Duration::from_secs(30);

/// What a session is to be like.
pub(crate) struct Plan {
    pub(crate) endpoint: EndpointId,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) language: Language,
    pub(crate) most_bytes: usize,
    pub(crate) options: SocketOptions,
    /// A first input with local files, which are uploaded before a connection is made.
    pub(crate) local: Option<Request>,
}

/// How a connection ended.
enum End {
    Closed(&'static str),
    Refused(Error),
    Failed(Error),
    Lost(Error),
}

/// Runs a session to its end. The response says how it went.
pub(crate) async fn run(exchange: Exchange, mut plan: Plan, taken: Taken) -> Result<Response> {
    let inputs = taken.inputs.clone();
    if let Some(first) = plan.local.take() {
        inputs.push_first(Message::binary(
            resolve_files(&exchange, first).await?.packed()?,
        ))?;
    }
    // What is sent in the background says nothing about how far the session has come.
    let tokens = Tokens::new(
        exchange.parallel(),
        plan.endpoint.clone(),
        plan.options.access,
        plan.options.token_lifetime,
    );
    let mut session = Session {
        exchange,
        plan,
        inputs,
        totals: Totals::default(),
        tokens,
        headers: HeaderMap::new(),
    };
    let outcome = session.converse().await;
    let unsent = session.inputs.end();
    let totals = &session.totals;
    let unknown = totals.unanswered > 0;
    match outcome {
        // Nobody asked for what opened the connection.
        Ok(ended) => Ok(Response::new(
            200,
            veiled(session.exchange.task.secrets(), session.headers),
            totals.told(ended, unsent).to_string().into(),
        )),
        Err(error) => Err(error.with_outcome_unknown(unknown)),
    }
}

/// The inputs of a session. However it ends, or if it is never begun, they are refused from then
/// on, and the host is told how many of them will never be sent.
pub(crate) struct Taken {
    inputs: Arc<Inputs>,
    task: Task,
}

impl Taken {
    pub(crate) fn new(inputs: Arc<Inputs>, task: Task) -> Self {
        Taken { inputs, task }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.inputs.end();
        match self.inputs.untold() {
            0 => {}
            lost => self.task.emit_last(dropped(lost)),
        }
    }
}

struct Session {
    exchange: Exchange,
    plan: Plan,
    inputs: Arc<Inputs>,
    totals: Totals,
    tokens: Tokens,
    /// The answer of the last handshake.
    headers: HeaderMap,
}

impl Session {
    /// Connects and talks, again and again if need be, and says how the session ended.
    async fn converse(&mut self) -> Result<&'static str> {
        let (mut losses, mut refused, mut renewals) = (0, false, 0);
        loop {
            let inputs = self.inputs.clone();
            let opened = tokio::select! {
                opened = self.connect() => opened,
                () = inputs.done() => return Ok("closed"),
            };
            let socket = match opened {
                Ok(socket) => socket,
                // A credential of the client's was renewed by then, if it can be.
                Err(error) if error.refuses_credential() && !refused => {
                    if !self.tokens.replace(None).await? {
                        return Err(error);
                    }
                    refused = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let active = socket.active.clone();
            let request_id = socket
                .headers
                .get("x-fal-request-id")
                .and_then(|id| id.to_str().ok());
            self.report(json!({"state": "connected", "request_id": request_id}))
                .await;
            let counters = Counters::new(self.plan.language, self.exchange.task.progress.clone());
            let begun = Instant::now();
            let end = self.talk(socket, &counters).await;
            let unanswered = self.totals.add(&counters);
            if counters.received() > 0 {
                refused = false;
            }
            // One message says nothing: an app that sends one and closes would be joined for ever,
            // each time with a token made for it.
            if begun.elapsed() > LASTING {
                (losses, renewals, refused) = (0, 0, false);
            }
            match end {
                End::Closed(how) => return Ok(how),
                End::Failed(error) => return Err(error),
                End::Refused(error) => {
                    self.report_lost(&error, unanswered).await;
                    let carried = active.is_some();
                    renewals += 1;
                    // Once at once; one that is refused each time is not asked for without a pause,
                    // nor for ever.
                    let pause = match renewals {
                        1 => Some(Duration::ZERO),
                        _ => self.exchange.attempts().pause(renewals, None),
                    };
                    let pause = pause.filter(|_| !refused && !self.inputs.are_done());
                    if let Some(pause) = pause
                        && self.tokens.replace(active).await?
                    {
                        refused = true;
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    // What made a token of ours was not what was refused.
                    return Err(if carried {
                        self.exchange.explained(error, &self.plan.endpoint).await
                    } else {
                        error
                    });
                }
                End::Lost(_) if self.inputs.are_done() => return Ok("closed"),
                End::Lost(error) => {
                    self.report_lost(&error, unanswered).await;
                    losses += 1;
                    let pause = self
                        .exchange
                        .attempts()
                        .pause(losses, None)
                        .filter(|_| self.plan.language == Language::Realtime);
                    let Some(pause) = pause else {
                        return Err(error);
                    };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = inputs.done() => return Ok("closed"),
                    }
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Socket> {
        let authorization = self.tokens.authorization().await?;
        let plan = &self.plan;
        let socket = open(
            &self.exchange,
            &plan.url,
            &plan.endpoint,
            &plan.headers,
            authorization,
            plan.most_bytes,
            plan.most_bytes,
        )
        .await?;
        self.headers = socket.headers.clone();
        Ok(socket)
    }

    async fn talk(&mut self, socket: Socket, counters: &Counters) -> End {
        let (mut sink, mut stream) = socket.stream.split();
        let (task, plan, inputs) = (&self.exchange.task, &self.plan, &self.inputs);
        let shaken = Shaken {
            headers: Arc::new(socket.headers),
            secrets: task.secrets().clone(),
        };
        let receiving = async {
            let end = loop {
                let frame = match stream.next().await {
                    Some(Ok(frame)) => frame,
                    Some(Err(error)) => break failed(broken(error)),
                    None => {
                        break End::Lost(Error::new(Code::ConnectionLost, "the connection ended"));
                    }
                };
                // Frames that are no news, however many, do not keep the deadline and the host from
                // being heard.
                tokio::task::consume_budget().await;
                if let Message::Close(frame) = frame {
                    break closed(frame, &shaken);
                }
                match listen(plan.language, frame, &shaken).await {
                    Heard::Message(event) => {
                        counters.delivering();
                        task.emit_when_room(event).await;
                        counters.delivered();
                    }
                    Heard::Nothing => {}
                    Heard::Timeout => break End::Closed("timeout"),
                    Heard::Refused(error) => break End::Refused(error),
                    Heard::Failed(error) => break End::Failed(error),
                }
            };
            let asked = counters.is_closing();
            if !matches!(end, End::Lost(_)) {
                // The closing handshake is finished by reading on.
                let rest = async {
                    while let Some(Ok(_)) = stream.next().await {
                        tokio::task::consume_budget().await;
                    }
                };
                let _ = tokio::time::timeout(GRACE, rest).await;
            }
            match end {
                End::Closed(_) | End::Lost(_) if asked => End::Closed("closed"),
                end => end,
            }
        };
        let sending = async {
            let pause = pause(plan.options.ping);
            let mut due = tokio::time::Instant::now() + pause;
            loop {
                let next = tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(due) => None,
                    next = inputs.next() => Some(next),
                };
                let outcome = match next {
                    Some(Input::Send(message)) => {
                        counters.sent();
                        sink.send(message).await
                    }
                    Some(Input::Close) => break,
                    None => {
                        due = tokio::time::Instant::now() + pause;
                        sink.send(Message::Ping(bytes::Bytes::new())).await
                    }
                };
                if let Err(error) = outcome {
                    // The other side may have said more before it went, so it is heard out.
                    counters.grace(task).await;
                    return failed(broken(error));
                }
            }
            counters.close();
            let farewell = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            let _ = sink.send(Message::Close(Some(farewell))).await;
            counters.grace(task).await;
            End::Closed("closed")
        };
        // Beside the sending, which need not wait until there is room for the news.
        let telling = async {
            loop {
                let lost = inputs.gone().await;
                task.emit_when_room(dropped(lost)).await;
                inputs.told(lost);
            }
        };
        let watching = async {
            let silence = socket
                .pulse
                .lost(plan.options.ping, || counters.free())
                .await;
            let message = format!("nothing was heard for {} s", silence.as_secs());
            End::Lost(Error::new(Code::ConnectionLost, message))
        };
        tokio::select! {
            biased;
            end = receiving => end,
            end = telling => end,
            end = sending => end,
            end = watching => end,
            () = self.tokens.keep_fresh() => End::Closed("closed"),
        }
    }

    async fn report(&self, content: Value) {
        self.exchange
            .task
            .emit_when_room(Event::json(EventKind::Connection, &content))
            .await;
    }

    async fn report_lost(&self, error: &Error, unanswered: u64) {
        self.report(json!({"state": "lost", "reason": error.message(), "unanswered": unanswered}))
            .await;
    }
}

fn dropped(count: u64) -> Event {
    Event::json(
        EventKind::Connection,
        &json!({"state": "dropped", "count": count}),
    )
}

fn failed(error: Error) -> End {
    match error.code() {
        Code::ConnectionLost => End::Lost(error),
        _ => End::Failed(error),
    }
}

/// Codes 1000 and 1001 are a normal end, and so is none (docs/protocol.md §7.5); 1012 and 1013
/// invite to come again. What fal's gateway means by others is not documented (§16.23), so they are
/// failures.
fn closed(frame: Option<CloseFrame>, Shaken { headers, secrets }: &Shaken) -> End {
    let Some(frame) = frame else {
        return End::Closed("server");
    };
    let code = u16::from(frame.code);
    // It has room for half a secret, whose end is known only while it is the end of the text.
    let mut told = frame.reason.to_string();
    secrets.hide(&mut told);
    let reason = Some(clause(&told))
        .filter(|reason| !reason.is_empty())
        .map(|reason| format!(": {reason}"));
    let message = format!(
        "the other side closed the connection with code {code}{}",
        reason.unwrap_or_default()
    );
    match code {
        1000 | 1001 | 1005 => End::Closed("server"),
        1012 | 1013 => End::Lost(Error::new(Code::ConnectionLost, message)),
        _ => {
            let body = bytes::Bytes::copy_from_slice(frame.reason.as_bytes());
            let answer = Answer::new(secrets, 101, HeaderMap::clone(headers), body);
            End::Failed(Error::new(Code::ServiceFailed, message).with_answer(answer))
        }
    }
}
