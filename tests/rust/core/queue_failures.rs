//! Jobs that fail, and failures of the requests about a job.

use super::queue::{JOB, job_of, paths, queue, submit, subscribe};
use super::*;
use fal::Code;
use fal_emulator::{Fault, QueueSettings, RetryAfterForm};

#[test]
fn a_failed_job_is_the_error_that_it_failed_with() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    for (fail, code, status, kind, retryable) in [
        (
            json!({"type": "image_too_large"}),
            Code::InvalidInput,
            422,
            Some("image_too_large"),
            false,
        ),
        (
            json!({"framework": "uncaught_exception"}),
            Code::ServiceFailed,
            500,
            None,
            false,
        ),
        (
            json!({"error_type": "runner_disconnected"}),
            Code::ServiceUnavailable,
            503,
            Some("runner_disconnected"),
            true,
        ),
        (
            json!({"error_type": "startup_timeout"}),
            Code::ServiceUnavailable,
            504,
            Some("startup_timeout"),
            true,
        ),
        (
            json!({"error_type": "internal_error"}),
            Code::ServiceFailed,
            500,
            Some("internal_error"),
            false,
        ),
        (
            json!({"status": 404, "body": {"detail": "Path /x not found"}}),
            Code::NotFound,
            404,
            None,
            false,
        ),
        (
            json!({"status": 418, "body": {"detail": "teapot"}}),
            Code::InvalidInput,
            418,
            None,
            false,
        ),
    ] {
        emulator.clear_arrivals();
        let mut request = job_of(json!({"fail": fail}));
        request.set_no_retry(true);
        let error = Op::finish(|| client.subscribe_start(request)).unwrap_err();
        let got = (
            error.code(),
            error.http_status(),
            error.error_type(),
            error.is_retryable(),
        );
        assert_eq!(
            got,
            (code, Some(status), kind, retryable),
            "{fail}: {error}"
        );
        assert!(!error.may_have_executed(), "{fail}: its end is known");
        let arrivals = emulator.arrivals();
        assert_eq!(
            error.request_id(),
            arrivals[0].request_id.as_deref(),
            "{fail}"
        );
        let results = paths(&emulator)
            .into_iter()
            .filter(|path| path == "GET /emulator/job/requests/ID");
        assert_eq!(
            results.count(),
            1,
            "{fail}: the kept answer was asked for again"
        );
    }
    let error = subscribe(&client, json!({"fail": {"type": "image_too_large"}})).unwrap_err();
    let body: Value = serde_json::from_slice(error.body()).unwrap();
    assert_eq!(
        body["detail"][0]["type"], "image_too_large",
        "the field list is kept"
    );
}

#[test]
fn a_status_with_an_error_speaks_where_there_is_no_result() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    for (kind, code, retryable) in [
        (json!("runner_disconnected"), Code::ServiceUnavailable, true),
        (json!("client_cancelled"), Code::ServiceFailed, false),
        (json!("bad_request"), Code::InvalidInput, false),
        (json!("something_new"), Code::ServiceFailed, false),
        (json!(null), Code::ServiceFailed, false),
    ] {
        let job = submit(&client, json!({}));
        let told = json!({"status": "COMPLETED", "error": "It broke", "error_type": kind});
        emulator.inject(Fault::status(404).path("*/status/stream"));
        emulator.inject(Fault::status(200).path("*/status").body(told));
        let result = format!("/emulator/job/requests/{}", job.request_id());
        emulator.inject(
            Fault::status(404)
                .path(result)
                .body(json!({"detail": "Request not found"}))
                .always(),
        );
        let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
        assert_eq!(
            (error.code(), error.is_retryable()),
            (code, retryable),
            "{kind}: {error}"
        );
        assert!(error.message().contains("It broke"), "{error}");
        assert_eq!(error.request_id(), Some(job.request_id()));
        emulator.clear_faults();
    }
}

#[test]
fn a_submission_is_sent_once() {
    let unsure = |error: &Error| error.may_have_executed();
    for (fault, arrivals, may_have) in [
        (Fault::reset_after_body(), 1, true),
        (Fault::close(), 1, true),
        (Fault::status(502).without_request_id(), 1, true),
        (Fault::malformed_http(), 1, true),
        (Fault::status(401), 1, false),
        (Fault::status(500), 1, false),
    ] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(fault.method("POST").always());
        let error = subscribe(&client(&emulator), json!({})).unwrap_err();
        assert_eq!(
            (emulator.arrivals().len(), unsure(&error)),
            (arrivals, may_have),
            "{error}"
        );
    }
}

