//! Raw WebSockets, and HTTP over WebSocket (docs/protocol.md §7.6, §8).

use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use fal::{Channel, Code, Event, EventKind, HostRole, NextEvent, SocketOptions, WebSocket};
use fal_emulator::{Arrival, Fault};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::*;

fn open(client: &Client, options: SocketOptions) -> WebSocket {
    client
        .websocket_start(Request::run("emulator/ws").unwrap(), options)
        .unwrap()
}

fn next(op: &Op) -> Event {
    match op.wait_event(Some(PATIENCE)).unwrap() {
        NextEvent::Event(event) => event,
        other => panic!("{other:?}: {:?}", op.take()),
    }
}

fn connected(op: &Op) {
    let event = next(op);
    assert_eq!(
        (event.kind(), event.get("/state").unwrap().as_str()),
        (EventKind::Connection, Some("connected"))
    );
}

fn end(op: &Op) -> Result<Response, Error> {
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    op.take().unwrap()
}

fn no_socket_is_left(emulator: &Emulator) {
    let end = Instant::now() + PATIENCE;
    while emulator.open_websockets() > 0 {
        assert!(Instant::now() < end, "a socket leaks");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn messages_go_as_they_are() {
    let emulator = Emulator::start().unwrap();
    for header in [false, true] {
        let socket = open(&client(&emulator), SocketOptions::new().use_header(header));
        connected(socket.op());
        let json = r#"{"type":"x-fal-error","error":"TIMEOUT"}"#;
        for text in ["some text", "", json] {
            socket.send_text(text).unwrap();
            let message = next(socket.op());
            assert_eq!(
                (message.kind(), message.content().text().unwrap()),
                (EventKind::Message, text)
            );
            assert!(!message.is_bytes());
        }
        let bytes = vec![7; 2_000_000];
        socket.send_bytes(bytes.clone().into()).unwrap();
        let message = next(socket.op());
        assert!(message.is_bytes() && message.get_bytes("").unwrap() == bytes);
        socket.close();
        assert_eq!(end(socket.op()).unwrap().get("/sent").unwrap(), 4);
        no_socket_is_left(&emulator);
    }
    let arrivals = emulator.arrivals();
    let handshakes: Vec<_> = arrivals
        .iter()
        .filter(|one| one.path == "/emulator/ws")
        .map(Arrival::had_key)
        .collect();
    assert_eq!(handshakes, [false, true]);
}

#[test]
fn a_connection_that_breaks_is_an_error_and_not_made_anew() {
    let emulator = Emulator::start().unwrap();
    let socket = open(&client(&emulator), SocketOptions::new());
    connected(socket.op());
    emulator.cut_websockets();
    let error = end(socket.op()).unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost, "{error}");
    assert_eq!(socket.send_text("x").unwrap_err().code(), Code::Closed);
    assert_eq!(
        emulator
            .arrivals()
            .iter()
            .filter(|one| one.path == "/emulator/ws")
            .count(),
        1
    );
    let mut request = Request::run("emulator/ws").unwrap();
    request.set_path("nowhere").unwrap();
    let socket = client(&emulator)
        .websocket_start(request, SocketOptions::new())
        .unwrap();
    assert_eq!(end(socket.op()).unwrap_err().code(), Code::NotFound);
    let socket = open(&client(&emulator), SocketOptions::new());
    connected(socket.op());
    socket.op().cancel();
    assert_eq!(end(socket.op()).unwrap_err().code(), Code::Cancelled);
    drop(open(&client(&emulator), SocketOptions::new()));
    no_socket_is_left(&emulator);
}

/// Starts a server that responds to each handshake with `answer`.
fn server(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let serving = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let request = head(&mut connection);
        std::io::Write::write_all(&mut connection, answer(&request).as_bytes()).unwrap();
        // The server sends no more, and waits for the client to leave.
        let _ = std::io::Read::read_to_end(&mut connection, &mut Vec::new());
        request
    });
    (host, serving)
}

