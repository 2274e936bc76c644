//! What is recorded of a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap, PROXY_AUTHORIZATION};
use serde_json::{Map, Value, json};

use super::shown::Credentials;
use crate::clock;
use crate::server::Service;
use crate::tokens;

/// The number of bytes that an arrival keeps of a body: 64 KiB.
pub const KEPT_BODY: usize = 64 * 1024;

/// An `Authorization` header without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The first word, e.g. `Key`; empty if the header is a single word.
    pub scheme: String,
    /// The public half of `Key <id>:<secret>`; `None` for any other form.
    pub key_id: Option<String>,
}

impl Authorization {
    pub(super) fn parse(value: &str) -> Self {
        // A value of one word may be a bare secret.
        let (scheme, credential) = value.trim().split_once(' ').unwrap_or_default();
        let key_id = scheme
            .eq_ignore_ascii_case("key")
            .then(|| credential.trim().split_once(':'))
            .flatten()
            .map(|(id, _)| id.to_owned());
        Self {
            scheme: scheme.to_owned(),
            key_id,
        }
    }

    fn to_json(&self) -> Value {
        json!({ "scheme": self.scheme, "key_id": self.key_id })
    }
}

/// The part of a request's body that is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ArrivedBody {
    /// The request had no body, or the body was not read.
    #[default]
    Empty,
    /// A JSON body of at most [`KEPT_BODY`] bytes.
    Json(Value),
    /// Any other body: its first [`KEPT_BODY`] bytes.
    Bytes(Vec<u8>),
}

impl ArrivedBody {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        if bytes.len() <= KEPT_BODY
            && let Ok(value) = serde_json::from_slice(bytes)
        {
            return Self::Json(value);
        }
        Self::Bytes(bytes[..bytes.len().min(KEPT_BODY)].to_vec())
    }

    /// Returns the JSON value of a JSON body.
    pub fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            _ => None,
        }
    }

    /// `null`, the JSON value, or `{"base64": …}`.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Json(value) => value.clone(),
            Self::Bytes(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
        }
    }

    /// About how many bytes of memory the body takes.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Json(value) => weight(value),
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

fn weight(value: &Value) -> u64 {
    let inner = match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() as u64 + size_of::<String>() as u64 + weight(value))
            .sum(),
        _ => 0,
    };
    inner + size_of::<Value>() as u64
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The request is still being read, executed or responded to.
    #[default]
    Pending,
    /// The whole response was handed to the socket, with this status.
    Status(u16),
    /// A fault reset the connection.
    Reset,
    /// A fault closed the connection before a complete, valid response.
    ClosedByFault,
    /// The client disconnected before the whole response was sent.
    ClientClosed,
}

impl Outcome {
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Pending => json!("pending"),
            Self::Status(status) => json!(status),
            Self::Reset => json!("reset"),
            Self::ClosedByFault => json!("closed_by_fault"),
            Self::ClientClosed => json!("client_closed"),
        }
    }
}

/// One request, recorded when its head has been read.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The number of the request, counted from 1 since the start. Clearing the arrivals does not
    /// reset it.
    pub ordinal: u64,
    /// When the head had been read, on the emulator's clock.
    pub at: SystemTime,
    /// The real time until the response ended; `None` while it is pending.
    pub duration: Option<Duration>,
    /// The number of the connection, counted from 1 since the start.
    pub connection: u64,
    /// The method, in upper case.
    pub method: String,
    /// The Host header in lower case, without a port.
    pub host: String,
    /// The path as sent, still escaped.
    pub path: String,
    /// The query as sent, without `?`. The value of `fal_jwt_token` is masked.
    pub query: Option<String>,
    /// The headers without `Authorization`. Names are in lower case; repeated headers are joined by
    /// `, `.
    pub headers: BTreeMap<String, String>,
    /// The `Authorization` header without its secret.
    pub authorization: Option<Authorization>,
    /// Whether the request had a short-lived token in `?fal_jwt_token=`.
    pub token: bool,
    /// Whether the request came through a server proxy (`x-fal-client-proxy`).
    pub proxied: bool,
    /// The number of bytes of the body that were read.
    pub body_length: u64,
    /// The body.
    pub body: ArrivedBody,
    /// The response of a model or of the queue: its beginning, as of a body.
    pub response: ArrivedBody,
    /// The number of bytes of the response's body that were handed to the socket.
    pub response_length: u64,
    /// Whether the bodies were removed, because the journal holds only so many bytes.
    pub dropped: bool,
    /// Why the emulator has nothing that could answer the request.
    pub unknown: Option<String>,
    /// How the request ended, or [`Outcome::Pending`].
    pub outcome: Outcome,
    /// Whether a model ran or started to run.
    pub executed: bool,
    /// Whether the request created or changed something: a job in the queue, a token, or by the
    /// Platform API. A repetition that returned the first response again did not.
    pub made: bool,
    /// The `x-fal-request-id` that the gateway assigned.
    pub request_id: Option<String>,
    /// What is shown nowhere.
    pub(crate) credentials: Arc<Credentials>,
    pub(super) began: Instant,
    /// The log's revision when the arrival last changed.
    pub(crate) revision: u64,
}

