//! Sessions with a realtime app (docs/protocol.md §7).

use std::sync::{Arc, Mutex};
use std::time::Instant;

use fal::credentials::{Callback, Options};
use fal::{Code, Event, EventKind, NextEvent, Realtime, SocketOptions, WhenFull, bytes_value};
use fal_emulator::{Arrival, Fault, RealtimeRefusal, Settings, TokenAnswer, TokenStatus};

use super::*;

pub(super) const REALTIME: &str = "emulator/realtime";

pub(super) fn start_with(client: &Client, options: SocketOptions) -> Realtime {
    client
        .realtime_start(Request::run(REALTIME).unwrap(), options)
        .unwrap()
}

pub(super) fn start(client: &Client) -> Realtime {
    start_with(client, SocketOptions::new())
}

/// An input whose `script` tells the emulator's app what else to do.
pub(super) fn input(n: u64, script: Value) -> Value {
    json!({"n": n, "emulator": script})
}

pub(super) fn next(op: &Op) -> Event {
    match op.wait_event(Some(PATIENCE)).unwrap() {
        NextEvent::Event(event) => event,
        other => panic!("{other:?}: {:?}", op.take()),
    }
}

pub(super) fn message(op: &Op) -> Event {
    let event = next(op);
    assert_eq!(
        event.kind(),
        EventKind::Message,
        "{:?}",
        event.content().text()
    );
    event
}

pub(super) fn state(op: &Op) -> (String, Value) {
    let event = next(op);
    assert_eq!(
        event.kind(),
        EventKind::Connection,
        "{:?}",
        event.content().text()
    );
    (
        event.get("/state").unwrap().as_str().unwrap().to_owned(),
        event.get("").unwrap().clone(),
    )
}

pub(super) fn connected(op: &Op) {
    let (state, whole) = state(op);
    assert_eq!(state, "connected");
    assert!(whole["request_id"].is_string(), "{whole}");
}

pub(super) fn ended(op: &Op) -> Result<Response, Error> {
    assert!(op.wait(Some(PATIENCE)).unwrap());
    op.take().unwrap()
}

/// Collects the remaining events and the outcome.
pub(super) fn drain(op: &Op) -> (Vec<Event>, Result<Response, Error>) {
    let mut events = Vec::new();
    loop {
        match op.wait_event(Some(PATIENCE)).unwrap() {
            NextEvent::Event(event) => events.push(event),
            NextEvent::End => return (events, op.take().unwrap()),
            NextEvent::Pending => panic!("nothing happens"),
        }
    }
}

