//! A fault: what goes wrong, for which requests, and how often.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::echo::EchoPlace;
use super::glob::matches;
use super::part::OddPart;
use crate::answer::Answer;
use crate::body::{Payload, Source};
use crate::clock;
use crate::server::Request;

/// When a reset happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetPoint {
    /// After the head, with the body unread: the request was not executed.
    BeforeBody,
    /// After the body was read and the request was executed.
    AfterBody,
}

/// The two forms of `Retry-After`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfterForm {
    /// A number of seconds.
    #[default]
    Seconds,
    /// An HTTP date, this many seconds after the response.
    HttpDate,
}

/// A `Retry-After` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryAfter {
    /// Seconds from the response.
    pub seconds: u64,
    /// How the time is written.
    #[serde(default)]
    pub form: RetryAfterForm,
}

/// What goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Nothing but the delay.
    #[default]
    None,
    /// The given response; the request is not executed.
    Status {
        /// 200 to 599.
        status: u16,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// A string is sent as text, anything else as JSON.
        #[serde(default)]
        body: Option<Value>,
        /// Whether the response has `x-fal-request-id`.
        #[serde(default = "yes")]
        request_id: bool,
        /// A `Retry-After` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// A TCP reset without a response.
    Reset {
        /// Before or after the body is read.
        when: ResetPoint,
    },
    /// 200 with an etag after the head; the body is not read and the request is not executed.
    EarlySuccess,
    /// The request is executed, then the connection ends (FIN) without a response.
    Close,
    /// The request is read but not executed, and there is no response.
    Hang,
    /// The real response and its Content-Length, cut after this many bytes of the body; then FIN.
    Truncate {
        /// The number of bytes of the body to send.
        bytes: u64,
    },
    /// The real response with neither Content-Length nor chunks, so that only the end (FIN) of the
    /// connection ends its body. No effect over HTTP/2, which has frames.
    Unframed {
        /// The number of bytes of the body to send; `None` sends all.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// The real response, if it is a part of a file (206), with an error.
    OddPart {
        /// The error.
        form: OddPart,
    },
    /// The real response in pieces.
    Slow {
        /// Bytes in a piece, at least 1.
        bytes: u64,
        /// Milliseconds between two pieces.
        pause_ms: u64,
    },
    /// The request is executed, but the response is not HTTP.
    MalformedHttp,
    /// The request is executed; the response is 200 `application/json` with a body that is not
    /// JSON.
    MalformedJson,
    /// The real response, gzip-coded in this many members even if the client does not accept gzip.
    /// No effect on a stream.
    GzipMembers {
        /// The number of members, at least 1.
        members: u64,
    },
    /// A redirect; the request is not executed.
    Redirect {
        /// The `Location` header.
        location: String,
        /// 300 to 399.
        #[serde(default = "found")]
        status: u16,
    },
    /// A response that repeats the credential of the request, in every form that the place allows;
    /// the request is not executed. A request without a credential or without such a place is
    /// served normally.
    Echo {
        /// The place of the credential.
        place: EchoPlace,
        /// 400 to 599, if the place does not determine the status.
        #[serde(default = "bad_request")]
        status: u16,
    },
}

/// A fault: an optional delay, then one action, for the requests that match.
///
/// Example: `Fault::status(429).method("POST").path("/fal-ai/*").times(2)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests with this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests to this host, e.g. `fal.run`.
    #[serde(default)]
    pub host: Option<String>,
    /// Only requests whose path matches. `*` stands for any characters, including `/`.
    #[serde(default)]
    pub path: Option<String>,
    /// The number of requests that the fault applies to; `None` until it is removed.
    #[serde(default = "once")]
    pub times: Option<u64>,
    /// The number of matching requests that pass first.
    #[serde(default)]
    pub skip: u64,
    /// The probability, from 0 to 1, that the fault applies to a matching request; `None` is 1.
    #[serde(default)]
    pub probability: Option<f64>,
    /// What the draws of the probability follow from: with the same seed, the same ones of the
    /// matching requests fail. `None` chooses one, which the list of faults shows.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Milliseconds to wait before the action.
    #[serde(default)]
    pub delay_ms: u64,
    /// What goes wrong.
    #[serde(default)]
    pub action: Action,
}

fn yes() -> bool {
    true
}

fn found() -> u16 {
    302
}

fn bad_request() -> u16 {
    400
}

fn once() -> Option<u64> {
    Some(1)
}

impl From<Action> for Fault {
    fn from(action: Action) -> Self {
        Self {
            method: None,
            host: None,
            path: None,
            times: once(),
            skip: 0,
            probability: None,
            seed: None,
            delay_ms: 0,
            action,
        }
    }
}

