//! A server that sends little data which is expensive to process: memory and time stay
//! proportional, and other calls are not delayed.

use super::hostile::{answered, client_of, hostile_to};
use super::hostile_sockets::socket_server;
use super::realtime::{message, start_with, state};
use super::*;
#[cfg(target_os = "linux")]
use fal::NextEvent;
use fal::{Code, Download, SocketOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// How long another call may take meanwhile. Without fair scheduling it would take as long as the
/// expensive ones.
const SOON: Duration = Duration::from_secs(8);
/// The time limit of an expensive call.
const LIMIT: Duration = Duration::from_secs(2);

pub(super) fn zipped(parts: &[(&[u8], usize)]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for (part, times) in parts {
        let many = part.repeat((1 << 16) / part.len() + 1);
        let (rounds, rest) = (
            times / (many.len() / part.len()),
            times % (many.len() / part.len()),
        );
        (0..rounds).for_each(|_| encoder.write_all(&many).unwrap());
        encoder.write_all(&part.repeat(rest)).unwrap();
    }
    encoder.finish().unwrap()
}

pub(super) fn zipped_answer(
    connection: &mut TcpStream,
    kind: &str,
    body: &[u8],
) -> std::io::Result<()> {
    write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\nx-fal-request-id: r-1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    connection.write_all(body)
}

/// Starts `many` operations and runs another app while they are under way. The other app is fast,
/// and the expensive operations end when their time limit is over.
fn beside(client: &Client, many: usize, start: impl Fn() -> Op) -> Vec<Result<Response, Error>> {
    let begun = Instant::now();
    let ops: Vec<_> = (0..many).map(|_| start()).collect();
    ops.iter().for_each(Op::discard_events);
    // By then the operations process their responses.
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    run(client, "emulator/other", json!({})).unwrap();
    assert!(
        asked.elapsed() < SOON,
        "a run beside took {:?}",
        asked.elapsed()
    );
    let outcomes = ops.iter().map(|op| {
        assert!(op.wait(Some(PATIENCE)).unwrap(), "it hangs");
        op.take().unwrap()
    });
    let outcomes = outcomes.collect();
    assert!(
        begun.elapsed() < LIMIT + 2 * SOON,
        "they took {:?}",
        begun.elapsed()
    );
    outcomes
}

/// A client for a server whose app `emulator/hostile` streams this body.
fn streaming(body: Vec<u8>) -> Client {
    let host = hostile_to(move |head, connection| match head.contains("/hostile/") {
        true => zipped_answer(connection, "text/event-stream", &body),
        false => answered(connection, "200 OK", "x-fal-request-id: r-2\r\n", "{}"),
    });
    client_of(&host).build().unwrap()
}

fn hostile_stream(client: &Client) -> Op {
    let mut request = Request::run("emulator/hostile").unwrap();
    request.set_timeout(LIMIT);
    client.stream_start(request).unwrap()
}

#[test]
fn an_id_of_a_stream_is_not_copied_for_each_event() {
    let client = streaming(zipped(&[
        (b"id: ", 1),
        (b"i", 16 << 20),
        (b"\nevent: ", 1),
        (b"e", 16 << 20),
        (b"\n", 1),
        (b"data:\n\n", 2000),
    ]));
    beside(&client, 2, || hostile_stream(&client));
}

#[test]
fn events_without_number_keep_nobody_waiting() {
    for line in [&b"data:\n\n"[..], b"\n", b"id\n", b"data:1\n\n"] {
        let client = streaming(zipped(&[(line, (48 << 20) / line.len())]));
        for outcome in beside(&client, 2, || hostile_stream(&client)) {
            assert_eq!(outcome.unwrap_err().code(), Code::Deadline, "{line:?}");
        }
    }
}

/// As many streams as there are threads. Every event of a stream is as expensive as the one before.
#[test]
fn streams_that_cost_much_are_cancelled_at_once() {
    let client = streaming(zipped(&[
        (b"id: ", 1),
        (b"i", 32 << 20),
        (b"\n", 1),
        (b"data:\n\n", 10 << 20),
    ]));
    let ops = [(); 2].map(|()| {
        client
            .stream_start(Request::run("emulator/hostile").unwrap())
            .unwrap()
    });
    ops.iter().for_each(Op::discard_events);
    // By then the id has arrived.
    std::thread::sleep(Duration::from_secs(4));
    let asked = Instant::now();
    ops.iter().for_each(Op::cancel);
    for op in ops {
        assert!(op.wait(Some(PATIENCE)).unwrap(), "it goes on");
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
    }
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

/// The peak memory of this process in MiB. Each test needs a process of its own, because another
/// test in the same process would add its memory.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// The item has 10 MiB. A tree of its numbers would take more than 160 MiB.
#[cfg(target_os = "linux")]
#[test]
fn an_item_is_no_tree() {
    let body = zipped(&[(b"data: [", 1), (b"0,", 5 << 20), (b"0]\n\n", 1)]);
    let client = streaming(body);
    let mut request = Request::run("workflows/me/hostile").unwrap();
    request.set_timeout(PATIENCE);
    let before = peak();
    let response = Op::finish(|| client.stream_start(request)).unwrap();
    assert_eq!(response.body().len(), (10 << 20) + 3);
    assert!(peak() - before < 120, "{} MiB", peak() - before);
}

/// The page has 10 MiB. A list with an entry for each element would take more than 240 MiB.
#[cfg(target_os = "linux")]
#[test]
fn a_page_is_no_list_of_its_elements() {
    let body = zipped(&[
        (b"{\"keys\":[", 1),
        (b"0,", 5 << 20),
        (b"0],\"has_more\":false}", 1),
    ]);
    let host =
        hostile_to(move |_, connection| zipped_answer(connection, "application/json", &body));
    let client = client_of(&host).build().unwrap();
    let before = peak();
    let op = client.platform_list_start("keys.list", json!({})).unwrap();
    // The page is parsed by the time its first element is returned.
    let NextEvent::Event(first) = op.wait_event(Some(PATIENCE)).unwrap() else {
        panic!("no element")
    };
    assert_eq!(first.content().text().unwrap(), "0");
    op.cancel();
    assert!(peak() - before < 80, "{} MiB", peak() - before);
}

fn with_status(status: &'static [(&'static [u8], usize)]) -> Client {
    let status = zipped(status);
    let host = hostile_to(move |head, connection| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            path if path.ends_with("/status/stream") => {
                answered(connection, "404 Not Found", "", "{}")
            }
            path if path.ends_with("/status")
                && path.contains("job")
                && head.contains("logs=0") =>
            {
                answered(connection, "200 OK", "", r#"{"status": "COMPLETED"}"#)
            }
            path if path.ends_with("/status") => {
                zipped_answer(connection, "application/json", &status)
            }
            path if path.ends_with("/requests/r-1") => answered(
                connection,
                "200 OK",
                "x-fal-request-id: r-1\r\n",
                r#"{"x": 1}"#,
            ),
            _ => answered(
                connection,
                "200 OK",
                "x-fal-request-id: r-2\r\n",
                r#"{"request_id": "r-1"}"#,
            ),
        }
    });
    client_of(&host).build().unwrap()
}

