//! A service that repeats the credential of a request in every place where it can put text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Answer;
use crate::body::Payload;
use crate::server::Request;
use crate::sockets::{self, Link, Overflow};
use crate::sse::{self, Script, Style};
use crate::tokens;

/// A place in which a service can repeat the credential that it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoPlace {
    /// The reason phrase of the status line.
    Reason,
    /// A header's value.
    Header,
    /// A header's name, with the characters that a name allows.
    HeaderName,
    /// The URL of a redirect.
    Location,
    /// The `detail` of a JSON body.
    Detail,
    /// The `detail` of a JSON body with every character escaped, and once more within a JSON
    /// string.
    Escaped,
    /// Each member of the entries of a 422.
    Fields,
    /// A body that is plain text.
    Text,
    /// The title of an HTML page.
    Page,
    /// The error type, in the header and in the body.
    ErrorType,
    /// The header `x-fal-request-id`.
    RequestId,
    /// A body that ends within the secret.
    Cut,
    /// The `detail` of a JSON body that repeats the secret many times without a space, so that
    /// shortening the text cuts a secret.
    Long,
    /// The same text as the `error` of a 2xx response, as a storage service may send it.
    Success,
    /// The events of a stream: JSON, text, and the failure of a workflow's step.
    Item,
    /// The failure of a workflow's step, in texts like those of [`EchoPlace::Long`].
    LongItem,
    /// The status of a queued request that failed: its error, its type and its log. Its result is
    /// 404.
    Job,
    /// A message of a WebSocket.
    Message,
    /// The reason of an `x-fal-error` message on a WebSocket.
    Failure,
    /// The refusal of a WebSocket by a message.
    Refusal,
    /// The reason of a WebSocket's close frame.
    Close,
    /// The reason of a close frame with the code 1012, which asks the client to reconnect.
    Restart,
}

impl EchoPlace {
    /// All places.
    pub const ALL: [EchoPlace; 22] = [
        EchoPlace::Reason,
        EchoPlace::Header,
        EchoPlace::HeaderName,
        EchoPlace::Location,
        EchoPlace::Detail,
        EchoPlace::Escaped,
        EchoPlace::Fields,
        EchoPlace::Text,
        EchoPlace::Page,
        EchoPlace::ErrorType,
        EchoPlace::RequestId,
        EchoPlace::Cut,
        EchoPlace::Long,
        EchoPlace::Success,
        EchoPlace::Item,
        EchoPlace::LongItem,
        EchoPlace::Job,
        EchoPlace::Message,
        EchoPlace::Failure,
        EchoPlace::Refusal,
        EchoPlace::Close,
        EchoPlace::Restart,
    ];