fn head(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(connection, &mut byte).unwrap();
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

/// The response to a handshake, whose Sec-WebSocket-Accept is correct if `right`.
fn switching(request: &str, right: bool) -> String {
    let key = request.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .starts_with("sec-websocket-key:")
            .then(|| line[18..].trim().to_owned())
    });
    let accept = if right {
        derive_accept_key(key.unwrap().as_bytes())
    } else {
        "d3Jvbmc=".into()
    };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    )
}

fn open_at(host: &str) -> WebSocket {
    let client = crate::logged::builder()
        .environment(Environment::from_variables([(
            "FAL_KEY",
            "fake-id:fake-secret-of-a-socket",
        )]))
        .host(HostRole::Emulator, host)
        .unwrap()
        .build()
        .unwrap();
    open(
        &client,
        SocketOptions::new()
            .use_header(true)
            .ping(Some(Duration::from_millis(200))),
    )
}

#[test]
fn a_handshake_is_checked() {
    let (host, serving) = server(|request| switching(request, false));
    let error = end(open_at(&host).op()).unwrap_err();
    assert_eq!(error.code(), Code::Protocol, "{error}");
    let request = serving.join().unwrap().to_ascii_lowercase();
    for line in [
        "get /emulator/ws http/1.1",
        "host: fal.run",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "authorization: key ",
    ] {
        assert!(request.contains(line), "{line} is missing");
    }
    assert!(
        !request.lines().next().unwrap().contains("secret"),
        "the key is in the address"
    );
    let extended = |request: &str| {
        switching(request, true).replace("upgrade: w", "sec-websocket-extensions: x\r\nupgrade: w")
    };
    let (host, serving) = server(extended);
    assert_eq!(end(open_at(&host).op()).unwrap_err().code(), Code::Protocol);
    serving.join().unwrap();
    let (host, serving) = server(|_| "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into());
    let error = end(open_at(&host).op()).unwrap_err();
    assert_eq!(error.code(), Code::Protocol, "{error}");
    serving.join().unwrap();
}

#[test]
fn a_side_that_falls_silent_counts_as_gone() {
    let (host, serving) = server(|request| switching(request, true));
    let socket = open_at(&host);
    let error = end(socket.op()).unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost, "{error}");
    assert!(
        error.message().contains("the server sent nothing for"),
        "{error}"
    );
    serving.join().unwrap();
    // A server that responds to pings keeps its connection.
    let emulator = Emulator::start().unwrap();
    let socket = open(
        &client(&emulator),
        SocketOptions::new().ping(Some(Duration::from_millis(100))),
    );
    connected(socket.op());
    thread::sleep(Duration::from_millis(1500));
    socket.send_text("still there").unwrap();
    assert_eq!(next(socket.op()).content().text().unwrap(), "still there");
}

fn channel(client: &Client, endpoint: &str) -> Channel {
    client.channel(&Request::run(endpoint).unwrap()).unwrap()
}

fn start_on(channel: &Channel, endpoint: &str, input: Value) -> Op {
    let mut request = Request::run(endpoint).unwrap();
    request.set_json(input);
    channel.run_start(request).unwrap()
}

fn over_sockets(emulator: &Emulator) -> Vec<Arrival> {
    emulator
        .arrivals()
        .into_iter()
        .filter(|one| one.host == "ws.fal.run")
        .collect()
}

#[test]
fn requests_share_a_connection_and_answers_keep_their_order() {
    let emulator = Emulator::start().unwrap();
    let channel = channel(&client(&emulator), "emulator/echo");
    assert!(emulator.arrivals().is_empty(), "nothing is sent yet");
    let ops: Vec<_> = (0..50)
        .map(|n| start_on(&channel, "emulator/echo", json!({"n": n})))
        .collect();
    for (n, op) in ops.iter().enumerate() {
        let response = end(op).unwrap();
        assert_eq!(response.get("/body/n").unwrap(), n);
        assert!(response.request_id().is_some() && response.status() == 200);
    }
    assert_eq!(
        (
            emulator.open_websockets(),
            emulator.executions()["emulator/echo"]
        ),
        (1, 50)
    );
    let handshakes = over_sockets(&emulator)
        .into_iter()
        .filter(|one| one.method == "GET")
        .count();
    assert_eq!(handshakes, 1);
    assert!(over_sockets(&emulator).iter().all(Arrival::had_key));
    drop(channel);
    no_socket_is_left(&emulator);
}

