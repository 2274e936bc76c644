//! Where fal's own sources differ, libfal works with each version (docs/protocol.md §16.1-12).

use super::queue::{JOB, events, job_of, lines, paths, queue, states, submit, subscribe};
use super::*;
use fal::{Code, Job};
use fal_emulator::{CancelAnswer, Fault, LogWindow, MissedStart, QueueSettings, UnaskedLogs};

fn omitting(names: &[&str]) -> std::collections::BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Every setting that affects an ordinary job.
fn settings() -> Vec<(&'static str, QueueSettings)> {
    let usual = QueueSettings::default;
    vec![
        ("202, then 200", usual()),
        (
            "always 200",
            QueueSettings {
                status_always_200: true,
                ..usual()
            },
        ),
        (
            "full ids",
            QueueSettings {
                full_id_urls: true,
                ..usual()
            },
        ),
        (
            "/response",
            QueueSettings {
                response_suffix: true,
                ..usual()
            },
        ),
        (
            "full ids and /response",
            QueueSettings {
                full_id_urls: true,
                response_suffix: true,
                ..usual()
            },
        ),
        (
            "no status",
            QueueSettings {
                submit_omits: omitting(&["status", "gateway_request_id"]),
                ..usual()
            },
        ),
        (
            "an id only",
            QueueSettings {
                submit_omits: omitting(&[
                    "status",
                    "gateway_request_id",
                    "response_url",
                    "status_url",
                    "cancel_url",
                    "queue_position",
                ]),
                ..usual()
            },
        ),
        (
            "a bare status",
            QueueSettings {
                status_omits: omitting(&[
                    "queue_position",
                    "metrics",
                    "response_url",
                    "status_url",
                    "cancel_url",
                ]),
                ..usual()
            },
        ),
        (
            "whole windows",
            QueueSettings {
                stream_logs: LogWindow::Whole,
                ..usual()
            },
        ),
        (
            "last lines",
            QueueSettings {
                stream_logs: LogWindow::Last(3),
                status_logs: LogWindow::Last(3),
                ..usual()
            },
        ),
        (
            "no logs",
            QueueSettings {
                unasked_logs: UnaskedLogs::Absent,
                ..usual()
            },
        ),
        (
            "empty logs",
            QueueSettings {
                unasked_logs: UnaskedLogs::Empty,
                ..usual()
            },
        ),
    ]
}

#[test]
fn a_job_succeeds_in_every_version() {
    for (name, settings) in settings() {
        for stream in [true, false] {
            let emulator = queue(settings.clone());
            if !stream {
                emulator.inject(Fault::status(404).path("*/status/stream").always());
            }
            let client = client(&emulator);
            let input = json!({"ms": 400, "logs": ["a", "b", "c"], "output": {"x": 1}});
            let op = client.subscribe_start(job_of(input.clone())).unwrap();
            let told = events(&op);
            assert_eq!(op.take().unwrap().unwrap().get("/x").unwrap(), 1, "{name}");
            assert_eq!(lines(&told), ["a", "b", "c"], "{name}, stream: {stream}");
            let states = states(&told);
            let ends = (
                states.first().map(String::as_str),
                states.last().map(String::as_str),
            );
            assert_eq!(
                ends,
                (Some("IN_QUEUE"), Some("COMPLETED")),
                "{name}, stream: {stream}"
            );
            let mut quiet = job_of(input);
            quiet.set_logs(false);
            let op = client.subscribe_start(quiet).unwrap();
            assert!(lines(&events(&op)).is_empty(), "{name}");
            assert_eq!(op.take().unwrap().unwrap().get("/x").unwrap(), 1, "{name}");
        }
    }
}

#[test]
fn an_early_result_is_not_ready_in_both_versions() {
    for unfinished_result_202 in [false, true] {
        let emulator = queue(QueueSettings {
            unfinished_result_202,
            ..QueueSettings::default()
        });
        let client = client(&emulator);
        let job = submit(&client, json!({"ms": 3_600_000}));
        assert_eq!(
            Op::finish(|| client.result_start(&job)).unwrap_err().code(),
            Code::NotReady
        );
        // An app's own 400 and 202 are its responses.
        let refused = submit(
            &client,
            json!({"fail": {"status": 400, "body": {"detail": "no"}}}),
        );
        let error = Op::finish(|| client.attach_start(&refused)).unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::InvalidInput, Some(400)),
            "{error}"
        );
        let error = Op::finish(|| client.result_start(&refused)).unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::InvalidInput, Some(400)),
            "{error}"
        );
    }
}