    /// The response to a request; `None` if the request has no such place or no credential.
    pub(super) fn answer(self, status: u16, request: &Request, id: &str) -> Option<Answer> {
        let carried = Carried::of(request)?;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let text = carried.text();
        let with_id = |answer: Answer| match HeaderValue::from_str(id) {
            Ok(id) => answer.header("x-fal-request-id", id),
            Err(_) => answer,
        };
        let plain = || Answer::detail(status, "This response repeats the credential");
        let answer = match self {
            EchoPlace::Reason => Answer {
                reason: Some(carried.value.clone()),
                ..plain()
            },
            EchoPlace::Header => plain().header("x-echo", value(&text)?),
            EchoPlace::HeaderName => {
                let secret = carried.secrets().next()?.to_ascii_lowercase();
                let name = HeaderName::from_bytes(format!("x-echo-{secret}").as_bytes()).ok()?;
                let mut answer = plain();
                answer.headers.insert(name, HeaderValue::from_static("1"));
                answer
            }
            EchoPlace::Location => {
                let mut answer = Answer::empty(StatusCode::FOUND);
                answer.headers.insert(LOCATION, value(&carried.address())?);
                answer
            }
            EchoPlace::Detail => Answer::detail(status, text),
            EchoPlace::Escaped => raw(status, format!("{{\"detail\":\"{}\"}}", carried.escaped())),
            EchoPlace::Fields => Answer::detail(
                StatusCode::UNPROCESSABLE_ENTITY,
                vec![json!({
                    "loc": ["body", &text], "msg": &text, "type": &text, "url": &text,
                    "ctx": { "seen": &text }, "input": { "seen": [&text] },
                })],
            ),
            EchoPlace::Text => Answer::payload(
                status,
                HeaderValue::from_static("text/plain; charset=utf-8"),
                Payload::Bytes(format!("received {text}").into()),
            ),
            EchoPlace::Page => Answer::payload(
                status,
                HeaderValue::from_static("text/html"),
                Payload::Bytes(
                    format!("<html><head><title>{text}</title></head><body>{text}</body></html>")
                        .into(),
                ),
            ),
            EchoPlace::ErrorType => {
                let body = json!({ "detail": "This response repeats the credential", "error_type": &text });
                Answer::json(status, &body).header("x-fal-error-type", value(&text)?)
            }
            EchoPlace::RequestId => return Some(plain().header("x-fal-request-id", value(&text)?)),
            EchoPlace::Cut => {
                let kept = &carried.value[..carried.value.len() - 3];
                raw(status, format!("{{\"detail\":\"received {kept}"))
            }
            EchoPlace::Long => Answer::detail(status, carried.long()),
            EchoPlace::Success => Answer::json(StatusCode::OK, &json!({ "error": carried.long() })),
            EchoPlace::Item => events(&text),
            EchoPlace::LongItem => failed_step(&carried.long()),
            EchoPlace::Job => job(&request.path, &text)?,
            EchoPlace::Message
            | EchoPlace::Failure
            | EchoPlace::Refusal
            | EchoPlace::Close
            | EchoPlace::Restart => {
                return sockets::is_handshake(request).then(|| self.session(request, &carried));
            }
        };
        Some(with_id(answer))
    }

    /// A WebSocket that sends the credential and ends.
    fn session(self, request: &Request, carried: &Carried) -> Answer {
        let text = carried.text();
        // The reason of a close frame has at most 123 bytes.
        let reason: String = carried
            .secrets()
            .next()
            .unwrap_or_default()
            .chars()
            .take(123)
            .collect();
        let session = move |mut link: Link| async move {
            let told = match self {
                EchoPlace::Message => json!({ "seen": &text, "list": [{ "text": &text }] }),
                EchoPlace::Failure => {
                    json!({ "type": "x-fal-error", "error": "INTERNAL_ERROR", "reason": &text })
                }
                _ => json!({ "status": "error", "error": "Unauthorized", "seen": &text }),
            };
            let sent = match self {
                EchoPlace::Close => return link.close(4000, &reason).await,
                EchoPlace::Restart => return link.close(1012, &reason).await,
                EchoPlace::Message => match link.send_text(text).await {
                    Ok(()) => link.send_text(told.to_string()).await,
                    gone => gone,
                },
                _ => link.send_text(told.to_string()).await,
            };
            match sent {
                Ok(()) => link.close(1000, "").await,
                Err(end) => end,
            }
        };
        let endpoint = request.path.trim_matches('/').to_owned();
        let answer = sockets::accept(&request.headers, endpoint, Overflow::Keep, session);
        match value(&carried.text()) {
            Some(seen) => answer.header("x-echo", seen),
            None => answer,
        }
    }
}

/// The credential of a request: the value of the header, or the token in the query or in a form.
struct Carried {
    value: String,
}

impl Carried {
    fn of(request: &Request) -> Option<Carried> {
        let header = request
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let query = || {
            request
                .query_pairs()
                .find(|(name, _)| name == tokens::PARAMETER)
                .map(text_of)
        };
        let form = || {
            form_urlencoded::parse(&request.body)
                .find(|(name, _)| name == "refresh_token")
                .map(text_of)
        };
        header
            .or_else(query)
            .or_else(form)
            .map(|value| Carried { value })
    }

