use std::time::{Duration, Instant};

use fal_emulator::{
    BadKeyText, CancelAnswer, Emulator, LogWindow, QueueSettings, Scope, Settings, UnaskedLogs,
};
use serde_json::{Value, json};

use crate::client::{Request, Response};

const STATUS: &str = "/fal-ai/flux/requests/3d6a1d4e-0000-4000-8000-000000000000/status";

pub(crate) fn get(emulator: &Emulator, path: &str) -> Response {
    Request::get("queue.fal.run", path)
        .key(emulator.api_key())
        .send(emulator)
}

pub(crate) fn post(emulator: &Emulator, endpoint: &str, input: &Value) -> Request {
    Request::new("POST", "queue.fal.run", &format!("/{endpoint}"))
        .key(emulator.api_key())
        .json(input)
}

/// Submits a request and returns the response.
pub(crate) fn submit(emulator: &Emulator, endpoint: &str, input: &Value) -> Value {
    let response = post(emulator, endpoint, input).send(emulator);
    assert_eq!(response.status, 200, "{}", response.json());
    response.json()
}

/// The path of a request, from its `response_url`.
pub(crate) fn path_of(submitted: &Value) -> String {
    submitted["response_url"]
        .as_str()
        .unwrap()
        .strip_prefix("https://queue.fal.run")
        .unwrap()
        .to_owned()
}

