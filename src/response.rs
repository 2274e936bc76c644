//! What the service answered.

use bytes::Bytes;
use once_cell::race::OnceBox;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codec::json;
use crate::error::{Answer, Code, Error, Result};
use crate::secrets::Secrets;

/// What to do where there is JSON, and another one than was expected.
pub(crate) const POINTER: &str = "Check the JSON Pointer against the answer's text.";

/// What a success of this status says that there is, where all of an output or of a file was asked
/// for and this is not that. fal counts 200 as an app's success (docs/protocol.md §4, §5.5, §10.1);
/// HTTP gives these another meaning.
pub(crate) fn lacking(status: u16) -> Option<&'static str> {
    match status {
        202 => Some("nothing yet"),
        204 | 205 => Some("no content"),
        206 => Some("a part only"),
        _ => None,
    }
}

/// A successful answer: status, headers and the whole body, bare as the service sent it.
pub struct Response {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    /// Two threads may both read it, and neither waits for the other: in a forked child there is no
    /// other.
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

    /// An answer that an operation made of others.
    pub(crate) fn made(json: &Value) -> Self {
        Response::typed(json.to_string().into(), "application/json")
    }

    pub(crate) fn typed(body: Bytes, content_type: &'static str) -> Self {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        Response::new(200, headers, body)
    }

    /// The answer is about this request, if it does not say so itself.
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

    /// A header's value, if it is there and text; the name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether its content has just this type. Each event of a frame loop is asked, so no name is
    /// parsed for it.
    pub(crate) fn is_typed(&self, content_type: &str) -> bool {
        self.headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == content_type)
    }

    /// Every header, in the order of arrival. Values that are not text are left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// fal's id of the request, from the header `x-fal-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.header("x-fal-request-id")
    }

    /// The body as received.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) fn set_body(&mut self, body: Bytes) {
        (self.body, self.json) = (body, OnceBox::new());
    }

    /// The same as the answer of an error.
    pub(crate) async fn into_answer(self, secrets: &Secrets) -> Answer {
        Answer::of_large(secrets, self.status, self.headers, self.body).await
    }

    /// The same without the body, which may be a key or a token.
    pub(crate) fn into_head(self, secrets: &Secrets) -> Answer {
        Answer::new(secrets, self.status, self.headers, Bytes::new())
    }

    pub(crate) fn into_body(self) -> Bytes {
        self.body
    }

    /// The body as text.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body)
            .map_err(|e| Error::new(Code::WrongType, format!("the body is not text: {e}")))
    }

    /// The same, parsed already if that would keep others waiting later.
    pub(crate) async fn parsed(self) -> Result<Self> {
        json::beside(self.body.len(), move || {
            let _unused = self.json();
            self
        })
        .await
    }

    /// The body as JSON, parsed at the first call. [`Code::Io`] if there is no memory for that,
    /// which may be there later.
    pub fn json(&self) -> Result<&Value> {
        let read = || Ok::<_, Error>(Box::new(json::tree(&self.body)?.map_err(|e| e.to_string())));
        let parsed = self.json.get_or_try_init(read)?;
        parsed
            .as_ref()
            .map_err(|e| Error::new(Code::WrongType, format!("the body is not JSON: {e}")))
    }

    /// The value at a JSON Pointer (RFC 6901), such as `/images/0/url`; the empty pointer is the
    /// whole body.
    pub fn get(&self, pointer: &str) -> Result<&Value> {
        let json = self.json()?;
        let well_formed = pointer.is_empty() || pointer.starts_with('/');
        let found = if well_formed {
            json.pointer(pointer)
        } else {
            None
        };
        found.ok_or_else(|| match well_formed {
            true => Error::new(
                Code::WrongType,
                format!("the answer has nothing at {pointer:?}"),
            )
            .with_remedy(POINTER),
            false => Error::invalid(format!(
                "{pointer:?} is not a JSON Pointer: it has to begin with '/'"
            )),
        })
    }

    /// The value at a pointer as whatever `read` makes of it; `expected` names the type for the
    /// error.
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

    /// The value at a pointer as JSON text, as the service sent it: numbers keep every digit.
    pub fn get_raw(&self, pointer: &str) -> Result<&str> {
        // It is there, and the body is well formed.
        self.get(pointer)?;
        let mut text = self.text()?.trim();
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            text = member(text, &name)?
                .ok_or_else(|| Error::new(Code::WrongType, "the body is not JSON"))?;
        }
        Ok(text)
    }

    /// The text at a pointer.
    pub fn get_str(&self, pointer: &str) -> Result<&str> {
        self.get_as(pointer, "a string", Value::as_str)
    }
}

/// What an array or an object, as text, has by this index or name.
fn member<'a>(text: &'a str, name: &str) -> Result<Option<&'a str>> {
    json::fits(text.as_bytes())?;
    let found = match text.starts_with('[') {
        true => json::index(name).and_then(|index| json::entry(text, index)),
        false => json::members(text.as_bytes(), [name]).and_then(|[found]| found),
    };
    Ok(found.map(RawValue::get))
}

/// The JSON name of a value's type.
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