#[test]
fn cancelling_succeeds_in_both_versions() {
    for cancel_answer in [CancelAnswer::Status, CancelAnswer::Success] {
        let emulator = queue(QueueSettings {
            cancel_answer,
            ..QueueSettings::default()
        });
        let client = client(&emulator);
        let job = submit(&client, json!({"ms": 3_600_000}));
        Op::finish(|| client.cancel_start(&job)).unwrap();
        let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
        assert_eq!(error.http_status(), Some(499), "{error}");
    }
}

/// 7: neither the state of a cancelled request nor its result is documented. In each version a
/// waiting call ends with an error, which never claims that the job succeeded or that it may be
/// sent again without effect.
#[test]
fn a_cancelled_request_is_an_error_however_it_is_told() {
    let gone = || json!({"detail": "Request not found"});
    let cancelled =
        || json!({"detail": "Request cancelled by the client.", "error_type": "client_cancelled"});
    let ended = |more: Value| {
        let mut status = json!({"status": "COMPLETED"});
        status
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        (200, status)
    };
    let told = json!({"error": "Request cancelled", "error_type": "client_cancelled"});
    for (name, status, result, code, kind) in [
        (
            "as assumed",
            ended(told.clone()),
            (499, cancelled()),
            Code::ServiceFailed,
            Some("client_cancelled"),
        ),
        (
            "untold",
            ended(json!({})),
            (499, json!({"detail": "x"})),
            Code::ServiceFailed,
            None,
        ),
        (
            "no result",
            ended(told.clone()),
            (404, gone()),
            Code::ServiceFailed,
            Some("client_cancelled"),
        ),
        (
            "told by error_type only",
            ended(json!({"error_type": "client_cancelled"})),
            (404, gone()),
            Code::ServiceFailed,
            Some("client_cancelled"),
        ),
        (
            "another state",
            (200, json!({"status": "CANCELLED"})),
            (499, cancelled()),
            Code::ServiceFailed,
            Some("client_cancelled"),
        ),
        (
            "another state and no result",
            (200, json!({"status": "CANCELLED"})),
            (404, gone()),
            Code::ServiceFailed,
            None,
        ),
        (
            "forgotten",
            (404, json!({"status": "NOT_FOUND"})),
            (404, gone()),
            Code::NotFound,
            None,
        ),
    ] {
        for streamed in [true, false] {
            let emulator = queue(QueueSettings {
                concurrent_requests: Some(0),
                ..QueueSettings::default()
            });
            let client = client(&emulator);
            let job = submit(&client, json!({}));
            let path = format!("/emulator/job/requests/{}", job.request_id());
            let stream = match streamed {
                true => Fault::status(status.0)
                    .header("content-type", "text/event-stream")
                    .body(format!("data: {}\n\n", status.1)),
                false => Fault::status(404),
            };
            emulator.inject(stream.path(format!("{path}/status/stream")).always());
            emulator.inject(
                Fault::status(status.0)
                    .path(format!("{path}/status"))
                    .body(status.1.clone())
                    .always(),
            );
            emulator.inject(
                Fault::status(result.0)
                    .path(path)
                    .body(result.1.clone())
                    .always(),
            );
            let waited = Op::finish(|| client.attach_start(&job)).unwrap_err();
            assert_eq!(
                (waited.code(), waited.error_type()),
                (code, kind),
                "{name}: {waited}"
            );
            let fetched = Op::finish(|| client.result_start(&job)).unwrap_err();
            assert_eq!(fetched.http_status(), Some(result.0), "{name}: {fetched}");
            for error in [waited, fetched] {
                assert!(
                    !error.is_retryable() && error.request_id() == Some(job.request_id()),
                    "{name}: {error}"
                );
            }
            assert_eq!(emulator.executions().get(JOB), None);
        }
    }
}

