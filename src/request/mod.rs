//! What the caller wants sent.

mod content;
mod field;
pub(crate) mod file_name;
mod inputs;
mod lifecycle;
mod queue_headers;
mod queue_options;
mod reader;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use crate::codec::json;
use crate::endpoint::{EndpointId, abbreviate, check_segment};
use crate::error::{Error, Idempotency, Result};
use crate::limits::DEPTH;
use crate::transport::Source;

pub(crate) use content::Content;
pub(crate) use file_name::{made_up, sanitized};
pub(crate) use inputs::Inputs;
pub use lifecycle::{Decision, Lifecycle};
pub(crate) use field::slot;
use queue_options::QueueOptions;
pub(crate) use queue_options::WatchOptions;
pub use queue_options::{Priority, Retries};
pub(crate) use reader::{Pull, Waiting};
pub(crate) use upload::FileInfo;
pub use upload::{Upload, UploadWay};

/// A request, either to an endpoint ([`Request::run`]) or to any address of fal's
/// ([`Request::new`]).
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) target: Target,
    /// The path of the app, where it is not the usual one.
    pub(crate) path: Option<String>,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue: QueueOptions,
    pub(crate) inputs: Inputs,
    /// It carries an idempotency key, so sending it twice can do no harm, whatever the method is.
    pub(crate) recognized: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Endpoint(EndpointId),
    /// An address that belongs to an endpoint.
    Of(EndpointId, Url),
    Address(Url),
    /// A path of the Platform API, beginning with `/v1/`.
    Platform(String),
}

#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    /// Shared, so that a copy of the request costs nothing; changed by copying first if need be.
    Json(Arc<Value>),
    Bytes(Bytes),
    /// What is read while it is sent …
    Content(Content),
    /// … and the same, opened.
    Source(Arc<dyn Source>),
}

/// Headers that belong to the transport. The key, above all, is attached in one place only.
const RESERVED: [&str; 10] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "x-fal-target-url",
];

impl Request {
    /// A call of an endpoint by its id, such as `fal-ai/flux/schnell`: POST, with an empty object
    /// as input.
    pub fn run(endpoint: &str) -> Result<Self> {
        let target = Target::Endpoint(endpoint.parse()?);
        Ok(Request::with_target(
            target,
            Method::POST,
            Body::Json(Arc::new(Value::Object(Map::new()))),
        ))
    }

    /// A request to an address, or to a path of the Platform API such as `/v1/models?limit=5`.
    ///
    /// The client sends it only if the address is one of fal's; the key goes along to those that
    /// take keys.
    pub fn new(method: &str, url: &str) -> Result<Self> {
        let method = parse_method(method)?;
        if url.starts_with("/v1/") {
            return Ok(Request::with_target(
                Target::Platform(url.to_owned()),
                method,
                Body::Empty,
            ));
        }
        let mut url = Url::parse(url)
            .map_err(|e| Error::invalid(format!("the address is not a URL: {e}")))?;
        url.set_fragment(None);
        Ok(Request::with_target(
            Target::Address(url),
            method,
            Body::Empty,
        ))
    }

    /// A request without a body to an address of an endpoint.
    pub(crate) fn about(endpoint: EndpointId, method: Method, url: Url) -> Self {
        Request::with_target(Target::Of(endpoint, url), method, Body::Empty)
    }

    /// The same input and headers for another address of its endpoint.
    pub(crate) fn for_endpoint(&self, endpoint: EndpointId, method: Method, url: Url) -> Self {
        Request {
            target: Target::Of(endpoint, url),
            method,
            ..self.clone()
        }
    }

    /// The endpoint that it calls.
    pub(crate) fn endpoint(&self) -> Result<&EndpointId> {
        match &self.target {
            Target::Endpoint(id) | Target::Of(id, _) => Ok(id),
            Target::Address(_) | Target::Platform(_) => {
                Err(Error::invalid("the request is not one to an endpoint"))
            }
        }
    }