pub(super) fn no_socket_is_left(emulator: &Emulator) {
    let end = Instant::now() + PATIENCE;
    while emulator.open_websockets() > 0 {
        assert!(Instant::now() < end, "a socket leaks");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn tokens_made(emulator: &Emulator) -> usize {
    emulator
        .arrivals()
        .iter()
        .filter(|one| one.path.starts_with("/tokens"))
        .count()
}

pub(super) fn handshakes(emulator: &Emulator) -> Vec<Arrival> {
    emulator
        .arrivals()
        .into_iter()
        .filter(|one| one.path.starts_with("/emulator/realtime"))
        .collect()
}

#[test]
fn inputs_go_in_and_results_come_out() {
    let emulator = Emulator::start().unwrap();
    let session = start(&client(&emulator));
    let op = session.op();
    let sent = json!({
        "text": "grüße", "none": null, "list": [1.5, -1, true], "large": u64::MAX, "small": i64::MIN,
        "image": bytes_value(&[0, 255, 1]), "nested": {"ext": {"$ext": [5, "AQI="]}},
    });
    session.send(&sent).unwrap();
    connected(op);
    let result = message(op);
    assert_eq!(result.get("").unwrap(), &sent);
    assert_eq!(result.get_bytes("/image").unwrap(), [0, 255, 1]);
    assert_eq!(result.get_bytes("/nested/ext").unwrap(), [1, 2]);
    assert_eq!(
        result.get_bytes("/text").unwrap_err().code(),
        Code::WrongType
    );
    session.close();
    let outcome = ended(op).unwrap();
    assert_eq!(outcome.get("/ended").unwrap(), "closed");
    assert_eq!(outcome.get("/received").unwrap(), 1);
    assert_eq!(outcome.get("/unanswered").unwrap(), 0);
    assert!(outcome.request_id().is_some());
    assert_eq!(session.send(&json!({})).unwrap_err().code(), Code::Closed);
    no_socket_is_left(&emulator);
    let arrival = &handshakes(&emulator)[0];
    assert_eq!(arrival.path, "/emulator/realtime/realtime");
    assert!(!format!("{arrival:?}").contains("max_buffering"));
    assert_eq!(tokens_made(&emulator), 1);
}

#[test]
fn ten_thousand_messages_come_in_order() {
    let emulator = Emulator::start().unwrap();
    let session = start(&client(&emulator));
    session.send(&input(1, json!({"outputs": 10_000}))).unwrap();
    connected(session.op());
    for index in 0..10_000 {
        assert_eq!(message(session.op()).get("/index").unwrap(), index);
    }
    // The host does not read for a while: the app has to wait, and no message is lost.
    session.send(&input(2, json!({"outputs": 5_000}))).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    session.close();
    let (events, outcome) = drain(session.op());
    let indices = events
        .iter()
        .map(|event| event.get("/index").unwrap().as_u64().unwrap());
    assert!(indices.eq(0..5_000), "{}", events.len());
    assert_eq!(outcome.unwrap().get("/received").unwrap(), 15_000);
}

#[test]
fn json_in_text_frames_and_frames_of_other_codecs_are_messages() {
    let emulator = Emulator::start().unwrap();
    let session = start(&client(&emulator));
    let op = session.op();
    connected(op);
    session
        .send(&input(1, json!({"outputs": 0, "text": "{\"a\": [1]}"})))
        .unwrap();
    assert_eq!(message(op).get("/a/0").unwrap(), 1);
    session
        .send(&input(2, json!({"outputs": 0, "text": "not json"})))
        .unwrap();
    let text = message(op);
    assert_eq!(
        (text.content().text().unwrap(), text.is_bytes()),
        ("not json", false)
    );
    session
        .send(&input(
            3,
            json!({"outputs": 0, "raw": bytes_value(&[0xC1, 7])}),
        ))
        .unwrap();
    let raw = message(op);
    assert!(raw.is_bytes());
    assert_eq!(raw.get_bytes("").unwrap(), [0xC1, 7]);
    // Metadata is not a message.
    session.send(&input(4, json!({"timings": true}))).unwrap();
    session.send(&input(5, json!({}))).unwrap();
    assert_eq!(message(op).get("/n").unwrap(), 4);
    assert_eq!(message(op).get("/n").unwrap(), 5);
}

#[test]
fn control_messages_end_the_session() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for script in [
        json!({"error": "TIMEOUT"}),
        json!({"close": 1000}),
        json!({"close": 1001}),
    ] {
        let session = start(&client);
        session.send(&input(1, script.clone())).unwrap();
        let (events, outcome) = drain(session.op());
        assert_eq!(events.len(), 2, "{script}");
        let expected = if script["error"] == "TIMEOUT" {
            "timeout"
        } else {
            "server"
        };
        assert_eq!(outcome.unwrap().get("/ended").unwrap(), expected);
    }
    for (script, kind, text) in [
        (
            json!({"error": "INTERNAL_ERROR", "reason": "boom"}),
            Some("INTERNAL_ERROR"),
            "boom",
        ),
        (json!({"error": "OTHER"}), Some("OTHER"), "asked for it"),
        (
            json!({"close": 4003, "reason": "too much"}),
            None,
            "4003: too much",
        ),
    ] {
        let session = start(&client);
        session.send(&input(1, script)).unwrap();
        let error = drain(session.op()).1.unwrap_err();
        assert_eq!(
            (error.code(), error.error_type()),
            (Code::ServiceFailed, kind),
            "{error}"
        );
        assert!(
            error.message().contains(text) && error.request_id().is_some(),
            "{error}"
        );
        assert!(!error.may_have_executed(), "its result had arrived");
    }
    let session = start(&client);
    session
        .send(&input(1, json!({"outputs": 0, "error": "INTERNAL_ERROR"})))
        .unwrap();
    assert!(drain(session.op()).1.unwrap_err().may_have_executed());
    assert_eq!(
        handshakes(&emulator).len(),
        7,
        "no new connection is opened"
    );
    no_socket_is_left(&emulator);
}

#[test]
fn a_broken_connection_is_made_anew_and_open_inputs_are_reported() {
    let emulator = Emulator::start().unwrap();
    let session = start(&client(&emulator));
    let op = session.op();
    session.send(&input(1, json!({"drop": true}))).unwrap();
    connected(op);
    message(op);
    let (was, told) = state(op);
    assert_eq!(
        (was.as_str(), &told["unanswered"]),
        ("lost", &json!(0)),
        "{told}"
    );
    connected(op);
    // This input is under way when the connection breaks.
    session.send(&input(2, json!({"ms": 60_000}))).unwrap();
    let end = Instant::now() + PATIENCE;
    while emulator.websocket_messages()[REALTIME].received < 2 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
    emulator.cut_websockets();
    let (was, told) = state(op);
    assert_eq!(
        (was.as_str(), &told["unanswered"]),
        ("lost", &json!(1)),
        "{told}"
    );
    session.send(&input(3, json!({}))).unwrap();
    connected(op);
    assert_eq!(
        message(op).get("/n").unwrap(),
        3,
        "the second is not sent again"
    );
    session.close();
    let outcome = ended(op).unwrap();
    assert_eq!(outcome.get("/connections").unwrap(), 3);
    assert_eq!(outcome.get("/unanswered").unwrap(), 1);
    assert_eq!(
        tokens_made(&emulator),
        1,
        "a token opens more than one connection"
    );
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let first = Emulator::start().unwrap();
    let port = first.addr().port();
    let key = Arc::new(Mutex::new(first.api_key().to_owned()));
    let asked = key.clone();
    let callback = Callback::new(move |answer| answer.key(&asked.lock().unwrap(), None).unwrap());
    let client = crate::logged::builder()
        .environment(Environment::from_variables([(
            "FAL_EMULATOR_HOST",
            &*first.host(),
        )]))
        .credentials(Options::new().callback(callback))
        .max_attempts(100)
        .unwrap()
        .build()
        .unwrap();
    let session = start_with(
        &client,
        SocketOptions::new().queue(2, WhenFull::DropOldest).unwrap(),
    );
    let op = session.op();
    connected(op);
    session.send(&json!({"n": 1})).unwrap();
    message(op);
    drop(first);
    assert_eq!(state(op).0, "lost");
    (2..=5).for_each(|n| session.send(&json!({"n": n})).unwrap());
    let second = Emulator::builder().port(port).start().unwrap();
    *key.lock().unwrap() = second.api_key().to_owned();
    connected(op);
    let (was, told) = state(op);
    assert_eq!((was.as_str(), &told["count"]), ("dropped", &json!(2)));
    assert_eq!(message(op).get("/n").unwrap(), 4);
    assert_eq!(message(op).get("/n").unwrap(), 5);
    session.close();
    assert_eq!(ended(op).unwrap().get("/unsent").unwrap(), 2);
}

#[test]
fn a_connection_that_always_breaks_is_given_up() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
    let session = start(&client);
    session
        .send(&input(1, json!({"outputs": 0, "drop": true})))
        .unwrap();
    connected(session.op());
    assert_eq!(state(session.op()).0, "lost");
    connected(session.op());
    session
        .send(&input(2, json!({"outputs": 0, "drop": true})))
        .unwrap();
    let (_, outcome) = drain(session.op());
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    emulator.inject(
        Fault::status(503)
            .body(json!({"detail": "later"}))
            .path("/emulator/realtime/*")
            .times(9),
    );
    let error = drain(start(&client).op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ServiceUnavailable, false),
        "{error}"
    );
}