    /// The secret parts: of a key the half after its id, of a token all of it.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let credential = self.value.rsplit(' ').next().unwrap_or_default();
        credential
            .rsplit(':')
            .next()
            .into_iter()
            .chain(credential.contains(':').then_some(credential))
    }

    /// The credential in each form that a text can contain.
    fn text(&self) -> String {
        let mut forms = vec![
            self.value.clone(),
            percent(&self.value),
            STANDARD.encode(&self.value),
        ];
        for secret in self.secrets() {
            forms.extend([
                STANDARD.encode(secret),
                STANDARD.encode(format!("x{secret}")),
            ]);
            forms.push(URL_SAFE_NO_PAD.encode(format!("xx{secret}")));
        }
        forms.join(" ")
    }

    /// At least 6,000 bytes: longer than the part of a response that an error message quotes.
    fn long(&self) -> String {
        let secret = self.secrets().next().unwrap_or_default();
        let times = 6000 / secret.len().max(1) + 1;
        secret.repeat(times)
    }

    fn address(&self) -> String {
        let secret = self.secrets().next().unwrap_or_default();
        let all: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!(
            "https://evil.example/{}/{all}/{}?k={}",
            percent(secret),
            STANDARD.encode(&self.value),
            percent(secret)
        )
    }

    /// Each character as a JSON escape, and as an escape in a JSON string within that.
    fn escaped(&self) -> String {
        let units = self.value.bytes();
        let once: String = units.clone().map(|byte| format!("\\u{byte:04x}")).collect();
        let twice: String = units.map(|byte| format!("\\\\u{byte:04X}")).collect();
        format!("received {once}, or {twice}")
    }
}

fn text_of((_, value): (Cow<'_, str>, Cow<'_, str>)) -> String {
    value.into_owned()
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

fn raw(status: StatusCode, body: String) -> Answer {
    Answer::payload(
        status,
        HeaderValue::from_static("application/json"),
        Payload::Bytes(body.into()),
    )
}

fn events(text: &str) -> Answer {
    let failure = json!({
        "type": "error", "node_id": text, "message": text, "error": { "status": 500, "body": { "detail": text } },
    });
    streamed(&[
        text.to_owned(),
        json!({ "seen": [text] }).to_string(),
        failure.to_string(),
    ])
}

/// The name and the message of the step cut the secret at different places.
fn failed_step(text: &str) -> Answer {
    let id = &text[text.len().min(16)..];
    let body = json!({ "detail": text });
    let failure = json!({ "type": "error", "node_id": id, "message": text, "error": { "status": 500, "body": body } });
    streamed(&[failure.to_string()])
}

fn streamed(items: &[String]) -> Answer {
    let pieces = items
        .iter()
        .enumerate()
        .map(|(index, item)| Style::default().write(index, item))
        .collect();
    Script {
        pieces,
        pause: std::time::Duration::ZERO,
        cut: false,
    }
    .answer(sse::content_type())
}

fn job(path: &str, text: &str) -> Option<Answer> {
    let (_, below) = path.split_once("/requests/")?;
    let (id, rest) = below.split_once('/').unwrap_or((below, ""));
    let status = json!({
        "status": "COMPLETED", "request_id": id, "error": text, "error_type": text, "metrics": { "seen": text },
        "logs": [{ "message": text, "level": "INFO", "source": text, "timestamp": "2026-01-01T00:00:00Z" }],
    });
    Some(match rest {
        "status" => Answer::json(StatusCode::OK, &status),
        "status/stream" => {
            let pieces = vec![Style::default().write(0, &status.to_string())];
            Script {
                pieces,
                pause: std::time::Duration::ZERO,
                cut: false,
            }
            .answer(sse::content_type())
        }
        "" => Answer::detail(StatusCode::NOT_FOUND, text),
        _ => Answer::detail(StatusCode::BAD_REQUEST, text),
    })
}
