//! How streams end, and what proves that a stream is complete.

use super::hostile::{client_of, hostile_to};
use super::*;
use fal::{Code, EventKind, NextEvent};
use std::io::Write;

/// Reads a stream of these bytes whose HTTP response ends correctly.
fn stream_of(body: &'static str, endpoint: &str) -> (Vec<Value>, Result<Response, Error>) {
    let host = hostile_to(move |_, connection| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-fal-request-id: r-1\r\n";
        write!(
            connection,
            "{head}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let op = client_of(&host)
        .build()
        .unwrap()
        .stream_start(Request::run(endpoint).unwrap())
        .unwrap();
    let mut items = Vec::new();
    while let NextEvent::Event(event) = op.wait_event(Some(PATIENCE)).unwrap() {
        assert_eq!(event.kind(), EventKind::Item);
        items.push(event.content().json().unwrap_or(&json!(null)).clone());
    }
    (items, op.take().unwrap())
}

#[test]
fn what_the_end_leaves_is_an_item_if_it_is_whole() {
    for (body, items) in [
        ("data: {\"n\": 1}\n\ndata: {\"n\": 2}\n", 2),
        ("data: {\"n\": 1}\n\ndata: {\"n\": 2}", 2),
        ("data: {\"n\": 2}\n", 1),
        ("data: {\"n\": 2}\n\n: bye", 1),
        ("data: {\"n\": 2}\n\n: bye\n", 1),
        ("event: result\ndata: {\"n\": 2}\nid: 7\n", 1),
        ("data: {\"n\": 2}\n\nevent: end\n\n", 1),
    ] {
        let (told, outcome) = stream_of(body, "emulator/stream");
        assert_eq!(
            (told.len(), outcome.unwrap().get("/n").unwrap()),
            (items, &json!(2)),
            "{body}"
        );
    }
}

#[test]
fn a_stream_that_ends_inside_an_event_was_cut() {
    for (body, items) in [
        ("data: {\"n\": 1}\n\ndata: {\"images\": [\"ou", 1),
        ("data: {\"n\": 1}\n\ndata: {\"images\":\n", 1),
        ("data: {\"n\": 1}\n\nda", 1),
        ("data: {\"n\": 1}\n\nevent: result", 1),
        ("data: {\"n\": 1}\n\nevent: result\n", 1),
        ("data: {\"n\": 1}\n\nid: 7\r\n", 1),
        ("data: {\"n\": 1}\n\nid: 7\n: ping\n", 1),
        ("data: {\"n\": 1}\n\nretry: 250\r", 1),
        ("event: result\n", 0),
        ("data: 1", 0),
        ("data: hel", 0),
    ] {
        let (told, outcome) = stream_of(body, "emulator/stream");
        let error = outcome.unwrap_err();
        assert_eq!(
            (told.len(), error.code(), error.may_have_executed()),
            (items, Code::ConnectionLost, true),
            "{body}: {error}"
        );
        assert!(
            error.message().contains(&format!("{items} items")),
            "{body}: {error}"
        );
    }
}

const FAILED: &str = r#"data: {"type":"error","node_id":"n1","message":"it broke","error":{"status":422,"body":{"detail":"no"}}}"#;
const OTHER: &str = r#"data: {"type":"completion","node_id":"n2","output":{"ok":1}}"#;
const OUTPUT: &str = r#"data: {"type":"output","output":{"ok":2}}"#;

#[test]
fn a_workflow_in_which_a_step_failed_needs_an_output() {
    for order in [
        vec![FAILED, OTHER],
        vec![OTHER, FAILED],
        vec![OUTPUT, FAILED, OTHER],
        vec![r#"data: {"type":"error"}"#, OTHER],
    ] {
        let body: &'static str = Box::leak((order.join("\n\n") + "\n\n").into_boxed_str());
        let (told, outcome) = stream_of(body, "workflows/me/flow");
        let error = outcome.unwrap_err();
        assert_eq!(
            (told.len(), error.may_have_executed()),
            (order.len(), true),
            "{order:?}: {error}"
        );
        assert!(
            error.message().contains("of the workflow failed"),
            "{order:?}: {error}"
        );
    }
    for order in [vec![FAILED, OTHER, OUTPUT], vec![OTHER, OUTPUT]] {
        let body: &'static str = Box::leak((order.join("\n\n") + "\n\n").into_boxed_str());
        assert_eq!(
            stream_of(body, "workflows/me/flow")
                .1
                .unwrap()
                .get("/output/ok")
                .unwrap(),
            2,
            "{order:?}"
        );
    }
    // In other streams such items are the app's own.
    let body: &'static str = Box::leak(format!("{FAILED}\n\n{OTHER}\n\n").into_boxed_str());
    assert!(stream_of(body, "emulator/stream").1.is_ok());
}
