//! Realtime apps and raw WebSockets.

use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Fault, MessageCounts, Outcome, RealtimeRefusal, Settings};
use rmpv::Value as Packed;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Request;
use crate::socket::{Socket, map, open, open_on, pack, token};
use crate::tunnel::{block_on, tls};

const REALTIME: &str = "/emulator/realtime/realtime";

async fn realtime(emulator: &Emulator) -> Socket<tokio::net::TcpStream> {
    open(emulator, "fal.run", REALTIME, Some(emulator.api_key()))
        .await
        .ok()
        .unwrap()
}

fn n(number: u64) -> Packed {
    map(&[("n", number.into())])
}

fn indexed(number: u64, index: u64) -> Packed {
    map(&[("n", number.into()), ("index", index.into())])
}

#[test]
fn inputs_come_back_and_are_counted() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = realtime(&emulator).await;
        assert_eq!(emulator.open_websockets(), 1);
        let input = map(&[
            ("text", "grüße".into()),
            ("bytes", Packed::Binary(vec![0, 255])),
            ("list", Packed::Array(vec![1.5.into(), Packed::Nil])),
        ]);
        for _ in 0..3 {
            socket.send(Message::binary(pack(&input))).await;
            assert_eq!(socket.packed().await, input);
        }
        socket.0.close(None).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
        assert!(socket.next().await.is_none());
    });
    let arrival = &emulator.arrivals()[0];
    assert_eq!(
        (arrival.outcome, arrival.executed, arrival.method.as_str()),
        (Outcome::Status(101), true, "GET")
    );
    assert!(arrival.request_id.is_some() && arrival.had_key());
    assert_eq!(
        emulator.websocket_messages()["emulator/realtime"],
        MessageCounts {
            received: 3,
            sent: 3
        }
    );
    let stats = Request::get("127.0.0.1", "/_emulator/stats")
        .send(&emulator)
        .json();
    assert_eq!(
        stats["websocket_messages"],
        json!({"emulator/realtime": {"received": 3, "sent": 3}})
    );
    assert_eq!(emulator.executions()["emulator/realtime"], 1);
    let end = Instant::now() + Duration::from_secs(10);
    while emulator.open_websockets() + emulator.open_connections() > 0 {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_app_does_what_an_input_asks_for() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = realtime(&emulator).await;
        let began = Instant::now();
        socket
            .input(
                1,
                &[
                    ("outputs", 3.into()),
                    ("ms", 30.into()),
                    ("timings", true.into()),
                ],
            )
            .await;
        for index in 0..3 {
            assert_eq!(socket.packed().await, indexed(1, index));
        }
        assert!(began.elapsed() >= Duration::from_millis(90));
        let timings = json!({"type": "x-fal-message", "action": "timings", "timing": 0.125});
        assert_eq!(socket.json().await, timings);
        socket
            .input(2, &[("outputs", 0.into()), ("text", "not json".into())])
            .await;
        assert_eq!(socket.text().await, "not json");
        socket
            .input(
                3,
                &[("outputs", 0.into()), ("raw", Packed::Binary(vec![0xc1]))],
            )
            .await;
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::binary(vec![0xc1])
        );
        socket
            .input(4, &[("outputs", 0.into()), ("bytes", 3_000_000.into())])
            .await;
        let Packed::Map(fields) = socket.packed().await else {
            panic!("no map")
        };
        assert_eq!(fields[0].1.as_slice().unwrap().len(), 3_000_000);
        socket.input(5, &[]).await;
        assert_eq!(socket.packed().await, n(5));
    });
}

#[test]
fn errors_come_in_a_frame_before_a_normal_close() {
    let emulator = Emulator::start().unwrap();
    let no_inputs = "no inputs, reconnect when needed!";
    for (script, expected) in [
        (
            vec![("error", "TIMEOUT".into())],
            json!({"type": "x-fal-error", "error": "TIMEOUT", "reason": no_inputs}),
        ),
        (
            vec![
                ("error", "INTERNAL_ERROR".into()),
                ("reason", "boom".into()),
            ],
            json!({"type": "x-fal-error", "error": "INTERNAL_ERROR", "reason": "boom"}),
        ),
        (
            vec![("error", "OTHER".into())],
            json!({"type": "x-fal-error", "error": "OTHER", "reason": "the input asked for it"}),
        ),
        (
            vec![("unauthorized", true.into())],
            json!({"status": "error", "error": "Unauthorized"}),
        ),
    ] {
        block_on(async {
            let mut socket = realtime(&emulator).await;
            socket.input(1, &script).await;
            assert_eq!(socket.packed().await, n(1));
            assert_eq!(socket.json().await, expected);
            assert_eq!(socket.closed().await, (1000, String::new()));
        });
    }
}