#[test]
fn a_missed_start_is_told_in_every_version() {
    for missed_start in [
        MissedStart::RequestTimeout,
        MissedStart::StartupTimeout,
        MissedStart::Absent,
    ] {
        let settings = QueueSettings {
            concurrent_requests: Some(0),
            missed_start,
            ..QueueSettings::default()
        };
        let emulator = queue(settings);
        let client = client(&emulator);
        let mut request = job_of(json!({}));
        request.set_start_timeout(Duration::from_secs(600)).unwrap();
        let op = client.subscribe_start(request).unwrap();
        emulator.wait_for_arrivals(2, PATIENCE).unwrap();
        emulator.advance(Duration::from_secs(601));
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::ServiceUnavailable, Some(504)),
            "{error}"
        );
        assert!(
            !error.is_retryable() && !error.may_have_executed(),
            "{error}"
        );
        assert_eq!(error.header("x-fal-request-timeout-type"), Some("user"));
        assert!(
            error.remedy().contains("more time to start"),
            "{}",
            error.remedy()
        );
        assert_eq!(emulator.executions().get(JOB), None);
        let results = paths(&emulator)
            .into_iter()
            .filter(|path| path == "GET /emulator/job/requests/ID");
        assert_eq!(results.count(), 1, "the kept answer was asked for again");
    }
}

#[test]
fn addresses_that_the_endpoint_refuses_are_built_instead() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = submit(&client, json!({"output": {"x": 1}}));
    let base = format!(
        "https://queue.fal.run/emulator/job/sub/requests/{}",
        job.request_id()
    );
    let full = json!({
        "request_id": job.request_id(),
        "response_url": base,
        "status_url": format!("{base}/status"),
        "cancel_url": format!("{base}/cancel"),
    });
    // The emulator serves full ids only on request. It returns 405, as was observed at fal.
    emulator.inject(Fault::status(200).method("POST").body(full));
    let output = subscribe(&client, json!({})).unwrap();
    assert_eq!(output.get("/x").unwrap(), 1);
    assert!(
        emulator
            .arrivals()
            .iter()
            .any(|arrival| arrival.path.contains("/job/sub/requests/"))
    );
}

#[test]
fn addresses_elsewhere_are_never_gone_to() {
    for base in [
        "https://evil.example/emulator/job",
        "http://queue.fal.run/emulator/job",
        "https://fal.run/emulator/job",
    ] {
        let emulator = queue(QueueSettings::default());
        let client = client(&emulator);
        let job = submit(&client, json!({"ms": 200, "output": {"x": 1}}));
        let hostile = json!({
            "request_id": job.request_id(),
            "response_url": format!("{base}/requests/{}", job.request_id()),
            "status_url": format!("{base}/requests/{}/status", job.request_id()),
            "cancel_url": format!("{base}/requests/{}/cancel", job.request_id()),
        });
        emulator.inject(Fault::status(200).method("POST").body(hostile));
        let answer = Op::finish(|| client.submit_start(job_of(json!({})))).unwrap();
        let misled = Job::of_response(JOB, &answer).unwrap();
        Op::finish(|| client.status_start(&misled)).unwrap();
        assert_eq!(
            Op::finish(|| client.attach_start(&misled))
                .unwrap()
                .get("/x")
                .unwrap(),
            1
        );
        assert_eq!(
            Op::finish(|| client.cancel_start(&misled))
                .unwrap_err()
                .code(),
            Code::InvalidInput
        );
        let hosts: Vec<_> = emulator
            .arrivals()
            .iter()
            .map(|arrival| arrival.host.clone())
            .collect();
        assert!(
            hosts.iter().all(|host| host == "queue.fal.run"),
            "{base}: {hosts:?}"
        );
    }
}

#[test]
fn an_answer_without_an_id_says_that_the_request_was_taken() {
    for body in [
        json!({}),
        json!({"request_id": ".."}),
        json!({"request_id": null}),
        json!("x"),
    ] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(Fault::status(200).method("POST").body(body));
        let error = subscribe(&client(&emulator), json!({})).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, true),
            "{error}"
        );
        assert_eq!(emulator.arrivals().len(), 1);
    }
}

