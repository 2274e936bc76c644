//! Requests as the caller describes them.

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
use crate::system::memory;
use crate::transport::Source;

pub(crate) use content::Content;
use field::path_of;
pub(crate) use field::slot;
pub(crate) use file_name::{made_up, sanitized};
pub(crate) use inputs::Inputs;
pub use lifecycle::{Decision, Lifecycle};
use queue_options::QueueOptions;
pub(crate) use queue_options::WatchOptions;
pub use queue_options::{Priority, Retries};
pub(crate) use reader::{Pull, Waiting};
pub(crate) use upload::FileInfo;
pub use upload::{Upload, UploadWay};

/// A request to an endpoint ([`Request::run`]) or to any URL of fal ([`Request::new`]).
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) target: Target,
    /// The path within the app, if it is not the default.
    pub(crate) path: Option<String>,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue: QueueOptions,
    pub(crate) inputs: Inputs,
    /// It carries an idempotency key, so fal executes it once even if it arrives twice.
    pub(crate) recognized: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Endpoint(EndpointId),
    /// A URL that belongs to an endpoint.
    Of(EndpointId, Url),
    Address(Url),
    /// A path of the Platform API, beginning with `/v1/`.
    Platform(String),
}

#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    /// Shared between clones of the request, and copied on write.
    Json(Arc<Value>),
    /// A JSON text, which is sent as it is, with the URLs of its files. It becomes a tree if a field of
    /// it is set.
    Text(Bytes),
    Bytes(Bytes),
    /// Content that is read while it is sent, not opened yet.
    Content(Content),
    /// Opened content.
    Source(Arc<dyn Source>),
}

