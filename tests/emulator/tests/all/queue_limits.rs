//! The order in which requests start, and their deadlines.

use std::time::Duration;

use fal_emulator::{Emulator, MissedStart, QueueSettings, Scope, Settings};
use serde_json::{Value, json};

use crate::client::{Connection, Request};
use crate::queue::{eventually, get, path_of, post, submit, until};

const HOUR: u64 = 3_600_000;

fn with(queue: QueueSettings) -> Emulator {
    Emulator::builder()
        .settings(Settings {
            queue,
            ..Settings::default()
        })
        .start()
        .unwrap()
}

fn status(emulator: &Emulator, path: &str) -> Value {
    get(emulator, &format!("{path}/status")).json()
}

#[test]
fn an_account_runs_two_at_once_and_the_rest_waits_in_order() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"ms": HOUR});
    let paths: Vec<String> = (0..5)
        .map(|_| path_of(&submit(&emulator, "emulator/job", &input)))
        .collect();
    until(&emulator, &paths[1], "IN_PROGRESS");
    let positions = || {
        paths
            .iter()
            .map(|path| status(&emulator, path)["queue_position"].as_u64())
            .collect::<Vec<_>>()
    };
    assert_eq!(positions(), [None, None, Some(0), Some(1), Some(2)]);
    // Another account has its own slots but shares the line.
    let other = emulator.create_key(Scope::Api, "other");
    let foreign = Request::new("POST", "queue.fal.run", "/emulator/job")
        .key(&other)
        .json(&input);
    let foreign = foreign.send(&emulator).json();
    assert_eq!(foreign["queue_position"], 3);
    let foreign = format!("{}/status", path_of(&foreign));
    let ask = || {
        Request::get("queue.fal.run", &foreign)
            .key(&other)
            .send(&emulator)
            .json()["status"]
            .clone()
    };
    assert_eq!(eventually(ask, json!("IN_PROGRESS")), "IN_PROGRESS");
    // A cancelled request leaves the line.
    let cancel = Request::new("PUT", "queue.fal.run", &format!("{}/cancel", paths[3]))
        .key(emulator.api_key());
    assert_eq!(cancel.send(&emulator).status, 202);
    assert_eq!(positions(), [None, None, Some(0), None, Some(1)]);
    emulator.advance(Duration::from_millis(HOUR));
    until(&emulator, &paths[4], "IN_PROGRESS");
    assert_eq!(status(&emulator, &paths[0])["status"], "COMPLETED");
}

#[test]
fn a_higher_limit_lets_more_run_at_once() {
    let emulator = with(QueueSettings {
        concurrent_requests: Some(1),
        ..QueueSettings::default()
    });
    let paths: Vec<String> = (0..3)
        .map(|_| path_of(&submit(&emulator, "emulator/job", &json!({"ms": HOUR}))))
        .collect();
    until(&emulator, &paths[0], "IN_PROGRESS");
    assert_eq!(status(&emulator, &paths[1])["status"], "IN_QUEUE");
    let queue = QueueSettings {
        concurrent_requests: None,
        ..QueueSettings::default()
    };
    emulator.set(Settings {
        queue,
        ..Settings::default()
    });
    until(&emulator, &paths[2], "IN_PROGRESS");
}

#[test]
fn own_apps_are_exempt() {
    let emulator = with(QueueSettings {
        concurrent_requests: Some(0),
        ..QueueSettings::default()
    });
    let waiting = path_of(&submit(&emulator, "emulator/job", &json!({})));
    let own = path_of(&submit(&emulator, "acme/shared", &json!({})));
    until(&emulator, &own, "COMPLETED");
    assert_eq!(status(&emulator, &waiting)["status"], "IN_QUEUE");
}

#[test]
fn low_priority_waits_behind_normal() {
    let emulator = with(QueueSettings {
        concurrent_requests: Some(1),
        ..QueueSettings::default()
    });
    let queued = |priority: &str| {
        let request = post(&emulator, "emulator/job", &json!({"ms": HOUR}))
            .header("X-Fal-Queue-Priority", priority);
        request.send(&emulator).json()
    };
    until(&emulator, &path_of(&queued("normal")), "IN_PROGRESS");
    let low = queued("low");
    assert_eq!(low["queue_position"], 0);
    let normal = queued("normal");
    assert_eq!(normal["queue_position"], 0);
    assert_eq!(status(&emulator, &path_of(&low))["queue_position"], 1);
    emulator.advance(Duration::from_millis(HOUR));
    until(&emulator, &path_of(&normal), "IN_PROGRESS");
    assert_eq!(status(&emulator, &path_of(&low))["queue_position"], 0);
}

