//! Streamed responses (docs/protocol.md §6, §3.5).

use std::time::Instant;

use fal::{Code, Event, EventKind, NextEvent, WorkflowEvent};
use fal_emulator::Fault;

use super::*;

const STREAM: &str = "emulator/stream";

fn start_at(client: &Client, endpoint: &str, input: Value) -> Op {
    let mut request = Request::run(endpoint).unwrap();
    request.set_json(input);
    client.stream_start(request).unwrap()
}

/// Collects every event and the outcome.
fn all(op: &Op) -> (Vec<Event>, Result<Response, Error>) {
    let mut events = Vec::new();
    loop {
        match op.wait_event(Some(PATIENCE)).unwrap() {
            NextEvent::Event(event) => events.push(event),
            NextEvent::End => return (events, op.take().unwrap()),
            NextEvent::Pending => panic!("nothing happens"),
        }
    }
}

fn stream(client: &Client, input: Value) -> (Vec<Event>, Result<Response, Error>) {
    all(&start_at(client, STREAM, input))
}

fn values(events: &[Event]) -> Vec<Value> {
    assert!(events.iter().all(|event| event.kind() == EventKind::Item));
    events
        .iter()
        .map(|event| event.get("").unwrap().clone())
        .collect()
}

fn no_connection_is_left(emulator: &Emulator, kept: usize) {
    let end = Instant::now() + PATIENCE;
    while emulator.open_connections() > kept {
        assert!(Instant::now() < end, "a connection leaks");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn events_arrive_one_by_one_and_the_last_is_the_result() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let op = start_at(&client, STREAM, json!({"ms": 300}));
    let begun = Instant::now();
    let NextEvent::Event(first) = op.wait_event(Some(PATIENCE)).unwrap() else {
        panic!("none")
    };
    assert!(
        begun.elapsed() < Duration::from_millis(600) || !op.poll().unwrap(),
        "it came before the end"
    );
    assert_eq!(first.get("/progress").unwrap(), 0.25);
    let (rest, outcome) = all(&op);
    assert_eq!(values(&rest)[1], json!({"output": "Done"}));
    let outcome = outcome.unwrap();
    assert_eq!(outcome.get("/output").unwrap(), "Done");
    assert!(outcome.request_id().is_some());
    let arrival = &emulator.arrivals()[0];
    assert_eq!(
        (arrival.method.as_str(), arrival.path.as_str()),
        ("POST", "/emulator/stream/stream")
    );
    assert!(
        arrival.had_key() && format!("{arrival:?}").contains("text/event-stream"),
        "{arrival:?}"
    );
    // The blocking form returns the last event.
    let last = Op::finish(|| client.stream_start(Request::run(STREAM)?)).unwrap();
    assert_eq!(last.get("").unwrap(), &json!({"output": "Done"}));
}

#[test]
fn every_way_of_writing_events_reads_the_same() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let events = json!([{"a": 1}, {"b": [true, null]}, {"text": "ü\n\u{1F600}"}]);
    for style in [
        json!({}),
        json!({"crlf": true}),
        json!({"cr": true}),
        json!({"multiline": true}),
        json!({"multiline": true, "crlf": true, "comments": true}),
        json!({"comments": true, "event": "event", "id": true, "retry": 5}),
        json!({"content_type": "text/event-stream; charset=utf-8"}),
        json!({"content_type": "TEXT/Event-Stream"}),
    ] {
        let mut input = style.clone();
        input["events"] = events.clone();
        let (got, outcome) = stream(&client, input);
        assert_eq!(Value::from(values(&got)), events, "{style}");
        assert_eq!(outcome.unwrap().get("").unwrap(), &events[2], "{style}");
    }
    let (got, outcome) = stream(&client, json!({"events": []}));
    assert!(got.is_empty() && outcome.unwrap().body().is_empty());
}

