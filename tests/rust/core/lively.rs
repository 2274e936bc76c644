//! A slow or one-sided connection is not dead, and messages after the host's close are still
//! received.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::hostile::client_of;
use super::hostile_sockets::socket_server;
use super::realtime::{REALTIME, connected, drain, input, message, start_with, state};
use super::*;
use fal::credentials::{Callback, Options};
use fal::{Code, SocketOptions, WhenFull};

/// Much shorter than the exchanges below.
const PING: Duration = Duration::from_millis(500);

fn impatient() -> SocketOptions {
    SocketOptions::new().use_header(true).ping(Some(PING))
}

#[test]
fn inputs_without_results_keep_no_connection_from_being_tested() {
    let emulator = Emulator::start().unwrap();
    let session = start_with(&client(&emulator), impatient());
    connected(session.op());
    let end = Instant::now() + 10 * PING;
    while Instant::now() < end {
        session.send(&input(1, json!({"outputs": 0}))).unwrap();
        std::thread::sleep(PING / 10);
    }
    session.send(&json!({"n": 2})).unwrap();
    assert_eq!(
        message(session.op()).get("/n").unwrap(),
        2,
        "the connection was lost"
    );
    // The same over a channel, with requests whose responses take a while.
    let channel = client(&emulator)
        .channel(&Request::run("emulator/slow").unwrap())
        .unwrap();
    channel.set_ping(Some(PING));
    let mut ops = Vec::new();
    for ms in std::iter::once(3000).chain([0; 30]) {
        let mut request = Request::run("emulator/slow").unwrap();
        request.set_json(json!({"ms": ms}));
        ops.push(channel.run_start(request).unwrap());
        std::thread::sleep(PING / 4);
    }
    for op in ops {
        assert!(op.wait(Some(PATIENCE)).unwrap());
        op.take().unwrap().unwrap();
    }
}

/// A single frame that takes longer than the limit of silence.
#[test]
fn a_slow_message_is_no_silence() {
    let size = 1_000_000_u32;
    let host = socket_server(move |connection| {
        connection.write_all(&[0x82, 127, 0, 0, 0, 0])?;
        connection.write_all(&size.to_be_bytes())?;
        for piece in vec![0xC1; size as usize].chunks(size as usize / 25) {
            connection.write_all(piece)?;
            std::thread::sleep(PING / 2);
        }
        let _ = connection.read(&mut [0; 64]);
        Ok(())
    });
    let session = start_with(&client_of(&host).build().unwrap(), impatient());
    assert_eq!(state(session.op()).0, "connected");
    assert_eq!(
        message(session.op()).get_bytes("").unwrap().len(),
        size as usize
    );
}

#[test]
fn a_message_that_is_taken_slowly_is_no_silence() {
    let host = socket_server(move |connection| {
        let mut piece = vec![0; 1 << 20];
        let mut taken = 0;
        while taken < 24 << 20 {
            taken += connection.read(&mut piece)?;
            std::thread::sleep(PING / 5);
        }
        connection.write_all(&[0x81, 2, b'o', b'k'])?;
        let _ = connection.read(&mut [0; 64]);
        Ok(())
    });
    let session = start_with(&client_of(&host).build().unwrap(), impatient());
    assert_eq!(state(session.op()).0, "connected");
    let begun = Instant::now();
    session.send(&json!({"pad": "x".repeat(24 << 20)})).unwrap();
    assert_eq!(message(session.op()).content().text().unwrap(), "ok");
    assert!(
        begun.elapsed() > 4 * PING,
        "it shows nothing: {:?}",
        begun.elapsed()
    );
}