#[test]
fn errors_over_a_channel_are_as_anywhere_else() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let failing = channel(&client, "emulator/fail");
    let input = json!({"type": "image_too_large", "image_url": "https://x"});
    let error = end(&start_on(&failing, "emulator/fail", input.clone())).unwrap_err();
    let plain = run(&client, "emulator/fail", input).unwrap_err();
    assert_eq!(
        (error.code(), error.error_type()),
        (plain.code(), plain.error_type())
    );
    assert_eq!(
        (error.http_status(), error.body()),
        (plain.http_status(), plain.body())
    );
    assert!(error.request_id().is_some());
    assert!(
        end(&start_on(
            &failing,
            "emulator/fail",
            json!({"type": "image_too_large", "image_url": "https://x"})
        ))
        .is_err()
    );
    assert_eq!(
        emulator.open_websockets(),
        1,
        "an error is an answer: the connection stays"
    );
    let wrong = builder_with(&emulator, "fake-id:fake-secret-wrong")
        .build()
        .unwrap();
    let error = end(&start_on(
        &channel(&wrong, "emulator/echo"),
        "emulator/echo",
        json!({}),
    ))
    .unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(
        failing
            .run_start(Request::run("emulator/echo").unwrap())
            .is_err(),
        "another endpoint"
    );
}

/// A start frame has the status of the endpoint, which had the request by then (docs/protocol.md
/// §8). Whatever the status, an app may have run.
#[test]
fn what_was_sent_over_a_channel_is_not_sent_again() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let named = |status, kind: &str| {
        let body = json!({"detail": "x", "error_type": kind});
        Fault::status(status)
            .body(body)
            .header("x-fal-error-type", kind)
    };
    for (fault, code) in [
        (
            Fault::status(429).body(json!({"detail": "later"})),
            Code::RateLimited,
        ),
        (
            Fault::status(429).header("x-fal-needs-retry", "0"),
            Code::RateLimited,
        ),
        (
            named(503, "runner_scheduling_failure"),
            Code::ServiceUnavailable,
        ),
        (
            named(504, "startup_timeout").header("x-fal-request-timeout-type", "user"),
            Code::ServiceUnavailable,
        ),
        (
            Fault::status(401).body(json!({"detail": "Authentication required"})),
            Code::Unauthenticated,
        ),
    ] {
        let told = format!("{fault:?}");
        emulator.clear_arrivals();
        emulator.inject(fault.host("ws.fal.run").method("POST").times(1));
        let error = end(&start_on(
            &channel(&client, "emulator/echo"),
            "emulator/echo",
            json!({}),
        ))
        .unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (code, true),
            "{told}: {error}"
        );
        assert!(
            error.remedy().contains("before you send"),
            "{told}: {}",
            error.remedy()
        );
        let sent = over_sockets(&emulator)
            .into_iter()
            .filter(|one| one.method == "POST")
            .count();
        assert_eq!(sent, 1, "{told}");
    }
    // An app's error about its input is its response.
    emulator.inject(
        Fault::status(422)
            .body(json!({"detail": "no"}))
            .host("ws.fal.run")
            .method("POST")
            .times(1),
    );
    let error = end(&start_on(
        &channel(&client, "emulator/echo"),
        "emulator/echo",
        json!({}),
    ))
    .unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::InvalidInput, false),
        "{error}"
    );
}

/// A status without content is no output over a channel either.
#[test]
fn a_success_without_an_output_is_none_over_a_channel() {
    let emulator = Emulator::start().unwrap();
    let channel = channel(&client(&emulator), "emulator/echo");
    for status in [202, 204, 205, 206] {
        emulator.inject(
            Fault::status(status)
                .host("ws.fal.run")
                .method("POST")
                .times(1),
        );
        let error = end(&start_on(&channel, "emulator/echo", json!({}))).unwrap_err();
        let got = (error.code(), error.http_status(), error.may_have_executed());
        assert_eq!(got, (Code::Protocol, Some(status), true), "{error}");
    }
    assert!(end(&start_on(&channel, "emulator/echo", json!({}))).is_ok());
}

