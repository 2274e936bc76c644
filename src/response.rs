//! Successful responses.

use bytes::Bytes;
use once_cell::race::OnceBox;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::json;
use crate::error::{Answer, Code, Error, Result};
use crate::secrets::Secrets;

/// The remedy for JSON that differs from what the caller expects.
pub(crate) const POINTER: &str = "Check the JSON Pointer against the text of the response.";

/// Describes the content of a 2xx status that does not mean a whole output or file. Returns `None`
/// for other statuses. fal's own success status is 200 (docs/protocol.md §4, §5.5, §10.1).
pub(crate) fn lacking(status: u16) -> Option<&'static str> {
    match status {
        202 => Some("nothing yet"),
        204 | 205 => Some("no content"),
        206 => Some("a part only"),
        _ => None,
    }
}

/// A successful response: status, headers and the whole body, unchanged as the service sent it.
pub struct Response {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// A `OnceBox` does not block: if two threads parse at the same time, one result is discarded.
    /// In a forked child, a blocking cell could wait for a thread that does not exist there.
    json: OnceBox<std::result::Result<Value, String>>,
}

impl Response {
    pub(crate) fn new(status: u16, headers: HeaderMap, body: Bytes) -> Self {
        Response {
            status,
            headers,
            body,
            json: OnceBox::new(),
        }
    }

    /// Creates a response from JSON that an operation composed of other responses.
    pub(crate) fn made(json: &Value) -> Self {
        Response::typed(json.to_string().into(), "application/json")
    }

    pub(crate) fn typed(body: Bytes, content_type: &'static str) -> Self {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Response::new(200, headers, body)
    }

    /// Sets the id of the request, unless the response has one.
    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        if let Ok(id) = HeaderValue::from_str(id) {
            self.headers.entry("x-fal-request-id").or_insert(id);
        }
        self
    }

    /// The HTTP status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the value of a header, if it exists and is text. Names are case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the `Content-Type` header is exactly this text. Parses nothing, because it is called
    /// for each event in the frame loop of a game.
    pub(crate) fn is_typed(&self, content_type: &str) -> bool {
        self.headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == content_type)
    }

    /// Returns all headers, in the order of arrival. Values that are not text are omitted.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// Returns fal's id of the request, from the header `x-fal-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-fal-request-id")
    }

    /// Returns the body as received.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn set_body(&mut self, body: Bytes) {
        (self.body, self.json) = (body, OnceBox::new());
    }

    /// Converts it to the response of an error.
    pub(crate) async fn into_answer(self, secrets: &Secrets) -> Answer {
        Answer::of_large(secrets, self.status, self.headers, self.body).await
    }

    /// Converts it to the response of an error, without the body, which may contain a key or token.
    pub(crate) fn into_head(self, secrets: &Secrets) -> Answer {
        Answer::new(secrets, self.status, self.headers, Bytes::new())
    }

    pub(crate) fn into_body(self) -> Bytes {
        self.body
    }

    /// Returns the body as text.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body)
            .map_err(|e| Error::new(Code::WrongType, format!("the body is not text: {e}")))
    }

    /// Parses the body now, and on a blocking thread if it is long, so that later calls return at
    /// once.
    pub(crate) async fn parsed(self) -> Result<Self> {
        json::beside(self.body.len(), move || {
            let _unused = self.json();
            self
        })
        .await
    }

    /// Returns the body as JSON, parsed at the first call. Fails with [`Code::Io`] if there is no
    /// memory for the tree; a later call tries again.
    pub fn json(&self) -> Result<&Value> {
        let read = || Ok::<_, Error>(Box::new(json::tree(&self.body)?.map_err(|e| e.to_string())));
        let parsed = self.json.get_or_try_init(read)?;
        parsed
            .as_ref()
            .map_err(|e| Error::new(Code::WrongType, format!("the body is not JSON: {e}")))
    }

    /// Returns the value at a JSON Pointer (RFC 6901), such as `/images/0/url`. The empty pointer
    /// is the whole body.
    pub fn get(&self, pointer: &str) -> Result<&Value> {
        let json = self.json()?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(Error::invalid(format!(
                "{pointer:?} is not a JSON Pointer: it must begin with '/'"
            )));
        }
        json.pointer(pointer).ok_or_else(|| {
            let message = format!("the response has nothing at {pointer:?}");
            Error::new(Code::WrongType, message).with_remedy(POINTER)
        })
    }

    /// Returns the value at a pointer, converted by `read`. `expected` names the type in the error.
    pub fn get_as<'a, T>(
        &'a self,
        pointer: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T> {
        let value = self.get(pointer)?;
        read(value).ok_or_else(|| {
            let found = type_name(value);
            Error::new(
                Code::WrongType,
                format!("the value at {pointer:?} is {found}, not {expected}"),
            )
            .with_remedy(POINTER)
        })
    }

    /// Returns the value at a pointer as JSON text, unchanged as the service sent it: numbers keep
    /// all digits.
    pub fn get_raw(&self, pointer: &str) -> Result<&str> {
        // Checks that the value exists and the body is well formed.
        self.get(pointer)?;
        let mut text = self.text()?.trim();
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            text = member(text, &name)?
                .ok_or_else(|| Error::new(Code::WrongType, "the body is not JSON"))?;
        }
        Ok(text)
    }

    /// Returns the string at a pointer.
    pub fn get_str(&self, pointer: &str) -> Result<&str> {
        self.get_as(pointer, "a string", Value::as_str)
    }
}

/// Returns the raw text of an array's entry or an object's member.
fn member<'a>(text: &'a str, name: &str) -> Result<Option<&'a str>> {
    json::fits(text.as_bytes())?;
    let found = match text.starts_with('[') {
        true => json::index(name).and_then(|index| json::entry(text, index)),
        false => json::members(text.as_bytes(), [name]).and_then(|[found]| found),
    };
    Ok(found.map(RawValue::get))
}

/// Returns the JSON name of a value's type.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}