/// An input that fails after the host has closed the session is still an error.
#[test]
fn an_error_after_the_goodbye_is_the_sessions() {
    let fault =
        |kind: &str| format!(r#"{{"type":"x-fal-error","error":"{kind}","reason":"boom"}}"#);
    for (last, close, code) in [
        (fault("INTERNAL_ERROR"), 1000_u16, Some(Code::ServiceFailed)),
        ("ok".to_owned(), 4003, Some(Code::ServiceFailed)),
        (
            r#"{"status":"error","error":"Unauthorized"}"#.to_owned(),
            1000,
            Some(Code::Unauthenticated),
        ),
        (fault("TIMEOUT"), 1000, None),
        ("ok".to_owned(), 1001, None),
    ] {
        let text = last.clone();
        let host = socket_server(move |connection| {
            // By then both the input and the close have been sent.
            std::thread::sleep(Duration::from_millis(500));
            connection.write_all(&[0x81, text.len() as u8])?;
            connection.write_all(text.as_bytes())?;
            connection.write_all(&[0x88, 2])?;
            connection.write_all(&close.to_be_bytes())
        });
        let session = start_with(
            &client_of(&host).build().unwrap(),
            SocketOptions::new().use_header(true),
        );
        session.send(&json!({"n": 1})).unwrap();
        session.close();
        let (events, outcome) = drain(session.op());
        assert!(events.len() <= 3, "no new connection is opened");
        match (outcome, code) {
            (Err(error), Some(code)) => assert_eq!(error.code(), code, "{last}: {error}"),
            (Ok(response), None) => assert_eq!(response.get("/ended").unwrap(), "closed", "{last}"),
            (outcome, _) => panic!("{last}: {outcome:?}"),
        }
    }
}

/// A server that sends one message and then refuses the credential, on every connection, must not
/// make the client ask for credentials without a pause or end.
#[test]
fn a_credential_that_is_refused_again_and_again_is_given_up() {
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = opened.clone();
    let host = socket_server(move |connection| {
        counter.fetch_add(1, Ordering::SeqCst);
        let refusal = br#"{"status":"error","error":"Unauthorized"}"#;
        connection.write_all(&[0x81, 2, b'o', b'k', 0x81, refusal.len() as u8])?;
        connection.write_all(refusal)?;
        connection.write_all(&[0x88, 2, 3, 0xE8])
    });
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let callback = Callback::new(move |answer| {
        *count.lock().unwrap() += 1;
        answer.key("fake-id:fake-secret-for-nobody", None).unwrap();
    });
    let client = client_of(&host)
        .credentials(Options::new().callback(callback))
        .max_attempts(3)
        .unwrap();
    let session = start_with(
        &client.build().unwrap(),
        SocketOptions::new().use_header(true),
    );
    session.op().discard_events();
    assert!(
        session.op().wait(Some(PATIENCE)).unwrap(),
        "it goes on and on"
    );
    let error = session.op().take().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    assert_eq!(
        (opened.load(Ordering::SeqCst), *asked.lock().unwrap()),
        (3, 3)
    );
}

/// The queue of events is full and inputs were dropped. The event about them waits, too, but delays
/// neither the next input nor the pings.
#[test]
fn a_host_that_reads_nothing_can_send_and_stays_connected() {
    const INPUTS: u64 = 200;
    let emulator = Emulator::start().unwrap();
    let options = SocketOptions::new()
        .queue(1, WhenFull::KeepNewest)
        .unwrap()
        .ping(Some(PING));
    let session = start_with(&client(&emulator), options);
    // With the event about the connection they fill the queue.
    session.send(&input(0, json!({"outputs": 1023}))).unwrap();
    let seen = || {
        emulator
            .websocket_messages()
            .get(REALTIME)
            .copied()
            .unwrap_or_default()
    };
    let reach = |what: &str, is_so: &dyn Fn() -> bool| {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    reach("the outputs", &|| seen().sent >= 1023);
    std::thread::sleep(PING);
    for n in 1..INPUTS {
        session.send(&input(n, json!({"outputs": 0}))).unwrap();
    }
    std::thread::sleep(6 * PING);
    let before = session.unsent();
    session.send(&input(INPUTS, json!({"outputs": 0}))).unwrap();
    reach("an input is held up", &|| session.unsent() == before);
    session.close();
    let (events, outcome) = drain(session.op());
    let outcome = outcome.unwrap();
    assert_eq!(
        outcome.get("/connections").unwrap(),
        1,
        "{:?}",
        outcome.text()
    );
    assert_eq!(outcome.get("/unsent").unwrap(), session.unsent());
    assert_eq!(super::unsent::told(&events), session.unsent());
}