/// Headers that the transport owns. The key is attached in one place only.
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
    /// Returns a POST to an endpoint by its id, such as `fal-ai/flux/schnell`, with an empty object
    /// as the input.
    pub fn run(endpoint: &str) -> Result<Self> {
        let target = Target::Endpoint(endpoint.parse()?);
        Ok(Request::with_target(
            target,
            Method::POST,
            Body::Text(Bytes::from_static(b"{}")),
        ))
    }

    /// Returns a request to a URL, or to a path of the Platform API such as `/v1/models?limit=5`.
    ///
    /// The client sends it only to hosts of fal, and attaches the key only for those that take
    /// keys.
    pub fn new(method: &str, url: &str) -> Result<Self> {
        let method = parse_method(method)?;
        if url.starts_with("/v1/") {
            return Ok(Request::with_target(
                Target::Platform(url.to_owned()),
                method,
                Body::Empty,
            ));
        }
        let mut url =
            Url::parse(url).map_err(|e| Error::invalid(format!("the URL is malformed: {e}")))?;
        url.set_fragment(None);
        Ok(Request::with_target(
            Target::Address(url),
            method,
            Body::Empty,
        ))
    }

    /// Returns a request without a body to a URL of an endpoint.
    pub(crate) fn about(endpoint: EndpointId, method: Method, url: Url) -> Self {
        Request::with_target(Target::Of(endpoint, url), method, Body::Empty)
    }

    /// Returns the same input and headers for another URL of the endpoint.
    pub(crate) fn for_endpoint(&self, endpoint: EndpointId, method: Method, url: Url) -> Self {
        Request {
            target: Target::Of(endpoint, url),
            method,
            ..self.clone()
        }
    }

    /// Returns the endpoint that it calls.
    pub(crate) fn endpoint(&self) -> Result<&EndpointId> {
        match &self.target {
            Target::Endpoint(id) | Target::Of(id, _) => Ok(id),
            Target::Address(_) | Target::Platform(_) => Err(Error::invalid(
                "the request is not made by Request::run (fal_request_new), so it names no endpoint",
            )),
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

    /// Sets the path within the app. The default is the path in the endpoint id for a run, the
    /// queue and a WebSocket, followed by `stream` for a stream and by `realtime` for a realtime
    /// session (docs/protocol.md §3.2). Surrounding slashes are dropped.
    pub fn set_path(&mut self, path: &str) -> Result<()> {
        let path = path.trim_matches('/');
        let mut segments = path.split('/').filter(|_| !path.is_empty());
        let checked = segments.try_for_each(check_segment);
        checked.map_err(|what| {
            Error::invalid(format!(
                "{:?} is not a path within an app: {what}",
                abbreviate(path)
            ))
        })?;
        self.path = Some(path.to_owned());
        Ok(())
    }

    /// Returns the URL to call. `base` is the endpoint's URL, and `usual` the path of the service.
    /// The path is not added to an id that already ends in it, unless it is the app's own name.
    pub(crate) fn url(&self, base: Url, usual: &str) -> Url {
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

    /// Sets the HTTP method. `TRACE` and `CONNECT` are refused.
    pub fn set_method(&mut self, method: &str) -> Result<()> {
        self.method = parse_method(method)?;
        Ok(())
    }

    /// Sets the whole input or body, as JSON.
    pub fn set_json(&mut self, body: Value) {
        self.set_body(Body::Json(Arc::new(body)));
    }

    /// Sets the whole input or body to a JSON text, which is sent as it is.
    pub fn set_json_text(&mut self, text: &str) -> Result<()> {
        json::check(text)?;
        self.set_body(Body::Text(memory::text(text)?.into()));
        Ok(())
    }

    /// Sets the whole input to a JSON text that a binding has just encoded, without checking it
    /// again. It is not copied. In the place of these pointers it has empty strings, and uploads are
    /// set there.
    ///
    /// Fails if an object has two members of the same name, and one of them holds an upload.
    #[doc(hidden)]
    pub fn set_json_bytes(&mut self, text: Bytes, files: Vec<(String, Upload)>) -> Result<()> {
        let files = inputs::placed(&text, files)?;
        self.set_body(Body::Text(text));
        self.inputs.files = files;
        Ok(())
    }

    /// Sets the whole body to bytes of this content type. They are sent unchanged and not copied.
    pub fn set_bytes(&mut self, body: Bytes, content_type: &str) -> Result<()> {
        let content_type = header_value("content-type", content_type)?;
        self.headers.insert(CONTENT_TYPE, content_type);
        self.set_body(Body::Bytes(body));
        Ok(())
    }

    /// Sets the whole body to the content of a file or a reader, of this content type. It is read
    /// while it is sent, with bounded memory.
    ///
    /// The call fails with [`Code::Io`](crate::Code::Io) if the file changes meanwhile. The content
    /// of a reader is sent once, without retries. The other options of the upload are ignored. A
    /// server proxy forwards JSON only.
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
    /// `/image_size/width`. Missing objects on the way are created. In an existing array the
    /// pointer may name an element, or the position after the last.
    ///
    /// Fails if the body is not a JSON object, if the name is empty or has a `/` but not in front, if
    /// the pointer passes through something that is
    /// neither an object nor an array, or if the body would become more than 128 levels deep.
    pub fn set_field(&mut self, name: &str, value: Value) -> Result<()> {
        let path = path_of(name, &value)?;
        let wrong = || {
            Error::invalid(format!(
                "{name:?} passes through a value that is neither an object nor an array"
            ))
        };
        let mut made = match &self.body {
            Body::Empty => Some(Arc::new(Value::Object(Map::new()))),
            Body::Text(text) => Some(Arc::new(read(text)?)),
            _ => None,
        };
        let root = match (&mut made, &mut self.body) {
            (Some(root), _) | (None, Body::Json(root)) => root,
            _ => {
                return Err(Error::invalid(
                    "cannot set a field: the body is bytes, not a JSON object",
                ));
            }
        };
        *slot(json::own(root)?, &path).ok_or_else(wrong)? = value;
        // Only now, so that a field that cannot be set leaves the body as it is.
        if let Some(root) = made {
            self.body = Body::Json(root);
        }
        self.inputs.forget(&path);
        Ok(())
    }

    /// Sets one field of the input to a local file. The file is uploaded before the request is
    /// sent, and the field receives its URL (docs/protocol.md §3.4). The timeout of the request
    /// covers both. The name is as for [`set_field`](Self::set_field). A file that is in several
    /// fields is uploaded once.
    pub fn set_file(&mut self, name: &str, path: impl Into<PathBuf>) -> Result<()> {
        self.set_upload(name, Upload::file(path))
    }

    /// Sets one field of the input to bytes in memory, which are uploaded as for
    /// [`set_file`](Self::set_file).
    pub fn set_file_bytes(
        &mut self,
        name: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
    ) -> Result<()> {
        self.set_upload(name, Upload::bytes(bytes).content_type(content_type)?)
    }

    /// Sets one field of the input to an upload with options of its own, as for
    /// [`set_file`](Self::set_file). The timeout of the upload is ignored.
    pub fn set_upload(&mut self, name: &str, upload: Upload) -> Result<()> {
        upload.check()?;
        // Not null: a later field below it would turn null into an object.
        let place = Value::String(String::new());
        let path = path_of(name, &place)?;
        match self.is_written(&path) {
            true => self.inputs.forget(&path),
            false => self.set_field(name, place)?,
        }
        self.inputs.set(path, upload);
        Ok(())
    }

    /// Whether the body is a text with an empty string in this place. Such a text stays one, so that
    /// its numbers keep every digit.
    fn is_written(&self, path: &[String]) -> bool {
        matches!(&self.body, Body::Text(text) if inputs::is_written(text, path))
    }

    /// Sets the size in bytes up to which a file becomes a data URI in the input and is not
    /// uploaded. fal advises against data URIs above a few kilobytes (docs/protocol.md §3.4). 0,
    /// the default, uploads every file.
    pub fn set_inline_files(&mut self, most: u64) {
        self.inputs.set_inline(most);
    }

    /// Sets a header. Headers that the transport owns, such as `Authorization` and `Host`, are
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

    /// Sets the timeout of the whole call, from the search for the credential to the decoded body.
    /// The default is the client's timeout.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// The input as a JSON text. `None` if the body is not JSON.
    pub(crate) fn json_text(&self) -> Result<Option<Bytes>> {
        match &self.body {
            Body::Json(input) => json::written(input).map(|text| Some(text.into())),
            Body::Text(text) => Ok(Some(text.clone())),
            Body::Empty | Body::Bytes(_) | Body::Content(_) | Body::Source(_) => Ok(None),
        }
    }

    /// Whether it names local content that has to be opened or uploaded first.
    pub(crate) fn is_local(&self) -> bool {
        !self.inputs.is_empty() || matches!(self.body, Body::Content(_))
    }

    /// Whether its response must be an output. An app may answer other methods without a body.
    pub(crate) fn asks_for_output(&self) -> bool {
        matches!(self.target, Target::Endpoint(_))
            && matches!(self.method, Method::POST | Method::GET)
    }

    /// Returns whether the request may be sent twice.
    pub(crate) fn idempotency(&self) -> Idempotency {
        match self.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Idempotency::Safe,
            _ if self.recognized => Idempotency::Keyed,
            _ => Idempotency::NonIdempotent,
        }
    }
}

/// Reads the text of a [`Body::Text`].
pub(crate) fn read(text: &[u8]) -> Result<Value> {
    json::tree(text)?.map_err(|e| Error::invalid(format!("the input is not JSON: {e}")))
}

fn parse_method(method: &str) -> Result<Method> {
    let malformed = || Error::invalid(format!("{:?} is not an HTTP method", abbreviate(method)));
    match Method::from_bytes(method.to_ascii_uppercase().as_bytes()).map_err(|_| malformed())? {
        // TRACE makes the server repeat the key, and CONNECT turns the connection into a tunnel.
        Method::TRACE | Method::CONNECT => Err(Error::invalid(format!("the method {} is refused", method.to_ascii_uppercase()))
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

/// Shows sizes only, because inputs may be private.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("empty"),
            Body::Json(_) | Body::Text(_) => f.write_str("JSON"),
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
    fn a_field_that_cannot_be_set_leaves_the_body_as_it_is() {
        let mut request = Request::run("fal-ai/flux/dev").unwrap();
        let text = r#"{"seed":12345678901234567890123,"a":1,"a":2}"#;
        request.set_json_text(text).unwrap();
        for name in ["image_size/width", "/a/b", ""] {
            assert!(request.set_field(name, json!(1)).is_err(), "{name}");
        }
        assert!(matches!(&request.body, Body::Text(kept) if kept == text));
        let mut request = Request::new("GET", "https://fal.run/fal-ai/flux/dev").unwrap();
        assert!(request.set_field("", json!(1)).is_err());
        assert!(matches!(request.body, Body::Empty));
    }

    #[test]
    fn fields_are_set_by_name_and_by_pointer() {
        let mut request = Request::run("fal-ai/flux/dev").unwrap();
        request.set_field("prompt", json!("a")).unwrap();
        request.set_field("/image_size/width", json!(64)).unwrap();
        request.set_field("/image_size/height", json!(32)).unwrap();
        request.set_field("/a~1b", json!(true)).unwrap();
        assert!(request.set_field("/prompt/x", json!(1)).is_err());
        assert!(request.set_field("", json!(1)).is_err());
        let error = request.set_field("image_size/width", json!(1)).unwrap_err();
        assert_eq!(
            error.remedy(),
            r#"Write "/image_size/width" for a field inside another one, or "/image_size~1width" for a field of this name."#
        );
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
                .url(Url::parse(&format!("https://fal.run/{id}")).unwrap(), usual)
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

    #[test]
    fn a_file_of_a_binding_is_in_the_only_member_of_its_name() {
        let file = || Upload::bytes(&b"x"[..]);
        let set = |text: &'static str, places: &[&str]| {
            let files = places.iter().map(|place| (place.to_string(), file()));
            let mut request = Request::run("a/b").unwrap();
            request.set_json_bytes(text.into(), files.collect())?;
            let Body::Text(kept) = &request.body else {
                panic!("not a text")
            };
            assert_eq!(
                (kept, request.inputs.files.len()),
                (&Bytes::from(text), places.len())
            );
            Ok::<_, Error>(())
        };
        set(
            r#"{"a": "", "b": [1, {"c": ""}], "d": 1, "d": 2}"#,
            &["/a", "/b/1/c"],
        )
        .unwrap();
        set(r#"{"a": 1, "a": 2}"#, &[]).unwrap();
        for text in [
            r#"{"a": "", "a": "x"}"#,
            r#"{"a": "", "a": ""}"#,
            r#"{"a": "x", "a": ""}"#,
            r#"{"a": "x"}"#,
            "{}",
        ] {
            let error = set(text, &["/a"]).unwrap_err();
            assert_eq!(error.code(), crate::Code::InvalidArgument, "{text}");
        }
        assert!(set(r#"{"a": {"b": ""}, "a": {}}"#, &["/a/b"]).is_err());
    }

    /// A text that the program gave has its own files set one by one.
    #[test]
    fn a_file_takes_the_place_of_the_last_member_of_its_name() {
        let mut request = Request::run("a/b").unwrap();
        request.set_json_text(r#"{"a": "", "a": ""}"#).unwrap();
        request.set_upload("a", Upload::bytes(&b"x"[..])).unwrap();
        assert!(matches!(&request.body, Body::Text(_)));
        let mut request = Request::run("a/b").unwrap();
        request.set_json_text(r#"{"a": "", "a": 5}"#).unwrap();
        request.set_upload("a", Upload::bytes(&b"x"[..])).unwrap();
        assert!(
            matches!(&request.body, Body::Json(tree) if **tree == serde_json::json!({"a": ""}))
        );
    }
}
