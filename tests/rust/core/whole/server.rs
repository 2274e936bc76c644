//! A server that is correct but for the one piece of evidence that it withholds.

use super::super::*;
use fal::Upload;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(super) const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

/// The refresh token of the login before it is renewed.
pub(super) const REFRESH: &str = "fake-secret-refresh-1";
/// The file to download.
pub(super) const FILE: &[u8] = b"0123456789";
/// The number of bytes in the first response to a download that has to be resumed.
const BEGUN: usize = 4;

/// A complete response, from which a test removes something.
pub(super) struct Answer {
    pub(super) line: &'static str,
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
    /// How many of the announced bytes are not sent.
    pub(super) lacks: usize,
    /// All announced bytes are sent, but the compressed data has no end.
    pub(super) is_cut_in_packing: bool,
    /// The body is one chunk, so that its length is not announced.
    pub(super) is_chunked: bool,
    /// The server does not read the request's body.
    pub(super) is_early: bool,
    /// What happens on the disk once the request has arrived.
    pub(super) disk: Option<fn(&World)>,
    /// The frames that a WebSocket sends when a message has arrived.
    pub(super) frames: Vec<u8>,
}

impl Answer {
    fn of(line: &'static str, kind: &str, body: impl AsRef<[u8]>) -> Self {
        Answer {
            line,
            headers: format!("content-type: {kind}\r\nx-fal-request-id: r-1\r\n"),
            body: body.as_ref().to_vec(),
            lacks: 0,
            is_cut_in_packing: false,
            is_chunked: false,
            is_early: false,
            disk: None,
            frames: Vec::new(),
        }
    }

    fn json(body: Value) -> Self {
        Answer::of("200 OK", JSON, body.to_string())
    }

    fn with(mut self, header: &str) -> Self {
        self.headers.push_str(&format!("{header}\r\n"));
        self
    }

    /// A response that accepts a WebSocket, which then sends these frames.
    fn socket(request: &Request, frames: Vec<u8>) -> Self {
        let key = request.header("sec-websocket-key").unwrap_or_default();
        let accept = derive_accept_key(key.as_bytes());
        let headers = format!(
            "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n"
        );
        let line = "101 Switching Protocols";
        Answer {
            headers,
            frames,
            ..Answer::of(line, JSON, "")
        }
    }

    pub(super) fn say(&mut self, body: &str) {
        self.body = body.as_bytes().to_vec();
    }

    pub(super) fn replace(&mut self, part: &str, other: &str) {
        let replaced = |text: &str| text.replace(part, other);
        self.headers = replaced(&self.headers);
        self.body = replaced(std::str::from_utf8(&self.body).unwrap()).into_bytes();
    }

    pub(super) fn empty(&mut self, line: &'static str) {
        self.line = line;
        self.body.clear();
    }

    fn write(&self, connection: &mut TcpStream) -> io::Result<()> {
        let mut body = self.body.clone();
        let (line, mut headers) = (self.line, self.headers.clone());
        if self.is_cut_in_packing {
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(&body)?;
            body = packed.finish()?;
            // Removes some of the data, and the checksum.
            body.truncate(body.len() - 10);
            headers.push_str("content-encoding: gzip\r\n");
        }
        if !line.starts_with("101") {
            headers.push_str("connection: close\r\n");
            headers.push_str(&match self.is_chunked {
                true => "transfer-encoding: chunked\r\n".to_owned(),
                false => format!("content-length: {}\r\n", body.len()),
            });
        }
        write!(connection, "HTTP/1.1 {line}\r\n{headers}\r\n")?;
        if self.is_chunked {
            write!(connection, "{:x}\r\n", body.len())?;
            body.extend_from_slice(b"\r\n0\r\n\r\n");
        }
        body.truncate(body.len() - self.lacks.min(body.len()));
        connection.write_all(&body)
    }
}

/// A request that has arrived.
pub(super) struct Request {
    /// Method, host and path, and the number of the part in an upload of parts.
    pub(super) line: String,
    head: String,
    begun: Vec<u8>,
}

impl Request {
    fn read(connection: &mut TcpStream) -> Option<Self> {
        let (mut seen, mut piece) = (Vec::new(), [0; 1024]);
        let end = loop {
            if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match connection.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(read) => seen.extend_from_slice(&piece[..read]),
            }
        };
        let begun = seen.split_off(end);
        let head = String::from_utf8(seen).unwrap();
        let mut request = Request {
            line: String::new(),
            head,
            begun,
        };
        let mut words = request.head.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (host, path) = (request.header("host")?, path.split('?').next().unwrap());
        let rest = if request.header("range").is_some() {
            " from there on"
        } else {
            ""
        };
        request.line = format!("{method} {host}{path}{rest}");
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Reads the rest of the body.
    fn finish(&self, connection: &mut TcpStream) -> io::Result<()> {
        let length = self
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut left = connection.take(length - self.begun.len() as u64);
        io::copy(&mut left, &mut io::sink()).map(drop)
    }
}

