//! The queue: submissions, status requests, waiting and attaching to a job (docs/protocol.md §5).

use super::*;
use fal::{Code, Event, EventKind, Job, NextEvent, Priority, Retries};
use fal_emulator::{Arrival, QueueSettings, Settings};

pub(super) const JOB: &str = "emulator/job";

/// An emulator with these settings of the queue.
pub(super) fn queue(settings: QueueSettings) -> Emulator {
    Emulator::builder()
        .settings(Settings {
            queue: settings,
            ..Settings::default()
        })
        .start()
        .unwrap()
}

pub(super) fn job_of(input: Value) -> Request {
    let mut request = Request::run(JOB).unwrap();
    request.set_json(input);
    request
}

pub(super) fn subscribe(client: &Client, input: Value) -> Result<Response, Error> {
    Op::finish(|| client.subscribe_start(job_of(input)))
}

pub(super) fn submit(client: &Client, input: Value) -> Job {
    let answer = Op::finish(|| client.submit_start(job_of(input))).unwrap();
    Job::of_response(JOB, &answer).unwrap()
}

/// Collects every event up to the end.
pub(super) fn events(op: &Op) -> Vec<Event> {
    let next = || match op.wait_event(Some(PATIENCE)).unwrap() {
        NextEvent::Event(event) => Some(event),
        NextEvent::End => None,
        NextEvent::Pending => panic!("it does not end"),
    };
    std::iter::from_fn(next).collect()
}

/// The messages of the log among the events.
pub(super) fn lines(events: &[Event]) -> Vec<String> {
    let logs = events.iter().filter(|event| event.kind() == EventKind::Log);
    logs.map(|event| event.get("/message").unwrap().as_str().unwrap().to_owned())
        .collect()
}

pub(super) fn states(events: &[Event]) -> Vec<String> {
    let told = events
        .iter()
        .filter(|event| event.kind() == EventKind::Status);
    told.map(|event| event.get("/status").unwrap().as_str().unwrap().to_owned())
        .collect()
}

pub(super) fn paths(emulator: &Emulator) -> Vec<String> {
    emulator
        .arrivals()
        .iter()
        .map(|arrival| format!("{} {}", arrival.method, shape(arrival)))
        .collect()
}

