//! A gigabyte passes through the emulator without being kept in memory.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response};
use crate::uploads::{at, text};

const MIB: u64 = 1 << 20;
const PART: u64 = 10 * MIB;

/// The emulator as a separate process, so that its memory can be measured. It exits at the end of
/// its standard input.
struct Server {
    child: Child,
    started: Value,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
            .args(["serve", "--until-eof"])
            .env("TMPDIR", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            started: serde_json::from_str(&line).unwrap(),
        }
    }

    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.started["address"].as_str().unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Connection(stream)
    }

    fn call(&self, request: &Request) -> Response {
        self.connect().call(request)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::new("POST", "rest.fal.ai", path)
            .key(self.started["api_key"].as_str().unwrap());
        let answer = self.call(&request.json(body));
        assert_eq!(answer.status, 200);
        answer.json()
    }

    /// Sends `length` bytes of the pattern, starting at `from`.
    fn send(&self, request: Request, from: u64, length: u64) -> Response {
        let mut connection = self.connect();
        connection
            .write(&request.header("Content-Length", &length.to_string()))
            .unwrap();
        for at in (0..length).step_by(MIB as usize) {
            connection
                .0
                .write_all(&pattern(from + at, MIB.min(length - at)))
                .unwrap();
        }
        connection.read().unwrap()
    }

    /// The peak memory of the process in MiB.
    #[cfg(target_os = "linux")]
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .trim()
            .parse::<u64>()
            .unwrap()
            / 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A pattern of which no two parts are equal.
fn pattern(from: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![(from / MIB % 251) as u8; length as usize];
    bytes[..8].copy_from_slice(&from.to_be_bytes());
    bytes
}

/// The SHA-256 of the first `length` bytes of the pattern, in hexadecimal.
fn hash(length: u64) -> String {
    let mut digest = Context::new(&SHA256);
    for at in (0..length).step_by(MIB as usize) {
        digest.update(&pattern(at, MIB.min(length - at)));
    }
    hex(digest)
}

fn hex(digest: Context) -> String {
    digest
        .finish()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Downloads a file. Returns its size and its hash, computed while reading.
fn fetch(server: &Server, url: &str) -> (u64, String) {
    let mut connection = server.connect();
    connection
        .write(&at("GET", url).header("Connection", "close"))
        .unwrap();
    assert_eq!(connection.read_head().unwrap().status, 200);
    let (mut digest, mut length) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; MIB as usize];
    loop {
        let read = connection.0.read(&mut buffer).unwrap();
        if read == 0 {
            return (length, hex(digest));
        }
        digest.update(&buffer[..read]);
        length += read as u64;
    }
}

/// The number of files in the emulator's directory.
fn uploads_on_disk(directory: &Path) -> usize {
    let own = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    own.map(|path| fs::read_dir(path).unwrap().count()).sum()
}

#[test]
fn what_is_broken_off_or_refused_leaves_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let upload =
        Request::new("POST", "v3.fal.media", "/files/upload").header("Content-Length", "1000000");
    let mut connection = server.connect();
    connection.write(&upload).unwrap();
    connection.0.write_all(&[0; 500_000]).unwrap();
    let wait_for = |count| {
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while uploads_on_disk(directory.path()) != count {
            assert!(
                std::time::Instant::now() < end,
                "{} files",
                uploads_on_disk(directory.path())
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for(1);
    drop(connection);
    wait_for(0);
    // The emulator reads the body to its end, so that the error response arrives.
    let mut connection = server.connect();
    connection.write(&upload).unwrap();
    connection.0.write_all(&[0; 1_000_000]).unwrap();
    assert_eq!(connection.read().unwrap().status, 401);
    wait_for(0);
    let arrivals = server
        .call(&Request::get("127.0.0.1", "/_emulator/requests"))
        .json();
    assert_eq!(
        (
            &arrivals["requests"][0]["outcome"],
            &arrivals["requests"][1]["outcome"]
        ),
        (&json!("client_closed"), &json!(401))
    );
    assert_eq!(arrivals["requests"][1]["body_length"], 1_000_000);
}

#[test]
fn a_gigabyte_does_not_fill_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());

    let token = text(&server.post("/storage/auth/token", &json!({}))["token"]);
    let direct = Request::new("POST", "v3.fal.media", "/files/upload")
        .header("Authorization", &format!("Bearer {token}"));
    let single = server.send(direct, 0, 128 * MIB);
    assert_eq!(single.status, 200);
    assert_eq!(
        fetch(&server, &text(&single.json()["access_url"])),
        (128 * MIB, hash(128 * MIB))
    );

    let begun = server.post(
        "/storage/upload/initiate-multipart",
        &json!({ "file_name": "large.bin" }),
    );
    let upload_url = text(&begun["upload_url"]);
    let (base, query) = upload_url.split_once('?').unwrap();
    let whole = 1024 * MIB;
    let mut parts = Vec::new();
    for (begin, number) in (0..whole).step_by(PART as usize).zip(1..) {
        let part = at("PUT", &format!("{base}/{number}?{query}"));
        let answer = server.send(part, begin, PART.min(whole - begin));
        assert_eq!(answer.status, 200);
        parts.push(answer.json());
    }
    assert_eq!(parts.len(), 103);
    let complete = at("POST", &format!("{base}/complete?{query}")).json(&json!({ "parts": parts }));
    assert_eq!(server.call(&complete).status, 200);
    let expected = hash(whole);
    assert_eq!(
        fetch(&server, &text(&begun["file_url"])),
        (whole, expected.clone())
    );
    let listed = server
        .call(&Request::get("127.0.0.1", "/_emulator/files"))
        .json();
    assert_eq!(
        (&listed["files"][1]["size"], &listed["files"][1]["sha256"]),
        (&json!(whole), &json!(expected))
    );

    #[cfg(target_os = "linux")]
    assert!(server.peak() < 100, "{} MiB", server.peak());
    // The file, and the 103 parts of the other upload.
    assert_eq!(uploads_on_disk(directory.path()), 104);
    drop(server);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing is left on disk"
    );
}