#[test]
fn what_is_not_json_is_text_and_what_is_no_event_is_bytes() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let (got, outcome) = stream(
        &client,
        json!({"text": true, "events": ["half {", "", "two\nlines"]}),
    );
    let texts: Vec<_> = got
        .iter()
        .map(|event| event.content().text().unwrap())
        .collect();
    assert_eq!(texts, ["half {", "", "two\nlines"]);
    assert!(got.iter().all(|event| {
        !event.is_bytes()
            && event
                .content()
                .header("content-type")
                .unwrap()
                .starts_with("text/plain")
    }));
    assert_eq!(outcome.unwrap().text().unwrap(), "two\nlines");
    let (got, outcome) = stream(&client, json!({"not_sse": true, "events": ["abc", "def"]}));
    assert!(got.iter().all(Event::is_bytes));
    assert_eq!(
        got.iter()
            .flat_map(|event| event.get_bytes("").unwrap().to_vec())
            .collect::<Vec<_>>(),
        b"abcdef"
    );
    assert!(outcome.unwrap().body().is_empty());
    let (got, outcome) = stream(
        &client,
        json!({"not_sse": true, "content_type": "application/json", "events": ["{\"a\":", "1}"]}),
    );
    assert_eq!(values(&got), [json!({"a": 1})]);
    assert_eq!(outcome.unwrap().get("/a").unwrap(), 1);
}

#[test]
fn the_status_is_looked_at_first_and_a_refused_stream_is_as_any_call() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let (got, outcome) = stream(&client, json!({"status": 422}));
    let error = outcome.unwrap_err();
    assert_eq!(
        (got.len(), error.code(), error.http_status()),
        (0, Code::InvalidInput, Some(422))
    );
    let wrong = builder_with(&emulator, "fake-id:fake-secret-wrong")
        .build()
        .unwrap();
    let error = stream(&wrong, json!({})).1.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    emulator.clear_arrivals();
    emulator.inject(Fault::status(429).body(json!({"detail": "later"})).times(1));
    assert!(
        stream(&client, json!({})).1.is_ok(),
        "it was not taken, so it is sent again"
    );
    emulator.inject(Fault::reset_after_body().times(1));
    let error = stream(&client, json!({})).1.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert_eq!(
        emulator.arrivals().len(),
        3,
        "what may have run is not sent again"
    );
}

#[test]
fn a_stream_that_breaks_says_how_far_it_came() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let (got, outcome) = stream(
        &client,
        json!({"cut": true, "events": [{"n": 1}, {"n": 2}]}),
    );
    assert_eq!(values(&got), [json!({"n": 1}), json!({"n": 2})]);
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert!(error.message().contains("2 items"), "{error}");
    assert_eq!(emulator.arrivals().len(), 1);
}

/// fal documents no format for a failure within a stream (§6, §16.25). An event that looks like one
/// is the app's own.
#[test]
fn an_error_among_the_items_is_an_item() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let node = json!({"type": "error", "node_id": "n", "message": "m", "error": {"status": 422, "body": {"detail": "x"}}});
    for last in [
        json!({"detail": "boom", "error_type": "internal_error"}),
        json!({"error": {"message": "boom"}}),
        node,
    ] {
        for name in [json!({}), json!({"event": "error"})] {
            let mut input = name.clone();
            input["events"] = json!([{"n": 1}, last]);
            let (got, outcome) = stream(&client, input);
            assert_eq!(values(&got), [json!({"n": 1}), last.clone()], "{name}");
            assert_eq!(outcome.unwrap().get("").unwrap(), &last, "{name}");
        }
    }
}

#[test]
fn paths_are_as_asked() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    all(&start_at(&client, "emulator/stream/stream", json!({})))
        .1
        .unwrap();
    let mut request = Request::run(STREAM).unwrap();
    request.set_path("other").unwrap();
    assert_eq!(
        Op::finish(|| client.stream_start(request))
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    let paths: Vec<_> = emulator
        .arrivals()
        .into_iter()
        .map(|one| one.path)
        .collect();
    assert_eq!(paths, ["/emulator/stream/stream", "/emulator/stream/other"]);
    assert!(
        client
            .stream_start(Request::new("GET", "/v1/keys").unwrap())
            .is_err()
    );
}

#[test]
fn items_wait_for_their_reader_and_none_is_lost() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let events: Vec<Value> = (0..3_000).map(|n| json!({"n": n})).collect();
    let op = start_at(&client, STREAM, json!({"events": events}));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!op.poll().unwrap(), "it waits for its reader");
    let (got, outcome) = all(&op);
    assert_eq!(values(&got), events);
    assert_eq!(
        (op.dropped_events(), outcome.unwrap().get("/n").unwrap()),
        (0, &json!(2_999))
    );
}

#[test]
fn an_event_above_the_limit_is_refused() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .max_response_bytes(1 << 16)
        .build()
        .unwrap();
    let (got, outcome) = stream(
        &client,
        json!({"events": ["x".repeat(60_000), "x".repeat(70_000)]}),
    );
    let error = outcome.unwrap_err();
    assert_eq!((got.len(), error.code()), (1, Code::TooLarge), "{error}");
}