    fn with_target(target: Target, method: Method, body: Body) -> Self {
        let (headers, queue, inputs) =
            (HeaderMap::new(), QueueOptions::default(), Inputs::default());
        Request {
            target,
            path: None,
            method,
            headers,
            body,
            timeout: None,
            queue,
            inputs,
            recognized: false,
        }
    }

    /// Calls another path of the app than the usual one, which is the endpoint id's own for a run,
    /// the queue and a WebSocket, and after it `stream` for a stream and `realtime` for a realtime
    /// session (docs/protocol.md §3.2). Surrounding slashes are dropped.
    pub fn set_path(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        let mut segments = path.split('/').filter(|_| !path.is_empty());
        let checked = segments.try_for_each(check_segment);
        checked.map_err(|what| {
            Error::invalid(format!(
                "{:?} is not a path of an app: {what}",
                abbreviate(path)
            ))
        })?;
        self.path = Some(path.to_owned());
        Ok(())
    }

    /// The address to call, where `base` is the endpoint's. An id whose path ends in the usual one
    /// already gets no second; the app itself may be called the same.
    pub(crate) fn address(&self, base: Url, usual: &str) -> Url {
        let ends = self
            .endpoint()
            .is_ok_and(|id| id.path().rsplit('/').next() == Some(usual));
        let path = self
            .path
            .as_deref()
            .unwrap_or(if ends { "" } else { usual });
        let mut url = base;
        if !path.is_empty() {
            url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        }
        url
    }

    /// Sends another method than POST to an endpoint that defines it, or to an address.
    pub fn set_method(&mut self, method: &str) -> Result<()> {
        self.method = parse_method(method)?;
        Ok(())
    }

    /// Replaces the whole input or body by JSON.
    pub fn set_json(&mut self, body: Value) {
        self.set_body(Body::Json(Arc::new(body)));
    }

    /// Replaces the whole body by bytes of this content type. They are sent as they are and not
    /// copied again.
    pub fn set_bytes(&mut self, body: Bytes, content_type: &str) -> Result<()> {
        let content_type = header_value("content-type", content_type)?;
        self.headers.insert(CONTENT_TYPE, content_type);
        self.set_body(Body::Bytes(body));
        Ok(())
    }

    /// Replaces the whole body by a file, or what a reader gives, of this content type: read while
    /// it is sent, with bounded memory.
    ///
    /// A file that changes meanwhile ends the call with [`Code::Io`](crate::Code::Io). What a
    /// reader gives is sent once. Of the upload only the content counts. Through a server proxy
    /// only JSON goes.
    pub fn set_body_of(&mut self, upload: Upload, content_type: &str) -> Result<()> {
        let content_type = header_value("content-type", content_type)?;
        self.headers.insert(CONTENT_TYPE, content_type);
        self.set_body(Body::Content(upload.into_content()));
        Ok(())
    }

    fn set_body(&mut self, body: Body) {
        self.inputs.forget(&[]);
        self.body = body;
    }

    /// Sets one field of the input. `name` is a field of the top level, or a JSON Pointer such as
    /// `/image_size/width`, whose objects are made as needed. Of an array that is there the pointer
    /// may name an entry, or the one behind the last.
    ///
    /// Fails if the body is not a JSON object, if the pointer passes through something that is
    /// neither object nor array, or if the value would be more than 128 levels deep in the body,
    /// which nobody reads.
    pub fn set_field(&mut self, name: &str, value: Value) -> Result<()> {
        if matches!(self.body, Body::Empty) {
            self.body = Body::Json(Arc::new(Value::Object(Map::new())));
        }
        let Body::Json(root) = &mut self.body else {
            return Err(Error::invalid(
                "the body is bytes; fields can be set in a JSON object only",
            ));
        };
        let path = path_of(name, &value)?;
        let wrong = || {
            Error::invalid(format!(
                "{name:?} does not lead through JSON objects and arrays"
            ))
        };
        *slot(json::own(root)?, &path).ok_or_else(wrong)? = value;
        self.inputs.forget(&path);
        Ok(())
    }