#[test]
fn a_full_queue_refuses_or_drops_as_told() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::delay(Duration::from_millis(700))
            .path("/tokens/")
            .times(9),
    );
    let client = client(&emulator);
    let full = |when| start_with(&client, SocketOptions::new().queue(2, when).unwrap());
    let refusing = full(WhenFull::Refuse);
    refusing.send(&json!({"n": 1})).unwrap();
    refusing.send(&json!({"n": 2})).unwrap();
    let error = refusing.send(&json!({"n": 3})).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::QueueFull, false)
    );
    refusing.close();
    assert_eq!(drain(refusing.op()).1.unwrap().get("/sent").unwrap(), 2);
    let newest = full(WhenFull::KeepNewest);
    (1..=3).for_each(|n| newest.send(&json!({"n": n})).unwrap());
    connected(newest.op());
    assert_eq!(state(newest.op()).1["count"], 2);
    assert_eq!(message(newest.op()).get("/n").unwrap(), 3);
    for malformed in [0, 65537] {
        assert!(
            SocketOptions::new()
                .queue(malformed, WhenFull::Refuse)
                .is_err()
        );
    }
}

#[test]
fn tokens_are_renewed_in_time_and_replaced_when_they_are_refused() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let session = start_with(
        &client,
        SocketOptions::new()
            .token_lifetime(Duration::from_secs(2))
            .unwrap(),
    );
    connected(session.op());
    emulator
        .wait_until(PATIENCE, |seen| {
            seen.iter()
                .filter(|one| one.path.starts_with("/tokens"))
                .count()
                >= 3
        })
        .unwrap();
    assert_eq!(
        handshakes(&emulator).len(),
        1,
        "the connection outlives its token"
    );
    let before = tokens_made(&emulator);
    emulator.cut_websockets();
    assert_eq!(state(session.op()).0, "lost");
    connected(session.op());
    assert!(tokens_made(&emulator) <= before + 1);
    session.op().cancel();
    // The service says that the token has expired. libfal cannot verify that, so it replaces the
    // token once.
    for (refusal, states) in [
        (RealtimeRefusal::Http, &["lost", "connected"][..]),
        (
            RealtimeRefusal::Message,
            &["lost", "connected", "lost", "connected"],
        ),
    ] {
        let patient = Settings {
            realtime_refusal: refusal,
            realtime_session_seconds: Some(3600),
            ..Settings::default()
        };
        emulator.set(patient);
        let session = start(&client);
        connected(session.op());
        let before = tokens_made(&emulator);
        emulator.advance(Duration::from_secs(130));
        emulator.cut_websockets();
        for expected in states {
            assert_eq!(state(session.op()).0, *expected, "{refusal:?}");
        }
        session.send(&json!({"n": 1})).unwrap();
        message(session.op());
        assert_eq!(tokens_made(&emulator), before + 1, "{refusal:?}");
        session.close();
        ended(session.op()).unwrap();
    }
}

