//! How long other calls are delayed while an operation reads a response that is expensive to
//! process, and how soon the operation ends when it is cancelled or its deadline passes.
//!
//! The runtime has one worker thread here, in a process of the test's own, so one blocked thread
//! delays every call. With more threads it would take as many such responses at the same time. Two
//! of them are read at once all the same, because they share the helper threads.
//!
//! The machine may be busy, so no time is taken as measured. A thread of the test makes the other
//! call's requests to the same server without the library, and its delay is subtracted. The best of
//! several tries counts, because a blocked thread delays each of them.
//!
//! With FAL_TEST_LATE_ROW only the rows are measured whose name contains its value.

use super::costs::{zipped, zipped_answer};
use super::hostile::{answered, client_of, hostile_to};
use super::hostile_sockets::accept;
use super::*;
use fal::webhook::Webhook;
use fal::{Download, Job, SocketOptions, Upload, UploadWay};
use std::any::Any;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Other calls are delayed by less than this, and an operation that is cancelled ends within it.
const LATE: Duration = Duration::from_millis(100);
/// The number of tries for each measurement.
const TRIES: usize = 8;
/// How long other calls are observed.
const WATCHED: Duration = Duration::from_millis(600);
/// An operation is cancelled, or its deadline passes, at so many points of the time that it takes
/// to read the response.
const POINTS: u32 = 7;
/// The time that is taken for an operation that does not end by itself.
const LONGEST: Duration = Duration::from_millis(160);
/// How often the points are chosen anew if the operation had ended before each of them.
const ROUNDS: usize = 20;

/// Tells the test that it runs alone in its process.
const ALONE: &str = "FAL_TEST_LATE";

/// Selects rows to measure, by a part of their name.
const ROW: &str = "FAL_TEST_LATE_ROW";

/// The page with the table.
const PAGE: &str = include_str!("../../../docs/guarantees.md");
const HEAD: &str =
    "| Operation | what is sent | others are late by | a cancellation takes | a deadline takes |\n";
const RULE: &str = "|---|---|---|---|---|\n";

/// The length of an array of numbers.
const NUMBERS: usize = 4 << 20;
/// The same for responses to libfal's own requests, which are limited to 1 MiB.
const FEW: usize = (1 << 19) - 100;

/// An operation, and what has to live as long as it.
struct Started {
    op: Op,
    _with: Box<dyn Any>,
}

impl From<Op> for Started {
    fn from(op: Op) -> Self {
        Started {
            op,
            _with: Box::new(()),
        }
    }
}

/// Starts an operation of a client whose calls have this timeout.
type Start = fn(&Client, Duration) -> Started;

struct Row {
    operation: &'static str,
    sent: &'static str,
    start: Start,
    has_deadline: bool,
}

const fn row(operation: &'static str, sent: &'static str, start: Start) -> Row {
    Row {
        operation,
        sent,
        start,
        has_deadline: true,
    }
}