#[test]
fn a_line_may_be_too_long() {
    let emulator = with(QueueSettings {
        concurrent_requests: Some(0),
        ..QueueSettings::default()
    });
    let enter = |longest: &str| {
        let endpoint = format!("emulator/job?fal_max_queue_length={longest}");
        post(&emulator, &endpoint, &json!({}))
            .send(&emulator)
            .status
    };
    assert_eq!(
        [enter("0"), enter("0"), enter("1"), enter("1")],
        [200, 429, 200, 429]
    );
    // Every endpoint has a line of its own.
    assert_eq!(
        post(
            &emulator,
            "emulator/echo?fal_max_queue_length=0",
            &json!({})
        )
        .send(&emulator)
        .status,
        200
    );
    assert_eq!(enter("many"), 400);
}

#[test]
fn a_direct_run_over_the_limit_is_refused() {
    let emulator = with(QueueSettings {
        refuse_runs: true,
        ..QueueSettings::default()
    });
    let slow = || Request::run("emulator/slow", &json!({"ms": HOUR})).key(emulator.api_key());
    let mut running: Vec<Connection> = (0..2).map(|_| Connection::open(&emulator)).collect();
    for connection in &mut running {
        connection.write(&slow()).unwrap();
    }
    emulator
        .wait_until(Duration::from_secs(20), |all| {
            all.iter().filter(|one| one.executed).count() == 2
        })
        .unwrap();
    let refused = slow().send(&emulator);
    assert_eq!(
        (refused.status, refused.header("x-fal-needs-retry")),
        (429, Some("1"))
    );
    assert_eq!(refused.json()["error_type"], "concurrent_requests_limit");
    // The queue counts them too, but makes the request wait.
    let queued = path_of(&submit(&emulator, "emulator/job", &json!({})));
    assert_eq!(status(&emulator, &queued)["status"], "IN_QUEUE");
    let own = Request::run("acme/shared", &json!({})).key(emulator.api_key());
    assert_eq!(own.send(&emulator).status, 200);
    // A client that disconnects frees its slot.
    drop(running);
    until(&emulator, &queued, "COMPLETED");
    assert_eq!(
        Request::run("emulator/echo", &json!({}))
            .key(emulator.api_key())
            .send(&emulator)
            .status,
        200
    );
}

#[test]
fn a_stream_counts_until_it_ends_or_its_client_leaves() {
    let queue = QueueSettings {
        refuse_runs: true,
        concurrent_requests: Some(1),
        ..QueueSettings::default()
    };
    let emulator = with(queue);
    let echo = || {
        Request::run("emulator/echo", &json!({}))
            .key(emulator.api_key())
            .send(&emulator)
            .status
    };
    let events = |ms: u64| {
        let run = Request::run("emulator/stream", &json!({"events": [1, 2], "ms": ms}))
            .key(emulator.api_key());
        let mut connection = Connection::open(&emulator);
        connection.write(&run).unwrap();
        assert_eq!(connection.read_head().unwrap().status, 200);
        assert!(connection.read_chunk().unwrap().is_some());
        connection
    };
    let left = events(60_000);
    assert_eq!(echo(), 429);
    drop(left);
    assert_eq!(eventually(echo, 200), 200);
    let mut read = events(1);
    while read.read_chunk().unwrap().is_some() {}
    assert_eq!(echo(), 200);
}

