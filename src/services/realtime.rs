//! Realtime apps: inputs and results over a WebSocket, which reconnects if it breaks
//! (docs/protocol.md §7).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::codec::msgpack;
use crate::error::{Error, Result};
use crate::operation::Op;
use crate::request::{Body, Request, read};
use crate::services::socket::{self, Handle, Inputs, Plan, Protocol, SocketOptions, Taken};

/// The default timeout of a session: long enough that only the host or the app ends it.
const SESSION: Duration = Duration::from_secs(365 * 24 * 3600);

/// A session with a realtime app. Clones are handles to the same session.
///
/// Its operation ([`op`](Self::op)) delivers an event [`Message`](crate::EventKind::Message) for
/// each result, in order, which waits until the host reads it, and events
/// [`Connection`](crate::EventKind::Connection) with `state`
///
/// - `connected`, and fal's `request_id` if fal sent one;
/// - `lost`, with `reason` and the number of `unanswered` inputs. These may or may not have been
///   executed, and are never sent again. The session reconnects until that has failed
///   [`max_attempts`](crate::ClientBuilder::max_attempts) times in a row;
/// - `dropped`, with the `count` of inputs that were never sent: inputs that made room for others
///   and, when the session ends in any way, inputs that still waited. The counts add up to
///   [`unsent`](Self::unsent).
///
/// The operation succeeds when the host closes the session or the app closes it, also after a
/// timeout without inputs (§7.4). The response is JSON with `ended` (`closed`, `server` or
/// `timeout`), `connections`, `sent`, `received`, `unanswered` and `unsent`. The operation fails
/// when the app reports an error. fal does not state which result belongs to which input, so
/// `unanswered` is an estimate: at least the inputs after which no result came.
///
/// Dropping the last handle closes the session as [`close`](Self::close) does.
#[derive(Clone, Debug)]
pub struct Realtime {
    session: Handle,
}

impl Client {
    /// Starts a session with a realtime app. The request sets the endpoint, the
    /// [path](Request::set_path), the headers and the timeout, by default a year. The request's
    /// input is the session's first, unless it is empty.
    pub fn realtime_start(&self, request: Request, options: SocketOptions) -> Result<Realtime> {
        Ok(Realtime {
            session: self.session(&request, "realtime", options, Protocol::Realtime)?,
        })
    }

    /// Starts a session with the endpoint of a request. `path` is the default path.
    pub(crate) fn session(
        &self,
        request: &Request,
        path: &str,
        options: SocketOptions,
        protocol: Protocol,
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
        let first = protocol == Protocol::Realtime && has_first(request)?;
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
            protocol,
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
    /// Sends an input as MessagePack, after the inputs that wait. Only a result proves that the app
    /// executed it. [`bytes_value`](crate::bytes_value) makes a value that is sent as bytes.
    ///
    /// Fails with [`Code::QueueFull`](crate::Code::QueueFull) if too many inputs wait and none may
    /// be dropped, and with [`Code::Closed`](crate::Code::Closed) if the session is closed or
    /// closing.
    pub fn send(&self, input: &Value) -> Result<()> {
        self.session.push(Message::binary(msgpack::pack(input)?))
    }

    /// Sends a message that is encoded already, as one binary frame, like [`send`](Self::send).
    pub fn send_bytes(&self, frame: Bytes) -> Result<()> {
        self.session.push(Message::binary(frame))
    }

    /// Sends the input of a request; its other parts are ignored.
    pub fn send_request(&self, request: &Request) -> Result<()> {
        if request.is_local() {
            let error = Error::invalid("only the first input of a session can contain local files");
            return Err(error.with_remedy("Upload the files, and send their URLs."));
        }
        self.session.push(Message::binary(request.packed()?))
    }

    /// The number of inputs that were accepted but not sent: those that wait now, and those that
    /// were dropped. Once the session has ended (closed, failed, cancelled, out of time, shut
    /// down), they are never sent. An input that may have been sent does not count; the events and
    /// [`may_have_executed`](crate::Error::may_have_executed) report it. Returns 0 in a forked
    /// child.
    pub fn unsent(&self) -> u64 {
        self.session.unsent()
    }

    /// Closes the session once the inputs that wait are sent. Results are delivered until the app
    /// closes the session, too.
    pub fn close(&self) {
        self.session.close();
    }

    /// Returns the session's operation. Cancelling it ends the session at once.
    pub fn op(&self) -> &Op {
        self.session.op()
    }
}

/// Whether a request has an input, which is then the first of the session.
fn has_first(request: &Request) -> Result<bool> {
    let input = request.json_input()?;
    Ok(input.is_some_and(|input| input.as_object().is_none_or(|fields| !fields.is_empty())))
}

fn no_json() -> Error {
    Error::invalid("the input of a realtime app must be JSON")
}

impl Request {
    /// The input as MessagePack.
    pub(crate) fn packed(&self) -> Result<Vec<u8>> {
        msgpack::pack(&*self.json_input()?.ok_or_else(no_json)?)
    }

    fn json_input(&self) -> Result<Option<Cow<'_, Value>>> {
        match &self.body {
            Body::Json(input) => Ok(Some(Cow::Borrowed(input))),
            Body::Text(text) => read(text).map(|input| Some(Cow::Owned(input))),
            Body::Empty => Ok(None),
            Body::Bytes(_) | Body::Content(_) | Body::Source(_) => Err(no_json()),
        }
    }
}
