//! Streaming apps: server-sent events in the forms that apps send, and broken streams.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Outcome};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response};

fn call(emulator: &Emulator, endpoint: &str, input: &Value) -> Response {
    Request::run(endpoint, input)
        .key(emulator.api_key())
        .header("Accept", "text/event-stream")
        .send(emulator)
}

fn text(emulator: &Emulator, input: &Value) -> String {
    let response = call(emulator, "emulator/stream/stream", input);
    assert_eq!(response.status, 200);
    String::from_utf8(response.body).unwrap()
}

/// The values of a stream in the simplest form.
fn values(response: &Response) -> Vec<Value> {
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, Some("text/event-stream"))
    );
    let text = String::from_utf8(response.body.clone()).unwrap();
    let events = text.strip_suffix("\n\n").unwrap().split("\n\n");
    events
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

#[test]
fn events_come_as_they_are_asked_for() {
    let emulator = Emulator::start().unwrap();
    let events = json!([{"a": 1}, "two", null]);
    for endpoint in ["emulator/stream", "emulator/stream/stream"] {
        let response = call(&emulator, endpoint, &json!({"events": events}));
        assert_eq!(json!(values(&response)), events);
        assert!(!response.request_id().is_empty());
        assert_eq!(response.header("x-fal-billable-units"), Some("1"));
    }
    assert_eq!(
        values(&call(&emulator, "emulator/stream/stream", &json!({}))).len(),
        3
    );
    assert_eq!(text(&emulator, &json!({"events": []})), "");
    assert_eq!(emulator.executions()["emulator/stream"], 4);
}

#[test]
fn every_style_of_the_standard_is_written() {
    let emulator = Emulator::start().unwrap();
    for (input, expected) in [
        (json!({"events": [1], "crlf": true}), "data: 1\r\n\r\n"),
        (
            json!({"events": [1, 2], "cr": true}),
            "data: 1\r\rdata: 2\r\r",
        ),
        (
            json!({"events": [1], "event": "event"}),
            "event: event\ndata: 1\n\n",
        ),
        (
            json!({"events": [1, 2], "id": true}),
            "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n",
        ),
        (
            json!({"events": [1, 2], "retry": 250}),
            "retry: 250\ndata: 1\n\ndata: 2\n\n",
        ),
        (
            json!({"events": [1], "comments": true}),
            ": a comment\ndata: 1\n\n",
        ),
        (
            json!({"events": [{"a": 1}], "multiline": true}),
            "data: {\ndata:   \"a\": 1\ndata: }\n\n",
        ),
        (
            json!({"events": ["not json"], "text": true}),
            "data: not json\n\n",
        ),
        (
            json!({"events": ["a", {"b": 1}], "not_sse": true}),
            "a{\"b\":1}",
        ),
    ] {
        assert_eq!(text(&emulator, &input), expected, "{input}");
    }
    for (input, expected) in [
        (json!({"not_sse": true}), "application/octet-stream"),
        (
            json!({"content_type": "text/event-stream; charset=utf-8"}),
            "text/event-stream; charset=utf-8",
        ),
    ] {
        let response = call(&emulator, "emulator/stream", &input);
        assert_eq!(response.header("content-type"), Some(expected));
    }
}

