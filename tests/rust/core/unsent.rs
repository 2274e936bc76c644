//! Inputs that were not sent are counted and reported, however their session ends.

use std::io::Read;
use std::sync::mpsc;
use std::time::Instant;

use super::hostile::client_of;
use super::hostile_sockets::socket_server;
use super::realtime::{REALTIME, connected, drain, input, message, start, start_with, state};
use super::*;
use fal::{Code, Event, EventKind, Realtime, SocketOptions, WhenFull};
use fal_emulator::Fault;

const MIB: usize = 1 << 20;

/// The number of dropped inputs according to the events.
pub(super) fn told(events: &[Event]) -> u64 {
    let connections = events
        .iter()
        .filter(|event| event.kind() == EventKind::Connection);
    let dropped = connections.filter(|event| event.get("/state").unwrap() == "dropped");
    dropped
        .map(|event| event.get("/count").unwrap().as_u64().unwrap())
        .sum()
}

/// A session whose handshake gets no response, with three inputs.
fn connecting(emulator: &Emulator, client: &Client, request: Request) -> Realtime {
    emulator.inject(
        Fault::delay(Duration::from_secs(60))
            .path("/emulator/realtime/*")
            .times(1),
    );
    let session = client
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    (1..=3).for_each(|n| session.send(&json!({"n": n})).unwrap());
    assert_eq!(session.unsent(), 3);
    session
}

#[test]
fn inputs_that_wait_for_a_connection_are_counted_at_a_cancellation_and_a_deadline() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for code in [Code::Cancelled, Code::Deadline] {
        let mut request = Request::run(REALTIME).unwrap();
        request.set_timeout(if code == Code::Deadline {
            Duration::from_millis(700)
        } else {
            PATIENCE
        });
        let session = connecting(&emulator, &client, request);
        if code == Code::Cancelled {
            session.op().cancel();
        }
        let (events, outcome) = drain(session.op());
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (code, false),
            "{error}"
        );
        assert_eq!((session.unsent(), told(&events)), (3, 3), "{code}");
        assert_eq!(session.send(&json!({})).unwrap_err().code(), Code::Closed);
        assert_eq!(session.unsent(), 3, "what was refused does not count");
    }
}

#[test]
fn inputs_of_a_session_that_fails_or_is_ended_by_the_app_are_counted() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
    emulator.inject(
        Fault::status(503)
            .delayed(Duration::from_millis(700))
            .path("/emulator/realtime/*")
            .times(1),
    );
    let session = start(&client);
    (1..=2).for_each(|n| session.send(&json!({"n": n})).unwrap());
    let (events, outcome) = drain(session.op());
    assert_eq!(outcome.unwrap_err().code(), Code::ServiceUnavailable);
    assert_eq!((session.unsent(), told(&events)), (2, 2));
    // All inputs were sent, so none is left.
    let session = start(&client);
    session
        .send(&input(1, json!({"error": "TIMEOUT"})))
        .unwrap();
    let (events, outcome) = drain(session.op());
    assert_eq!(
        (
            outcome.unwrap().get("/unsent").unwrap(),
            session.unsent(),
            told(&events)
        ),
        (&json!(0), 0, 0)
    );
}

