//! Attempts that the platform repeats.

use std::time::Duration;

use fal_emulator::{Emulator, QueueSettings, Settings};
use serde_json::{Value, json};

use crate::client::Response;
use crate::queue::{eventually, get, path_of, post, submit, until};

const NONE: &[(&str, &str)] = &[];

/// The result, and the number of attempts.
fn attempts(emulator: &Emulator, fail: &Value, headers: &[(&str, &str)]) -> (Response, u64) {
    let count = || {
        emulator
            .executions()
            .get("emulator/job")
            .copied()
            .unwrap_or_default()
    };
    let before = count();
    let mut request = post(emulator, "emulator/job", &json!({"fail": fail}));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let path = path_of(&request.send(emulator).json());
    until(emulator, &path, "COMPLETED");
    (get(emulator, &path), count() - before)
}

#[test]
fn what_the_platform_repeats() {
    let emulator = Emulator::start().unwrap();
    for (fail, count) in [
        (json!({"status": 503}), 10),
        (json!({"status": 504}), 10),
        (json!({"status": 500}), 1),
        (json!({"status": 502}), 1),
        (json!({"status": 422}), 1),
        (json!({"status": 302}), 1),
        (json!({"error_type": "request_timeout"}), 10),
        (json!({"error_type": "runner_connection_error"}), 10),
        (json!({"error_type": "runner_incomplete_response"}), 10),
        (json!({"error_type": "concurrent_requests_limit"}), 10),
        (json!({"error_type": "internal_error"}), 1),
        (
            json!({"status": 500, "headers": {"X-Fal-Needs-Retry": "1"}}),
            10,
        ),
        (
            json!({"status": 503, "headers": {"X-Fal-Needs-Retry": "0"}}),
            1,
        ),
        (
            json!({"status": 429, "headers": {"X-Fal-Needs-Retry": "1"}}),
            10,
        ),
        (
            json!({"status": 422, "headers": {"X-Fal-Needs-Retry": "1"}}),
            1,
        ),
    ] {
        assert_eq!(attempts(&emulator, &fail, NONE).1, count, "{fail}");
    }
    let hidden = attempts(
        &emulator,
        &json!({"status": 422, "headers": {"X-Fal-Needs-Retry": "1"}}),
        NONE,
    )
    .0;
    assert_eq!(
        (hidden.status, hidden.header("x-fal-needs-retry")),
        (422, None)
    );
    let (recovered, count) = attempts(&emulator, &json!({"status": 503, "attempts": 2}), NONE);
    assert_eq!((recovered.status, count), (200, 3));
}

#[test]
fn a_caller_may_forbid_it() {
    let emulator = Emulator::start().unwrap();
    for value in ["1", "true", "yes"] {
        let (response, count) = attempts(
            &emulator,
            &json!({"status": 503}),
            &[("X-Fal-No-Retry", value)],
        );
        assert_eq!((response.status, count), (503, 1));
    }
    // The app's header takes precedence, and the caller's configuration applies only to the
    // caller's own apps.
    let wanted = json!({"status": 503, "headers": {"X-Fal-Needs-Retry": "1"}});
    assert_eq!(
        attempts(&emulator, &wanted, &[("X-Fal-No-Retry", "1")]).1,
        10
    );
    let none = r#"{"server_error": {"retries": 0}}"#;
    assert_eq!(
        attempts(
            &emulator,
            &json!({"status": 503}),
            &[("X-Fal-Retry-Config", none)]
        )
        .1,
        10
    );
}

#[test]
fn budgets_are_for_own_apps_and_by_condition() {
    let emulator = Emulator::start().unwrap();
    let owner = emulator.create_key(fal_emulator::Scope::Api, "emulator");
    let count = |fail: Value, config: &str| {
        let before = emulator
            .executions()
            .get("emulator/job")
            .copied()
            .unwrap_or_default();
        let request =
            crate::client::Request::new("POST", "queue.fal.run", "/emulator/job").key(&owner);
        let request = request
            .header("X-Fal-Retry-Config", config)
            .json(&json!({"fail": fail}));
        let path = format!("{}/status", path_of(&request.send(&emulator).json()));
        let ask = || {
            crate::client::Request::get("queue.fal.run", &path)
                .key(&owner)
                .send(&emulator)
                .status
        };
        assert_eq!(eventually(ask, 200), 200);
        emulator.executions()["emulator/job"] - before
    };
    let config = r#"{"server_error": {"retries": 2}, "connection_error": {"retries": 0}}"#;
    assert_eq!(count(json!({"status": 503}), config), 3);
    assert_eq!(
        count(json!({"error_type": "runner_connection_error"}), config),
        1
    );
    assert_eq!(count(json!({"error_type": "request_timeout"}), config), 10);
    // A value that is not understood is ignored.
    for wrong in [
        r#"{"server_error": 0}"#,
        r#"{"server_error": {"retries": 0}, "more": 1}"#,
        "nonsense",
    ] {
        assert_eq!(count(json!({"status": 503}), wrong), 10, "{wrong}");
    }
    assert_eq!(
        count(
            json!({"status": 503}),
            r#"{"server_error": {"retries": 50}}"#
        ),
        10
    );
}

#[test]
fn a_repeated_request_waits_in_the_queue_under_its_id() {
    let queue = QueueSettings {
        retry_pause_ms: 60_000,
        ..QueueSettings::default()
    };
    let emulator = Emulator::builder()
        .settings(Settings {
            queue,
            ..Settings::default()
        })
        .start()
        .unwrap();
    let submitted = submit(
        &emulator,
        "emulator/job",
        &json!({"fail": {"status": 503, "attempts": 1}}),
    );
    let path = path_of(&submitted);
    eventually(
        || emulator.executions().get("emulator/job").copied(),
        Some(1),
    );
    until(&emulator, &path, "IN_QUEUE");
    emulator.advance(Duration::from_secs(60));
    until(&emulator, &path, "COMPLETED");
    assert_eq!(get(&emulator, &path).status, 200);
    // The start deadline applies between two attempts.
    let request = post(&emulator, "emulator/job", &json!({"fail": {"status": 503}}));
    let path = path_of(
        &request
            .header("X-Fal-Request-Timeout", "30")
            .send(&emulator)
            .json(),
    );
    eventually(
        || emulator.executions().get("emulator/job").copied(),
        Some(3),
    );
    until(&emulator, &path, "IN_QUEUE");
    emulator.advance(Duration::from_secs(30));
    until(&emulator, &path, "COMPLETED");
    let result = get(&emulator, &path);
    assert_eq!(
        (result.status, result.header("x-fal-request-timeout-type")),
        (504, Some("user"))
    );
}
