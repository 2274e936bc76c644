//! Realtime apps: inputs in, results out, over a WebSocket that is opened anew if it breaks
//! (docs/protocol.md §7).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::codec::msgpack;
use crate::error::{Error, Result};
use crate::operation::Op;
use crate::request::{Body, Request};
use crate::services::socket::{self, Handle, Inputs, Language, Plan, SocketOptions, Taken};

/// A session lasts until somebody ends it; this long at the most.
const SESSION: Duration = Duration::from_secs(365 * 24 * 3600);

/// A session with a realtime app. Clones are handles to the same one.
///
/// Its operation ([`op`](Self::op)) tells what happens: an event
/// [`Message`](crate::EventKind::Message) for each result, which are delivered in order and wait to
/// be read, and [`Connection`](crate::EventKind::Connection) with `state`
///
/// - `connected`, and fal's `request_id` if it gave one;
/// - `lost`, with `reason` and how many inputs were `unanswered`. They may or may not have been
///   executed, and are never sent again. Another connection is made, unless that fails again and
///   again ([`max_attempts`](crate::ClientBuilder::max_attempts));
/// - `dropped`, with the `count` of inputs that were never sent: those that made room for others,
///   and at the end, in whatever way it comes, those that still waited. The counts add up to
///   [`unsent`](Self::unsent).
///
/// The operation ends well when the host or the app closes the session, its time-out for want of
/// inputs included (§7.4); the response is JSON with `ended` (`closed`, `server` or `timeout`),
/// `connections`, `sent`, `received`, `unanswered` and `unsent`. It fails when the app reports an
/// error. fal does not say which result answers which input, so `unanswered` is an estimate: at
/// least the inputs after which no result came.
///
/// Once the last handle is dropped, the session is closed as by [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Realtime {
    session: Handle,
}

impl Client {
    /// Starts a session with a realtime app, whose endpoint, [path](Request::set_path), headers and
    /// time limit the request gives; without a time limit it lasts a year. The request's input is
    /// the first to be sent, unless it is empty.
    pub fn realtime_start(&self, request: Request, options: SocketOptions) -> Result<Realtime> {
        Ok(Realtime {
            session: self.session(&request, "realtime", options, Language::Realtime)?,
        })
    }

    /// Starts a session with the endpoint of a request, whose usual path this is.
    pub(crate) fn session(
        &self,
        request: &Request,
        path: &str,
        options: SocketOptions,
        language: Language,
    ) -> Result<Handle> {
        let endpoint = request.endpoint()?.clone();
        let mut url = request.url(self.hosts().run_url(&endpoint)?, path);
        if let Some(most) = options.max_buffering {
            url.query_pairs_mut()
                .append_pair("max_buffering", &most.to_string());
        }
        let most_bytes = options.most_bytes(self.response_limit());
        let inputs = Arc::new(Inputs::new(
            options.most_inputs,
            most_bytes,
            options.when_full,
        ));
        let first = language == Language::Realtime && has_first(request)?;
        if first && !request.is_local() {
            inputs.push(Message::binary(request.packed()?))?;
        }
        let local = (first && request.is_local()).then(|| request.clone());
        if local.is_some() {
            inputs.owe_first();
        }
        let plan = Plan {
            endpoint,
            url,
            headers: request.headers.clone(),
            language,
            most_bytes,
            options,
            local,
        };
        let taken = inputs.clone();
        let op = self.start_exchange_within(request.timeout.unwrap_or(SESSION), |exchange| {
            let taken = Taken::new(taken, exchange.task.clone());
            socket::run(exchange, plan, taken)
        })?;
        Ok(Handle::new(op, inputs))
    }
}

impl Realtime {
    /// Sends an input, as MessagePack. It waits its turn; whether it was executed only results
    /// tell. Bytes are sent as [`bytes_value`](crate::bytes_value) makes them.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many wait and none may be
    /// dropped, and with [`Code::Closed`](crate::Code::Closed) once the session has ended or is
    /// closing.
    pub fn send(&self, input: &Value) -> Result<()> {
        self.session.push(Message::binary(msgpack::pack(input)?))
    }

    /// Sends the input of a request; nothing else of it is used.
    pub fn send_request(&self, request: &Request) -> Result<()> {
        if request.is_local() {
            let error = Error::invalid("only the first input of a session can hold local files");
            return Err(error.with_remedy("Upload the files, and send their addresses."));
        }
        self.session.push(Message::binary(request.packed()?))
    }

    /// How many inputs were taken and not sent: those that wait now, and those that were dropped.
    /// Once the session has ended, in whatever way (closed, failed, cancelled, out of time, shut
    /// down), they are those that never will be. Inputs that may have left do not count; of them
    /// the events and [`may_have_executed`](crate::Error::may_have_executed) tell. 0 in a forked
    /// child.
    pub fn unsent(&self) -> u64 {
        self.session.unsent()
    }

    /// Ends the session once what waits is sent. Results are delivered until the app has closed it
    /// too.
    pub fn close(&self) {
        self.session.close();
    }

    /// The session's operation, with its events. Cancelling it ends the session at once.
    pub fn op(&self) -> &Op {
        self.session.op()
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
            Body::Json(input) => msgpack::pack(input),
            Body::Empty | Body::Bytes(_) | Body::Content(_) | Body::Source(_) => Err(no_json()),
        }
    }
}