/// The path of a request without the id of the job.
fn shape(arrival: &Arrival) -> String {
    let parts = arrival
        .path
        .split('/')
        .map(|part| if part.len() == 36 { "ID" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn a_job_of_two_seconds_costs_three_requests() {
    let emulator = queue(QueueSettings::default());
    let op = client(&emulator)
        .subscribe_start(job_of(
            json!({"ms": 2000, "logs": ["a", "b"], "output": {"x": 1}}),
        ))
        .unwrap();
    let told = events(&op);
    let response = op.take().unwrap().unwrap();
    assert_eq!(response.get("/x").unwrap(), 1);
    assert_eq!(
        paths(&emulator),
        [
            "POST /emulator/job",
            "GET /emulator/job/requests/ID/status/stream",
            "GET /emulator/job/requests/ID",
        ]
    );
    assert_eq!(lines(&told), ["a", "b"]);
    let states = states(&told);
    assert_eq!(
        (
            states.first().unwrap().as_str(),
            states.last().unwrap().as_str()
        ),
        ("IN_QUEUE", "COMPLETED")
    );
    let first = told.first().unwrap();
    assert_eq!(
        first.get("/request_id").unwrap().as_str(),
        response.request_id()
    );
    assert!(first.get("/queue_position").is_ok() && first.get("/status_url").is_err());
    assert_eq!(op.dropped_events(), 0);
}

#[test]
fn the_place_in_the_line_is_told_when_it_changes() {
    let emulator = queue(QueueSettings {
        concurrent_requests: Some(1),
        ..QueueSettings::default()
    });
    let client = client(&emulator);
    let ahead: Vec<_> = (0..3)
        .map(|_| submit(&client, json!({"ms": 700})))
        .collect();
    let op = client.subscribe_start(job_of(json!({"ms": 1}))).unwrap();
    let told = events(&op);
    op.take().unwrap().unwrap();
    let places: Vec<_> = told
        .iter()
        .filter_map(|event| event.get("/queue_position").ok()?.as_u64())
        .collect();
    assert!(
        places.len() > 1 && places.windows(2).all(|two| two[0] > two[1]),
        "{places:?}"
    );
    ahead
        .iter()
        .for_each(|job| drop(Op::finish(|| client.result_start(job)).unwrap()));
}

#[test]
fn each_step_can_be_taken_by_itself() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = submit(
        &client,
        json!({"ms": 3_600_000, "logs": ["one"], "output": [1]}),
    );
    // Another process has only these two texts.
    for job in [
        job.clone(),
        Job::new("emulator/job/some/path", job.request_id()).unwrap(),
    ] {
        let status = Op::finish(|| client.status_start(&job)).unwrap();
        assert!(["IN_QUEUE", "IN_PROGRESS"].contains(&status.get_str("/status").unwrap()));
        let early = Op::finish(|| client.result_start(&job)).unwrap_err();
        assert_eq!(
            (early.code(), early.request_id()),
            (Code::NotReady, Some(job.request_id()))
        );
        assert!(!early.may_have_executed() && early.is_retryable());
    }
    emulator.advance(Duration::from_secs(3600));
    let attached = Op::finish(|| client.attach_start(&job)).unwrap();
    assert_eq!(attached.text().unwrap(), "[1]");
    assert_eq!(attached.request_id(), Some(job.request_id()));
    let status = Op::finish(|| client.status_start(&job)).unwrap();
    assert_eq!(
        (
            status.get_str("/status").unwrap(),
            status.get("/logs/0/message").unwrap()
        ),
        ("COMPLETED", &json!("one"))
    );
    assert_eq!(
        Op::finish(|| client.result_start(&job)).unwrap().body(),
        attached.body()
    );
    let late = Op::finish(|| client.cancel_start(&job)).unwrap_err();
    assert_eq!(late.code(), Code::InvalidInput, "{late}");
    assert!(late.message().contains("ALREADY_COMPLETED"), "{late}");
    assert_eq!(emulator.executions().get(JOB), Some(&1));
}

#[test]
fn a_cancelled_job_never_runs() {
    let emulator = queue(QueueSettings {
        concurrent_requests: Some(0),
        ..QueueSettings::default()
    });
    let client = client(&emulator);
    let job = submit(&client, json!({}));
    Op::finish(|| client.cancel_start(&job)).unwrap();
    let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
    assert_eq!(
        (error.http_status(), error.code()),
        (Some(499), Code::ServiceFailed),
        "{error}"
    );
    assert_eq!(
        (error.error_type(), error.is_retryable()),
        (Some("client_cancelled"), false)
    );
    assert_eq!(emulator.executions().get(JOB), None);
}

#[test]
fn the_options_arrive() {
    let emulator = queue(QueueSettings::default());
    let mut request = job_of(json!({}));
    request.set_priority(Priority::Low);
    request
        .set_start_timeout(Duration::from_millis(30_500))
        .unwrap();
    request.set_runner_hint("h-1").unwrap();
    request
        .set_webhook("http://127.0.0.1:9/hook?a=1&b=2")
        .unwrap();
    request.set_max_queue_length(100);
    request
        .set_object_lifecycle(&json!({"expiration_duration_seconds": 3600}))
        .unwrap();
    request.set_store_io(false);
    request.set_no_retry(true);
    request
        .set_retries(Retries {
            server_error: Some(1),
            ..Retries::default()
        })
        .unwrap();
    request.set_no_fallback(true);
    request.set_tag("team", "art").unwrap();
    request.set_header("x-fal-cdn-token", "fake-token").unwrap();
    request
        .set_header("x-app-fal-can-disable-filter", "fake-filter")
        .unwrap();
    Op::finish(|| client(&emulator).subscribe_start(request)).unwrap();
    let arrivals = emulator.arrivals();
    let post = &arrivals[0];
    let query = post.query.as_deref().unwrap();
    assert!(
        query.contains("fal_webhook=http%3A%2F%2F127.0.0.1%3A9%2Fhook%3Fa%3D1%26b%3D2"),
        "{query}"
    );
    assert!(query.contains("fal_max_queue_length=100"), "{query}");
    for (name, value) in [
        ("x-fal-queue-priority", "low"),
        ("x-fal-request-timeout", "30.5"),
        ("x-fal-runner-hint", "h-1"),
        (
            "x-fal-object-lifecycle-preference",
            r#"{"expiration_duration_seconds":3600}"#,
        ),
        ("x-fal-store-io", "0"),
        ("x-fal-no-retry", "1"),
        ("x-fal-retry-config", r#"{"server_error":{"retries":1}}"#),
        ("x-app-fal-disable-fallback", "1"),
        ("x-fal-disable-fallbacks", "1"),
        ("x-fal-tags", "team=art"),
        ("x-fal-cdn-token", "fake-token"),
        ("x-app-fal-can-disable-filter", "fake-filter"),
    ] {
        assert_eq!(post.headers.get(name), Some(&value.to_owned()), "{name}");
        assert!(
            arrivals[1..]
                .iter()
                .all(|later| !later.headers.contains_key(name)),
            "{name} belongs to the submission"
        );
    }
}

#[test]
fn only_what_can_be_queued_is_submitted() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let mut get = job_of(json!({}));
    get.set_method("GET").unwrap();
    let address = Request::new("POST", "https://queue.fal.run/emulator/job").unwrap();
    for request in [get, address] {
        assert_eq!(
            client.submit_start(request.clone()).unwrap_err().code(),
            Code::InvalidArgument
        );
        assert_eq!(
            client.subscribe_start(request).unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn futures_do_the_same() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let output = client
            .subscribe(JOB, json!({"output": {"a": 1}}))
            .await
            .unwrap();
        assert_eq!(output.get("/a").unwrap(), 1);
        let job = client
            .submit(JOB, json!({"ms": 1, "output": {"b": 2}}))
            .await
            .unwrap();
        assert_eq!(client.attach(&job).await.unwrap().get("/b").unwrap(), 2);
        assert_eq!(
            client.status(&job).await.unwrap().get("/status").unwrap(),
            "COMPLETED"
        );
        assert_eq!(client.result(&job).await.unwrap().get("/b").unwrap(), 2);
        assert!(client.cancel(&job).await.is_err());
    });
}