#[test]
fn a_full_line_is_tried_again() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(
        Fault::status(429)
            .method("POST")
            .retry_after(0, RetryAfterForm::Seconds),
    );
    let mut request = job_of(json!({}));
    request.set_max_queue_length(1);
    Op::finish(|| client(&emulator).subscribe_start(request)).unwrap();
    assert_eq!(
        paths(&emulator)
            .iter()
            .filter(|path| path.starts_with("POST"))
            .count(),
        2
    );
    assert_eq!(emulator.executions().get(JOB), Some(&1));

    let emulator = queue(QueueSettings {
        concurrent_requests: Some(0),
        ..QueueSettings::default()
    });
    let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
    let waiting: Vec<_> = (0..3).map(|_| submit(&client, json!({}))).collect();
    let mut request = job_of(json!({}));
    request.set_max_queue_length(1);
    let error = Op::finish(|| client.submit_start(request)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::RateLimited, false),
        "{error}"
    );
    assert_eq!(emulator.arrivals().len(), waiting.len() + 2);
}

#[test]
fn status_and_result_are_asked_for_again_after_failures() {
    for fault in [
        Fault::status(503).without_request_id(),
        Fault::status(429).retry_after(0, RetryAfterForm::Seconds),
        Fault::reset_after_body(),
        Fault::close(),
        Fault::truncate(5),
        Fault::status(200)
            .header("content-type", "text/html")
            .body("<html>portal</html>"),
    ] {
        for of_result in [false, true] {
            let page = format!("{fault:?}").contains("portal");
            if page && of_result {
                // An app may return a page of HTML.
                continue;
            }
            let emulator = queue(QueueSettings::default());
            let client = client(&emulator);
            let job = submit(&client, json!({"output": {"x": 1}}));
            let path = format!("/emulator/job/requests/{}", job.request_id());
            emulator.inject(Fault::status(404).path("*/status/stream").always());
            emulator.inject(fault.clone().path(if of_result {
                path.clone()
            } else {
                format!("{path}/status")
            }));
            let output = Op::finish(|| client.attach_start(&job)).unwrap();
            assert_eq!(output.get("/x").unwrap(), 1, "{fault:?} {of_result}");
            assert_eq!(emulator.executions().get(JOB), Some(&1));
            let asked = emulator
                .arrivals()
                .iter()
                .filter(|arrival| arrival.path.starts_with(&path))
                .count();
            assert_eq!(asked, 4, "{fault:?} {of_result}: {:?}", paths(&emulator));
        }
    }
}

/// The result of a job says how it failed. Failures of the status request and of a cancellation
/// belong to the queue and are temporary. Repeating them is harmless, and a job that is not
/// cancelled keeps running and costs money.
#[test]
fn a_failing_queue_is_asked_again_for_a_status_and_a_cancellation() {
    for fault in [
        Fault::status(500),
        Fault::status(500).without_request_id(),
        Fault::status(502),
        Fault::status(503),
        Fault::status(504).without_request_id(),
    ] {
        let emulator = queue(QueueSettings::default());
        let client = client(&emulator);
        let job = submit(&client, json!({"ms": 3_600_000}));
        let path = format!("/emulator/job/requests/{}", job.request_id());
        for end in ["/status", "/cancel"] {
            emulator.clear_arrivals();
            emulator.inject(fault.clone().path(format!("{path}{end}")).times(2));
            Op::finish(|| {
                if end == "/status" {
                    client.status_start(&job)
                } else {
                    client.cancel_start(&job)
                }
            })
            .unwrap_or_else(|error| panic!("{fault:?} {end}: {error}"));
            assert_eq!(emulator.arrivals().len(), 3, "{fault:?} {end}");
        }
        emulator.inject(Fault::status(404).path("*/status/stream").always());
        emulator.inject(fault.clone().path(format!("{path}/status")).times(7));
        let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
        assert_eq!(error.http_status(), Some(499), "{fault:?}: {error}");
    }
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = submit(&client, json!({"ms": 3_600_000}));
    emulator.clear_arrivals();
    emulator.inject(
        Fault::status(500)
            .path("*/cancel")
            .header("x-fal-needs-retry", "0"),
    );
    let error = Op::finish(|| client.cancel_start(&job)).unwrap_err();
    assert_eq!(
        (error.is_retryable(), emulator.arrivals().len()),
        (false, 1),
        "it forbids it: {error}"
    );
}