/// A frame of a server, which is not masked.
pub(super) fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[0x80 | kind, content.len() as u8], content].concat()
}

const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;

pub(super) fn text(content: &str) -> Vec<u8> {
    frame(TEXT, content.as_bytes())
}

/// A close frame for a normal end.
pub(super) fn farewell() -> Vec<u8> {
    frame(CLOSE, &1000_u16.to_be_bytes())
}

/// The complete response of fal.
fn good(request: &Request, arrived: usize) -> Answer {
    let ok = |body: Value| Answer::json(body);
    let token = json!({"token": "fake-secret-token", "token_type": "Bearer"});
    let urls =
        json!({"upload_url": "https://store.example/u", "file_url": "https://v3.fal.media/f"});
    match request.line.as_str() {
        "POST queue.fal.run/emulator/job" => ok(json!({"request_id": "r-1"})),
        "GET queue.fal.run/emulator/job/requests/r-1/status/stream" => {
            Answer::of("404 Not Found", JSON, "{}")
        }
        "GET queue.fal.run/emulator/job/requests/r-1/status" => ok(json!({"status": "COMPLETED"})),
        "GET queue.fal.run/emulator/job/requests/r-1" => ok(json!({"x": 1})),
        "PUT queue.fal.run/emulator/job/requests/r-1/cancel" => {
            ok(json!({"status": "CANCELLATION_REQUESTED"}))
        }
        "POST fal.run/emulator/echo" => ok(json!({"x": 1})),
        "POST fal.run/emulator/stream/stream" | "POST api.fal.ai/v1/serverless/logs/stream" => {
            Answer::of("200 OK", EVENTS, "data: {\"x\": 1}\n\n")
        }
        "POST fal.run/workflows/me/flow/stream" => {
            let output = "data: {\"type\": \"output\", \"output\": {\"x\": 1}}\n\n";
            Answer::of("200 OK", EVENTS, output)
        }
        "GET api.fal.ai/v1/keys" => {
            ok(json!({"keys": [1], "next_cursor": null, "has_more": false}))
        }
        "POST api.fal.ai/v1/keys" => Answer {
            line: "201 Created",
            ..ok(
                json!({"key_id": "fake-id", "key_secret": "fake-secret", "key": "fake-id:fake-secret"}),
            )
        },
        "DELETE api.fal.ai/v1/keys/fake-other" | "DELETE api.fal.ai/v1/assets/tags/t" => {
            Answer::of("204 No Content", JSON, "")
        }
        "GET api.fal.ai/v1/account/billing" => ok(json!({"username": "acme"})),
        "GET rest.fal.ai/users/current" => Answer::of("403 Forbidden", JSON, "{}"),
        "GET queue.fal.run/fal-ai/flux/requests/00000000-0000-4000-8000-000000000000/status" => {
            Answer::of("404 Not Found", JSON, "{}")
        }
        "GET api.fal.ai/v1/assets/collections" => ok(json!({"collections": []})),
        "POST api.fal.ai/v1/assets/collections" => Answer {
            line: "201 Created",
            ..ok(json!({"collection": {"id": "c"}}))
        },
        "GET api.fal.ai/v1/assets/tags" => ok(json!({"tags": [1]})),
        "POST api.fal.ai/v1/assets/tags/t/assign" => ok(json!({"success": true})),
        "GET api.fal.ai/v1/serverless/files/file/a" => Answer::of("200 OK", "a/b", "content"),
        "POST api.fal.ai/v1/serverless/files/file/local/a" => ok(json!(true)),
        "POST rest.fal.ai/tokens/" => ok(json!("fake-secret-token")),
        "POST rest.fal.ai/storage/auth/token" => ok(token),
        "POST rest.fal.ai/storage/upload/initiate" => ok(urls),
        "POST rest.fal.ai/storage/upload/initiate-multipart" => {
            match request.head.contains("gcs") {
                true => ok(
                    json!({"upload_url": "https://rest.fal.ai/g", "file_url": "https://v3.fal.media/f"}),
                ),
                false => ok(urls),
            }
        }
        "POST rest.fal.ai/g/1" => ok(json!({"upload_url": "https://store.example/p"})),
        "PUT store.example/u" => Answer::of("200 OK", "text/plain", ""),
        "PUT store.example/u/1" | "PUT store.example/p" | "PUT v3.fal.media/d/multipart/up/1" => {
            ok(json!({})).with("etag: \"e\"")
        }
        "POST store.example/u/complete"
        | "POST rest.fal.ai/g/complete"
        | "POST v3.fal.media/d/multipart/up/complete" => ok(json!({})),
        "POST v3.fal.media/files/upload/multipart" => {
            ok(json!({"access_url": "https://v3.fal.media/d", "uploadId": "up"}))
        }
        "POST v3.fal.media/files/upload" => ok(json!({"access_url": "https://v3.fal.media/f"})),
        "GET v3.fal.media/f" => Answer::of("200 OK", "a/b", FILE),
        // The first response breaks off.
        "GET v3.fal.media/parts" => {
            let lacks = if arrived == 1 { FILE.len() - BEGUN } else { 0 };
            Answer {
                lacks,
                ..Answer::of("200 OK", "a/b", FILE)
            }
            .with("etag: \"a\"")
        }
        "GET v3.fal.media/parts from there on" => {
            Answer::of("206 Partial Content", "a/b", &FILE[BEGUN..])
                .with("etag: \"a\"")
                .with("content-range: bytes 4-9/10")
        }
        "GET fal.run/emulator/ws" => Answer::socket(request, [text("hello"), farewell()].concat()),
        "GET fal.run/emulator/realtime/realtime" => {
            Answer::socket(request, [text("{\"x\": 1}"), farewell()].concat())
        }
        "GET ws.fal.run/emulator/echo" => Answer::socket(
            request,
            [
                text(r#"{"type": "start", "request_id": "r-1", "status": 200}"#),
                text("{}"),
                text(r#"{"type": "end", "request_id": "r-1"}"#),
            ]
            .concat(),
        ),
        "POST auth.fal.ai/oauth/token" => ok(
            json!({"access_token": "fake-secret-access", "refresh_token": "fake-secret-refresh-2"}),
        ),
        other => panic!("nobody should ask for {other}"),
    }
}

pub(super) type Withhold = fn(&mut Answer);

/// A server, the files and keys of its client, and the requests that arrived.
pub(super) struct World {
    pub(super) folder: TempDir,
    host: Mutex<String>,
    seen: Mutex<Vec<String>>,
}

impl World {
    /// Creates a file of `size` bytes, and a server that withholds this piece of its response to
    /// one request.
    pub(super) fn new(size: u64, withheld: Option<(&'static str, Withhold)>) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("to")).unwrap();
        std::fs::create_dir(folder.path().join(".fal")).unwrap();
        std::fs::write(folder.path().join(".fal/auth0_token"), REFRESH).unwrap();
        std::fs::File::create(folder.path().join("file"))
            .unwrap()
            .set_len(size)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Mutex::new(listener.local_addr().unwrap().to_string());
        let world = Arc::new(World {
            folder,
            host,
            seen: Mutex::default(),
        });
        let weak = Arc::downgrade(&world);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (Ok(mut connection), Some(world)) = (connection, weak.upgrade()) else {
                    return;
                };
                // The client may close the connection before the end.
                std::thread::spawn(move || {
                    let _ = world.answer(&mut connection, withheld);
                    let _ = connection.shutdown(Shutdown::Write);
                    drop(world);
                    let _ = io::copy(&mut connection, &mut io::sink());
                });
            }
        });
        world
    }

    fn answer(
        &self,
        connection: &mut TcpStream,
        withheld: Option<(&'static str, Withhold)>,
    ) -> io::Result<()> {
        let Some(request) = Request::read(connection) else {
            return Ok(());
        };
        let key = request.header("idempotency-key").is_some();
        let line = &request.line;
        self.note(if key {
            format!("{line} with a key")
        } else {
            line.clone()
        });
        let mut answer = good(&request, self.count(line));
        if let Some((_, withhold)) = withheld.filter(|(of, _)| of == line) {
            withhold(&mut answer);
        }
        if !answer.is_early {
            request.finish(connection)?;
        }
        answer.disk.iter().for_each(|change| change(self));
        answer.write(connection)?;
        if answer.is_early {
            std::thread::sleep(Duration::from_secs(2));
        }
        if answer.line.starts_with("101") {
            self.talk(&answer, connection)?;
        }
        Ok(())
    }

    /// Waits for a message, which need not arrive, and sends the frames.
    fn talk(&self, answer: &Answer, connection: &mut TcpStream) -> io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(3)))?;
        let mut message = [0; 1024];
        if connection
            .read(&mut message)
            .is_ok_and(|read| read > 0 && message[0] & 0xF < CLOSE)
        {
            self.note("a message".to_owned());
        }
        connection.write_all(&answer.frames)
    }

    fn note(&self, line: String) {
        self.seen.lock().unwrap().push(line);
    }

    fn count(&self, line: &str) -> usize {
        self.seen().iter().filter(|seen| *seen == line).count()
    }

    /// The requests in order of arrival.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    pub(super) fn upload(&self) -> Upload {
        Upload::file(self.file())
    }

    pub(super) fn client(&self) -> Client {
        self.client_with(("FAL_KEY", "fake-id:fake-secret-for-nobody"))
    }

    /// A client of a user with a login.
    pub(super) fn logged_in(&self) -> Client {
        self.client_with(("HOME", self.folder.path().to_str().unwrap()))
    }

    fn client_with(&self, variable: (&str, &str)) -> Client {
        let host = self.host.lock().unwrap().clone();
        let variables = [variable, ("FAL_EMULATOR_HOST", &host)];
        crate::logged::builder()
            .environment(Environment::from_variables(variables))
            .timeout(Duration::from_secs(120))
            .max_attempts(3)
            .unwrap()
            .build()
            .unwrap()
    }
}