/// Polls until the value is `expected`, for up to a generous limit.
pub(crate) fn eventually<T: PartialEq>(ask: impl Fn() -> T, expected: T) -> T {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer == expected || began.elapsed() > Duration::from_secs(20) {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the request at this path has this status.
pub(crate) fn until(emulator: &Emulator, path: &str, status: &str) {
    let ask = || get(emulator, &format!("{path}/status")).json()["status"].clone();
    assert_eq!(eventually(ask, json!(status)), status);
}

/// The result, after the request has finished.
fn finished(emulator: &Emulator, endpoint: &str, input: &Value) -> Response {
    let path = path_of(&submit(emulator, endpoint, input));
    until(emulator, &path, "COMPLETED");
    get(emulator, &path)
}

#[test]
fn a_good_key_learns_that_there_is_no_such_request() {
    let emulator = Emulator::start().unwrap();
    for tail in ["", "/", "?logs=1", "?logs=true", "/?logs=0"] {
        for key in [emulator.api_key(), emulator.admin_key()] {
            let response = Request::get("queue.fal.run", &format!("{STATUS}{tail}"))
                .key(key)
                .send(&emulator);
            assert_eq!(
                (response.status, response.json()),
                (404, json!({"status": "NOT_FOUND"})),
                "{tail}"
            );
        }
    }
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_bad_key_is_told_so() {
    let emulator = Emulator::start().unwrap();
    let format = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.";
    for (header, detail) in [
        ("Key fake-id:fake-secret-wrong", "invalid key credentials"),
        ("Key fake-id-alone", format),
        ("Bearer fake-token", "bearer: unable to decode issuer"),
    ] {
        let response = Request::get("queue.fal.run", STATUS)
            .header("Authorization", header)
            .send(&emulator);
        response.assert_detail(401, detail);
    }
    let anonymous = Request::get("queue.fal.run", STATUS).send(&emulator);
    anonymous.assert_detail(401, "Cannot access application \"fal-ai/flux\"");
    emulator.set(Settings {
        bad_key_text: BadKeyText::Older,
        ..Settings::default()
    });
    let older = Request::get("queue.fal.run", STATUS)
        .key("fake-id:fake-secret-wrong")
        .send(&emulator);
    older.assert_detail(401, "No user found for Key ID and Secret");
}

#[test]
fn a_locked_account_and_a_foreign_app_are_refused() {
    let emulator = Emulator::start().unwrap();
    get(&emulator, "/acme/private/requests/x/status")
        .assert_detail(403, "Cannot access application \"acme/private\"");
    let mut settings = Settings::default();
    settings
        .locked_accounts
        .insert("acme".into(), "User budget is exceeded.".into());
    emulator.set(settings);
    get(&emulator, STATUS).assert_detail(403, "User is locked. Reason: User budget is exceeded.");
}

#[test]
fn a_url_with_the_full_endpoint_id_takes_post_only() {
    let emulator = Emulator::start().unwrap();
    for path in [
        "/fal-ai/flux/dev/requests/x/status",
        "/fal-ai/flux/dev/requests/x/status/",
        "/fal-ai/flux/dev",
    ] {
        let response = get(&emulator, path);
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("POST")),
            "{path}"
        );
    }
    let post = Request::new("POST", "queue.fal.run", STATUS)
        .key(emulator.api_key())
        .send(&emulator);
    assert_eq!((post.status, post.header("allow")), (405, Some("GET")));
}

#[test]
fn unknown_apps_and_routes_are_not_found() {
    let emulator = Emulator::start().unwrap();
    get(&emulator, "/no/app/requests/x/status")
        .assert_detail(404, "Application \"no/app\" not found");
    for path in [
        "/fal-ai/flux/requests//status",
        "/fal-ai/flux/requests/x/nothing",
        "/fal-ai/flux/requests",
    ] {
        get(&emulator, path).assert_detail(404, format!("Path {path} not found"));
    }
    get(&emulator, "/fal-ai/flux/requests/x").assert_detail(404, "Request not found");
    for (method, path) in [("GET", "status/stream"), ("PUT", "cancel")] {
        let path = format!("/fal-ai/flux/requests/x/{path}");
        let response = Request::new(method, "queue.fal.run", &path)
            .key(emulator.api_key())
            .send(&emulator);
        assert_eq!(
            (response.status, response.json()),
            (404, json!({"status": "NOT_FOUND"}))
        );
    }
}

#[test]
fn a_request_goes_from_the_line_to_its_result() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"ms": 60_000, "startup_ms": 60_000, "logs": ["one", {"message": "two", "level": "WARN"}],
        "output": {"answer": 42}});
    let submitted = submit(&emulator, "emulator/job", &input);
    let id = submitted["request_id"].as_str().unwrap();
    let base = format!("https://queue.fal.run/emulator/job/requests/{id}");
    assert_eq!(
        submitted,
        json!({
            "status": "IN_QUEUE", "request_id": id, "gateway_request_id": id, "response_url": base,
            "status_url": format!("{base}/status"), "cancel_url": format!("{base}/cancel"), "queue_position": 0,
        })
    );
    let path = format!("/emulator/job/requests/{id}");
    for tail in ["/status", "/status/", "/status?logs=1"] {
        let status = get(&emulator, &format!("{path}{tail}"));
        assert_eq!(
            (status.status, status.header("x-fal-request-id")),
            (202, Some(id))
        );
        assert_eq!(
            status.json(),
            json!({
                "status": "IN_QUEUE", "request_id": id, "response_url": base, "queue_position": 0,
                "status_url": format!("{base}/status"), "cancel_url": format!("{base}/cancel"),
            })
        );
    }
    get(&emulator, &path).assert_detail(400, "Request is still in progress");

    emulator.advance(Duration::from_secs(60));
    until(&emulator, &path, "IN_PROGRESS");
    for (query, lines) in [
        ("", json!(null)),
        ("?logs=0", json!(null)),
        ("?logs=false", json!(null)),
    ] {
        let status = get(&emulator, &format!("{path}/status{query}"));
        assert_eq!(
            (status.status, &status.json()["logs"]),
            (202, &lines),
            "{query}"
        );
    }
    let logs = get(&emulator, &format!("{path}/status?logs=true")).json()["logs"].clone();
    assert_eq!(logs.as_array().unwrap().len(), 1);
    let line = logs[0].as_object().unwrap();
    assert_eq!(
        (&line["message"], &line["level"], &line["source"]),
        (&json!("one"), &json!("INFO"), &json!("USER"))
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    get(&emulator, &path).assert_detail(400, "Request is still in progress");

    emulator.advance(Duration::from_secs(60));
    until(&emulator, &path, "COMPLETED");
    let status = get(&emulator, &format!("{path}/status/?logs=1"));
    assert_eq!(status.status, 200);
    let status = status.json();
    assert_eq!(
        (&status["logs"][1]["message"], &status["logs"][1]["level"]),
        (&json!("two"), &json!("WARN"))
    );
    let seconds = status["metrics"]["inference_time"].as_f64().unwrap();
    assert!((60.0..120.0).contains(&seconds), "{seconds}");
    assert_eq!(
        (status.get("error"), status.get("queue_position")),
        (None, None)
    );
    for tail in ["", "/", "/response", "/response/"] {
        let result = get(&emulator, &format!("{path}{tail}"));
        assert_eq!(
            (result.status, result.json()),
            (200, json!({"answer": 42})),
            "{tail}"
        );
        assert_eq!(result.header("x-fal-request-id"), Some(id));
        assert_eq!(result.header("x-fal-billable-units"), Some("1"));
    }
    assert_eq!(emulator.executions()["emulator/job"], 1);
    let submission = &emulator.arrivals()[0];
    assert!(submission.executed);
    assert_eq!(submission.request_id.as_deref(), Some(id));
}

