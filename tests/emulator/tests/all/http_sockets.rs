//! `ws.fal.run`: HTTP over WebSocket.

use std::time::Duration;

use fal_emulator::{Emulator, Fault, MessageCounts, Outcome};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Request;
use crate::socket::{Socket, open, token};
use crate::tunnel::block_on;

async fn socket(emulator: &Emulator, path: &str) -> Socket<TcpStream> {
    open(emulator, "ws.fal.run", path, Some(emulator.api_key()))
        .await
        .ok()
        .unwrap()
}

async fn send(socket: &mut Socket<TcpStream>, input: &Value) {
    socket.send(Message::text(input.to_string())).await;
}

/// Reads one response: its start, its body and its end.
async fn answer(socket: &mut Socket<TcpStream>) -> (Value, Vec<u8>, Value) {
    let start = socket.json().await;
    assert_eq!(start["type"], "start");
    let mut body = Vec::new();
    loop {
        let message = socket.next().await.unwrap().unwrap();
        if let Message::Text(text) = &message
            && let Ok(end) = serde_json::from_str::<Value>(text)
            && end.get("type").is_some()
            && end.get("request_id").is_some()
        {
            assert_eq!(
                (&end["type"], &end["request_id"]),
                (&json!("end"), &start["request_id"])
            );
            assert_eq!(end["status"], start["status"]);
            assert!(end["time_to_first_byte_seconds"].as_f64().unwrap() >= 0.0);
            return (start, body, end);
        }
        body.extend_from_slice(&message.into_data());
    }
}

#[test]
fn requests_are_answered_in_order() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut slow = socket(&emulator, "/emulator/slow").await;
        for ms in [200, 0, 50] {
            send(&mut slow, &json!({"ms": ms})).await;
        }
        let mut ids = Vec::new();
        for ms in [200, 0, 50] {
            let (start, body, end) = answer(&mut slow).await;
            assert_eq!(
                (&start["status"], &start["headers"]["content-type"]),
                (&json!(200), &json!("application/json"))
            );
            assert_eq!(
                serde_json::from_slice::<Value>(&body).unwrap(),
                json!({"ms": ms})
            );
            assert!(ms == 0 || end["time_to_first_byte_seconds"].as_f64().unwrap() > 0.0);
            assert_eq!(start["headers"]["x-fal-request-id"], start["request_id"]);
            ids.push(start["request_id"].clone());
        }
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        send(&mut slow, &json!({"ms": -1})).await;
        let (start, body, _) = answer(&mut slow).await;
        assert_eq!(start["status"], 422);
        assert!(serde_json::from_slice::<Value>(&body).unwrap()["detail"].is_array());
    });
    let arrivals = emulator.arrivals();
    let seen: Vec<_> = arrivals
        .iter()
        .map(|one| (one.method.as_str(), one.outcome, one.executed))
        .collect();
    let post = ("POST", Outcome::Status(200), true);
    let refused = ("POST", Outcome::Status(422), false);
    assert_eq!(
        seen,
        [
            ("GET", Outcome::Status(101), false),
            post,
            post,
            post,
            refused
        ]
    );
    assert!(
        arrivals
            .iter()
            .all(|one| one.host == "ws.fal.run" && one.had_key())
    );
    assert_eq!(emulator.executions()["emulator/slow"], 3);
    assert_eq!(
        emulator.websocket_messages()["emulator/slow"],
        MessageCounts {
            received: 4,
            sent: 12
        }
    );
}

#[test]
fn streams_and_bytes_come_in_pieces() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut events = socket(&emulator, "/emulator/stream/stream").await;
        send(&mut events, &json!({"events": [1, 2], "ms": 10})).await;
        let (start, body, _) = answer(&mut events).await;
        assert_eq!(start["headers"]["content-type"], "text/event-stream");
        assert_eq!(body, b"data: 1\n\ndata: 2\n\n");
        let mut bytes = socket(&emulator, "/emulator/bytes").await;
        send(&mut bytes, &json!({"size": 200_000})).await;
        let pattern: Vec<u8> = (0..200_000).map(|at| (at % 251) as u8).collect();
        assert!(answer(&mut bytes).await.1 == pattern);
        let mut flux = socket(&emulator, "/fal-ai/flux/schnell").await;
        send(&mut flux, &json!({"prompt": "a cat"})).await;
        let (_, body, _) = answer(&mut flux).await;
        assert!(serde_json::from_slice::<Value>(&body).unwrap()["images"][0]["url"].is_string());
    });
}

