//! Each version of what fal's sources say about errors where they contradict each other
//! (docs/protocol.md §16).

use super::*;
use fal::Code;
use fal_emulator::Fault;

fn once(emulator: &Emulator) -> Client {
    builder(emulator).max_attempts(1).unwrap().build().unwrap()
}

fn answered(emulator: &Emulator, fault: Fault) -> Error {
    emulator.clear_faults();
    emulator.clear_arrivals();
    emulator.inject(fault.always());
    echo(&once(emulator)).unwrap_err()
}

/// 13: the header has three spellings and two kinds of values.
#[test]
fn every_spelling_of_the_retry_signal_is_read() {
    let emulator = Emulator::start().unwrap();
    let errors = [
        json!({"detail": [{"loc": ["body"], "msg": "x", "type": "internal_server_error"}]}),
        json!({"detail": "x", "error_type": "internal_error"}),
        json!({"detail": "x"}),
    ];
    for body in errors {
        for name in ["X-Fal-Retryable", "X-Fal-Needs-Retry", "X-Fal-needs-retry"] {
            for (value, expected) in [
                ("true", true),
                ("1", true),
                ("false", false),
                ("0", false),
                ("", false),
            ] {
                let error = answered(
                    &emulator,
                    Fault::status(500).body(body.clone()).header(name, value),
                );
                assert_eq!(error.is_retryable(), expected, "{name}: {value}");
                assert_eq!(emulator.arrivals().len(), 1);
            }
        }
    }
    // The header also forbids a retry that would be useful.
    for name in ["X-Fal-Retryable", "X-Fal-Needs-Retry"] {
        let body = json!({"detail": "x", "error_type": "runner_scheduling_failure"});
        let fault = Fault::status(503)
            .body(body)
            .header("x-fal-error-type", "runner_scheduling_failure");
        let error = answered(&emulator, fault.header(name, "0"));
        assert!(
            !error.is_retryable() && !error.may_have_executed(),
            "{error}"
        );
    }
}

/// 12: a request that missed its start deadline is not sent again, whatever the error type, and was
/// not executed.
#[test]
fn a_missed_start_deadline_may_have_either_type() {
    let emulator = Emulator::start().unwrap();
    for kind in [Some("request_timeout"), Some("startup_timeout"), None] {
        let fault =
            Fault::status(504).body(json!({"detail": "Request timed out", "error_type": kind}));
        emulator.clear_faults();
        emulator.clear_arrivals();
        emulator.inject(fault.header("x-fal-request-timeout-type", "user").always());
        let error = echo(&client(&emulator)).unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable, "{error}");
        assert!(
            !error.is_retryable() && !error.may_have_executed(),
            "{error}"
        );
        assert!(
            error.remedy().contains("more time to start"),
            "{}",
            error.remedy()
        );
        assert_eq!(emulator.arrivals().len(), 1);
    }
}

/// 14: 400 or 500.
#[test]
fn a_failing_downstream_service_is_no_fault_of_the_input() {
    let emulator = Emulator::start().unwrap();
    for status in [400, 500] {
        let body = json!({"detail": [{"loc": ["body"], "msg": "down", "type": "downstream_service_error"}]});
        let error = answered(&emulator, Fault::status(status).body(body));
        assert_eq!(
            (error.code(), error.http_status()),
            (Code::ServiceFailed, Some(status)),
            "{error}"
        );
    }
}

/// 16: the body of the refusal at the concurrency limit was never published.
#[test]
fn a_full_queue_is_known_by_its_status() {
    let emulator = Emulator::start().unwrap();
    let kind = "concurrent_requests_limit";
    for body in [
        json!({"detail": [{"loc": ["body"], "msg": "x", "type": kind}]}),
        json!({"detail": "x", "error_type": kind}),
        json!({"error": {"type": kind, "message": "x"}}),
        json!({"detail": "x"}),
        json!(""),
    ] {
        let error = answered(
            &emulator,
            Fault::status(429)
                .body(body.clone())
                .header("X-Fal-needs-retry", "1"),
        );
        assert_eq!(error.code(), Code::RateLimited, "{body}");
        assert!(error.is_retryable() && !error.may_have_executed(), "{body}");
        // Without the header the result is the same, and the second attempt succeeds.
        emulator.clear_faults();
        emulator.inject(Fault::status(429).body(body));
        echo(&client(&emulator)).unwrap();
    }
}

/// §12.2: an unknown type is not retryable, unless the response says that it is.
#[test]
fn an_unknown_type_is_no_reason_for_a_retry() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"detail": [{"loc": ["body", "x"], "msg": "new", "type": "brand_new_error"}]});
    for status in [422, 503] {
        let error = answered(&emulator, Fault::status(status).body(body.clone()));
        assert_eq!(error.error_type(), Some("brand_new_error"));
        assert!(
            !error.is_retryable() && !error.may_have_executed(),
            "{error}"
        );
        let told = answered(
            &emulator,
            Fault::status(status)
                .body(body.clone())
                .header("x-fal-retryable", "true"),
        );
        assert!(told.is_retryable(), "{told}");
    }
}

/// 23: the close codes of fal's gateway are not documented. After codes that invite the client to
/// return it reconnects, codes of a normal end end the session, and all others are failures.
#[test]
fn every_close_code_is_an_end_a_failure_or_an_invitation() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let script =
        |code: u16| json!({"n": 1, "emulator": {"outputs": 1, "close": code, "reason": "because"}});
    let start = |code: u16| {
        let session = client
            .realtime_start(
                Request::run("emulator/realtime").unwrap(),
                fal::SocketOptions::new(),
            )
            .unwrap();
        session.send(&script(code)).unwrap();
        session
    };
    for code in [1000, 1001] {
        let outcome = Op::finish(|| Ok(start_kept(start(code)))).unwrap();
        assert_eq!(
            (
                outcome.get("/ended").unwrap(),
                outcome.get("/connections").unwrap()
            ),
            (&json!("server"), &json!(1))
        );
    }
    for code in [1012, 1013] {
        let session = start(code);
        let mut states = Vec::new();
        while states.len() < 3 {
            match session.op().wait_event(Some(PATIENCE)).unwrap() {
                fal::NextEvent::Event(event) if event.kind() == fal::EventKind::Connection => {
                    states.push(event.get("/state").unwrap().as_str().unwrap().to_owned());
                }
                fal::NextEvent::Event(_) => {}
                other => panic!("{code}: {other:?}"),
            }
        }
        assert_eq!(states, ["connected", "lost", "connected"], "{code}");
        session.close();
        assert!(session.op().wait(Some(PATIENCE)).unwrap());
        assert_eq!(
            session.op().take().unwrap().unwrap().get("/sent").unwrap(),
            1,
            "{code}: sent again"
        );
    }
    for code in [1002, 1003, 1008, 1009, 1011, 3000, 4000, 4401, 4999] {
        let error = Op::finish(|| Ok(start_kept(start(code)))).unwrap_err();
        assert_eq!(error.code(), Code::ServiceFailed, "{code}: {error}");
        assert!(
            error.message().contains(&format!("{code}: because")),
            "{error}"
        );
    }
}

/// Keeps the handle of a session and returns its operation, because dropping the last handle closes
/// the session.
fn start_kept(session: fal::Realtime) -> Op {
    let op = session.op().clone();
    std::mem::forget(session);
    op
}