impl Fault {
    /// Responds with `status` (200 to 599) instead of executing the request.
    pub fn status(status: u16) -> Self {
        Self::from(Action::Status {
            status,
            headers: BTreeMap::new(),
            body: None,
            request_id: true,
            retry_after: None,
        })
    }

    /// Delays the request, then serves it normally.
    pub fn delay(delay: Duration) -> Self {
        Self::from(Action::None).delayed(delay)
    }

    /// Resets the connection after the head, with the body unread.
    pub fn reset_before_body() -> Self {
        let when = ResetPoint::BeforeBody;
        Self::from(Action::Reset { when })
    }

    /// Executes the request, then resets the connection.
    pub fn reset_after_body() -> Self {
        let when = ResetPoint::AfterBody;
        Self::from(Action::Reset { when })
    }

    /// Responds with 200 before the body has been read.
    pub fn early_success() -> Self {
        Self::from(Action::EarlySuccess)
    }

    /// Executes the request, then closes the connection without a response.
    pub fn close() -> Self {
        Self::from(Action::Close)
    }

    /// Never responds.
    pub fn hang() -> Self {
        Self::from(Action::Hang)
    }

    /// Sends `bytes` of the real body, then closes the connection.
    pub fn truncate(bytes: u64) -> Self {
        Self::from(Action::Truncate { bytes })
    }

    /// Sends the real response without a length, so that the end of the connection ends its body.
    pub fn unframed() -> Self {
        Self::from(Action::Unframed { bytes: None })
    }

    /// Like [`Fault::unframed`], but sends only `bytes` of the body.
    pub fn unframed_and_cut(bytes: u64) -> Self {
        Self::from(Action::Unframed { bytes: Some(bytes) })
    }

    /// Responds to a range request with a part that contradicts its headers or belongs to another
    /// version of the file.
    pub fn odd_part(form: OddPart) -> Self {
        Self::from(Action::OddPart { form })
    }

    /// Sends the real body in pieces of `bytes`, with a pause between two.
    pub fn slow(bytes: u64, pause: Duration) -> Self {
        let pause_ms = millis(pause);
        Self::from(Action::Slow { bytes, pause_ms })
    }

    /// Executes the request, then sends bytes that are not HTTP.
    pub fn malformed_http() -> Self {
        Self::from(Action::MalformedHttp)
    }

    /// Executes the request, then sends broken JSON with status 200.
    pub fn malformed_json() -> Self {
        Self::from(Action::MalformedJson)
    }

    /// Sends the real response, gzip-coded in this many members.
    pub fn gzip_members(members: u64) -> Self {
        Self::from(Action::GzipMembers { members })
    }

    /// Redirects instead of executing the request. `status` is 300 to 399.
    pub fn redirect(location: impl Into<String>, status: u16) -> Self {
        let location = location.into();
        Self::from(Action::Redirect { location, status })
    }

    /// Repeats the credential of the request in `place` instead of executing it. `status`, 400 to
    /// 599, applies if the place does not determine it.
    pub fn echo(place: EchoPlace, status: u16) -> Self {
        Self::from(Action::Echo { place, status })
    }

    /// Limits the fault to requests with this method.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Limits the fault to requests to this host.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Limits the fault to requests whose path matches. `*` stands for any characters.
    pub fn path(mut self, glob: impl Into<String>) -> Self {
        self.path = Some(glob.into());
        self
    }

