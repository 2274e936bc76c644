use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Outcome};
use serde_json::{Value, json};

use crate::client::{Connection, Request, id};

fn run(emulator: &Emulator, endpoint: &str, input: &Value) -> crate::client::Response {
    Request::run(endpoint, input)
        .key(emulator.api_key())
        .send(emulator)
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let emulator = Emulator::start().unwrap();
    let mut ids: Vec<String> = [
        "emulator/echo",
        "emulator/echo/",
        "no/app",
        "fal-ai/flux/dev",
    ]
    .iter()
    .map(|endpoint| run(&emulator, endpoint, &json!({})).request_id().to_owned())
    .collect();
    let seen: Vec<_> = emulator
        .arrivals()
        .into_iter()
        .map(|arrival| arrival.request_id.unwrap())
        .collect();
    assert_eq!(ids, seen);
    for id in &ids {
        let shape: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(&id[14..15], "4", "{id}");
        assert_eq!(id.to_lowercase(), *id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn unknown_apps_and_paths_are_not_found() {
    let emulator = Emulator::start().unwrap();
    run(&emulator, "acme/nothing/at/all", &json!({}))
        .assert_detail(404, "Application \"acme/nothing\" not found");
    run(&emulator, "alone", &json!({})).assert_detail(404, "Application \"alone\" not found");
    run(&emulator, "", &json!({})).assert_detail(404, "Path / not found");
    for (endpoint, path) in [
        ("fal-ai/flux", "/"),
        ("fal-ai/flux/pro", "/pro"),
        ("emulator/slow/x/y", "/x/y"),
        ("emulator/fail/nonsense", "/nonsense"),
    ] {
        let response = run(&emulator, endpoint, &json!({"prompt": "x"}));
        response.assert_detail(404, format!("Path {path} not found"));
        assert_eq!(response.header("x-fal-billable-units"), Some("0"));
    }
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_method_that_the_app_lacks_is_refused() {
    let emulator = Emulator::start().unwrap();
    for endpoint in [
        "fal-ai/flux/dev",
        "emulator/slow",
        "emulator/bytes",
        "emulator/fail",
    ] {
        let request = Request::get("fal.run", &format!("/{endpoint}")).key(emulator.api_key());
        let response = request.send(&emulator);
        response.assert_detail(405, "Method Not Allowed");
        assert_eq!(response.header("allow"), Some("POST"));
    }
}

#[test]
fn echo_tells_what_the_app_saw_but_no_secret() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let request = Request::new(method, "fal.run", "/emulator/echo/a/b%20c/?x=1&y=%26")
            .key(key)
            .header("X-Fal-Runner-Hint", "here");
        let response = request.send(&emulator);
        assert_eq!(response.header("x-fal-billable-units"), Some("1"));
        assert_eq!(
            response.json(),
            json!({
                "method": method,
                "path": "/emulator/echo/a/b%20c/",
                "query": "x=1&y=%26",
                "headers": { "host": "fal.run", "x-fal-runner-hint": "here" },
                "body": null,
                "key_id": id(key),
            })
        );
    }
    let input = json!({"text": "grün", "list": [1, 2.5, null]});
    assert_eq!(
        run(&emulator, "emulator/echo", &input).json()["body"],
        input
    );
    let bytes = Request::new("POST", "fal.run", "/emulator/echo").key(key);
    let response = bytes.bytes([0xff, 0x00]).send(&emulator);
    assert_eq!(response.json()["body"], json!({"base64": "/wA="}));
}

#[test]
fn a_body_may_come_in_chunks() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let request = "POST /acme/public HTTP/1.1\r\nHost: fal.run\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
    std::io::Write::write_all(&mut connection.0, request.as_bytes()).unwrap();
    assert_eq!(connection.read().unwrap().json()["body"], json!({"a": 1}));
    assert_eq!(emulator.arrivals()[0].body_length, 7);
}

#[test]
fn slow_takes_its_time() {
    let emulator = Emulator::start().unwrap();
    let began = Instant::now();
    let response = run(&emulator, "emulator/slow", &json!({"ms": 150}));
    assert_eq!(response.json(), json!({"ms": 150}));
    assert!(began.elapsed() >= Duration::from_millis(150));
    let invalid = run(&emulator, "emulator/slow", &json!({"ms": -1}));
    assert_eq!(invalid.status, 422);
}

#[test]
fn bytes_are_not_json() {
    let emulator = Emulator::start().unwrap();
    let response = run(&emulator, "emulator/bytes", &json!({"size": 300_001}));
    assert_eq!(
        response.header("content-type"),
        Some("application/octet-stream")
    );
    let expected: Vec<u8> = (0..300_001_u32).map(|at| (at % 251) as u8).collect();
    assert!(response.body == expected);
    let chosen = json!({"size": 0, "content_type": "audio/wav"});
    let response = run(&emulator, "emulator/bytes", &chosen);
    assert_eq!(response.header("content-type"), Some("audio/wav"));
    assert!(response.body.is_empty());
    let bad = json!({"size": 1, "content_type": "a\nb"});
    let response = run(&emulator, "emulator/bytes", &bad);
    assert_eq!(response.status, 422);
    assert_eq!(response.json()["detail"][0]["loc"][1], "content_type");
}

#[test]
fn executions_are_counted_per_endpoint() {
    let emulator = Emulator::start().unwrap();
    for endpoint in [
        "fal-ai/flux/dev",
        "fal-ai/flux/schnell",
        "fal-ai/flux/dev/",
        "emulator/echo/deep/path",
        "emulator/fail/one_of",
    ] {
        run(&emulator, endpoint, &json!({"prompt": "x"}));
    }
    run(&emulator, "fal-ai/flux/dev", &json!({}));
    let counts = json!(emulator.executions());
    assert_eq!(
        counts,
        json!({
            "emulator/echo": 1, "emulator/fail": 1, "fal-ai/flux/dev": 2, "fal-ai/flux/schnell": 1,
        })
    );
}

#[test]
fn a_body_has_a_limit() {
    const LIMIT: usize = 64 << 20;
    let emulator = Emulator::start().unwrap();
    let post = |size: usize| {
        Request::new("POST", "fal.run", "/emulator/fail/one_of")
            .key(emulator.api_key())
            .header("Content-Type", "text/plain")
            .bytes(vec![b'x'; size])
            .send(&emulator)
    };
    post(LIMIT + 1).assert_detail(413, "Request body too large");
    assert!(emulator.executions().is_empty());
    assert_eq!(post(LIMIT).status, 422);
    let lengths: Vec<u64> = emulator
        .arrivals()
        .iter()
        .map(|arrival| arrival.body_length)
        .collect();
    assert_eq!(lengths, [LIMIT as u64 + 1, LIMIT as u64]);
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let head = Request::new("HEAD", "fal.run", "/acme/public");
    connection.write(&head).unwrap();
    assert_eq!(connection.read_head().unwrap().status, 200);
    assert_eq!(emulator.arrivals()[0].outcome, Outcome::Status(200));
    let next = connection.call(&Request::get("fal.run", "/acme/public"));
    assert_eq!(next.status, 200);
}