    /// Sets one field of the input to a local file: it is uploaded before the request is sent and
    /// replaced by its address (docs/protocol.md §3.4). The time for the request covers both. The
    /// name is as for [`set_field`](Self::set_field); the same file in several fields is uploaded
    /// once.
    pub fn set_file(&mut self, name: &str, path: impl Into<PathBuf>) -> Result<()> {
        self.set_upload(name, Upload::file(path))
    }

    /// The same for bytes in memory.
    pub fn set_file_bytes(
        &mut self,
        name: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
    ) -> Result<()> {
        self.set_upload(name, Upload::bytes(bytes).content_type(content_type)?)
    }

    /// The same for anything that can be uploaded, the way it says. Its time does not count: the
    /// request's does.
    pub fn set_upload(&mut self, name: &str, upload: Upload) -> Result<()> {
        upload.check()?;
        // Not null, which would be made into an object by what is set below it.
        let place = Value::String(String::new());
        let path = path_of(name, &place)?;
        self.set_field(name, place)?;
        self.inputs.set(path, upload);
        Ok(())
    }

    /// Files of at most so many bytes become data URIs and are not uploaded; fal advises against it
    /// above a few kilobytes (docs/protocol.md §3.4). 0, the default, uploads all.
    pub fn set_inline_files(&mut self, most: u64) {
        self.inputs.set_inline(most);
    }

    /// Sets a header. Those that the transport owns, such as `Authorization` and `Host`, are
    /// refused.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<()> {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::invalid(format!("{:?} is not a header name", abbreviate(name))))?;
        if RESERVED.contains(&header.as_str()) {
            return Err(Error::invalid(format!("the header {header} cannot be set on a request"))
                .with_remedy("Give the key to the client; libfal attaches it to fal's services and to nothing else."));
        }
        let value = header_value(header.as_str(), value)?;
        self.headers.insert(header, value);
        Ok(())
    }

    /// The time for the whole call, from credential to decoded body. Without it the client's own
    /// limits hold.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// Whether it names something on this machine that has to be read first.
    pub(crate) fn is_local(&self) -> bool {
        !self.inputs.is_empty() || matches!(self.body, Body::Content(_))
    }

    /// Whether it asks an endpoint for an output. Other methods ask for changes, of which an app
    /// may have nothing to say.
    pub(crate) fn asks_for_output(&self) -> bool {
        matches!(self.target, Target::Endpoint(_))
            && matches!(self.method, Method::POST | Method::GET)
    }

    /// What sending this twice does.
    pub(crate) fn idempotency(&self) -> Idempotency {
        match self.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Idempotency::Safe,
            _ if self.recognized => Idempotency::Keyed,
            _ => Idempotency::NonIdempotent,
        }
    }
}

fn parse_method(method: &str) -> Result<Method> {
    let malformed = || Error::invalid(format!("{:?} is not an HTTP method", abbreviate(method)));
    match Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| malformed())? {
        // The one has the server repeat the key, the other makes a tunnel of the connection.
        Method::TRACE | Method::CONNECT => Err(Error::invalid(format!("{} is not sent", method.to_ascii_uppercase()))
            .with_remedy("Use GET, POST or another method that the service defines; TRACE and CONNECT reach no app.")),
        method => Ok(method),
    }
}

pub(crate) fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(|_| {
        Error::invalid(format!(
            "the value of header {name} has a control character"
        ))
    })
}