#[test]
fn an_error_on_the_way_carries_the_id_to_attach_with() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    emulator.inject(Fault::status(403).method("GET").always());
    let error = subscribe(&client, json!({"ms": 100, "output": {"x": 1}})).unwrap_err();
    let id = emulator.arrivals()[0].request_id.clone().unwrap();
    assert_eq!(
        (error.code(), error.request_id()),
        (Code::Forbidden, Some(id.as_str())),
        "{error}"
    );
    assert!(
        error.may_have_executed() && error.remedy().contains("attach"),
        "{}",
        error.remedy()
    );
    emulator.clear_faults();
    let job = fal::Job::new(JOB, &id).unwrap();
    assert_eq!(
        Op::finish(|| client.attach_start(&job))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
    assert!(
        paths(&emulator).iter().all(|path| !path.starts_with("PUT")),
        "an error does not cancel"
    );
}

/// A refused result says nothing about the job.
#[test]
fn a_result_that_is_refused_is_still_there() {
    for (status, code) in [
        (401, Code::Unauthenticated),
        (403, Code::Forbidden),
        (408, Code::ServiceUnavailable),
        (429, Code::RateLimited),
    ] {
        let emulator = queue(QueueSettings::default());
        let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
        let job = submit(&client, json!({"output": {"x": 1}}));
        emulator.inject(
            Fault::status(status)
                .path(format!("/emulator/job/requests/{}", job.request_id()))
                .always(),
        );
        for outcome in [
            Op::finish(|| client.attach_start(&job)),
            Op::finish(|| client.result_start(&job)),
        ] {
            let error = outcome.unwrap_err();
            assert_eq!(
                (error.code(), error.request_id()),
                (code, Some(job.request_id())),
                "{error}"
            );
            assert!(
                error.may_have_executed() && error.remedy().contains("attach"),
                "{status}: {}",
                error.remedy()
            );
        }
        emulator.clear_faults();
        assert_eq!(
            Op::finish(|| client.result_start(&job))
                .unwrap()
                .get("/x")
                .unwrap(),
            1
        );
    }
}

#[test]
fn an_unknown_request_is_not_found() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = fal::Job::new(JOB, "00000000-0000-4000-8000-000000000000").unwrap();
    for outcome in [
        Op::finish(|| client.status_start(&job)),
        Op::finish(|| client.result_start(&job)),
        Op::finish(|| client.cancel_start(&job)),
        Op::finish(|| client.attach_start(&job)),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert!(
            error.remedy().contains("request id") && error.remedy().contains("an hour"),
            "{}",
            error.remedy()
        );
    }
}

#[test]
fn cancelling_what_has_ended_says_so() {
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = submit(&client, json!({}));
    Op::finish(|| client.attach_start(&job)).unwrap();
    let error = Op::finish(|| client.cancel_start(&job)).unwrap_err();
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::InvalidInput, Some(400)),
        "{error}"
    );
    assert!(
        error.message().contains("ALREADY_COMPLETED") && error.remedy().contains("has ended"),
        "{}",
        error.remedy()
    );
}

/// A refused status request will be refused the next time, too.
#[test]
fn the_first_refusal_ends_the_waiting_with_its_reason() {
    for (status, code) in [
        (401, Code::Unauthenticated),
        (403, Code::Forbidden),
        (404, Code::NotFound),
        (410, Code::NotFound),
    ] {
        for of_result in [false, true] {
            let emulator = queue(QueueSettings::default());
            let client = client(&emulator);
            let job = submit(
                &client,
                json!({"ms": if of_result { 1 } else { 3_600_000 }}),
            );
            emulator.clear_arrivals();
            let path = format!("/emulator/job/requests/{}", job.request_id());
            let refused = || Fault::status(status).body(json!({"detail": "the reason"}));
            match of_result {
                true => emulator.inject(refused().path(path.clone()).always()),
                false => ["/status", "/status/stream"].iter().for_each(|end| {
                    emulator.inject(refused().path(format!("{path}{end}")).always())
                }),
            };
            let error = Op::finish(|| client.attach_start(&job)).unwrap_err();
            assert_eq!(
                (error.code(), error.http_status()),
                (code, Some(status)),
                "{error}"
            );
            assert!(error.message().contains("the reason"), "{error}");
            assert_eq!(error.request_id(), Some(job.request_id()), "{error}");
            let asked = |end: &str| {
                emulator
                    .arrivals()
                    .iter()
                    .filter(|one| one.path == format!("{path}{end}"))
                    .count()
            };
            let expected = if of_result { (0, 1) } else { (1, 0) };
            let got = (asked("/status"), asked(""));
            // A missing result contradicts the completed status, so it is requested again.
            let again = status == 404 && of_result && got.1 > 1;
            assert!(
                got == expected || again,
                "{status} {of_result}: {:?}",
                paths(&emulator)
            );
        }
    }
}