#[test]
fn every_app_runs_in_the_queue() {
    let emulator = Emulator::start().unwrap();
    let flux = finished(&emulator, "fal-ai/flux/dev", &json!({"prompt": "a cat"}));
    assert_eq!(flux.json()["images"][0]["content_type"], "image/png");
    let echo = finished(
        &emulator,
        "emulator/echo/a/b?x=1&fal_max_queue_length=9",
        &json!({"n": 1}),
    );
    let echo = echo.json();
    assert_eq!(
        (&echo["path"], &echo["query"], &echo["body"]),
        (
            &json!("/emulator/echo/a/b"),
            &json!("x=1"),
            &json!({"n": 1})
        )
    );
    assert_eq!(echo["headers"]["x-fal-caller-user-id"], "acme");
    assert_eq!(echo["headers"]["x-fal-endpoint"], "emulator/echo");
    assert_eq!(echo["headers"].get("authorization"), None);
    for chunked in [false, true] {
        let bytes = finished(
            &emulator,
            "emulator/bytes",
            &json!({"size": 5000, "chunked": chunked}),
        );
        assert_eq!(
            (bytes.header("content-type"), bytes.body.len()),
            (Some("application/octet-stream"), 5000)
        );
    }
    let streamed = finished(
        &emulator,
        "emulator/stream/stream",
        &json!({"events": [1, 2]}),
    );
    assert_eq!(
        String::from_utf8(streamed.body)
            .unwrap()
            .matches("data: ")
            .count(),
        2
    );
    let workflow = finished(&emulator, "workflows/emulator/demo", &json!({}));
    assert_eq!(workflow.status, 200);
    let broken = finished(
        &emulator,
        "emulator/stream",
        &json!({"events": [1, 2], "cut": true}),
    );
    assert_eq!(
        (broken.status, broken.header("x-fal-error-type")),
        (502, Some("runner_incomplete_response"))
    );
    assert_eq!(
        finished(&emulator, "emulator/slow", &json!({"ms": 1})).json(),
        json!({"ms": 1})
    );
}

#[test]
fn a_failure_is_replayed_with_status_headers_and_body() {
    let emulator = Emulator::start().unwrap();
    let invalid = finished(&emulator, "fal-ai/flux/dev", &json!({}));
    assert_eq!(
        (invalid.status, &invalid.json()["detail"][0]["loc"]),
        (422, &json!(["body", "prompt"]))
    );
    assert_eq!(invalid.header("x-fal-billable-units"), Some("0"));
    finished(&emulator, "emulator/job/nowhere", &json!({}))
        .assert_detail(404, "Path /nowhere not found");
    let fail = json!({"fail": {"status": 500, "body": {"detail": "broken"}, "headers":
        {"x-app-thing": "1", "x-fal-stop-runner": "1"}}});
    let failed = finished(&emulator, "emulator/job", &fail);
    failed.assert_detail(500, "broken");
    assert_eq!(
        (
            failed.header("x-app-thing"),
            failed.header("x-fal-stop-runner")
        ),
        (Some("1"), None)
    );
    let platform = json!({"fail": {"error_type": "runner_server_error"}});
    let failed = finished(&emulator, "emulator/job", &platform);
    assert_eq!(
        (failed.status, failed.header("x-fal-error-type")),
        (500, Some("runner_server_error"))
    );
    let status = get(
        &emulator,
        &format!("/emulator/job/requests/{}/status", failed.request_id()),
    )
    .json();
    assert_eq!(
        (&status["error"], &status["error_type"]),
        (&json!("Runner failed"), &json!("runner_server_error"))
    );
}

#[test]
fn the_status_shows_an_apps_error_if_it_is_set_so() {
    let emulator = Emulator::start().unwrap();
    let failed = finished(&emulator, "fal-ai/flux/dev", &json!({}));
    let path = format!("/fal-ai/flux/requests/{}/status", failed.request_id());
    assert_eq!(get(&emulator, &path).json().get("error"), None);
    let queue = QueueSettings {
        app_errors_in_status: true,
        ..QueueSettings::default()
    };
    emulator.set(Settings {
        queue,
        ..Settings::default()
    });
    assert_eq!(
        get(&emulator, &path).json()["error"],
        "Invalid status code: 422"
    );
}