fn job(client: &Client, time: Duration) -> Op {
    let mut request = Request::run("emulator/job").unwrap();
    request.set_timeout(time);
    client.subscribe_start(request).unwrap()
}

#[test]
fn lines_without_number_keep_nobody_waiting() {
    let client = with_status(&[
        (b"{\"status\":\"IN_PROGRESS\",\"logs\":[", 1),
        (b"{\"message\":\"x\"},", 300_000),
        (b"0]}", 1),
    ]);
    for outcome in beside(&client, 2, || job(&client, LIMIT)) {
        assert_eq!(outcome.unwrap_err().code(), Code::Deadline);
    }
}

/// A status whose log is too large is requested again without the log.
#[test]
fn a_status_that_is_too_large_is_asked_for_without_its_log() {
    let client = with_status(&[
        (b"{\"status\":\"IN_PROGRESS\",\"logs\":[", 1),
        (b"0,", 9 << 20),
        (b"0]}", 1),
    ]);
    let op = job(&client, PATIENCE);
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    assert_eq!(op.take().unwrap().unwrap().get("/x").unwrap(), 1);
    let error = Op::finish(|| client.status_start(&fal::Job::new("emulator/job", "r-1").unwrap()))
        .unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
}

#[test]
fn a_refused_input_is_told_in_a_bounded_message() {
    let long = "x".repeat(300 << 10);
    for (status, body) in [
        (
            422,
            json!({"detail": [{"loc": ["body", long], "msg": long, "type": long, "input": long}]}),
        ),
        (500, json!({"detail": long, "error_type": long})),
        (
            400,
            json!({"error": {"message": long, "type": long, "request_id": long}}),
        ),
    ] {
        let text = body.to_string();
        let host = hostile_to(move |_, connection| {
            answered(
                connection,
                &format!("{status} No"),
                "x-fal-request-id: r\r\n",
                &text,
            )
        });
        let client = client_of(&host).build().unwrap();
        let error = run(&client, "emulator/echo", json!({})).unwrap_err();
        assert!(
            error.message().len() <= 4200 && error.remedy().len() <= 4200,
            "{}",
            error.message().len()
        );
        assert_eq!(error.body(), body.to_string().as_bytes());
    }
}

/// A tree of the body would take more than 300 MiB.
#[cfg(target_os = "linux")]
#[test]
fn an_error_is_no_tree() {
    let text = format!(
        "{{\"detail\":[{{\"msg\":\"no\",\"input\":[{}0]}}]}}",
        r#"{"":0},"#.repeat(1 << 19)
    );
    let host = hostile_to(move |_, connection| {
        answered(connection, "422 No", "x-fal-request-id: r\r\n", &text)
    });
    let client = client_of(&host).build().unwrap();
    let before = peak();
    let error = run(&client, "emulator/echo", json!({})).unwrap_err();
    assert_eq!(
        (error.code(), error.fields().len()),
        (Code::InvalidInput, 1)
    );
    assert!(error.fields()[0].input().is_none() && error.fields()[0].message() == "no");
    assert!(peak() - before < 120, "{} MiB", peak() - before);
}

