//! The Platform API over real sockets (docs/protocol.md §14): against the emulator, and against a
//! server of the tests' own for responses that fal would send only by mistake.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod arguments;
mod documents;
mod every;
#[cfg(unix)]
mod forked;
mod keys;
mod lists;
#[path = "../logged.rs"]
mod logged;
mod python;
mod scopes;
mod server;
mod typed;

use std::time::Duration;

use fal::credentials::Environment;
use fal::{Client, ClientBuilder, Code, Error, Event, EventKind, NextEvent, Op, Response};
use fal_emulator::{DEFAULT_ACCOUNT, Emulator, Fault, OddPages, Scope, Seed};
use serde_json::{Value, json};

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

fn builder(host: &str, key: &str) -> ClientBuilder {
    logged::builder().environment(Environment::from_variables([
        ("FAL_KEY", key),
        ("FAL_EMULATOR_HOST", host),
    ]))
}

fn client(emulator: &Emulator, key: &str) -> Client {
    builder(&emulator.host(), key).build().unwrap()
}

fn admin(emulator: &Emulator) -> Client {
    client(emulator, emulator.admin_key())
}

fn call(client: &Client, name: &str, params: Value) -> Result<Response, Error> {
    Op::finish(|| client.platform_start(name, params))
}

/// Waits for a future on a runtime of the test's own.
fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Waits for the next event.
fn next(op: &Op) -> Option<Event> {
    match op.wait_event(Some(PATIENCE)).unwrap() {
        NextEvent::Event(event) => Some(event),
        NextEvent::End => None,
        NextEvent::Pending => panic!("no event arrives"),
    }
}

/// Collects every item up to the end.
fn items(op: &Op) -> Vec<Value> {
    let events = std::iter::from_fn(|| next(op)).filter(|event| event.kind() == EventKind::Item);
    events.map(|event| event.get("").unwrap().clone()).collect()
}

/// The public half of a key.
fn id(key: &str) -> &str {
    key.split_once(':').unwrap().0
}