#[test]
fn a_request_belongs_to_its_account_and_app() {
    let emulator = Emulator::start().unwrap();
    let submitted = submit(&emulator, "emulator/job", &json!({}));
    let id = submitted["request_id"].as_str().unwrap();
    let stranger = emulator.create_key(Scope::Admin, "other");
    for (method, tail) in [
        ("GET", ""),
        ("GET", "/status"),
        ("GET", "/status/stream"),
        ("PUT", "/cancel"),
    ] {
        let path = format!("/emulator/job/requests/{id}{tail}");
        let foreign = Request::new(method, "queue.fal.run", &path)
            .key(&stranger)
            .send(&emulator);
        assert_eq!(foreign.status, 404, "{method} {tail}");
        let elsewhere = format!("/emulator/echo/requests/{id}{tail}");
        let elsewhere = Request::new(method, "queue.fal.run", &elsewhere)
            .key(emulator.api_key())
            .send(&emulator);
        assert_eq!(elsewhere.status, 404, "{method} {tail}");
        let nobody = Request::new(method, "queue.fal.run", &path).send(&emulator);
        assert_eq!(nobody.status, 401);
    }
    let colleague = emulator.create_key(Scope::Api, "acme");
    let path = format!("/emulator/job/requests/{id}/status");
    assert!(
        Request::get("queue.fal.run", &path)
            .key(&colleague)
            .send(&emulator)
            .status
            < 300
    );
    // A request that was submitted to a public app without a key is readable only without a key.
    let public = Request::new("POST", "queue.fal.run", "/acme/public")
        .json(&json!({}))
        .send(&emulator)
        .json();
    let path = format!(
        "/acme/public/requests/{}/status",
        public["request_id"].as_str().unwrap()
    );
    assert!(Request::get("queue.fal.run", &path).send(&emulator).status < 300);
    assert_eq!(get(&emulator, &path).status, 404);
}

#[test]
fn cancelling_takes_a_waiting_request_out_and_tells_a_running_one() {
    let emulator = Emulator::start().unwrap();
    let cancel = |id: &str| {
        let path = format!("/emulator/job/requests/{id}/cancel");
        let response = Request::new("PUT", "queue.fal.run", &path)
            .key(emulator.api_key())
            .send(&emulator);
        (
            response.status,
            response.json()["status"].as_str().unwrap().to_owned(),
        )
    };
    let requested = (202, "CANCELLATION_REQUESTED".to_owned());
    let completed = (400, "ALREADY_COMPLETED".to_owned());
    let hour = 3_600_000;
    for (input, running, result) in [
        (json!({"startup_ms": hour}), false, 499),
        (json!({"ms": hour}), true, 499),
        (json!({"ms": hour, "honour_cancel": false}), true, 200),
    ] {
        let submitted = submit(&emulator, "emulator/job", &input);
        let id = submitted["request_id"].as_str().unwrap();
        let path = format!("/emulator/job/requests/{id}");
        let before = emulator
            .executions()
            .get("emulator/job")
            .copied()
            .unwrap_or_default();
        if running {
            until(&emulator, &path, "IN_PROGRESS");
        }
        assert_eq!(cancel(id), requested);
        if result == 200 {
            get(&emulator, &path).assert_detail(400, "Request is still in progress");
            emulator.advance(Duration::from_millis(hour));
        }
        until(&emulator, &path, "COMPLETED");
        assert_eq!(cancel(id), completed);
        let response = get(&emulator, &path);
        assert_eq!(response.status, result, "{input}");
        let status = get(&emulator, &format!("{path}/status")).json();
        if !running {
            assert_eq!(status["error_type"], "client_cancelled");
            assert_eq!(
                emulator
                    .executions()
                    .get("emulator/job")
                    .copied()
                    .unwrap_or_default(),
                before
            );
        }
        if result == 499 {
            assert_eq!(
                response.json()["detail"],
                "Request cancelled by the client."
            );
        }
    }
}

