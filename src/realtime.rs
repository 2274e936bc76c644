//! Realtime apps: inputs in, results out, over a WebSocket that is opened anew if it breaks (fal-protocol.md §7).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::op::Op;
use crate::packed;
use crate::request::{Body, Request};
use crate::socket::{self, Access, Inputs, LIFETIME, Language, Plan, WhenFull};

/// A session lasts until somebody ends it; this long at the most.
pub(crate) const SESSION: Duration = Duration::from_secs(365 * 24 * 3600);
/// The most bytes of a message, unless the client allows answers of fewer only.
const MOST_BYTES: usize = 32 << 20;
const MOST_INPUTS: usize = 64;
const PING: Duration = Duration::from_secs(30);

/// A session with a realtime app. Clones are handles to the same one.
///
/// Its operation ([`op`](Self::op)) tells what happens: an event [`Message`](crate::EventKind::Message) for each result, which are
/// delivered in order and wait to be read, and [`Connection`](crate::EventKind::Connection) with `state`
///
/// - `connected`, and fal's `request_id` if it gave one;
/// - `lost`, with `reason` and how many inputs were `unanswered`. They may or may not have been executed, and are never sent
///   again. Another connection is made, unless that fails again and again ([`max_attempts`](crate::ClientBuilder::max_attempts));
/// - `dropped`, with the `count` of inputs that were never sent.
///
/// The operation ends well when the host or the app closes the session, its time-out for want of inputs included (§7.4); the
/// response is JSON with `ended` (`closed`, `server` or `timeout`), `connections`, `sent`, `received`, `unanswered` and `unsent`. It
/// fails when the app reports an error. fal does not say which result answers which input, so `unanswered` is an estimate: at
/// least the inputs after which no result came.
///
/// Once the last handle is dropped, the session is closed as by [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Realtime {
    op: Op,
    inputs: Arc<Closing>,
}

/// How a realtime session is to be.
#[derive(Clone, Debug)]
pub struct RealtimeOptions {
    max_buffering: Option<u32>,
    access: Access,
    token_lifetime: Duration,
    most_inputs: usize,
    when_full: WhenFull,
    most_bytes: Option<usize>,
    ping: Option<Duration>,
}

/// Closes the session when the last handle goes.
#[derive(Debug)]
pub(crate) struct Closing(pub(crate) Arc<Inputs>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Default for RealtimeOptions {
    fn default() -> Self {
        RealtimeOptions {
            max_buffering: None,
            access: Access::Token,
            token_lifetime: LIFETIME,
            most_inputs: MOST_INPUTS,
            when_full: WhenFull::Refuse,
            most_bytes: None,
            ping: Some(PING),
        }
    }
}

impl RealtimeOptions {
    /// The options' defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many inputs the service keeps while the app is busy, 1 to 60; the oldest go. By default the app decides (§7.2).
    pub fn max_buffering(mut self, most: u32) -> Result<Self> {
        if !(1..=60).contains(&most) {
            return Err(Error::invalid(format!("max_buffering {most}: 1 to 60 are possible")));
        }
        self.max_buffering = Some(most);
        Ok(self)
    }

    /// Opens the connection with the `Authorization` header in place of a short-lived token (§7.2).
    pub fn use_header(mut self, header: bool) -> Self {
        self.access = if header { Access::Header } else { Access::Token };
        self
    }

    /// How long the tokens live that open the connections, 1 second to 1 hour, by default 120 seconds (§7.1). They are renewed
    /// at 90 % of their life, so that a new connection need not wait for one.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Result<Self> {
        let seconds = lifetime.as_secs();
        if !(1..=3600).contains(&seconds) {
            return Err(Error::invalid(format!("a token of {seconds} s: 1 to 3600 are possible")));
        }
        self.token_lifetime = Duration::from_secs(seconds);
        Ok(self)
    }

    /// How many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to more.
    pub fn queue(mut self, most: usize, when_full: WhenFull) -> Result<Self> {
        if !(1..=65536).contains(&most) {
            return Err(Error::invalid(format!("a queue of {most} inputs: 1 to 65536 are possible")));
        }
        (self.most_inputs, self.when_full) = (most, when_full);
        Ok(self)
    }

    /// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers if that is less.
    pub fn max_message_bytes(mut self, most: usize) -> Self {
        self.most_bytes = Some(most);
        self
    }

    /// How long nothing may be sent before a ping is, by default 30 seconds; `None` sends none. Once nothing was heard for four times as
    /// long, the connection counts as lost. While the host does not read its events, silence does not count.
    pub fn ping(mut self, idle: Option<Duration>) -> Self {
        self.ping = idle.filter(|idle| !idle.is_zero());
        self
    }
}