/// States that fal does not document (docs/protocol.md §16.4), with names after which no result can
/// follow.
#[test]
fn a_state_that_is_an_end_by_its_name_has_the_result_asked_once() {
    let running = || json!({"detail": "Request is still in progress"});
    for (status, result, code, told) in [
        (
            json!({"status": "FAILED"}),
            (400, running()),
            Code::ServiceFailed,
            "its state is FAILED",
        ),
        (
            json!({"status": "FAILED"}),
            (400, json!({"detail": "no"})),
            Code::InvalidInput,
            "no",
        ),
        (
            json!({"status": "FAILED", "error": "no memory"}),
            (400, running()),
            Code::ServiceFailed,
            "no memory",
        ),
        (
            json!({"status": "ERROR", "detail": "no memory"}),
            (202, running()),
            Code::ServiceFailed,
            "no memory",
        ),
        (
            json!({"status": "ERROR"}),
            (202, running()),
            Code::ServiceFailed,
            "its state is ERROR",
        ),
        (
            json!({"status": "Cancelled"}),
            (404, running()),
            Code::ServiceFailed,
            "its state is Cancelled",
        ),
        (
            json!({"status": "FAILED", "error_type": "bad_request"}),
            (404, running()),
            Code::InvalidInput,
            "bad_request",
        ),
        (
            json!({"status": "FAILED"}),
            (503, json!({"detail": "gone"})),
            Code::ServiceUnavailable,
            "gone",
        ),
        (
            json!({"status": "FAILED"}),
            (422, json!({"detail": "too big"})),
            Code::InvalidInput,
            "too big",
        ),
    ] {
        for streamed in [true, false] {
            let emulator = queue(QueueSettings {
                concurrent_requests: Some(0),
                ..QueueSettings::default()
            });
            let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
            let job = submit(&client, json!({}));
            let path = format!("/emulator/job/requests/{}", job.request_id());
            let events = format!("data: {status}\n\n");
            let stream = Fault::status(200)
                .header("content-type", "text/event-stream")
                .body(events);
            emulator.inject(
                if streamed { stream } else { Fault::status(404) }
                    .path(format!("{path}/status/stream")),
            );
            emulator.inject(
                Fault::status(200)
                    .path(format!("{path}/status"))
                    .body(status.clone())
                    .always(),
            );
            emulator.inject(
                Fault::status(result.0)
                    .path(path.clone())
                    .body(result.1.clone())
                    .always(),
            );
            let op = client.attach_start(&job).unwrap();
            assert!(
                op.wait(Some(PATIENCE)).unwrap(),
                "{status} {result:?}: it is waited for"
            );
            let error = op.take().unwrap().unwrap_err();
            assert_eq!(error.code(), code, "{status} {result:?}: {error}");
            assert!(
                error.message().contains(told),
                "{status} {result:?}: {error}"
            );
            assert_eq!(error.request_id(), Some(job.request_id()), "{error}");
            let asked = emulator
                .arrivals()
                .iter()
                .filter(|arrival| arrival.path == path)
                .count();
            assert_eq!(asked, 1, "{status} {result:?} {streamed}");
        }
    }
    // If there is a result, the job has succeeded.
    let emulator = queue(QueueSettings::default());
    let client = client(&emulator);
    let job = submit(&client, json!({"output": {"x": 1}}));
    Op::finish(|| client.attach_start(&job)).unwrap();
    emulator.inject(Fault::status(404).path("*/status/stream").always());
    emulator.inject(
        Fault::status(200)
            .path("*/status")
            .body(json!({"status": "FAILED"}))
            .always(),
    );
    assert_eq!(
        Op::finish(|| client.attach_start(&job))
            .unwrap()
            .get("/x")
            .unwrap(),
        1
    );
}
