//! A session with an app over a WebSocket, and over another WebSocket if the connection breaks.
//!
//! Sending, receiving and renewing the token run concurrently, so that sending does not wait for
//! receiving. An input is sent once. If the connection breaks, inputs without a result are reported
//! and not repeated.

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
use super::message::{Handshake, Received, receive};
use super::options::SocketOptions;
use super::protocol::Protocol;
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

/// A connection that lasted this long resets the counts of failures.
const LASTING: Duration = Duration::from_secs(30);

/// The parameters of a session.
pub(crate) struct Plan {
    pub(crate) endpoint: EndpointId,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) protocol: Protocol,
    pub(crate) most_bytes: usize,
    pub(crate) options: SocketOptions,
    /// A first input with local files. They are uploaded before the connection is opened.
    pub(crate) local: Option<Request>,
}

/// How a connection ended.
enum End {
    Closed(&'static str),
    Refused(Error),
    Failed(Error),
    Lost(Error),
}

/// Runs a session to its end. The response has the totals.
pub(crate) async fn run(exchange: Exchange, mut plan: Plan, taken: Taken) -> Result<Response> {
    let inputs = taken.inputs.clone();
    if let Some(first) = plan.local.take() {
        inputs.push_first(Message::binary(
            resolve_files(&exchange, first).await?.packed()?,
        ))?;
    }
    // Requests in the background do not change the progress of the session.
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
        // The headers may repeat the token that opened the connection.
        Ok(ended) => Ok(Response::new(
            200,
            veiled(session.exchange.task.secrets(), session.headers),
            totals.summary(ended, unsent).to_string().into(),
        )),
        Err(error) => Err(error.with_outcome_unknown(unknown)),
    }
}

/// The receiving end of the inputs of a session. When it is dropped, even before the session
/// starts, the queue refuses further inputs and the host gets the number of inputs that will never
/// be sent.
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
        match self.inputs.unreported() {
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
    /// The headers of the response to the last handshake.
    headers: HeaderMap,
}

impl Session {
    /// Connects, and reconnects as needed. Returns how the session ended.
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
                // The transport has already renewed a credential of the client, if it can be
                // renewed.
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
            if let Some(id) = request_id {
                self.exchange.task.identify(id);
            }
            self.report(json!({"state": "connected", "request_id": request_id}))
                .await;
            let counters = Counters::new(self.plan.protocol, self.exchange.task.progress.clone());
            let begun = Instant::now();
            let end = self.talk(socket, &counters).await;
            let unanswered = self.totals.add(&counters);
            if counters.received() > 0 {
                refused = false;
            }
            // A message does not reset the counts. Otherwise an app that sends one message and
            // closes would cause endless connections, each with a new token.
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
                    // The first renewal is immediate. Further ones pause, and their number is
                    // limited.
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
                    // Only a refused credential of the client is explained. If a token was refused,
                    // the credential that created it was accepted.
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
                        .filter(|_| self.plan.protocol == Protocol::Realtime);
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
        let handshake = Handshake {
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
                // Yields even if no frame has a message, so that the deadline and the host can end
                // the session.
                tokio::task::consume_budget().await;
                if let Message::Close(frame) = frame {
                    break closed(frame, &handshake);
                }
                match receive(plan.protocol, frame, &handshake).await {
                    Received::Message(event) => {
                        counters.delivering();
                        task.emit_when_room(event).await;
                        counters.delivered();
                    }
                    Received::Nothing => {}
                    Received::Timeout => break End::Closed("timeout"),
                    Received::Refused(error) => break End::Refused(error),
                    Received::Failed(error) => break End::Failed(error),
                }
            };
            let is_closing = counters.is_closing();
            if !matches!(end, End::Lost(_)) {
                // Reading completes the closing handshake.
                let rest = async {
                    while let Some(Ok(_)) = stream.next().await {
                        tokio::task::consume_budget().await;
                    }
                };
                let _ = tokio::time::timeout(GRACE, rest).await;
            }
            match end {
                End::Closed(_) | End::Lost(_) if is_closing => End::Closed("closed"),
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
                    // The server may have sent messages before it closed the connection.
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
        // Separate from `sending`, which must not wait until the host reads its events.
        let reporting = async {
            loop {
                let lost = inputs.lost().await;
                task.emit_when_room(dropped(lost)).await;
                inputs.report(lost);
            }
        };
        let watching = async {
            let silence = socket
                .pulse
                .lost(plan.options.ping, || counters.free())
                .await;
            let message = format!("the server sent nothing for {} s", silence.as_secs());
            End::Lost(Error::new(Code::ConnectionLost, message))
        };
        tokio::select! {
            biased;
            end = receiving => end,
            end = reporting => end,
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

/// Codes 1000 and 1001, and a close without a code, are a normal end (docs/protocol.md §7.5). Codes
/// 1012 and 1013 ask the client to reconnect. fal documents no other codes (§16.23), so they are
/// failures.
fn closed(frame: Option<CloseFrame>, Handshake { headers, secrets }: &Handshake) -> End {
    let Some(frame) = frame else {
        return End::Closed("server");
    };
    let code = u16::from(frame.code);
    // The reason is short, so it may end within a secret. Such a part is recognized only at the end
    // of a text, so it is removed before anything follows.
    let mut text = frame.reason.to_string();
    secrets.hide(&mut text);
    let message = match clause(&text) {
        "" => format!("the server closed the connection with code {code}"),
        reason => format!("the server closed the connection with code {code}: {reason}"),
    };
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