#[test]
fn what_is_no_map_breaks_the_session() {
    let emulator = Emulator::start().unwrap();
    for (message, reason) in [
        (Message::text("{}"), "the input is not a binary frame"),
        (Message::binary(vec![0x81]), "the input is not MessagePack"),
        (Message::binary(pack(&1.into())), "the input is not a map"),
        (
            Message::binary([pack(&n(1)), vec![0]].concat()),
            "the input is more than one MessagePack value",
        ),
    ] {
        block_on(async {
            let mut socket = realtime(&emulator).await;
            socket.send(message).await;
            let error = json!({"type": "x-fal-error", "error": "INTERNAL_ERROR", "reason": reason});
            assert_eq!(socket.json().await, error);
            assert_eq!(socket.closed().await.0, 1000);
        });
    }
}

#[test]
fn a_connection_closes_with_a_code_or_without_a_word() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = realtime(&emulator).await;
        socket
            .input(
                1,
                &[
                    ("outputs", 0.into()),
                    ("close", 4003.into()),
                    ("reason", "too much".into()),
                ],
            )
            .await;
        assert_eq!(socket.closed().await, (4003, "too much".into()));
        let mut socket = realtime(&emulator).await;
        socket.input(1, &[("drop", true.into())]).await;
        assert_eq!(socket.packed().await, n(1));
        socket.broken().await;
    });
}

#[test]
fn a_busy_app_keeps_the_newest_inputs_only() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let path = format!("{REALTIME}?max_buffering=2");
        let mut socket = open(&emulator, "fal.run", &path, Some(emulator.api_key()))
            .await
            .ok()
            .unwrap();
        socket
            .input(0, &[("outputs", 2.into()), ("ms", 400.into())])
            .await;
        assert_eq!(socket.packed().await, indexed(0, 0));
        for number in 1..=5 {
            socket.input(number, &[]).await;
        }
        assert_eq!(socket.packed().await, indexed(0, 1));
        assert_eq!((socket.packed().await, socket.packed().await), (n(4), n(5)));
        socket.input(6, &[]).await;
        assert_eq!(socket.packed().await, n(6));
        for wrong in ["0", "61", "-1", "x"] {
            let path = format!("{REALTIME}?max_buffering={wrong}");
            assert_eq!(
                open(&emulator, "fal.run", &path, Some(emulator.api_key()))
                    .await
                    .err()
                    .unwrap()
                    .0,
                422
            );
        }
    });
}

#[test]
fn a_session_without_inputs_ends_without_fault() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = realtime(&emulator).await;
        socket.input(1, &[]).await;
        socket.packed().await;
        emulator.advance(Duration::from_secs(45));
        socket.input(2, &[]).await;
        assert_eq!(socket.packed().await, n(2));
        emulator.advance(Duration::from_secs(61));
        assert_eq!(socket.json().await["error"], "TIMEOUT");
        assert_eq!(socket.closed().await.0, 1000);
        emulator.set(Settings {
            realtime_session_seconds: Some(0),
            ..Settings::default()
        });
        assert_eq!(realtime(&emulator).await.json().await["error"], "TIMEOUT");
    });
}

#[test]
fn handshakes_are_refused_in_http() {
    let emulator = Emulator::start().unwrap();
    let (right, other) = (
        token(&emulator, &json!(["realtime"]), 60),
        token(&emulator, &json!(["ws"]), 60),
    );
    let whole_path = token(&emulator, &json!(["emulator/realtime/realtime"]), 60);
    let wrong = "fake-id:fake-secret-wrong";
    let bad_key = json!({"detail": "invalid key credentials"});
    let bad_token = json!({"detail": "bearer: invalid or expired token"});
    let no_access = json!({"detail": "Cannot access application \"emulator/realtime\""});
    block_on(async {
        let refused = async |path: &str, key: Option<&str>| {
            open(&emulator, "fal.run", path, key).await.err().unwrap()
        };
        assert_eq!(refused(REALTIME, None).await, (401, no_access.clone()));
        assert_eq!(refused(REALTIME, Some(wrong)).await, (401, bad_key));
        assert_eq!(
            refused(&format!("{REALTIME}?fal_jwt_token=fake.fake.fake"), None).await,
            (401, bad_token.clone())
        );
        assert_eq!(
            refused(&format!("{REALTIME}?fal_jwt_token={other}"), None).await,
            (403, no_access)
        );
        for path in [
            "/emulator/nothing/realtime",
            "/emulator/realtime/other",
            "/emulator/echo",
            "/emulator/ws/x",
        ] {
            assert_eq!(
                refused(path, Some(emulator.api_key())).await.0,
                404,
                "{path}"
            );
        }
        for token in [&right, &whole_path] {
            let mut socket = open(
                &emulator,
                "fal.run",
                &format!("{REALTIME}?fal_jwt_token={token}"),
                None,
            )
            .await
            .ok()
            .unwrap();
            // The token is checked only at the handshake; the connection outlives it.
            emulator.advance(Duration::from_secs(50));
            socket.input(1, &[]).await;
            assert_eq!(socket.packed().await, n(1));
        }
        emulator.advance(Duration::from_secs(11));
        assert_eq!(
            refused(&format!("{REALTIME}?fal_jwt_token={right}"), None).await,
            (401, bad_token)
        );
    });
    let plain = Request::get("fal.run", REALTIME)
        .key(emulator.api_key())
        .send(&emulator);
    assert_eq!(plain.status, 404);
    for arrival in emulator.arrivals() {
        assert!(!format!("{arrival:?}").contains(&right));
    }
}