#[test]
fn a_token_that_is_always_refused_is_an_error() {
    let emulator = Emulator::start().unwrap();
    let client = builder_with(&emulator, "fake-id:fake-secret-unknown")
        .build()
        .unwrap();
    let error = drain(start(&client).op()).1.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    let session = start(&super::client(&emulator));
    for _ in 0..2 {
        connected(session.op());
        session
            .send(&input(1, json!({"outputs": 0, "unauthorized": true})))
            .unwrap();
        assert_eq!(state(session.op()).0, "lost");
    }
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Unauthenticated, true),
        "{error}"
    );
}

#[test]
fn every_credential_opens_a_session_in_its_way() {
    let emulator = Emulator::start().unwrap();
    let key = client(&emulator);
    let session = start_with(&key, SocketOptions::new().use_header(true));
    connected(session.op());
    assert_eq!(tokens_made(&emulator), 0);
    assert!(handshakes(&emulator)[0].had_key());
    session.op().cancel();
    let minted = Op::finish(|| key.mint_token_start(&[REALTIME], Duration::from_secs(60))).unwrap();
    let token = minted.get_str("/token").unwrap().to_owned();
    let logged = Arc::new(Mutex::new(String::new()));
    let sink = logged.clone();
    let host = emulator.host();
    let powerless = crate::logged::builder()
        .environment(Environment::from_variables([("FAL_EMULATOR_HOST", &*host)]))
        .credentials(Options::new().app_token(&token))
        .log(fal::Level::Debug, move |_, _, line| {
            sink.lock().unwrap().push_str(line)
        })
        .build()
        .unwrap();
    let before = tokens_made(&emulator);
    let session = start(&powerless);
    session.send(&json!({"n": 1})).unwrap();
    connected(session.op());
    message(session.op());
    assert_eq!(
        tokens_made(&emulator),
        before,
        "it cannot make tokens and need not"
    );
    assert!(!handshakes(&emulator)[1].had_key());
    fal::runtime::flush_log(PATIENCE).unwrap();
    let logged = logged.lock().unwrap();
    assert!(
        logged.contains("/emulator/realtime/realtime") && !logged.contains(&token),
        "{logged}"
    );
}