#[test]
fn a_stream_can_be_ended_at_any_stage() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let waiting = || {
        emulator.inject(Fault::delay(Duration::from_secs(30)).times(1));
        let op = start_at(&client, STREAM, json!({}));
        std::thread::sleep(Duration::from_millis(100));
        op
    };
    let reading = || {
        emulator.clear_faults();
        let op = start_at(&client, STREAM, json!({"ms": 30_000}));
        assert!(matches!(
            op.wait_event(Some(PATIENCE)).unwrap(),
            NextEvent::Event(_)
        ));
        op
    };
    let full = || {
        emulator.clear_faults();
        let op = start_at(
            &client,
            STREAM,
            json!({"events": (0..5000).collect::<Vec<u32>>()}),
        );
        std::thread::sleep(Duration::from_millis(200));
        op
    };
    let stages: [&dyn Fn() -> Op; 3] = [&waiting, &reading, &full];
    for stage in stages {
        let op = stage();
        op.cancel();
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Cancelled, true),
            "{error}"
        );
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Taken);
        no_connection_is_left(&emulator, 0);
    }
    let mut request = Request::run(STREAM).unwrap();
    request.set_json(json!({"ms": 30_000}));
    request.set_timeout(Duration::from_millis(500));
    let (got, outcome) = all(&client.stream_start(request).unwrap());
    let error = outcome.unwrap_err();
    assert_eq!(
        (got.len(), error.code(), error.may_have_executed()),
        (1, Code::Deadline, true),
        "{error}"
    );
}

#[test]
fn a_workflow_tells_its_steps() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for declared in [false, true] {
        let (events, outcome) = all(&start_at(
            &client,
            "workflows/emulator/demo",
            json!({"declared": declared}),
        ));
        let told: Vec<_> = events
            .iter()
            .map(|event| event.workflow().unwrap())
            .collect();
        assert!(
            matches!(
                told[0],
                WorkflowEvent::Submit {
                    node_id: "first",
                    app_id: "emulator/echo",
                    ..
                }
            ),
            "{told:?}"
        );
        assert!(
            matches!(told[1], WorkflowEvent::Completion { node_id: "first", app_id, .. } if app_id.is_some() == declared)
        );
        let WorkflowEvent::Output { node_id, output } = told[4] else {
            panic!("{told:?}")
        };
        assert_eq!(
            (node_id.is_some(), &output["result"]),
            (declared, &json!("Done"))
        );
        assert_eq!(outcome.unwrap().get("/output/result").unwrap(), "Done");
    }
    let (events, outcome) = all(&start_at(
        &client,
        "workflows/emulator/demo",
        json!({"fail": true}),
    ));
    let told = events.last().unwrap().workflow().unwrap();
    let WorkflowEvent::Error {
        node_id: "second",
        message,
        status: Some(422),
        body,
    } = told
    else {
        panic!("{told:?}")
    };
    assert!(message.starts_with("Error while fetching the result of the request "));
    assert_eq!(body["detail"], "This node fails");
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.code(), error.http_status(), error.may_have_executed()),
        (Code::InvalidInput, Some(422), true)
    );
    assert!(
        error.message().contains("step second") && error.message().contains("This node fails"),
        "{error}"
    );
    let (events, _) = stream(&client, json!({}));
    assert!(events.iter().all(|event| event.workflow().is_none()));
}

/// The failed step alone could be tried again. Repeating the stream would run the earlier steps
/// twice.
#[test]
fn a_workflow_is_not_worth_a_retry_where_its_step_would_be() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"detail": "x", "error_type": "runner_scheduling_failure"});
    let event = json!({"type": "error", "node_id": "n", "message": "m", "error": {"status": 503, "body": body}});
    let answer = Fault::status(200)
        .header("content-type", "text/event-stream")
        .body(format!("data: {event}\n\n"));
    emulator.inject(answer);
    let (_, outcome) = all(&start_at(
        &client(&emulator),
        "workflows/emulator/demo",
        json!({}),
    ));
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::ServiceUnavailable, Some(503)),
        "{error}"
    );
    assert!(
        !error.is_retryable() && error.may_have_executed(),
        "{error}"
    );
    assert_eq!(emulator.arrivals().len(), 1);
}
