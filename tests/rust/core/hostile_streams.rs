//! A hostile server of streams: every stream ends in an error, within limits, or with the result.

use super::hostile::{answered, client_of, endless, hostile_to};
use super::*;
use fal::Code;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
/// More than the socket buffers of both sides hold.
const SOCKETS: u64 = 32 << 20;

/// Starts a server with one job, whose status stream is `stream`.
fn queue_with(
    stream: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            path if path.ends_with("/status/stream") => {
                connection.write_all(EVENTS)?;
                stream(connection)
            }
            path if path.ends_with("/status") => {
                answered(connection, "200 OK", "", r#"{"status": "COMPLETED"}"#)
            }
            path if path.ends_with("/requests/r-1") => {
                answered(connection, "200 OK", "", r#"{"x": 1}"#)
            }
            _ => answered(connection, "200 OK", "", r#"{"request_id": "r-1"}"#),
        }
    })
}

fn subscribe(host: &str) -> Response {
    let client = client_of(host)
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    Op::finish(|| client.subscribe_start(Request::run("emulator/job").unwrap())).unwrap()
}

#[test]
fn a_line_of_a_stream_without_end() {
    for start in ["data: ", "event: ", "x"] {
        let taken = Arc::new(AtomicU64::new(0));
        let counter = taken.clone();
        let host = hostile_to(move |_, connection| {
            connection.write_all(EVENTS)?;
            connection.write_all(start.as_bytes())?;
            endless(connection, &[b'x'; 4096], &counter)
        });
        let client = client_of(&host)
            .max_response_bytes(1 << 20)
            .build()
            .unwrap();
        let error = Op::finish(|| client.stream_start(Request::run("emulator/stream").unwrap()))
            .unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::TooLarge, true),
            "{start}: {error}"
        );
        assert!(taken.load(Ordering::Relaxed) < SOCKETS, "{start}");
    }
}

#[test]
fn an_event_of_lines_without_end() {
    let host = hostile_to(|_, connection| {
        connection.write_all(EVENTS)?;
        endless(connection, b"data: and more\n", &AtomicU64::new(0))
    });
    let client = client_of(&host)
        .max_response_bytes(1 << 20)
        .build()
        .unwrap();
    let error =
        Op::finish(|| client.stream_start(Request::run("emulator/stream").unwrap())).unwrap_err();
    assert_eq!(error.code(), Code::TooLarge, "{error}");
}

#[test]
fn comments_without_end_last_until_the_deadline() {
    let host = hostile_to(|_, connection| {
        connection.write_all(EVENTS)?;
        endless(connection, b": and more\n\n", &AtomicU64::new(0))
    });
    let client = client_of(&host)
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let error =
        Op::finish(|| client.stream_start(Request::run("emulator/stream").unwrap())).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Deadline, true),
        "{error}"
    );
}

#[test]
fn a_line_of_a_status_stream_without_end_is_not_waited_for() {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    let host = queue_with(move |connection| endless(connection, &[b'x'; 4096], &counter));
    assert_eq!(subscribe(&host).get("/x").unwrap(), 1);
    assert!(taken.load(Ordering::Relaxed) < 2 * SOCKETS);
}

#[test]
fn a_status_stream_of_nothing_but_comments_is_not_waited_for() {
    let host = queue_with(|connection| endless(connection, b": alive\n\n", &AtomicU64::new(0)));
    assert_eq!(subscribe(&host).get("/x").unwrap(), 1);
}

#[test]
fn a_status_stream_of_nonsense_is_not_waited_for() {
    for events in [
        "data: \n\n",
        "data: {}\n\n",
        "data: [1]\n\n",
        "data: {\"status\": 7}\n\n",
        "\0\0\n\n",
    ] {
        let host = queue_with(move |connection| connection.write_all(events.as_bytes()));
        assert_eq!(subscribe(&host).get("/x").unwrap(), 1, "{events}");
    }
}

/// `retry:` is the pause before a client reopens a stream that has ended (the HTML standard).
#[test]
fn a_stream_is_opened_again_when_it_asked_for() {
    let opened: Arc<std::sync::Mutex<Vec<std::time::Instant>>> = Arc::default();
    let seen = opened.clone();
    let host = hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let streams = seen.lock().unwrap().len();
        match path.split('?').next().unwrap_or_default() {
            path if path.ends_with("/status/stream") => {
                seen.lock().unwrap().push(std::time::Instant::now());
                connection.write_all(EVENTS)?;
                connection.write_all(b"retry: 1500\ndata: {\"status\": \"IN_PROGRESS\"}\n\n")
            }
            path if path.ends_with("/status") && streams < 2 => answered(
                connection,
                "202 Accepted",
                "",
                r#"{"status": "IN_PROGRESS"}"#,
            ),
            path if path.ends_with("/status") => {
                answered(connection, "200 OK", "", r#"{"status": "COMPLETED"}"#)
            }
            path if path.ends_with("/requests/r-1") => {
                answered(connection, "200 OK", "", r#"{"x": 1}"#)
            }
            _ => answered(connection, "200 OK", "", r#"{"request_id": "r-1"}"#),
        }
    });
    assert_eq!(subscribe(&host).get("/x").unwrap(), 1);
    let opened = opened.lock().unwrap();
    assert_eq!(opened.len(), 2);
    assert!(
        opened[1] - opened[0] >= Duration::from_millis(1400),
        "{:?}",
        opened[1] - opened[0]
    );
}