impl Arrival {
    pub(super) fn weight(&self) -> u64 {
        self.body.weight() + self.response.weight()
    }

    /// Removes the bodies.
    pub(super) fn strip(&mut self) {
        (self.body, self.response) = (ArrivedBody::Empty, ArrivedBody::Empty);
        self.dropped = true;
    }

    /// Returns whether the request had a key.
    pub fn had_key(&self) -> bool {
        self.authorization
            .as_ref()
            .is_some_and(|authorization| authorization.scheme.eq_ignore_ascii_case("key"))
    }

    /// Returns the id of the key; `None` for any other credential.
    pub fn key_id(&self) -> Option<&str> {
        self.authorization.as_ref()?.key_id.as_deref()
    }

    /// Returns the endpoint that the request is about; `None` if its host has no endpoints.
    pub fn endpoint(&self) -> Option<&str> {
        let models = matches!(
            Service::of(&self.host, &self.path),
            Service::Run | Service::Queue | Service::Sockets
        );
        let path = self.path.split("/requests/").next().unwrap_or_default();
        Some(path.trim_matches('/')).filter(|path| models && !path.is_empty())
    }

    /// Returns whether the request ended without a success, a redirect or a handshake.
    pub fn failed(&self) -> bool {
        match self.outcome {
            Outcome::Pending => false,
            Outcome::Status(status) => status >= 400,
            Outcome::Reset | Outcome::ClosedByFault | Outcome::ClientClosed => true,
        }
    }

    /// The JSON that the control API returns. The credentials of the request are masked in it.
    pub fn to_json(&self) -> Value {
        let shown = self.shown();
        let mut headers: Map<String, Value> = shown
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        if let Some(authorization) = &self.authorization {
            headers.insert("authorization".into(), authorization.to_json());
        }
        json!({
            "ordinal": self.ordinal,
            "at": clock::rfc3339_millis(self.at),
            "duration_ms": self.duration.map(millis),
            "connection": self.connection,
            "method": self.method,
            "host": self.host,
            "path": shown.path,
            "query": shown.query,
            "headers": headers,
            "had_key": self.had_key(),
            "token": self.token,
            "proxied": self.proxied,
            "body_length": self.body_length,
            "body": shown.body.to_json(),
            "response_length": self.response_length,
            "dropped": self.dropped,
            "unknown": shown.unknown,
            "endpoint": shown.endpoint(),
            "outcome": self.outcome.to_json(),
            "executed": self.executed,
            "made": self.made,
            "request_id": self.request_id,
        })
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// The parts of a request's head from which its arrival is made.
pub(crate) struct Head<'a> {
    pub(crate) at: SystemTime,
    pub(crate) connection: u64,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

/// The names and values of the headers, without authorization and without tokens in URLs. Repeated
/// headers are joined.
pub(crate) fn plain_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut plain: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        if name == AUTHORIZATION || name == PROXY_AUTHORIZATION {
            continue;
        }
        let value = tokens::masked(&String::from_utf8_lossy(value.as_bytes()));
        plain
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    plain
}