#[test]
fn a_body_is_not_taken_for_control() {
    let emulator = Emulator::start().unwrap();
    let confusing = r#"{"type":"end","request_id":"x"}"#;
    block_on(async {
        let mut socket = socket(&emulator, "/emulator/stream").await;
        send(
            &mut socket,
            &json!({"events": [confusing], "not_sse": true}),
        )
        .await;
        assert_eq!(answer(&mut socket).await.1, confusing.as_bytes());
    });
}

#[test]
fn a_broken_stream_has_no_end() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        let mut socket = socket(&emulator, "/emulator/stream/stream").await;
        send(&mut socket, &json!({"events": [1], "cut": true})).await;
        assert_eq!(socket.json().await["type"], "start");
        assert_eq!(socket.text().await, "data: 1\n\n");
        assert_eq!(socket.text().await, "data: {\"cut");
        socket.broken().await;
    });
    assert_eq!(emulator.arrivals()[1].outcome, Outcome::ClosedByFault);
}

#[test]
fn handshakes_need_a_key_or_a_token() {
    let emulator = Emulator::start().unwrap();
    let token = token(&emulator, &json!(["echo"]), 60);
    block_on(async {
        let refused = async |path: &str, key: Option<&str>| {
            open(&emulator, "ws.fal.run", path, key)
                .await
                .err()
                .unwrap()
                .0
        };
        assert_eq!(refused("/emulator/echo", None).await, 401);
        assert_eq!(
            refused("/emulator/echo", Some("fake-id:fake-secret-wrong")).await,
            401
        );
        assert_eq!(
            refused(&format!("/emulator/slow?fal_jwt_token={token}"), None).await,
            403
        );
        assert_eq!(
            refused("/emulator/nothing", Some(emulator.api_key())).await,
            404
        );
        let path = format!("/emulator/echo?fal_jwt_token={token}");
        let mut socket = open(&emulator, "ws.fal.run", &path, None)
            .await
            .ok()
            .unwrap();
        emulator.advance(Duration::from_secs(61));
        send(&mut socket, &json!({"a": 1})).await;
        let (_, body, _) = answer(&mut socket).await;
        let echo: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&echo["method"], &echo["body"], &echo["path"]),
            (&json!("POST"), &json!({"a": 1}), &json!("/emulator/echo"))
        );
        assert_eq!(echo["headers"].get("sec-websocket-key"), None);
        assert!(!String::from_utf8(body).unwrap().contains(&token));
    });
    let plain = Request::get("ws.fal.run", "/emulator/echo")
        .key(emulator.api_key())
        .send(&emulator);
    assert_eq!(plain.status, 404);
}

#[test]
fn faults_strike_single_requests() {
    let emulator = Emulator::start().unwrap();
    let only_posts = |fault: Fault| emulator.inject(fault.method("POST").host("ws.fal.run"));
    block_on(async {
        let mut first = socket(&emulator, "/emulator/echo").await;
        only_posts(Fault::status(429).body(json!({"detail": "slow down"})));
        send(&mut first, &json!({})).await;
        let (start, body, _) = answer(&mut first).await;
        assert_eq!(
            (&start["status"], body.as_slice()),
            (&json!(429), &br#"{"detail":"slow down"}"#[..])
        );
        only_posts(Fault::delay(Duration::from_millis(50)));
        send(&mut first, &json!({})).await;
        assert_eq!(answer(&mut first).await.0["status"], 200);
        only_posts(Fault::reset_after_body());
        send(&mut first, &json!({})).await;
        first.broken().await;
    });
}