#[test]
fn events_leave_one_by_one() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let input = json!({"events": [1, 2, 3], "ms": 100});
    let began = Instant::now();
    connection
        .write(&Request::run("emulator/stream", &input).key(emulator.api_key()))
        .unwrap();
    connection.read_head().unwrap();
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        assert_eq!(
            connection.read_chunk().unwrap().as_deref(),
            Some(event.as_bytes())
        );
    }
    assert_eq!(connection.read_chunk().unwrap(), None);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_cut_stream_breaks_in_the_middle_of_an_event() {
    let emulator = Emulator::start().unwrap();
    for (events, ms) in [(json!([1, 2]), 0), (json!([1, 2]), 20), (json!([]), 0)] {
        let mut connection = Connection::open(&emulator);
        let input = json!({"events": events, "ms": ms, "cut": true});
        connection
            .write(&Request::run("emulator/stream/stream", &input).key(emulator.api_key()))
            .unwrap();
        assert_eq!(connection.read_head().unwrap().status, 200);
        let mut body = Vec::new();
        let error = loop {
            match connection.read_chunk() {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => panic!("the stream ended without an error"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let events: String = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| format!("data: {event}\n\n"))
            .collect();
        assert_eq!(String::from_utf8(body).unwrap(), events + "data: {\"cut");
    }
    assert!(
        emulator
            .arrivals()
            .iter()
            .all(|one| one.outcome == Outcome::ClosedByFault && one.executed)
    );
}

#[test]
fn errors_come_before_the_stream() {
    let emulator = Emulator::start().unwrap();
    let stream = "emulator/stream/stream";
    call(&emulator, stream, &json!({"status": 418})).assert_detail(418, "This stream cannot start");
    for (wrong, field) in [
        (json!({"events": 1}), "events"),
        (json!({"ms": -1}), "ms"),
        (json!({"cut": "yes"}), "cut"),
        (json!({"content_type": "\n"}), "content_type"),
        (json!({"status": 200}), "status"),
    ] {
        let response = call(&emulator, stream, &wrong);
        assert_eq!(
            (response.status, &response.json()["detail"][0]["loc"][1]),
            (422, &json!(field)),
            "{wrong}"
        );
    }
    Request::run(stream, &json!({}))
        .send(&emulator)
        .assert_detail(401, "Cannot access application \"emulator/stream\"");
    call(&emulator, "emulator/stream/other", &json!({}))
        .assert_detail(404, "Path /other not found");
    call(&emulator, "emulator/echo/stream", &json!({})).json()["path"]
        .as_str()
        .unwrap();
    assert_eq!(
        Request::get("fal.run", "/emulator/stream")
            .key(emulator.api_key())
            .send(&emulator)
            .status,
        405
    );
    assert_eq!(emulator.executions().get("emulator/stream"), None);
}

#[test]
fn a_language_model_grows_its_output() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"prompt": "two words"});
    let events = values(&call(&emulator, "emulator/llm/stream", &input));
    let outputs: Vec<_> = events
        .iter()
        .map(|event| event["output"].as_str().unwrap())
        .collect();
    assert_eq!(
        outputs,
        ["You", "You said:", "You said: two", "You said: two words"]
    );
    let partial: Vec<_> = events
        .iter()
        .map(|event| event["partial"].as_bool().unwrap())
        .collect();
    assert_eq!(partial, [true, true, true, false]);
    assert_eq!(call(&emulator, "emulator/llm", &input).json(), events[3]);
    assert_eq!(
        call(&emulator, "emulator/llm/stream", &json!({})).status,
        422
    );
}

#[test]
fn a_workflow_tells_of_its_nodes_in_both_shapes() {
    let emulator = Emulator::start().unwrap();
    let stream = "workflows/emulator/demo/stream";
    for declared in [false, true] {
        let events = values(&call(&emulator, stream, &json!({"declared": declared})));
        let kinds: Vec<_> = events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["submit", "completion", "submit", "completion", "output"]
        );
        assert!(events[0]["request_id"].is_string() && events[0]["app_id"].is_string());
        assert_eq!(
            (
                events[1].get("app_id").is_some(),
                events[4].get("node_id").is_some()
            ),
            (declared, declared)
        );
        assert_eq!(events[4]["output"], json!({"result": "Done"}));
    }
    let events = values(&call(&emulator, stream, &json!({"fail": true})));
    let error = &events[3];
    assert_eq!(
        (events.len(), &error["type"], &error["node_id"]),
        (4, &json!("error"), &json!("second"))
    );
    assert_eq!(
        error["error"],
        json!({"status": 422, "body": {"detail": "This node fails"}})
    );
    let id = events[2]["request_id"].as_str().unwrap();
    assert_eq!(
        error["message"],
        format!("Error while fetching the result of the request {id}")
    );
    let workflow = "workflows/emulator/demo";
    assert_eq!(
        call(&emulator, workflow, &json!({})).json(),
        json!({"result": "Done"})
    );
    call(&emulator, workflow, &json!({"fail": true})).assert_detail(422, "This node fails");
    call(&emulator, "workflows/emulator", &json!({}))
        .assert_detail(404, "Application \"workflows/emulator\" not found");
}