#[test]
fn a_token_may_be_refused_by_a_message() {
    let emulator = Emulator::start().unwrap();
    emulator.set(Settings {
        realtime_refusal: RealtimeRefusal::Message,
        ..Settings::default()
    });
    block_on(async {
        let path = format!("{REALTIME}?fal_jwt_token=fake.fake.fake");
        let mut socket = open(&emulator, "fal.run", &path, None).await.ok().unwrap();
        assert_eq!(
            socket.json().await,
            json!({"status": "error", "error": "Unauthorized"})
        );
        assert_eq!(socket.closed().await.0, 1000);
        assert_eq!(
            open(&emulator, "fal.run", REALTIME, None)
                .await
                .err()
                .unwrap()
                .0,
            401
        );
    });
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_raw_socket_sends_back_what_it_gets() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = open(
            &emulator,
            "fal.run",
            "/emulator/ws",
            Some(emulator.api_key()),
        )
        .await
        .ok()
        .unwrap();
        for message in [
            Message::text("some text"),
            Message::binary(vec![0, 1]),
            Message::binary(vec![7; 2_000_000]),
        ] {
            socket.send(message.clone()).await;
            assert!(socket.next().await.unwrap().unwrap() == message);
        }
    });
    assert_eq!(
        emulator.websocket_messages()["emulator/ws"],
        MessageCounts {
            received: 3,
            sent: 3
        }
    );
}

#[test]
fn a_ping_is_answered_by_a_busy_app_too() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = realtime(&emulator).await;
        socket.input(1, &[("ms", 1000.into())]).await;
        socket.send(Message::Ping(vec![1, 2].into())).await;
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::Pong(vec![1, 2].into())
        );
        assert_eq!(socket.packed().await, n(1));
    });
}

#[test]
fn a_test_cuts_every_socket() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut first = realtime(&emulator).await;
        let mut second = open(
            &emulator,
            "fal.run",
            "/emulator/ws",
            Some(emulator.api_key()),
        )
        .await
        .ok()
        .unwrap();
        first.input(1, &[]).await;
        first.packed().await;
        assert_eq!(emulator.cut_websockets(), 2);
        first.broken().await;
        second.broken().await;
        let mut third = realtime(&emulator).await;
        third.input(1, &[("ms", 60_000.into())]).await;
        let answer = Request::new("DELETE", "127.0.0.1", "/_emulator/websockets")
            .send(&emulator)
            .json();
        assert!(answer["cut"].as_u64() >= Some(1));
        third.broken().await;
    });
}

#[test]
fn sockets_work_under_tls() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let stream = tls(&emulator, "fal.run", &["http/1.1"]).await.unwrap();
        let mut socket = open_on(stream, "fal.run", REALTIME, Some(emulator.api_key()))
            .await
            .ok()
            .unwrap();
        socket.input(1, &[("bytes", 3_000_000.into())]).await;
        assert_eq!(socket.packed().await, n(1));
        socket.packed().await;
        emulator.cut_websockets();
        socket.broken().await;
    });
    assert_eq!(emulator.connects()["fal.run"], 1);
}

#[test]
fn faults_strike_a_handshake() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::status(503)
            .body(json!({"detail": "later"}))
            .path("/emulator/realtime/*"),
    );
    block_on(async {
        let refused = open(&emulator, "fal.run", REALTIME, Some(emulator.api_key()))
            .await
            .err()
            .unwrap();
        assert_eq!(refused, (503, json!({"detail": "later"})));
        realtime(&emulator).await;
    });
    let outcomes: Vec<_> = emulator.arrivals().iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Status(503), Outcome::Status(101)]);
}