#[test]
fn paths_buffers_and_first_inputs_are_as_asked() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let mut request = Request::run("emulator/realtime/realtime").unwrap();
    request.set_json(json!({"n": 7}));
    let session = client
        .realtime_start(request, SocketOptions::new().max_buffering(60).unwrap())
        .unwrap();
    connected(session.op());
    assert_eq!(message(session.op()).get("/n").unwrap(), 7);
    assert_eq!(handshakes(&emulator)[0].path, "/emulator/realtime/realtime");
    assert!(
        handshakes(&emulator)[0].to_json()["query"]
            .to_string()
            .contains("max_buffering")
    );
    let mut request = Request::run(REALTIME).unwrap();
    request.set_path("nowhere").unwrap();
    let error = drain(
        client
            .realtime_start(request, SocketOptions::new())
            .unwrap()
            .op(),
    )
    .1
    .unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    for most in [0, 61] {
        assert!(SocketOptions::new().max_buffering(most).is_err());
    }
    assert!(
        client
            .realtime_start(
                Request::new("GET", "/v1/keys").unwrap(),
                SocketOptions::new()
            )
            .is_err()
    );
}

#[test]
fn a_frame_above_the_limit_is_refused() {
    let emulator = Emulator::start().unwrap();
    let session = start_with(
        &client(&emulator),
        SocketOptions::new().max_message_bytes(1 << 20),
    );
    assert_eq!(
        session
            .send(&bytes_value(&vec![0; 2 << 20]))
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
    session
        .send(&input(1, json!({"outputs": 0, "bytes": 500_000})))
        .unwrap();
    connected(session.op());
    assert_eq!(
        message(session.op()).get_bytes("/data").unwrap().len(),
        500_000
    );
    session
        .send(&input(1, json!({"outputs": 0, "bytes": 64 << 20})))
        .unwrap();
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::TooLarge, true),
        "{error}"
    );
    no_socket_is_left(&emulator);
}

#[test]
fn a_session_can_be_ended_at_any_stage() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let connecting = || {
        emulator.inject(
            Fault::delay(Duration::from_secs(30))
                .path("/emulator/realtime/*")
                .times(1),
        );
        start(&client)
    };
    let talking = || {
        emulator.clear_faults();
        let session = start(&client);
        session.send(&input(1, json!({"outputs": 3000}))).unwrap();
        connected(session.op());
        message(session.op());
        session
    };
    let stages: [&dyn Fn() -> Realtime; 2] = [&connecting, &talking];
    for stage in stages {
        let session = stage();
        session.op().cancel();
        assert_eq!(ended(session.op()).unwrap_err().code(), Code::Cancelled);
        assert_eq!(session.send(&json!({})).unwrap_err().code(), Code::Closed);
        // All handles are dropped, so the events have no reader.
        drop(stage());
        let session = stage();
        session.close();
        assert!(drain(session.op()).1.is_ok());
        no_socket_is_left(&emulator);
    }
    emulator.clear_faults();
    let mut request = Request::run(REALTIME).unwrap();
    request.set_timeout(Duration::from_millis(800));
    request.set_json(input(1, json!({"ms": 60_000})));
    let session = client
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    let error = drain(session.op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Deadline, true),
        "{error}"
    );
    no_socket_is_left(&emulator);
}