/// Inputs may be private: a body shows its size only.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("empty"),
            Body::Json(_) => f.write_str("JSON"),
            Body::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Body::Content(content) => write!(f, "{content:?}"),
            Body::Source(_) => f.write_str("read while it is sent"),
        }
    }
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/pointers.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_set_by_name_and_by_pointer() {
        let mut request = Request::run("fal-ai/flux/dev").unwrap();
        request.set_field("prompt", json!("a")).unwrap();
        request.set_field("/image_size/width", json!(64)).unwrap();
        request.set_field("/image_size/height", json!(32)).unwrap();
        request.set_field("/a~1b", json!(true)).unwrap();
        assert!(request.set_field("/prompt/x", json!(1)).is_err());
        request.set_field("/list", json!(["a"])).unwrap();
        request.set_field("/list/1", json!("b")).unwrap();
        for place in ["/list/00", "/list/+0", "/list/01", "/list/-", "/list/"] {
            assert!(
                request.set_field(place, json!("c")).is_err(),
                "{place} is no place of an array"
            );
        }
        let Body::Json(body) = &request.body else {
            panic!("not JSON")
        };
        assert_eq!(
            **body,
            json!({"prompt": "a", "image_size": {"width": 64, "height": 32}, "a/b": true, "list": ["a", "b"]})
        );
    }

    #[test]
    fn nothing_is_set_deeper_than_anybody_reads() {
        let pointer = |parts: usize| "/a".repeat(parts);
        let nested = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
        let mut request = Request::run("fal-ai/flux/dev").unwrap();
        for (parts, levels) in [(128, 0), (100, 28), (1, 127)] {
            request.set_field("a", json!(null)).unwrap();
            request.set_field(&pointer(parts), nested(levels)).unwrap();
        }
        for (parts, levels) in [(129, 0), (100, 29), (1, 128), (1_000_000, 0)] {
            let error = request
                .set_field(&pointer(parts), nested(levels))
                .unwrap_err();
            assert!(
                error.code() == crate::Code::InvalidArgument && error.message().len() < 300,
                "{parts}, {levels}"
            );
        }
        assert!(
            request
                .set_file_bytes(&pointer(129), "x", "text/plain")
                .is_err()
        );
        assert!(!request.is_local());
    }

    #[test]
    fn a_path_replaces_the_usual_one_and_is_not_added_twice() {
        let address = |id: &str, path: Option<&str>, usual: &str| {
            let mut request = Request::run(id).unwrap();
            path.into_iter()
                .for_each(|path| request.set_path(path).unwrap());
            request
                .address(Url::parse(&format!("https://fal.run/{id}")).unwrap(), usual)
                .path()
                .to_owned()
        };
        assert_eq!(address("a/b", None, "stream"), "/a/b/stream");
        assert_eq!(address("a/b/stream", None, "stream"), "/a/b/stream");
        assert_eq!(address("a/stream", None, "stream"), "/a/stream/stream");
        assert_eq!(address("a/b", Some("/c/d/"), "stream"), "/a/b/c/d");
        assert_eq!(address("a/b", Some(""), "stream"), "/a/b");
        assert_eq!(address("a/b/c", None, ""), "/a/b/c");
        for malformed in ["..", "a/../b", "a?b", "a#b", "a b", "a//b", "ü"] {
            assert!(
                Request::run("a/b").unwrap().set_path(malformed).is_err(),
                "{malformed}"
            );
        }
    }

    #[test]
    fn the_transports_headers_are_refused() {
        let mut request = Request::new("get", "https://fal.run/a/b#c").unwrap();
        for name in RESERVED
            .iter()
            .chain(&["Authorization", "HOST", "", "a b", "x:y"])
        {
            assert!(request.set_header(name, "v").is_err(), "{name:?}");
        }
        assert!(request.set_header("x-a", "b\r\nc: d").is_err());
        assert!(request.set_header("X-Fal-Queue-Priority", "low").is_ok());
        assert!(Request::new("G ET", "https://fal.run/").is_err());
        assert!(Request::new("GET", "fal.run").is_err());
    }

    #[test]
    fn what_would_repeat_the_key_or_make_a_tunnel_is_no_request() {
        for method in ["TRACE", "trace", "CONNECT", "Connect"] {
            assert!(
                Request::new(method, "https://api.fal.ai/v1/x").is_err(),
                "{method}"
            );
            assert!(
                Request::run("a/b").unwrap().set_method(method).is_err(),
                "{method}"
            );
        }
        for method in ["HEAD", "OPTIONS", "PATCH", "PROPFIND"] {
            assert!(
                Request::new(method, "https://api.fal.ai/v1/x").is_ok(),
                "{method}"
            );
        }
    }
}