#[test]
fn streams_work_over_a_channel() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let mut request = Request::run("emulator/stream").unwrap();
    request.set_path("stream").unwrap();
    let channel = client.channel(&request).unwrap();
    for _ in 0..2 {
        let op = start_on(
            &channel,
            "emulator/stream",
            json!({"crlf": true, "comments": true}),
        );
        let items: Vec<_> = std::iter::from_fn(|| match op.wait_event(Some(PATIENCE)).unwrap() {
            NextEvent::Event(event) => Some(event.get("").unwrap().clone()),
            _ => None,
        })
        .collect();
        assert_eq!(items.len(), 3);
        assert_eq!(op.take().unwrap().unwrap().get("").unwrap(), &items[2]);
    }
    let error = end(&start_on(&channel, "emulator/stream", json!({"cut": true}))).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert!(error.message().contains("3 items"), "{error}");
    assert!(
        end(&start_on(&channel, "emulator/stream", json!({}))).is_ok(),
        "the next one opens a new connection"
    );
}

#[test]
fn a_channel_survives_cancelled_requests_and_cut_connections() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let slow = channel(&client, "emulator/slow");
    let given_up = start_on(&slow, "emulator/slow", json!({"ms": 300}));
    emulator
        .wait_until(PATIENCE, |seen| seen.iter().any(|one| one.method == "POST"))
        .unwrap();
    given_up.cancel();
    let error = end(&given_up).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Cancelled, true)
    );
    assert!(end(&start_on(&slow, "emulator/slow", json!({"ms": 0}))).is_ok());
    let cut = start_on(&slow, "emulator/slow", json!({"ms": 60_000}));
    emulator
        .wait_until(PATIENCE, |seen| {
            seen.iter().filter(|one| one.method == "POST").count() == 3
        })
        .unwrap();
    emulator.cut_websockets();
    let error = end(&cut).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert!(end(&start_on(&slow, "emulator/slow", json!({"ms": 0}))).is_ok());
    let mut request = Request::run("emulator/slow").unwrap();
    request.set_json(json!({"ms": 30_000}));
    request.set_timeout(Duration::from_millis(500));
    let error = end(&slow.run_start(request).unwrap()).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Deadline, true)
    );
    assert_eq!(
        emulator.executions()["emulator/slow"],
        5,
        "nothing ran twice"
    );
}

#[test]
fn a_channel_whose_other_side_falls_silent_is_lost() {
    let (host, serving) = server(|request| switching(request, true));
    let client = crate::logged::builder()
        .environment(Environment::from_variables([(
            "FAL_KEY",
            "fake-id:fake-secret-of-a-socket",
        )]))
        .host(HostRole::Emulator, &host)
        .unwrap()
        .build()
        .unwrap();
    let silent = channel(&client, "emulator/echo");
    silent.set_ping(Some(Duration::from_millis(200)));
    let error = end(&start_on(&silent, "emulator/echo", json!({}))).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert!(error.message().contains("nothing was heard"), "{error}");
    serving.join().unwrap();
    // A slow app responds to pings, and its response is also waited for after the channel was
    // dropped.
    let emulator = Emulator::start().unwrap();
    let patient = channel(&super::client(&emulator), "emulator/slow");
    patient.set_ping(Some(Duration::from_millis(100)));
    let op = start_on(&patient, "emulator/slow", json!({"ms": 1500}));
    drop(patient);
    end(&op).unwrap();
    no_socket_is_left(&emulator);
}

#[test]
fn a_channel_without_requests_stays_open_and_notices_a_dead_peer() {
    let emulator = Emulator::start().unwrap();
    let idle = channel(&client(&emulator), "emulator/echo");
    idle.set_ping(Some(Duration::from_millis(100)));
    end(&start_on(&idle, "emulator/echo", json!({}))).unwrap();
    thread::sleep(Duration::from_millis(1000));
    end(&start_on(&idle, "emulator/echo", json!({}))).unwrap();
    let handshakes = over_sockets(&emulator)
        .into_iter()
        .filter(|one| one.method == "GET")
        .count();
    assert_eq!(handshakes, 1, "pings are answered, so the connection lasts");
}
