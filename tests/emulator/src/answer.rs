//! The response of a route.

use hyper::ext::ReasonPhrase;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::arrivals::Entry;
use crate::body::{Pace, Payload, TrackedBody};
use crate::sockets::Session;
use crate::unknown::UNKNOWN;

/// A complete response, before it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Boxed, so that an error response stays a small `Err`.
    pub(crate) headers: Box<HeaderMap>,
    pub(crate) payload: Payload,
    /// Whether the ingress in front of the gateway made the response, which then lacks the
    /// gateway's headers.
    pub(crate) from_ingress: bool,
    /// The session that runs on the connection after a 101.
    pub(crate) session: Option<Box<Session>>,
    /// Replaces the reason phrase of the status over HTTP/1.
    pub(crate) reason: Option<String>,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        let (headers, payload) = (Box::default(), Payload::default());
        Self {
            status,
            headers,
            payload,
            from_ingress: false,
            session: None,
            reason: None,
        }
    }

    pub(crate) fn payload(status: StatusCode, content_type: HeaderValue, payload: Payload) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, content_type);
        answer.payload = payload;
        answer
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let content_type = HeaderValue::from_static("application/json");
        Self::payload(
            status,
            content_type,
            Payload::Bytes(body.to_string().into()),
        )
    }

    /// `{"detail": …}`, the shape of the gateway, the app framework and the REST host
    /// (docs/protocol.md §12.1).
    pub(crate) fn detail(status: StatusCode, detail: impl Into<Value>) -> Self {
        Self::json(status, &json!({ "detail": detail.into() }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Says that the emulator has nothing that could answer the request, and why.
    pub(crate) fn unknown(self, why: &str) -> Self {
        let why = HeaderValue::from_str(why);
        self.header(
            UNKNOWN,
            why.unwrap_or_else(|_| HeaderValue::from_static("unknown")),
        )
    }

    /// `X-Fal-Billable-Units` (docs/protocol.md §5.8).
    pub(crate) fn billable_units(self, units: u64) -> Self {
        self.header("x-fal-billable-units", units.into())
    }

    /// The first message in a `detail`.
    pub(crate) fn first_message(&self) -> String {
        let Payload::Bytes(body) = &self.payload else {
            return String::new();
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let (entry, text) = (&body["detail"][0]["msg"], &body["detail"]);
        let message = entry.as_str().or(text.as_str());
        message.unwrap_or_default().to_owned()
    }

    /// Converts the response into hyper's. The end of its body settles `entry`.
    pub(crate) fn into_response(
        mut self,
        entry: Option<Entry>,
        method: &Method,
        pace: Option<Pace>,
    ) -> Response<TrackedBody> {
        if method == Method::HEAD {
            // hyper omits the body of such a response over HTTP/1, but sends it over HTTP/2.
            if let Some(size) = self.payload.size() {
                self.headers.insert(CONTENT_LENGTH, size.into());
            }
            self.payload = Payload::Bytes(bytes::Bytes::new());
        }
        let coded = self.headers.contains_key(CONTENT_ENCODING);
        let entry = entry.map(|entry| if coded { entry.deaf() } else { entry });
        let body = TrackedBody::new(
            self.payload,
            self.status,
            entry,
            pace,
            method == Method::HEAD,
        );
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        if let Some(reason) = self
            .reason
            .and_then(|reason| ReasonPhrase::try_from(reason.into_bytes()).ok())
        {
            response.extensions_mut().insert(reason);
        }
        response
    }
}