#[test]
fn an_unknown_state_is_an_end_if_there_is_a_result() {
    for unfinished_result_202 in [false, true] {
        for streamed in [true, false] {
            let emulator = queue(QueueSettings {
                unfinished_result_202,
                ..QueueSettings::default()
            });
            let client = client(&emulator);
            let events = Fault::status(200)
                .header("content-type", "text/event-stream")
                .body("data: {\"status\": \"ARCHIVED\"}\n\n");
            emulator.inject(
                if streamed { events } else { Fault::status(404) }
                    .path("*/status/stream")
                    .always(),
            );
            emulator.inject(
                Fault::status(200)
                    .path("*/status")
                    .body(json!({"status": "ARCHIVED"}))
                    .always(),
            );
            let mut job = submit(&client, json!({"ms": 700, "output": {"x": 1}}));
            job.set_timeout(PATIENCE);
            let output = Op::finish(|| client.attach_start(&job)).unwrap();
            assert_eq!(
                output.get("/x").unwrap(),
                1,
                "{unfinished_result_202} {streamed}"
            );
            let path = format!("/emulator/job/requests/{}", job.request_id());
            let asked = emulator
                .arrivals()
                .iter()
                .filter(|arrival| arrival.path == path)
                .count();
            assert!(asked > 1, "it was asked for before it was there");
        }
    }
}

/// 9: an array in the guide, an object in the OpenAPI documents, and nothing where no logs were
/// requested.
#[test]
fn logs_may_be_an_object_a_list_or_nothing() {
    let line = json!({"message": "only", "level": "INFO", "timestamp": "2026-01-01T00:00:00Z"});
    for (logs, expected) in [
        (json!([line]), &["only"][..]),
        (line.clone(), &["only"]),
        (json!({}), &[]),
        (json!({"0": line}), &[]),
        (json!(null), &[]),
        (json!("text"), &[]),
    ] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(Fault::status(404).path("*/status/stream").always());
        let status = json!({"status": "IN_PROGRESS", "logs": logs});
        emulator.inject(Fault::status(202).path("*/status").body(status).times(1));
        let op = client(&emulator)
            .subscribe_start(job_of(json!({"ms": 200, "output": {"x": 1}})))
            .unwrap();
        assert_eq!(lines(&events(&op)), expected, "{logs}");
        assert_eq!(op.take().unwrap().unwrap().get("/x").unwrap(), 1, "{logs}");
    }
}

/// 34: the status of an expired result is 404 or 410, and is never read as "not ready" or as a
/// success.
#[test]
fn an_expired_result_is_an_error_in_both_versions() {
    for (expired_is_gone, status) in [(false, 404), (true, 410)] {
        let settings = QueueSettings {
            all_results_expire: true,
            expired_is_gone,
            ..QueueSettings::default()
        };
        let emulator = queue(settings);
        let client = client(&emulator);
        let job = submit(&client, json!({"output": {"x": 1}}));
        assert_eq!(
            Op::finish(|| client.attach_start(&job))
                .unwrap()
                .get("/x")
                .unwrap(),
            1
        );
        emulator.advance(Duration::from_secs(7 * 24 * 3600));
        let end = std::time::Instant::now() + PATIENCE;
        let error = loop {
            match Op::finish(|| client.result_start(&job)) {
                Err(error) => break error,
                Ok(_) => assert!(std::time::Instant::now() < end, "it does not expire"),
            }
        };
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::NotFound, Some(status)),
            "{error}"
        );
        assert!(!error.is_retryable(), "{error}");
        // A call that attaches to the job returns the same error, although the status says that the
        // job succeeded.
        let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::NotFound, Some(status)),
            "{error}"
        );
        assert!(
            error.message().contains(job.request_id()) || error.request_id().is_some(),
            "{error}"
        );
    }
}

/// 6: the status may or may not report an error of the app. The result decides.
#[test]
fn an_apps_error_is_the_same_whether_the_status_tells_of_it_or_not() {
    for app_errors_in_status in [false, true] {
        for stream in [true, false] {
            let emulator = queue(QueueSettings {
                app_errors_in_status,
                ..QueueSettings::default()
            });
            if !stream {
                emulator.inject(Fault::status(404).path("*/status/stream").always());
            }
            let detail = json!([{"loc": ["body", "prompt"], "msg": "no", "type": "value_error"}]);
            let fail = json!({"fail": {"status": 422, "body": {"detail": detail}}});
            let error = subscribe(&client(&emulator), fail).unwrap_err();
            assert_eq!(
                (error.code(), error.http_status()),
                (Code::InvalidInput, Some(422)),
                "{error}"
            );
            assert_eq!(
                error.error_type(),
                Some("value_error"),
                "{app_errors_in_status}: {error}"
            );
        }
    }
}