#[test]
fn what_is_unknown_can_be_chosen() {
    let emulator = Emulator::start().unwrap();
    let queue = QueueSettings {
        status_always_200: true,
        full_id_urls: true,
        response_suffix: true,
        submit_omits: ["status", "gateway_request_id"].map(str::to_owned).into(),
        status_omits: ["status_url", "metrics"].map(str::to_owned).into(),
        unasked_logs: UnaskedLogs::Absent,
        unfinished_result_202: true,
        cancel_answer: CancelAnswer::Success,
        ..QueueSettings::default()
    };
    emulator.set(Settings {
        queue: queue.clone(),
        ..Settings::default()
    });
    let submitted = submit(&emulator, "fal-ai/flux/dev", &json!({"prompt": "x"}));
    let id = submitted["request_id"].as_str().unwrap();
    let path = format!("/fal-ai/flux/dev/requests/{id}");
    assert_eq!(
        submitted["response_url"],
        format!("https://queue.fal.run{path}/response")
    );
    assert_eq!(
        (submitted.get("status"), submitted.get("gateway_request_id")),
        (None, None)
    );
    until(&emulator, &path, "COMPLETED");
    let status = get(&emulator, &format!("{path}/status")).json();
    assert_eq!(
        (
            status.get("logs"),
            status.get("metrics"),
            status.get("status_url")
        ),
        (None, None, None)
    );
    assert_eq!(get(&emulator, &format!("{path}/response")).status, 200);

    let waiting = submit(
        &emulator,
        "emulator/job",
        &json!({"ms": 3_600_000, "logs": ["a"]}),
    );
    let path = format!(
        "/emulator/job/requests/{}",
        waiting["request_id"].as_str().unwrap()
    );
    until(&emulator, &path, "IN_PROGRESS");
    assert_eq!(get(&emulator, &format!("{path}/status")).status, 200);
    get(&emulator, &path).assert_detail(202, "Request is still in progress");
    emulator.set(Settings {
        queue: QueueSettings {
            unasked_logs: UnaskedLogs::Empty,
            ..queue
        },
        ..Settings::default()
    });
    assert_eq!(
        get(&emulator, &format!("{path}/status")).json()["logs"],
        json!([])
    );
    for success in [true, false] {
        let cancel =
            Request::new("PUT", "queue.fal.run", &format!("{path}/cancel")).key(emulator.api_key());
        let response = cancel.send(&emulator);
        assert_eq!(
            (response.status, response.json()),
            (200, json!({"success": success}))
        );
        until(&emulator, &path, "COMPLETED");
    }
}

#[test]
fn a_status_shows_a_window_of_the_log() {
    for (window, first, second) in [
        (LogWindow::Whole, "abc", "abc"),
        (LogWindow::New, "abc", ""),
        (LogWindow::Last(2), "bc", "bc"),
        (LogWindow::Last(9), "abc", "abc"),
    ] {
        let queue = QueueSettings {
            status_logs: window,
            ..QueueSettings::default()
        };
        let emulator = Emulator::builder()
            .settings(Settings {
                queue,
                ..Settings::default()
            })
            .start()
            .unwrap();
        let done = finished(&emulator, "emulator/job", &json!({"logs": ["a", "b", "c"]}));
        let path = format!("/emulator/job/requests/{}/status?logs=1", done.request_id());
        for expected in [first, second] {
            let logs = get(&emulator, &path).json()["logs"].clone();
            let shown: String = logs
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line["message"].as_str().unwrap())
                .collect();
            assert_eq!(shown, expected, "{window:?}");
        }
    }
}

#[test]
fn results_expire() {
    let emulator = Emulator::start().unwrap();
    let run = |input: &Value, header: Option<(&str, &str)>| {
        let mut request = Request::new("POST", "queue.fal.run", "/emulator/bytes")
            .key(emulator.api_key())
            .json(input);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let submitted = request.send(&emulator).json();
        let path = format!(
            "/emulator/bytes/requests/{}",
            submitted["request_id"].as_str().unwrap()
        );
        until(&emulator, &path, "COMPLETED");
        path
    };
    let small = run(&json!({"size": 10}), None);
    let unstored = run(&json!({"size": 10}), Some(("X-Fal-Store-IO", "0")));
    let large = run(&json!({"size": 20_000}), Some(("X-Fal-Store-IO", "0")));
    let huge = run(&json!({"size": 1_500_000}), None);
    let statuses = || [&small, &unstored, &large, &huge].map(|path| get(&emulator, path).status);
    assert_eq!(statuses(), [200; 4]);
    emulator.advance(Duration::from_secs(361));
    assert_eq!(
        eventually(statuses, [200, 200, 404, 404]),
        [200, 200, 404, 404]
    );
    emulator.advance(Duration::from_secs(3300));
    assert_eq!(
        eventually(statuses, [200, 404, 404, 404]),
        [200, 404, 404, 404]
    );
    assert_eq!(
        get(&emulator, &format!("{huge}/status")).json()["status"],
        "COMPLETED"
    );
    let queue = QueueSettings {
        all_results_expire: true,
        expired_is_gone: true,
        ..QueueSettings::default()
    };
    emulator.set(Settings {
        queue,
        ..Settings::default()
    });
    let small = run(&json!({"size": 10}), None);
    emulator.advance(Duration::from_secs(3601));
    assert_eq!(eventually(|| get(&emulator, &small).status, 410), 410);
}