const ROWS: [Row; 40] = [
    row("run", "8 MiB of numbers", |client, _| {
        client.run_start(app("emulator/large")).unwrap().into()
    }),
    row(
        "run",
        "the same, ended by the connection's end",
        |client, _| client.run_start(app("emulator/open")).unwrap().into(),
    ),
    row("run that fails", "8 MiB of numbers", |client, _| {
        client.run_start(app("emulator/failed")).unwrap().into()
    }),
    row("run that fails", "many refused fields", |client, _| {
        client.run_start(app("emulator/refused")).unwrap().into()
    }),
    row("run that fails", "a refused field of 8 MiB", |client, _| {
        client.run_start(app("emulator/wordy")).unwrap().into()
    }),
    row("submit", "8 MiB of numbers", |client, _| {
        client.submit_start(app("emulator/job")).unwrap().into()
    }),
    row("status", "8 MiB of log", |client, _| {
        client.status_start(&job()).unwrap().into()
    }),
    row("attach", "8 MiB of log", |client, _| {
        client.attach_start(&job()).unwrap().into()
    }),
    row("attach", "a status stream of such", |client, _| {
        client
            .attach_start(&Job::new("emulator/told", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("attach", "8 MiB of metrics", |client, _| {
        client
            .attach_start(&Job::new("emulator/metric", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("result", "a failure told in 8 MiB", |client, _| {
        client
            .result_start(&Job::new("emulator/gone", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("result", "8 MiB of numbers", |client, _| {
        client
            .result_start(&Job::new("emulator/done", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("cancel", "8 MiB of numbers", |client, _| {
        client.cancel_start(&job()).unwrap().into()
    }),
    row("stream", "an event of 8 MiB", |client, _| {
        client.stream_start(app("emulator/events")).unwrap().into()
    }),
    row("stream", "empty events without end", |client, _| {
        client.stream_start(app("emulator/empty")).unwrap().into()
    }),
    row("stream", "chunks of a byte without end", |client, _| {
        client.stream_start(app("emulator/chunks")).unwrap().into()
    }),
    row("stream of a workflow", "an event of 8 MiB", |client, _| {
        client
            .stream_start(app("workflows/me/events"))
            .unwrap()
            .into()
    }),
    row(
        "stream of a workflow",
        "a step that failed with 8 MiB",
        |client, _| {
            client
                .stream_start(app("workflows/me/failed"))
                .unwrap()
                .into()
        },
    ),
    row("list", "a page without end", |client, _| {
        client
            .platform_list_start("models.list", json!({}))
            .unwrap()
            .into()
    }),
    Row {
        // The timeout covers the request of a page. Its reader may take any time for the elements.
        has_deadline: false,
        ..row("list", "a page of 4 million elements", |client, _| {
            client
                .platform_list_start("keys.list", json!({}))
                .unwrap()
                .into()
        })
    },
    row("live log", "an event of 8 MiB", |client, _| {
        client
            .platform_list_start("serverless.logs.stream", json!({}))
            .unwrap()
            .into()
    }),
    row("a key made", "8 MiB of numbers", |client, _| {
        let made = client.create_key_start("late").unwrap();
        Started {
            op: made.op().clone(),
            _with: Box::new(made),
        }
    }),
    row("a token made", "a MiB of numbers", |client, _| {
        client
            .mint_token_start(&["emulator/x"], Duration::from_secs(60))
            .unwrap()
            .into()
    }),
    row("webhook", "a MiB of keys", |client, _| {
        client.verify_webhook_start(delivery()).unwrap().into()
    }),
    row("websocket", "texts of 8 MiB", |client, time| {
        websocket(client, time, "emulator/text")
    }),
    row(
        "websocket",
        "empty fragments without end",
        |client, time| websocket(client, time, "emulator/fragments"),
    ),
    row("websocket", "pings without end", |client, time| {
        websocket(client, time, "emulator/pings")
    }),
    row("realtime", "texts of 8 MiB of numbers", |client, time| {
        realtime(client, time, "emulator/json")
    }),
    row(
        "realtime",
        "MessagePack of a million numbers",
        |client, time| realtime(client, time, "emulator/packed"),
    ),
    row("realtime", "MessagePack of 260,000 keys", |client, time| {
        realtime(client, time, "emulator/keyed")
    }),
    row("realtime", "an error of 8 MiB", |client, time| {
        realtime(client, time, "emulator/error")
    }),
    row("channel", "texts of 8 MiB of numbers", |client, _| {
        channel(client, "emulator/texts")
    }),
    row("channel", "pieces of a byte without end", |client, _| {
        channel(client, "emulator/pieces")
    }),
    row("channel", "an event of 8 MiB", |client, _| {
        channel(client, "emulator/events")
    }),
    row(
        "upload",
        "a MiB of numbers that announces it",
        |client, _| upload(client, UploadWay::Signed),
    ),
    row(
        "upload",
        "a MiB of numbers that confirms it",
        |client, _| upload(client, UploadWay::SignedGoogle),
    ),
    row("upload", "a token of a MiB", |client, _| {
        upload(client, UploadWay::Direct)
    }),
    row(
        "upload in parts",
        "a MiB of numbers for a part",
        |client, _| upload(client, UploadWay::SignedParts),
    ),
    row("download", "chunks of a byte without end", |client, _| {
        client.download_start(file("chunks")).unwrap().into()
    }),
    row("download to a file", "zeroes without end", |client, _| {
        let folder = tempfile::tempdir().unwrap();
        let download = file("zeroes").to(folder.path().join("file"));
        Started {
            op: client.download_start(download).unwrap(),
            _with: Box::new(folder),
        }
    }),
];

fn app(endpoint: &str) -> Request {
    Request::run(endpoint).unwrap()
}

/// A session may last longer than a call.
fn app_within(endpoint: &str, time: Duration) -> Request {
    let mut request = app(endpoint);
    request.set_timeout(time);
    request
}

fn job() -> Job {
    Job::new("emulator/job", "r-1").unwrap()
}

fn file(name: &str) -> Download {
    Download::new(&format!("https://v3.fal.media/files/{name}")).unwrap()
}

fn delivery() -> Webhook {
    let mut webhook = Webhook::new("{}".into());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .to_string();
    let signature = "00".repeat(64);
    for (name, value) in [
        ("Request-Id", "r-1"),
        ("User-Id", "u-1"),
        ("Timestamp", &now),
        ("Signature", &signature),
    ] {
        webhook.set_header(&format!("X-Fal-Webhook-{name}"), value);
    }
    webhook
}

fn options() -> SocketOptions {
    SocketOptions::new().use_header(true)
}

fn websocket(client: &Client, time: Duration, endpoint: &str) -> Started {
    let socket = client
        .websocket_start(app_within(endpoint, time), options())
        .unwrap();
    Started {
        op: socket.op().clone(),
        _with: Box::new(socket),
    }
}

fn realtime(client: &Client, time: Duration, endpoint: &str) -> Started {
    let session = client
        .realtime_start(app_within(endpoint, time), options())
        .unwrap();
    Started {
        op: session.op().clone(),
        _with: Box::new(session),
    }
}

fn channel(client: &Client, endpoint: &str) -> Started {
    let channel = client.channel(&app(endpoint)).unwrap();
    let mut request = app(endpoint);
    request.set_json(json!({}));
    Started {
        op: channel.run_start(request).unwrap(),
        _with: Box::new(channel),
    }
}

fn upload(client: &Client, way: UploadWay) -> Started {
    client
        .upload_start(Upload::bytes(&b"bytes"[..]).way(way))
        .unwrap()
        .into()
}

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
struct Answers {
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
    fn new(begun: Arc<AtomicU64>) -> Self {
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

    fn give(&self, head: &str, connection: &mut TcpStream) -> std::io::Result<()> {
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

/// Measures the delay of a thread without the library, which repeats the other call's request to
/// the same server.
struct Control {
    latest: AtomicU64,
    over: AtomicBool,
}

impl Control {
    fn ask(&self, host: &str) {
        while !self.over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let mut connection = TcpStream::connect(host).unwrap();
            connection
                .write_all(b"POST /emulator/other HTTP/1.1\r\nhost: fal.run\r\n\r\n")
                .unwrap();
            connection.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = std::io::copy(&mut connection, &mut std::io::sink());
            self.latest
                .fetch_max(asked.elapsed().as_micros() as u64, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn begin(&self) {
        self.latest.store(0, Ordering::Relaxed);
    }

    /// Returns `time` without the delay that the machine caused.
    fn corrected(&self, time: Duration) -> Duration {
        time.saturating_sub(Duration::from_micros(self.latest.load(Ordering::Relaxed)))
    }
}

/// Stops the thread when it is dropped.
struct Over<'a>(&'a Control);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Row {
    fn name(&self) -> String {
        format!("| {} | {} |", self.operation, self.sent)
    }
}

/// Stands for a missing time.
const NONE: &str = "–";

struct Bench {
    host: String,
    control: Control,
    /// The number of expensive responses that were started.
    begun: Arc<AtomicU64>,
}

impl Bench {
    fn client(&self, timeout: Duration) -> Client {
        client_of(&self.host).timeout(timeout).build().unwrap()
    }

    /// Returns the longest time of a run of another app while two of these operations are under
    /// way, one started after the other.
    fn lateness(&self, row: &Row) -> Duration {
        let client = self.client(PATIENCE);
        let start = || {
            let started = (row.start)(&client, PATIENCE);
            started.op.discard_events();
            started
        };
        let mut two = [start(), start()];
        let (mut latest, begun) = (Duration::ZERO, Instant::now());
        while begun.elapsed() < WATCHED {
            self.control.begin();
            let asked = Instant::now();
            run(&client, "emulator/other", json!({})).unwrap();
            latest = latest.max(self.control.corrected(asked.elapsed()));
            for one in two.iter_mut().filter(|one| one.op.ended() == Some(true)) {
                *one = start();
            }
        }
        two.iter().for_each(|one| one.op.cancel());
        latest
    }

    /// Returns how long an operation takes to end that is cancelled after `pause`, or `None` if it
    /// had ended by then or no response had started.
    fn cancelled(&self, row: &Row, pause: Duration) -> Option<Duration> {
        self.ended(row, PATIENCE, pause, true)
    }

    /// The same for an operation whose deadline passes.
    fn overdue(&self, row: &Row, time: Duration) -> Option<Duration> {
        self.ended(row, time, time, false)
    }

    fn ended(&self, row: &Row, time: Duration, pause: Duration, is_told: bool) -> Option<Duration> {
        let (client, before) = (self.client(time), self.begun.load(Ordering::Relaxed));
        let due = Instant::now() + pause;
        let started = (row.start)(&client, time);
        started.op.discard_events();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let counts =
            self.begun.load(Ordering::Relaxed) > before && started.op.ended() == Some(false);
        self.control.begin();
        if is_told {
            started.op.cancel();
        }
        started.op.wait(Some(10 * LATE)).unwrap();
        let took = self.control.corrected(due.elapsed());
        started.op.cancel();
        counts.then_some(took)
    }

    /// Returns the longest time over the points, or `None` if none of them could be measured.
    fn slowest(
        &self,
        row: &Row,
        measure: impl Fn(Duration) -> Option<Duration>,
    ) -> Option<Duration> {
        let round = |_| {
            let measured = self.points(row).filter_map(|pause| best(|| measure(pause)));
            measured.max()
        };
        (0..ROUNDS).find_map(round)
    }

    /// Returns points between the start of the response and the end of the operation, measured
    /// from the start of the operation on this machine at this time.
    fn points(&self, row: &Row) -> impl Iterator<Item = Duration> {
        let (client, before) = (self.client(PATIENCE), self.begun.load(Ordering::Relaxed));
        let start = Instant::now();
        let started = (row.start)(&client, PATIENCE);
        started.op.discard_events();
        let has_ended = || started.op.ended() == Some(true);
        let wait_until = |is_reached: &dyn Fn() -> bool| {
            while !is_reached() && !has_ended() {
                std::thread::sleep(Duration::from_micros(200));
            }
            start.elapsed()
        };
        let begun = wait_until(&|| self.begun.load(Ordering::Relaxed) > before);
        let ended = wait_until(&|| start.elapsed() >= begun + LONGEST);
        started.op.cancel();
        (1..=POINTS).map(move |point| begun + (ended - begun) * point / (POINTS + 1))
    }
}

/// Returns the shortest of several times, or `None` if it cannot be measured.
fn best(measure: impl Fn() -> Option<Duration>) -> Option<Duration> {
    let mut best = measure()?;
    for _ in 1..TRIES {
        if best < LATE {
            break;
        }
        best = best.min(measure().unwrap_or(best));
    }
    Some(best)
}

/// Returns whether this is the test's own process. If not, it runs the test in one.
#[allow(clippy::print_stdout)]
fn alone() -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = std::process::Command::new(std::env::current_exe().unwrap());
    let test = "late::nobody_is_late_while_a_hostile_answer_is_read";
    let output = own
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

#[test]
fn nobody_is_late_while_a_hostile_answer_is_read() {
    if !alone() {
        return;
    }
    fal::runtime::Config::default()
        .worker_threads(1)
        .unwrap()
        .install()
        .unwrap();
    let begun = Arc::new(AtomicU64::new(0));
    let answers = Answers::new(begun.clone());
    let host = hostile_to(move |head, connection| answers.give(head, connection));
    let bench = Bench {
        host,
        control: Control {
            latest: AtomicU64::new(0),
            over: AtomicBool::new(false),
        },
        begun,
    };
    let only = std::env::var(ROW).unwrap_or_default();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.control.ask(&bench.host));
        let _over = Over(&bench.control);
        let (mut table, mut late) = (format!("{HEAD}{RULE}"), vec![]);
        for row in ROWS.iter().filter(|row| row.name().contains(&only)) {
            let overdue = || bench.slowest(row, |pause| bench.overdue(row, pause));
            let times = [
                best(|| Some(bench.lateness(row))),
                bench.slowest(row, |pause| bench.cancelled(row, pause)),
                if row.has_deadline { overdue() } else { None },
            ];
            let measured = if row.has_deadline { 3 } else { 2 };
            let is_late = |time: &Option<Duration>| time.is_none_or(|time| time >= LATE);
            if times[..measured].iter().any(is_late) {
                late.push(row.name());
            }
            let told = times
                .map(|time| time.map_or(NONE.into(), |time| format!("{} ms", time.as_millis())));
            let _ = writeln!(table, "{} {} |", row.name(), told.join(" | "));
        }
        println!("{table}");
        assert!(late.is_empty(), "{late:#?} of\n{table}");
    });
}

/// The times on the page are those of one run. The page only claims that they are short.
#[test]
fn the_page_has_these_rows() {
    let (_, table) = PAGE
        .split_once(&format!("{HEAD}{RULE}"))
        .expect("the page has the table");
    let lines: Vec<_> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(lines.len(), ROWS.len());
    for (line, row) in lines.into_iter().zip(&ROWS) {
        let times = line.strip_prefix(&row.name());
        let times = times.unwrap_or_else(|| panic!("{line} in the place of {}", row.name()));
        let times: Vec<_> = times
            .trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let short = |time: &&str| {
            let time = time.strip_suffix(" ms").and_then(|time| time.parse().ok());
            time.is_some_and(|time| Duration::from_millis(time) < LATE)
        };
        let deadline = if row.has_deadline {
            short(&times[2])
        } else {
            times[2] == NONE
        };
        assert!(
            times.len() == 3 && times[..2].iter().all(short) && deadline,
            "{line}"
        );
    }
}