#[test]
fn a_server_proxy_lets_no_tokens_be_made_unless_it_is_told_to() {
    let emulator = Emulator::start().unwrap();
    let host = emulator.host();
    let proxy = format!("http://{host}/api/fal/proxy");
    let build = || {
        let environment = Environment::from_variables([("FAL_EMULATOR_HOST", &*host)]);
        crate::logged::builder()
            .environment(environment)
            .proxy(&proxy)
            .unwrap()
            .build()
            .unwrap()
    };
    let error = drain(start(&build()).op()).1.unwrap_err();
    assert!(
        error.message().contains("token") && error.remedy().contains("rest.fal.ai/tokens/"),
        "{error} {}",
        error.remedy()
    );
    let error = drain(start_with(&build(), SocketOptions::new().use_header(true)).op())
        .1
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
}

#[test]
fn sessions_go_through_tls_and_a_proxy() {
    let emulator = Emulator::start().unwrap();
    let client = crate::network::outside(&emulator, &[("HTTPS_PROXY", &emulator.host())])
        .build()
        .unwrap();
    let session = start(&client);
    session
        .send(&input(1, json!({"bytes": 3_000_000})))
        .unwrap();
    connected(session.op());
    assert_eq!(message(session.op()).get("/n").unwrap(), 1);
    assert_eq!(
        message(session.op()).get_bytes("/data").unwrap().len(),
        3_000_000
    );
    assert_eq!(emulator.connects()["fal.run"], 1);
    let channel = client
        .channel(&Request::run("emulator/echo").unwrap())
        .unwrap();
    Op::finish(|| channel.run_start(Request::run("emulator/echo").unwrap())).unwrap();
    assert_eq!(emulator.connects()["ws.fal.run"], 1);
    let last =
        Op::finish(|| client.stream_start(Request::run("emulator/stream").unwrap())).unwrap();
    assert_eq!(last.get("/output").unwrap(), "Done");
}

#[test]
fn every_form_of_a_tokens_answer_is_read() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for token_answer in [TokenAnswer::String, TokenAnswer::Token, TokenAnswer::Detail] {
        for token_status in [TokenStatus::Ok, TokenStatus::Created] {
            emulator.set(Settings {
                token_answer,
                token_status,
                ..Settings::default()
            });
            let session = start(&client);
            connected(session.op());
            session.op().cancel();
        }
    }
    emulator.inject(
        Fault::status(200)
            .body(json!({"nothing": 1}))
            .path("/tokens/")
            .times(1),
    );
    let error = drain(start(&client).op()).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Protocol, false),
        "{error}"
    );
}

#[test]
fn no_key_is_in_an_address_and_no_token_in_an_error() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key().to_owned();
    let logged = Arc::new(Mutex::new(String::new()));
    let sink = logged.clone();
    let client = builder(&emulator)
        .log(fal::Level::Debug, move |_, _, line| {
            sink.lock().unwrap().push_str(line)
        })
        .build()
        .unwrap();
    let session = start(&client);
    connected(session.op());
    session
        .send(&input(1, json!({"error": "INTERNAL_ERROR"})))
        .unwrap();
    let (events, outcome) = drain(session.op());
    let error = outcome.unwrap_err();
    // The URL of a refused handshake contained the token.
    let mut request = Request::run(REALTIME).unwrap();
    request.set_path("nowhere").unwrap();
    let refused = drain(
        client
            .realtime_start(request, SocketOptions::new())
            .unwrap()
            .op(),
    )
    .1
    .unwrap_err();
    fal::runtime::flush_log(PATIENCE).unwrap();
    let shown = format!(
        "{error:?}{error}{refused:?}{refused}{events:?}{session:?}{}",
        logged.lock().unwrap()
    );
    for secret in [secret(&key), "fal_jwt_token"] {
        assert!(!shown.contains(secret), "a secret shows");
    }
    for arrival in emulator.arrivals() {
        let address = format!("{} {:?}", arrival.path, arrival.to_json()["query"]);
        assert!(!address.contains(secret(&key)), "the key is in an address");
    }
}