impl Client {
    /// Starts a session with a realtime app, whose endpoint, [path](Request::set_path), headers and time limit the request gives; without a time limit it lasts a
    /// year. The request's input is the first to be sent, unless it is empty.
    pub fn realtime_start(&self, request: Request, options: RealtimeOptions) -> Result<Realtime> {
        let endpoint = request.endpoint()?.clone();
        let mut url = request.address(self.hosts().run_url(&endpoint)?, "realtime");
        if let Some(most) = options.max_buffering {
            url.query_pairs_mut().append_pair("max_buffering", &most.to_string());
        }
        let most = options.most_bytes.unwrap_or(self.response_limit().min(MOST_BYTES));
        let inputs = Arc::new(Inputs::new(options.most_inputs, most, options.when_full));
        if has_first(&request)? && !request.is_local() {
            inputs.push(Message::binary(request.packed()?))?;
        }
        let plan = Plan {
            endpoint,
            url,
            headers: request.headers.clone(),
            access: options.access,
            token_lifetime: options.token_lifetime,
            language: Language::Realtime,
            most,
            ping: options.ping,
            reconnects: true,
            local: request.is_local().then(|| request.clone()),
        };
        let timeout = request.timeout.unwrap_or(SESSION);
        let taken = inputs.clone();
        let op = self.start_steps_within(timeout, |steps| socket::run(steps, plan, taken))?;
        Ok(Realtime { op, inputs: Arc::new(Closing(inputs)) })
    }
}

impl Realtime {
    /// Sends an input, as MessagePack. It waits its turn; whether it was executed only results tell.
    /// Bytes are sent as [`bytes_value`](crate::bytes_value) makes them.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many wait and none may be dropped, and with
    /// [`Code::Closed`](crate::Code::Closed) once the session has ended or is closing.
    pub fn send(&self, input: &Value) -> Result<()> {
        self.inputs.0.push(Message::binary(packed::pack(input)?))
    }

    /// Sends the input of a request; nothing else of it is used.
    pub fn send_request(&self, request: &Request) -> Result<()> {
        if request.is_local() {
            let error = Error::invalid("only the first input of a session can hold local files");
            return Err(error.with_remedy("Upload the files, and send their addresses."));
        }
        self.inputs.0.push(Message::binary(request.packed()?))
    }

    /// Ends the session once what waits is sent. Results are delivered until the app has closed it too.
    pub fn close(&self) {
        self.inputs.0.close();
    }

    /// The session's operation, with its events. Cancelling it ends the session at once.
    pub fn op(&self) -> &Op {
        &self.op
    }
}

fn has_first(request: &Request) -> Result<bool> {
    match &request.body {
        Body::Json(input) => Ok(input.as_object().is_none_or(|fields| !fields.is_empty())),
        Body::Empty => Ok(false),
        Body::Bytes(_) | Body::Content(_) | Body::Source(_) => Err(no_json()),
    }
}

fn no_json() -> Error {
    Error::invalid("the input of a realtime app is JSON")
}

impl Request {
    /// The input as MessagePack.
    pub(crate) fn packed(&self) -> Result<Vec<u8>> {
        match &self.body {
            Body::Json(input) => packed::pack(input),
            Body::Empty | Body::Bytes(_) | Body::Content(_) | Body::Source(_) => Err(no_json()),
        }
    }
}
