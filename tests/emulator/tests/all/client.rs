//! A plain HTTP/1.1 client that exposes everything about the connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fal_emulator::Emulator;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, host: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n"),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(host: &str, path: &str) -> Self {
        Self::new("GET", host, path)
    }

    /// A run of a model.
    pub(crate) fn run(endpoint: &str, input: &Value) -> Self {
        Self::new("POST", "fal.run", &format!("/{endpoint}")).json(input)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Key {key}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json")
            .bytes(body.to_string())
    }

    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn wire(&self) -> Vec<u8> {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let mut wire = format!("{}{length}\r\n", self.head).into_bytes();
        wire.extend_from_slice(&self.body);
        wire
    }

    /// Sends the request on a new connection.
    pub(crate) fn send(&self, emulator: &Emulator) -> Response {
        self.attempt(emulator).unwrap()
    }

    pub(crate) fn attempt(&self, emulator: &Emulator) -> io::Result<Response> {
        let mut connection = Connection::open(emulator);
        connection.write(self)?;
        connection.read()
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&self.body));
        })
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-fal-request-id").expect("a request id")
    }

    /// Asserts `{"detail": …}`.
    pub(crate) fn assert_detail(&self, status: u16, detail: impl Into<Value>) {
        assert_eq!(
            (self.status, self.json()),
            (status, json!({ "detail": detail.into() }))
        );
    }
}

pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    pub(crate) fn open(emulator: &Emulator) -> Self {
        let stream = TcpStream::connect(emulator.addr()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self(stream)
    }

    pub(crate) fn write(&mut self, request: &Request) -> io::Result<()> {
        self.0.write_all(&request.wire())
    }

    pub(crate) fn call(&mut self, request: &Request) -> Response {
        self.write(request).unwrap();
        self.read().unwrap()
    }

    /// Reads one response. An early end is `UnexpectedEof`, bytes that are not HTTP are
    /// `InvalidData`.
    pub(crate) fn read(&mut self) -> io::Result<Response> {
        let mut response = self.read_head()?;
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.read_chunk()? {
                response.body.extend_from_slice(&chunk);
            }
            return Ok(response);
        }
        let length = response.header("content-length").unwrap_or("0");
        let length: usize = length.parse().unwrap();
        response.body = vec![0; length];
        self.0.read_exact(&mut response.body)?;
        Ok(response)
    }

    /// The next chunk of a streamed body; `None` at its end.
    pub(crate) fn read_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.read_until(b"\r\n")?;
        let size =
            usize::from_str_radix(line.trim_end(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
    }

    fn read_until(&mut self, end: &[u8]) -> io::Result<String> {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end) {
            self.0.read_exact(&mut byte)?;
            text.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn read_head(&mut self) -> io::Result<Response> {
        let head = self.read_until(b"\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|line| line.get(..3)?.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads until the server ends the connection. Returns the bytes, and the error at the end.
    pub(crate) fn drain(&mut self) -> (Vec<u8>, Option<io::ErrorKind>) {
        let mut bytes = Vec::new();
        let error = self.0.read_to_end(&mut bytes).err();
        (bytes, error.map(|error| error.kind()))
    }
}

/// The public half of a key.
pub(crate) fn id(key: &str) -> &str {
    key.split_once(':').unwrap().0
}

pub(crate) fn secret(key: &str) -> &str {
    key.split_once(':').unwrap().1
}

/// A call of the Platform API.
pub(crate) fn platform(emulator: &Emulator, method: &str, path: &str, key: &str) -> Response {
    Request::new(method, "api.fal.ai", &format!("/v1{path}"))
        .key(key)
        .send(emulator)
}

/// A call of the Platform API with a JSON body.
pub(crate) fn platform_with(
    emulator: &Emulator,
    method: &str,
    path: &str,
    key: &str,
    body: &Value,
) -> Response {
    Request::new(method, "api.fal.ai", &format!("/v1{path}"))
        .key(key)
        .json(body)
        .send(emulator)
}

/// The body of the response to the default account's ADMIN key, after checking its status.
pub(crate) fn got(emulator: &Emulator, status: u16, method: &str, path: &str) -> Value {
    checked(
        &platform(emulator, method, path, emulator.admin_key()),
        status,
    )
}

/// Like `got`, with a JSON body.
pub(crate) fn sent(
    emulator: &Emulator,
    status: u16,
    method: &str,
    path: &str,
    body: &Value,
) -> Value {
    checked(
        &platform_with(emulator, method, path, emulator.admin_key(), body),
        status,
    )
}

fn checked(response: &Response, status: u16) -> Value {
    assert_eq!(
        response.status,
        status,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    let body = if response.body.is_empty() {
        Value::Null
    } else {
        response.json()
    };
    if status >= 400 {
        assert!(
            body["error"]["message"].is_string() && body["error"]["type"].is_string(),
            "{body}"
        );
    }
    body
}

/// Asserts that an object has exactly these members.
pub(crate) fn has(value: &Value, names: &[&str]) {
    let mut actual: Vec<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = names.to_vec();
    actual.sort_unstable();
    expected.sort_unstable();
    assert_eq!(actual, expected, "{value}");
}

/// Runs a model. Returns its request id and its output.
pub(crate) fn ran(
    emulator: &Emulator,
    endpoint: &str,
    input: &Value,
    key: &str,
) -> (String, Value) {
    let response = Request::run(endpoint, input).key(key).send(emulator);
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    (response.request_id().to_owned(), response.json())
}