/// The number of complete messages in a client's frames.
fn frames(bytes: &[u8]) -> u64 {
    let (mut at, mut count) = (0, 0);
    while let Some(head) = bytes.get(at..at + 2) {
        let short = usize::from(head[1] & 0x7F);
        let wide = [(126, 2), (127, 8)]
            .into_iter()
            .find(|(mark, _)| *mark == short)
            .map_or(0, |(_, wide)| wide);
        let Some(length) = bytes.get(at + 2..at + 2 + wide) else {
            break;
        };
        let length = if wide == 0 {
            short
        } else {
            length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        at += 2 + wide + 4 + length;
        count += u64::from(at <= bytes.len() && matches!(head[0] & 0x0F, 1 | 2));
    }
    count
}

/// Inputs queued behind one that the server does not read: those that arrived, those that may have
/// been sent and those that were not add up to all inputs.
#[test]
fn inputs_that_wait_behind_another_are_counted_and_the_others_arrived() {
    const INPUTS: u64 = 60;
    for cancelled in [true, false] {
        let (go, may_go) = mpsc::channel::<()>();
        let (arrived, arrivals) = mpsc::channel();
        let may_go = std::sync::Mutex::new((may_go, arrived));
        let host = socket_server(move |connection| {
            let (may_go, arrived) = &*may_go.lock().unwrap();
            may_go.recv().unwrap();
            if !cancelled {
                std::io::Write::write_all(connection, b"\x88\x02\x03\xE8")?;
            }
            let mut bytes = Vec::new();
            let _ = connection.read_to_end(&mut bytes);
            arrived.send(frames(&bytes)).unwrap();
            Ok(())
        });
        let client = client_of(&host).build().unwrap();
        let session = start_with(&client, SocketOptions::new().use_header(true));
        assert_eq!(state(session.op()).0, "connected");
        let pad = "x".repeat(MIB);
        (0..INPUTS).for_each(|n| session.send(&json!({"n": n, "pad": pad})).unwrap());
        let end = Instant::now() + PATIENCE;
        while session.unsent() == INPUTS {
            assert!(Instant::now() < end, "nothing is sent");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut before = INPUTS;
        // Sends until the connection is full.
        while session.unsent() < before {
            before = session.unsent();
            std::thread::sleep(Duration::from_millis(300));
        }
        if cancelled {
            session.op().cancel();
            assert!(session.op().wait(Some(PATIENCE)).unwrap());
        }
        go.send(()).unwrap();
        let (events, outcome) = drain(session.op());
        let unsent = session.unsent();
        assert!(
            unsent > 0 && told(&events) == unsent,
            "{unsent} and {}",
            told(&events)
        );
        match outcome {
            Ok(response) => {
                assert_eq!(
                    (
                        response.get("/ended").unwrap(),
                        response.get("/unsent").unwrap()
                    ),
                    (&json!("server"), &json!(unsent))
                );
                assert_eq!(response.get("/sent").unwrap(), INPUTS - unsent);
            }
            Err(error) => assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::Cancelled, true),
                "{error}"
            ),
        }
        let arrived = arrivals.recv_timeout(PATIENCE).unwrap();
        // One message may be cut off in its middle.
        assert!(
            (INPUTS - unsent - 1..=INPUTS - unsent).contains(&arrived),
            "{arrived} arrived, {unsent} did not leave"
        );
    }
}

/// A host that reads no events delays the event about a dropped input. The event must not be lost
/// when the session ends.
#[test]
fn what_was_dropped_while_nobody_read_is_told_at_the_end() {
    let emulator = Emulator::start().unwrap();
    let session = start_with(
        &client(&emulator),
        SocketOptions::new().queue(1, WhenFull::KeepNewest).unwrap(),
    );
    session.send(&input(0, json!({"outputs": 3000}))).unwrap();
    connected(session.op());
    message(session.op());
    // The queues of events and of inputs are full.
    std::thread::sleep(Duration::from_millis(700));
    (0..2000).for_each(|n| session.send(&json!({"n": n})).unwrap());
    assert!(session.unsent() > 1);
    session.op().cancel();
    let (events, outcome) = drain(session.op());
    assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
    assert_eq!(told(&events), session.unsent());
}

/// The first input also counts as unsent while its files are uploaded.
#[test]
fn an_input_whose_files_are_not_there_yet_counts() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::delay(Duration::from_secs(60))
            .path("/storage/*")
            .times(9),
    );
    let client = client(&emulator);
    let mut request = Request::run(REALTIME).unwrap();
    request
        .set_file_bytes("image_url", &b"bytes"[..], "image/webp")
        .unwrap();
    let session = client
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    session.send(&json!({"n": 2})).unwrap();
    assert_eq!(session.unsent(), 2);
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    session.op().cancel();
    let (events, outcome) = drain(session.op());
    assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
    assert_eq!((session.unsent(), told(&events)), (2, 2));
    // A missing file fails the session before it begins.
    emulator.clear_faults();
    let mut request = Request::run(REALTIME).unwrap();
    request.set_file("image_url", "/missing").unwrap();
    let session = client
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    let (events, outcome) = drain(session.op());
    assert!(outcome.is_err());
    assert_eq!((session.unsent(), told(&events)), (1, 1));
}

#[test]
fn a_websocket_counts_them_too() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::delay(Duration::from_secs(60))
            .path("/emulator/ws")
            .times(1),
    );
    let socket = client(&emulator)
        .websocket_start(Request::run("emulator/ws").unwrap(), SocketOptions::new())
        .unwrap();
    socket.send_text("a").unwrap();
    socket.send_bytes((&b"b"[..]).into()).unwrap();
    assert_eq!(socket.unsent(), 2);
    socket.op().cancel();
    let (events, outcome) = drain(socket.op());
    assert_eq!(outcome.unwrap_err().code(), Code::Cancelled);
    assert_eq!((socket.unsent(), told(&events)), (2, 2));
}