    /// Applies the fault to this many requests instead of one.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Applies the fault until it is removed.
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Lets this many matching requests pass first.
    pub fn skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Applies the fault to a matching request with this probability, from 0 to 1.
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = Some(probability);
        self
    }

    /// Determines to which requests a fault with a probability applies.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Waits before the action.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay_ms = millis(delay);
        self
    }

    /// Sets the body of [`Fault::status`]. A string is sent as text, any other value as JSON.
    pub fn body(mut self, value: impl Into<Value>) -> Self {
        if let Action::Status { body, .. } = &mut self.action {
            *body = Some(value.into());
        }
        self
    }

    /// Adds a header to [`Fault::status`].
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        if let Action::Status { headers, .. } = &mut self.action {
            headers.insert(name.into(), value.into());
        }
        self
    }

    /// Adds a `Retry-After` header to [`Fault::status`].
    pub fn retry_after(mut self, seconds: u64, form: RetryAfterForm) -> Self {
        if let Action::Status { retry_after, .. } = &mut self.action {
            *retry_after = Some(RetryAfter { seconds, form });
        }
        self
    }

    /// Omits `x-fal-request-id` from [`Fault::status`], as the ingress does.
    pub fn without_request_id(mut self) -> Self {
        if let Action::Status { request_id, .. } = &mut self.action {
            *request_id = false;
        }
        self
    }

    pub(super) fn strikes(&self, method: &str, host: &str, path: &str) -> bool {
        // A tunnel is not a request to fal: only a fault that names `CONNECT` applies to it.
        self.method.as_ref().map_or(method != "CONNECT", |wanted| {
            wanted.eq_ignore_ascii_case(method)
        }) && self
            .host
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(host))
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| matches(wanted, path))
    }

    /// Whether the numbers and headers of the fault can be sent.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.probability, self.seed) {
            (Some(probability), _) if !(0.0..=1.0).contains(&probability) => {
                return Err(format!("probability must be 0 to 1, not {probability}"));
            }
            (None, Some(_)) => return Err("seed without a probability".into()),
            _ => {}
        }
        match &self.action {
            Action::Status { .. } | Action::Redirect { .. } => self.answer("").map(drop),
            Action::Echo { status, .. } if !(400..600).contains(status) => {
                Err(format!("status must be 400 to 599, not {status}"))
            }
            Action::Slow { bytes: 0, .. } => Err("bytes of slow must be at least 1".into()),
            Action::GzipMembers { members: 0 } => {
                Err("members of gzip_members must be at least 1".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the request is served after the delay.
    pub(crate) fn is_delay_only(&self) -> bool {
        self.action == Action::None
    }

    /// The response that repeats the request's credential, if that is the action.
    pub(crate) fn echoed(&self, request: &Request, id: &str) -> Option<Answer> {
        match self.action {
            Action::Echo { place, status } => place.answer(status, request, id),
            _ => None,
        }
    }

    /// The response of an action that replaces the execution.
    pub(crate) fn answer(&self, id: &str) -> Result<Option<Answer>, String> {
        match &self.action {
            Action::Status {
                status,
                headers,
                body,
                request_id,
                retry_after,
            } => {
                let mut answer = status_answer(*status, body.as_ref())?;
                for (name, value) in headers {
                    answer
                        .headers
                        .insert(header_name(name)?, header_value(value)?);
                }
                if let Some(retry_after) = retry_after {
                    let value = header_value(&retry_after.text())?;
                    answer.headers.insert(RETRY_AFTER, value);
                }
                if *request_id {
                    answer = answer.header("x-fal-request-id", header_value(id)?);
                }
                Ok(Some(answer))
            }
            Action::Redirect { location, status } => {
                if !(300..400).contains(status) {
                    return Err(format!("status must be 300 to 399, not {status}"));
                }
                let mut answer = status_answer(*status, None)?;
                answer.headers.insert(LOCATION, header_value(location)?);
                Ok(Some(answer.header("x-fal-request-id", header_value(id)?)))
            }
            _ => Ok(None),
        }
    }
}

impl RetryAfter {
    fn text(self) -> String {
        match self.form {
            RetryAfterForm::Seconds => self.seconds.to_string(),
            // By real time: the client's clock does not follow the emulator's.
            RetryAfterForm::HttpDate => {
                httpdate::fmt_http_date(clock::after(SystemTime::now(), self.seconds))
            }
        }
    }
}

fn status_answer(status: u16, body: Option<&Value>) -> Result<Answer, String> {
    if !(200..600).contains(&status) {
        return Err(format!("status must be 200 to 599, not {status}"));
    }
    let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    Ok(match body {
        None => Answer::empty(status),
        Some(Value::String(text)) => {
            let kind = if text.trim_start().starts_with('<') {
                "text/html"
            } else {
                "text/plain; charset=utf-8"
            };
            let payload = Payload::Bytes(Bytes::from(text.clone()));
            Answer::payload(status, HeaderValue::from_static(kind), payload)
        }
        Some(value) => Answer::json(status, value),
    })
}

/// 200 `application/json` whose body ends inside a string.
pub(crate) fn malformed_json(mut answer: Answer) -> Answer {
    answer.status = StatusCode::OK;
    answer.headers.remove(CONTENT_ENCODING);
    answer
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.payload = Payload::Bytes(Bytes::from_static(b"{\"images\": [{\"url\": \"https:"));
    answer
}

/// The response with its Content-Length, whose body is cut after this many bytes.
pub(crate) fn truncated(mut answer: Answer, bytes: u64) -> Answer {
    if let Some(size) = answer.payload.size() {
        answer.headers.insert(CONTENT_LENGTH, size.into());
    }
    let mut source = Source::new(std::mem::take(&mut answer.payload));
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut left = bytes;
        while left > 0
            && let Some(piece) = source.next(left.min(64 * 1024)).await
        {
            left -= piece.len() as u64;
            if sender.send(piece).await.is_err() {
                break;
            }
        }
    });
    answer.payload = Payload::Broken(receiver);
    answer
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a header name"))
}

fn header_value(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("{value:?} is not a header value"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