/// Starts a server that sends each of these messages and then waits for the client to leave.
fn sending(kind: u8, messages: Vec<Vec<u8>>) -> String {
    socket_server(move |connection| {
        for message in &messages {
            connection.write_all(&[0x80 | kind, 126])?;
            connection.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes())?;
            connection.write_all(message)?;
        }
        let _ = connection.read(&mut [0; 64]);
        Ok(())
    })
}

fn direct() -> SocketOptions {
    SocketOptions::new().use_header(true)
}

#[test]
fn keys_within_keys_are_bytes() {
    // If each key were quoted within the one around it, this would take 2 to the 50th bytes.
    let frame = [vec![0x81; 50], vec![1; 51]].concat();
    let session = start_with(
        &client_of(&sending(2, vec![frame.clone(), vec![0x81, 1, 2]]))
            .build()
            .unwrap(),
        direct(),
    );
    assert_eq!(state(session.op()).0, "connected");
    let event = message(session.op());
    assert!(event.is_bytes());
    assert_eq!(event.get_bytes("").unwrap(), frame);
    assert_eq!(
        message(session.op()).content().text().unwrap(),
        r#"{"1":2}"#
    );
}

#[test]
fn json_stays_as_the_app_wrote_it() {
    let text =
        r#"{"n": 123456789012345678901234567890, "d": 0.10000000000000000000001, "a": 1, "a": 2}"#;
    let session = start_with(
        &client_of(&sending(1, vec![text.into()])).build().unwrap(),
        direct(),
    );
    assert_eq!(state(session.op()).0, "connected");
    let event = message(session.op());
    assert_eq!(event.content().text().unwrap(), text);
    assert_eq!(
        event.content().get_raw("/n").unwrap(),
        "123456789012345678901234567890"
    );
    assert_eq!(event.get("/a").unwrap(), 2);
}

/// serde_json's own tree would parse the string as more JSON, without counting its depth.
#[test]
fn no_name_in_an_answer_makes_it_deeper_than_it_looks() {
    let mut text = "1".to_owned();
    for _ in 0..10 {
        text = format!(
            "{}{{\"$serde_json::private::RawValue\":{}}}{}",
            "[".repeat(120),
            json!(text),
            "]".repeat(120)
        );
    }
    let host = hostile_to(move |_, connection| {
        answered(connection, "200 OK", "x-fal-request-id: r\r\n", &text)
    });
    let response = run(
        &client_of(&host).build().unwrap(),
        "emulator/echo",
        json!({}),
    )
    .unwrap();
    let pointer = format!("{}/$serde_json::private::RawValue", "/0".repeat(120));
    assert!(response.get(&pointer).unwrap().is_string());
}

#[test]
fn an_app_that_always_closes_is_not_joined_for_ever() {
    let joined = Arc::new(AtomicU32::new(0));
    let counter = joined.clone();
    let host = socket_server(move |connection| {
        counter.fetch_add(1, Ordering::Relaxed);
        connection.write_all(b"\x81\x02{}\x88\x02\x03\xf4")
    });
    let client = client_of(&host).max_attempts(3).unwrap().build().unwrap();
    let session = start_with(&client, direct());
    session.op().discard_events();
    assert!(
        session.op().wait(Some(PATIENCE)).unwrap(),
        "{joined:?} times"
    );
    assert_eq!(
        session.op().take().unwrap().unwrap_err().code(),
        Code::ConnectionLost
    );
    assert_eq!(joined.load(Ordering::Relaxed), 3);
}

/// Each attempt makes progress, which resets the count of attempts.
#[test]
fn a_download_that_always_begins_anew_ends() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let host = hostile_to(move |_, connection| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        write!(
            connection,
            "HTTP/1.1 200 OK\r\netag: \"{number}\"\r\ncontent-length: {}\r\n\r\n",
            256 << 20
        )?;
        connection.write_all(&vec![0; (number as usize + 1) * (2 << 20)])
    });
    let client = client_of(&host).max_attempts(3).unwrap().build().unwrap();
    let download = Download::new("https://v3.fal.media/files/a/b.bin").unwrap();
    let error = Op::finish(|| client.download_start(download)).unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost);
    assert!(asked.load(Ordering::Relaxed) <= 4, "{asked:?}");
}

#[test]
fn a_pointer_that_leads_too_deep_is_refused() {
    let mut request = Request::run("emulator/echo").unwrap();
    for value in [json!(1), json!("x")] {
        let error = request.set_field(&"/a".repeat(100_000), value).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
    request.set_field(&"/a".repeat(128), json!(1)).unwrap();
}
