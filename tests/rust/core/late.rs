//! How late others are while an operation reads a large answer that is meant to cost much, and how
//! soon it ends when it is told to.

use super::costs::{zipped, zipped_answer};
use super::hostile::{answered, client_of, hostile_to};
use super::*;
use fal::Job;
use std::fmt::Write;
use std::time::Instant;

/// Others are to be late by less than this, and what is told to end is to have ended.
const LATE: Duration = Duration::from_millis(100);
/// The machine may be busy: the best of so many tries counts.
const TRIES: usize = 8;
/// And it may be busy all the time. What looks at such an answer in one go takes longer than this
/// in a debug build.
const BUSY: Duration = Duration::from_millis(400);

/// An array of so many numbers.
const NUMBERS: usize = 4 << 20;

type Start = fn(&Client) -> Op;

const OPERATIONS: [(&str, Start); 10] = [
    ("run", |client| {
        client
            .run_start(Request::run("emulator/large").unwrap())
            .unwrap()
    }),
    ("run that fails", |client| {
        client
            .run_start(Request::run("emulator/failed").unwrap())
            .unwrap()
    }),
    ("submit", |client| {
        client
            .submit_start(Request::run("emulator/job").unwrap())
            .unwrap()
    }),
    ("status", |client| client.status_start(&job()).unwrap()),
    ("subscribe", |client| client.attach_start(&job()).unwrap()),
    ("cancel", |client| client.cancel_start(&job()).unwrap()),
    ("stream", |client| {
        client
            .stream_start(Request::run("emulator/events").unwrap())
            .unwrap()
    }),
    ("stream of a workflow", |client| {
        client
            .stream_start(Request::run("workflows/me/events").unwrap())
            .unwrap()
    }),
    ("list", |client| {
        client.platform_list_start("keys.list", json!({})).unwrap()
    }),
    ("live log", |client| {
        client
            .platform_list_start("serverless.logs.stream", json!({}))
            .unwrap()
    }),
];

fn job() -> Job {
    Job::new("emulator/job", "r-1").unwrap()
}

/// Answers each with much.
fn server() -> Client {
    let body = |before: &[u8], after: &[u8]| zipped(&[(before, 1), (b"0,", NUMBERS), (after, 1)]);
    let array = body(b"[", b"0]");
    let object = body(b"{\"request_id\":\"r-1\",\"x\":[", b"0]}");
    let page = body(b"{\"keys\":[", b"0]}");
    let events = body(b"data: [", b"0]\n\n");
    let window = zipped(&[
        (b"{\"status\":\"IN_PROGRESS\",\"logs\":[", 1),
        (b"0,", 4 << 20),
        (b"0]}", 1),
    ]);
    let host = hostile_to(move |head, connection| {
        let json = "application/json";
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        match path {
            "/emulator/other" => answered(connection, "200 OK", "x-fal-request-id: r-2\r\n", "{}"),
            "/emulator/failed" => {
                let head = "422 No\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\nx-fal-request-id: r";
                write_answer(connection, head, &object)
            }
            path if path.ends_with("/status/stream") => {
                answered(connection, "404 Not Found", "", "{}")
            }
            path if path.ends_with("/status") => zipped_answer(connection, json, &window),
            path if path.ends_with("/stream") => {
                zipped_answer(connection, "text/event-stream", &events)
            }
            path if path.ends_with("/keys") => zipped_answer(connection, json, &page),
            "/emulator/large" => zipped_answer(connection, json, &array),
            _ => zipped_answer(connection, json, &object),
        }
    });
    client_of(&host).timeout(PATIENCE).build().unwrap()
}

fn write_answer(
    connection: &mut std::net::TcpStream,
    head: &str,
    body: &[u8],
) -> std::io::Result<()> {
    use std::io::Write;
    write!(
        connection,
        "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    connection.write_all(body)
}

/// How long the longest run of another app takes while two of these are read, as many as there are
/// threads.
fn lateness(client: &Client, start: Start) -> Duration {
    let ops = [(); 2].map(|()| start(client));
    ops.iter().for_each(Op::discard_events);
    let (mut latest, begun) = (Duration::ZERO, Instant::now());
    while !ops.iter().all(|op| op.ended() == Some(true)) && begun.elapsed() < Duration::from_secs(1)
    {
        let asked = Instant::now();
        run(client, "emulator/other", json!({})).unwrap();
        latest = latest.max(asked.elapsed());
    }
    ops.iter().for_each(Op::cancel);
    latest
}

/// How long it takes until one has ended that was told to after `pause`.
fn end(client: &Client, start: Start, pause: Duration) -> Duration {
    let op = start(client);
    op.discard_events();
    std::thread::sleep(pause);
    let told = Instant::now();
    op.cancel();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    told.elapsed()
}

fn best(mut measure: impl FnMut() -> Duration) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        best = best.min(measure());
        if best < LATE {
            break;
        }
    }
    best
}

#[test]
fn nobody_is_late_while_a_large_answer_is_read() {
    let client = server();
    let (mut table, mut late) = (
        String::from("| Operation | others are late by | a cancellation takes |\n|---|---|---|\n"),
        vec![],
    );
    for (operation, start) in OPERATIONS {
        let others = best(|| lateness(&client, start));
        let ends =
            [100, 400].map(|pause| best(|| end(&client, start, Duration::from_millis(pause))));
        let longest = ends.into_iter().max().unwrap_or_default();
        let _ = writeln!(
            table,
            "| {operation} | {} ms | {} ms |",
            others.as_millis(),
            longest.as_millis()
        );
        if others.max(longest) >= BUSY {
            late.push(operation);
        }
    }
    println!("{table}");
    assert!(late.is_empty(), "{late:?} of\n{table}");
}
