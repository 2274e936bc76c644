//! What a route answers, and the body that sends it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::Sleep;

use crate::arrivals::{Entry, Outcome};

/// Bytes handed to the socket at once, so that a client that leaves midway is noticed.
const CHUNK: u64 = 64 * 1024;

/// The bytes of an answer.
#[derive(Debug)]
pub(crate) enum Payload {
    Bytes(Bytes),
    /// So many bytes of a repeating pattern, made while they are sent.
    Pattern(u64),
}

impl Payload {
    /// Length in bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Pattern(size) => *size,
        }
    }

    /// The bytes `from..to`, both within the payload.
    pub(crate) fn slice(&self, from: u64, to: u64) -> Bytes {
        match self {
            Payload::Bytes(bytes) => bytes.slice(from as usize..to as usize),
            Payload::Pattern(_) => (from..to).map(|at| (at % 251) as u8).collect(),
        }
    }
}

/// A whole answer, before it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Boxed, so that a refusal is a small error.
    pub(crate) headers: Box<HeaderMap>,
    pub(crate) payload: Payload,
    /// Made by the ingress in front of the gateway, hence without the gateway's headers.
    pub(crate) from_ingress: bool,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Box::default(), payload: Payload::Bytes(Bytes::new()), from_ingress: false }
    }

    pub(crate) fn payload(status: StatusCode, content_type: HeaderValue, payload: Payload) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, content_type);
        answer.payload = payload;
        answer
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self::payload(status, content_type, Payload::Bytes(body.to_string().into()))
    }

    /// `{"detail": …}`, the shape of the gateway, the app framework and the REST host (fal-protocol.md §12.1).
    pub(crate) fn detail(status: StatusCode, detail: impl Into<Value>) -> Self {
        Self::json(status, &json!({ "detail": detail.into() }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// `X-Fal-Billable-Units` (fal-protocol.md §5.8).
    pub(crate) fn billable_units(self, units: u64) -> Self {
        self.header("x-fal-billable-units", units.into())
    }

    /// Turns the answer into hyper's, whose end settles `entry`.
    pub(crate) fn into_response(
        self,
        entry: Option<Entry>,
        method: &Method,
        pace: Option<Pace>,
    ) -> Response<TrackedBody> {
        let mut body = TrackedBody { payload: self.payload, position: 0, status: self.status, entry, pace };
        if method == Method::HEAD || body.is_end_stream() {
            body.settle();
        }
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        response
    }
}

/// How slowly a body goes out.
#[derive(Debug)]
pub(crate) struct Pace {
    chunk: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(chunk: u64, pause: Duration) -> Self {
        Self { chunk: chunk.max(1), pause, sleep: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.pause)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }
}

/// A body that reports how its answer ended: sent, or dropped because the client left.
pub(crate) struct TrackedBody {
    payload: Payload,
    position: u64,
    status: StatusCode,
    entry: Option<Entry>,
    pace: Option<Pace>,
}

impl TrackedBody {
    fn settle(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.settle(Outcome::Status(self.status.as_u16()));
        }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let from = self.position;
        let mut chunk = CHUNK;
        if let Some(pace) = &mut self.pace {
            if from > 0 {
                ready!(pace.poll(cx));
            }
            chunk = pace.chunk;
        }
        let to = self.payload.size().min(from.saturating_add(chunk));
        let bytes = self.payload.slice(from, to);
        self.position = to;
        if self.is_end_stream() {
            // Before the last bytes leave: who has read the answer finds it recorded.
            self.settle();
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.position >= self.payload.size()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.payload.size() - self.position)
    }
}
