//! The core against the emulator, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod answers;
mod between;
mod coded;
mod concurrency;
mod costs;
mod deadlines;
mod disks;
mod disks_refuse;
mod download;
mod echoes;
mod errors;
mod files_http2;
mod gateway;
mod hostile;
mod hostile_files;
mod hostile_sockets;
mod hostile_streams;
mod http2;
mod inputs;
mod late;
#[path = "../late_queue.rs"]
mod late_queue;
mod lively;
mod local_proxy;
#[path = "../logged.rs"]
mod logged;
mod meant;
mod network;
mod origins;
mod outcomes;
mod placed;
mod proxied;
mod queue;
mod queue_cut;
mod queue_failures;
mod queue_late;
mod queue_left;
mod queue_many;
mod queue_quiet;
mod queue_unknowns;
mod queue_watch;
mod realtime;
mod redirected;
mod refused;
mod renewal;
mod replaced;
mod resumed;
mod retries;
#[cfg(target_os = "linux")]
mod scarce;
mod secrets;
mod sources;
mod stalls;
mod stream;
mod stream_ends;
#[cfg(target_os = "linux")]
#[path = "../system_calls.rs"]
mod system_calls;
mod tls;
mod unknowns;
mod unproven;
mod unsent;
mod untaken;
mod upload;
mod upload_sources;
mod ways;
mod webhooks;
mod websocket;
mod whole;

use std::net::TcpListener;
use std::time::Duration;

use fal::credentials::Environment;
use fal::{Client, ClientBuilder, Error, Op, Request, Response};
use fal_emulator::Emulator;
use serde_json::{Value, json};

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with the emulator's API key and these environment variables only.
fn builder(emulator: &Emulator) -> ClientBuilder {
    builder_with(emulator, emulator.api_key())
}

fn builder_with(emulator: &Emulator, key: &str) -> ClientBuilder {
    let host = emulator.host();
    logged::builder().environment(Environment::from_variables([
        ("FAL_KEY", key),
        ("FAL_EMULATOR_HOST", &host),
    ]))
}

fn client(emulator: &Emulator) -> Client {
    builder(emulator).build().unwrap()
}

fn run(client: &Client, endpoint: &str, input: Value) -> Result<Response, Error> {
    let mut request = Request::run(endpoint)?;
    request.set_json(input);
    Op::finish(|| client.run_start(request))
}

fn echo(client: &Client) -> Result<Response, Error> {
    run(client, "emulator/echo", json!({"word": "hello"}))
}

fn send(client: &Client, method: &str, url: &str) -> Result<Response, Error> {
    let request = Request::new(method, url)?;
    Op::finish(|| client.send_start(request))
}

/// Tests each row in a thread of its own, because the rows wait and are independent.
fn at_once<R: Send>(rows: impl IntoIterator<Item = R>, test: impl Fn(R) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for row in rows {
            scope.spawn(move || test(row));
        }
    });
}

fn secret(key: &str) -> &str {
    key.split_once(':').unwrap().1
}

/// A listening port of the test to which no client should connect.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Trap(listener)
    }

    fn url(&self) -> String {
        format!("http://{}/trap", self.0.local_addr().unwrap())
    }

    fn assert_untouched(&self) {
        let caught = self.0.accept();
        assert!(caught.is_err(), "a client connected to the trap");
    }
}
