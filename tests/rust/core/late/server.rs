//! The server, whose responses are expensive to process.

use crate::costs::{zipped, zipped_answer};
use crate::hostile::answered;
use crate::hostile_sockets::accept;
use crate::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The length of an array of numbers.
const NUMBERS: usize = 4 << 20;
/// The same for responses to libfal's own requests, which are limited to 1 MiB.
const FEW: usize = (1 << 19) - 100;

/// The frame of a message or of a fragment.
fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    [
        &[first, 127],
        &(content.len() as u64).to_be_bytes()[..],
        content,
    ]
    .concat()
}

/// The response for each path.
pub(super) struct Answers {
    array: Vec<u8>,
    object: Vec<u8>,
    refused: Vec<u8>,
    wordy: Vec<u8>,
    metric: Vec<u8>,
    gone: Vec<u8>,
    page: Vec<u8>,
    event: Vec<u8>,
    empty: Vec<u8>,
    step: Vec<u8>,
    window: Vec<u8>,
    statuses: Vec<u8>,
    numbers: String,
    few: String,
    begun: Arc<AtomicU64>,
}

impl Answers {
    pub(super) fn new(begun: Arc<AtomicU64>) -> Self {
        let body =
            |before: &[u8], after: &[u8]| zipped(&[(before, 1), (b"0,", NUMBERS), (after, 1)]);
        Answers {
            array: body(b"[", b"0]"),
            object: body(b"{\"request_id\":\"r-1\",\"x\":[", b"0]}"),
            refused: zipped(&[
                (b"{\"detail\":[", 1),
                (br#"{"loc":["body"],"msg":"no","type":"x","input":[0,0,0]},"#, 100_000),
                (b"{}]}", 1),
            ]),
            wordy: body(b"{\"detail\":[{\"loc\":[\"body\"],\"type\":\"x\",\"msg\":\"", b"\"}]}"),
            metric: body(b"{\"status\":\"IN_PROGRESS\",\"metrics\":\"", b"\"}"),
            gone: body(b"{\"status\":\"FAILED\",\"error\":\"", b"\"}"),
            page: body(b"{\"keys\":[", b"0]}"),
            event: body(b"data: [", b"0]\n\n"),
            empty: zipped(&[(b"data:\n\n", 16 << 20)]),
            step: body(
                b"data: {\"type\":\"error\",\"node_id\":\"n\",\"message\":\"no\",\"error\":{\"status\":422,\"body\":[",
                b"0]}}\n\n",
            ),
            window: body(b"{\"status\":\"IN_PROGRESS\",\"logs\":[", b"0]}"),
            statuses: body(b"data: {\"status\":\"IN_PROGRESS\",\"logs\":[", b"0]}\n\n"),
            numbers: format!("{{\"x\":[{}0]}}", "0,".repeat(NUMBERS)),
            few: format!("{{\"x\":[{}0]}}", "0,".repeat(FEW)),
            begun,
        }
    }

    pub(super) fn give(&self, head: &str, connection: &mut TcpStream) -> std::io::Result<()> {
        let json = "application/json";
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        if head.to_ascii_lowercase().contains("upgrade: websocket") {
            accept(head, connection, "")?;
            self.begun.fetch_add(1, Ordering::Relaxed);
            return self.speak(path, connection);
        }
        let ok = |connection: &mut TcpStream, body: &str| {
            answered(
                connection,
                "200 OK",
                "x-fal-request-id: r-1\r\ncontent-type: application/json\r\n",
                body,
            )
        };
        match path {
            "/emulator/other" => return ok(connection, "{}"),
            "/emulator/gone/requests/r-1" => {
                return answered(
                    connection,
                    "404 Not Found",
                    "x-fal-request-id: r-1\r\n",
                    "{}",
                );
            }
            "/emulator/done/requests/r-1/status" => {
                return ok(connection, "{\"status\":\"COMPLETED\"}");
            }
            "/storage/upload/initiate" if head.contains("storage_type=gcs") => {
                return ok(connection, &named("put"));
            }
            "/storage/upload/initiate-multipart" => return ok(connection, &named("parts")),
            path if path.ends_with("/status/stream") && !path.contains("told") => {
                return answered(connection, "404 Not Found", "", "{}");
            }
            // The body, if it did not arrive together with the head.
            "/put" | "/parts/1" if head.ends_with("\r\n\r\n") => {
                let _ = connection.read(&mut [0; 1024])?;
            }
            _ => {}
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        match path {
            "/emulator/open" => {
                connection
                    .write_all(b"HTTP/1.1 200 OK\r\nx-fal-request-id: r-1\r\ncontent-type: application/json\r\n\r\n")?;
                connection.write_all(self.numbers.as_bytes())
            }
            "/emulator/failed" => failed(connection, &self.object),
            "/emulator/refused" => failed(connection, &self.refused),
            "/emulator/wordy" => failed(connection, &self.wordy),
            "/emulator/metric/requests/r-1/status" => zipped_answer(connection, json, &self.metric),
            "/emulator/gone/requests/r-1/status" => zipped_answer(connection, json, &self.gone),
            "/emulator/empty/stream" => zipped_answer(connection, "text/event-stream", &self.empty),
            "/workflows/me/failed/stream" => {
                zipped_answer(connection, "text/event-stream", &self.step)
            }
            "/emulator/told/requests/r-1/status/stream" => {
                zipped_answer(connection, "text/event-stream", &self.statuses)
            }
            "/put"
            | "/parts/1"
            | "/storage/upload/initiate"
            | "/storage/auth/token"
            | "/tokens/"
            | "/.well-known/jwks.json" => ok(connection, &self.few),
            "/emulator/chunks/stream" | "/files/chunks" | "/v1/models" => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nx-fal-request-id: r-1\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
                forever(connection, &b"1\r\n\n\r\n".repeat(10_000))
            }
            "/files/zeroes" => {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")?;
                forever(connection, &[0; 1 << 16])
            }
            path if path.ends_with("/status") => zipped_answer(connection, json, &self.window),
            path if path.ends_with("/stream") => {
                zipped_answer(connection, "text/event-stream", &self.event)
            }
            path if path.ends_with("/keys") && head.starts_with("GET") => {
                zipped_answer(connection, json, &self.page)
            }
            "/emulator/large" => zipped_answer(connection, json, &self.array),
            _ => zipped_answer(connection, json, &self.object),
        }
    }

    fn speak(&self, path: &str, connection: &mut TcpStream) -> std::io::Result<()> {
        let app = path.split('/').nth(2).unwrap_or_default();
        if matches!(app, "texts" | "pieces" | "events") {
            // The request of a channel comes first.
            let _ = connection.read(&mut [0; 1024])?;
        }
        // Reads what the client sends, so that the client is never blocked by this server.
        let mut said = connection.try_clone()?;
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let start = |kind: &str| {
            let headers = json!({"content-type": kind});
            frame(
                0x81,
                json!({"type": "start", "request_id": "r-1", "status": 200, "headers": headers})
                    .to_string()
                    .as_bytes(),
            )
        };
        let data = "application/json";
        match app {
            "text" => forever(connection, &frame(0x81, "0,".repeat(NUMBERS).as_bytes())),
            "fragments" => {
                connection.write_all(&[0x01, 0])?;
                forever(connection, &[0; 1 << 16])
            }
            "pings" => forever(connection, &[0x89, 0].repeat(1 << 15)),
            "json" => forever(connection, &frame(0x81, self.numbers.as_bytes())),
            "packed" => {
                let count: u32 = (1 << 20) - 8;
                forever(
                    connection,
                    &frame(
                        0x82,
                        &[&[0xDD], &count.to_be_bytes()[..], &vec![7; count as usize]].concat(),
                    ),
                )
            }
            "keyed" => {
                let count: u32 = (1 << 18) - 8;
                let pairs = (0..count).flat_map(|n| [&[0xCE][..], &n.to_be_bytes(), &[7]].concat());
                forever(
                    connection,
                    &frame(
                        0x82,
                        &[
                            &[0xDF][..],
                            &count.to_be_bytes(),
                            &pairs.collect::<Vec<_>>(),
                        ]
                        .concat(),
                    ),
                )
            }
            "error" => {
                let reason = "no ".repeat(NUMBERS * 2 / 3);
                connection.write_all(&frame(
                    0x81,
                    json!({"type": "x-fal-error", "error": "X", "reason": reason})
                        .to_string()
                        .as_bytes(),
                ))
            }
            "texts" => {
                connection.write_all(&start(data))?;
                forever(connection, &frame(0x81, self.numbers.as_bytes()))
            }
            "pieces" => {
                connection.write_all(&start(data))?;
                forever(connection, &[0x82, 1, b' '].repeat(1 << 15))
            }
            _ => {
                connection.write_all(&start("text/event-stream"))?;
                forever(
                    connection,
                    &frame(
                        0x82,
                        format!("data: [{}0]\n\n", "0,".repeat(NUMBERS)).as_bytes(),
                    ),
                )
            }
        }
    }
}

/// The response that names the URL of an upload.
fn named(to: &str) -> String {
    json!({"upload_url": format!("https://store.example/{to}"), "file_url": "https://v3.fal.media/files/x"}).to_string()
}

fn failed(connection: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head =
        "422 No\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\nx-fal-request-id: r";
    write!(
        connection,
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    connection.write_all(body)
}

/// Sends `what` until the client has closed the connection.
fn forever(connection: &mut TcpStream, what: &[u8]) -> std::io::Result<()> {
    loop {
        connection.write_all(what)?;
    }
}