#[test]
fn a_missed_start_deadline_ends_a_request() {
    for (kind, name) in [
        (MissedStart::RequestTimeout, json!("request_timeout")),
        (MissedStart::StartupTimeout, json!("startup_timeout")),
        (MissedStart::Absent, json!(null)),
    ] {
        let queue = QueueSettings {
            concurrent_requests: Some(1),
            missed_start: kind,
            ..QueueSettings::default()
        };
        let emulator = with(queue);
        let queued = |input: Value, header: &str| {
            path_of(
                &post(&emulator, "emulator/job", &input)
                    .header(header, "30.0")
                    .send(&emulator)
                    .json(),
            )
        };
        let header = "X-Fal-Request-Timeout";
        let running = queued(json!({"ms": HOUR}), header);
        until(&emulator, &running, "IN_PROGRESS");
        let waiting = queued(json!({}), "X-Fal-Request-Start-Timeout");
        let key = emulator.create_key(Scope::Api, "other");
        emulator.advance(Duration::from_secs(29));
        assert_eq!(status(&emulator, &waiting)["status"], "IN_QUEUE");
        emulator.advance(Duration::from_secs(1));
        until(&emulator, &waiting, "COMPLETED");
        let result = get(&emulator, &waiting);
        assert_eq!(
            (result.status, result.header("x-fal-request-timeout-type")),
            (504, Some("user"))
        );
        assert_eq!(result.json()["error_type"], name);
        let shown = status(&emulator, &waiting);
        assert_eq!(
            (&shown["error"], &shown["error_type"]),
            (&json!("Request timed out"), &name)
        );
        // A running request has no start deadline any more.
        assert_eq!(status(&emulator, &running)["status"], "IN_PROGRESS");
        assert_eq!(emulator.executions()["emulator/job"], 1);
        // The deadline includes the start of a runner.
        let starting = Request::new("POST", "queue.fal.run", "/emulator/job")
            .key(&key)
            .header(header, "30");
        let starting = starting
            .json(&json!({"startup_ms": HOUR}))
            .send(&emulator)
            .json();
        let starting = path_of(&starting);
        emulator.advance(Duration::from_secs(30));
        let ask = || {
            Request::get("queue.fal.run", &starting)
                .key(&key)
                .send(&emulator)
                .status
        };
        assert_eq!(eventually(ask, 504), 504);
    }
}

#[test]
fn a_direct_run_has_a_start_deadline_too() {
    let emulator = with(QueueSettings {
        startup_ms: 300,
        ..QueueSettings::default()
    });
    let run = |seconds: &str| {
        let request = Request::run("emulator/echo", &json!({})).key(emulator.api_key());
        request
            .header("X-Fal-Request-Timeout", seconds)
            .send(&emulator)
    };
    let missed = run("0.2");
    assert_eq!(
        (missed.status, missed.header("x-fal-request-timeout-type")),
        (504, Some("user"))
    );
    assert!(emulator.executions().is_empty());
    assert_eq!(run("60").status, 200);
    assert_eq!(run("0.1").status, 400);
}

#[test]
fn malformed_control_headers_are_refused() {
    let emulator = Emulator::start().unwrap();
    for (name, value) in [
        ("X-Fal-Request-Timeout", "soon"),
        ("X-Fal-Request-Timeout", "0.1"),
        ("X-Fal-Request-Timeout", "-3"),
        ("X-Fal-Request-Timeout", "inf"),
        ("X-Fal-Request-Timeout", "NaN"),
        ("X-Fal-Request-Start-Timeout", "0"),
        ("X-Fal-Queue-Priority", "high"),
        ("X-Fal-Object-Lifecycle-Preference", "forever"),
    ] {
        let response = post(&emulator, "emulator/job", &json!({}))
            .header(name, value)
            .send(&emulator);
        assert_eq!(
            (response.status, response.header("x-fal-error-type")),
            (400, Some("bad_request")),
            "{name}: {value}"
        );
        assert_eq!(response.json()["error_type"], "bad_request");
    }
    let ignored =
        post(&emulator, "emulator/job", &json!({})).header("X-Fal-Retry-Config", "{not json");
    assert_eq!(ignored.send(&emulator).status, 200);
    assert_eq!(
        post(&emulator, "emulator/job?fal_webhook=nowhere", &json!({}))
            .send(&emulator)
            .status,
        400
    );
}

#[test]
fn ten_thousand_requests_wait_cheaply() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let request = post(&emulator, "emulator/job", &json!({"ms": HOUR}));
    let submitted: Vec<Value> = (0..10_000)
        .map(|_| connection.call(&request).json())
        .collect();
    let last = format!("{}/status", path_of(&submitted[9999]));
    let ask = Request::get("queue.fal.run", &last).key(emulator.api_key());
    for _ in 0..1000 {
        assert_eq!(connection.call(&ask).json()["queue_position"], 9997);
    }
    let queue = QueueSettings {
        concurrent_requests: None,
        ..QueueSettings::default()
    };
    emulator.set(Settings {
        queue,
        ..Settings::default()
    });
    eventually(
        || emulator.executions().get("emulator/job").copied(),
        Some(10_000),
    );
    emulator.advance(Duration::from_millis(HOUR));
    for one in &submitted {
        let path = path_of(one);
        let ask = Request::get("queue.fal.run", &path).key(emulator.api_key());
        let began = std::time::Instant::now();
        while connection.call(&ask).status != 200 {
            assert!(began.elapsed() < Duration::from_secs(20), "{path}");
        }
    }
}
