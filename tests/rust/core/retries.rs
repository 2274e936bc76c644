//! A request that may have been executed is never sent twice. A request that provably was not is
//! sent again.

use super::*;
use fal::Code;
use fal_emulator::Fault;
use std::time::Instant;

#[test]
fn a_post_whose_answer_is_lost_arrives_once_and_its_outcome_is_unknown() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let cases = [
        (Fault::reset_after_body(), Code::ConnectionLost),
        (Fault::close(), Code::ConnectionLost),
        (Fault::truncate(5), Code::ConnectionLost),
        (Fault::malformed_http(), Code::Protocol),
        (Fault::hang(), Code::Deadline),
        (Fault::slow(1, Duration::from_millis(200)), Code::Deadline),
        (Fault::delay(PATIENCE), Code::Deadline),
    ];
    for (fault, code) in cases {
        emulator.clear_arrivals();
        emulator.inject(fault.clone());
        let error = echo(&client).unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        assert!(error.may_have_executed(), "{fault:?}: {error}");
        assert!(error.message().contains("executed"), "{error}");
        assert_eq!(emulator.arrivals().len(), 1, "{fault:?}");
    }
}

#[test]
fn a_post_that_the_ingress_lost_arrives_once() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for status in [502, 503, 504] {
        emulator.clear_arrivals();
        emulator.inject(
            Fault::status(status)
                .without_request_id()
                .body("<html><title>Bad Gateway</title>nginx</html>"),
        );
        let error = echo(&client).unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(
            error.may_have_executed() && error.is_retryable(),
            "{error:?}"
        );
        assert!(
            error.message().contains("in front of fal's gateway")
                && error.message().contains("HTML"),
            "{error}"
        );
        assert_eq!(emulator.arrivals().len(), 1, "{status}");
    }
}

#[test]
fn a_large_post_that_is_reset_before_it_was_read_arrives_once() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::reset_before_body());
    let error = run(
        &client(&emulator),
        "emulator/echo",
        json!({"x": "y".repeat(8 << 20)}),
    )
    .unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost);
    assert!(
        error.may_have_executed(),
        "the request may have arrived completely"
    );
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn a_get_is_sent_again_after_a_lost_answer() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for fault in [
        Fault::reset_after_body(),
        Fault::close(),
        Fault::truncate(5),
        Fault::status(503),
        Fault::status(502).without_request_id(),
    ] {
        emulator.clear_arrivals();
        emulator.inject(fault.clone());
        send(&client, "GET", "https://fal.run/emulator/echo")
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(emulator.arrivals().len(), 2, "{fault:?}");
    }
}

#[test]
fn a_post_that_never_connected_is_sent_again() {
    let reserved = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", reserved.to_string()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .max_attempts(100)
        .unwrap();
    let client = client.timeout(PATIENCE).build().unwrap();
    let op = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    assert!(
        !op.wait(Some(Duration::from_millis(50))).unwrap(),
        "there is no listener yet"
    );
    let emulator = Emulator::builder().port(reserved.port()).start().unwrap();
    // The key is not one of this emulator's, so 401 shows that the request arrived.
    op.wait(None).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn a_refused_connection_is_an_error_after_the_last_attempt() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", nobody.to_string()),
    ];
    let client = crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .max_attempts(2)
        .unwrap();
    let error = echo(&client.build().unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::Connect);
    assert!(!error.may_have_executed() && error.is_retryable());
    assert!(error.message().contains("fal.run"), "{error}");
}

#[test]
fn a_429_is_sent_again_after_the_time_it_names() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for form in [
        fal_emulator::RetryAfterForm::Seconds,
        fal_emulator::RetryAfterForm::HttpDate,
    ] {
        emulator.clear_arrivals();
        emulator.inject(Fault::status(429).retry_after(2, form));
        let started = Instant::now();
        echo(&client).unwrap();
        // A date has whole seconds, so up to one second is lost to rounding.
        assert!(
            started.elapsed() >= Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(emulator.arrivals().len(), 2);
        assert_eq!(
            emulator
                .arrivals()
                .iter()
                .filter(|arrival| arrival.executed)
                .count(),
            1
        );
    }
}

#[test]
fn attempts_are_counted() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(3).unwrap().build().unwrap();
    emulator.inject(Fault::status(429).always());
    let error = echo(&client).unwrap_err();
    assert_eq!(
        (error.code(), error.is_retryable()),
        (Code::RateLimited, true)
    );
    assert!(!error.may_have_executed());
    assert_eq!(emulator.arrivals().len(), 3);
}

#[test]
fn a_wait_beyond_the_deadline_is_not_begun() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    emulator.inject(
        Fault::status(429)
            .retry_after(3600, fal_emulator::RetryAfterForm::Seconds)
            .always(),
    );
    let started = Instant::now();
    let error = echo(&client).unwrap_err();
    assert_eq!(
        (error.code(), error.retry_after()),
        (Code::RateLimited, Some(Duration::from_secs(3600)))
    );
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn the_service_decides_whether_a_post_was_taken() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let said = |status, kind: &str| {
        Fault::status(status)
            .body(json!({"detail": "x", "error_type": kind}))
            .header("x-fal-error-type", kind)
    };
    // The Platform API's failures come from the emulator's own table. The second attempt succeeds
    // only if the fault is over.
    let cases = [
        (said(503, "runner_scheduling_failure"), 2),
        (said(503, "runner_connection_refused"), 2),
        (said(504, "startup_timeout"), 2),
        (
            Fault::status(503)
                .body(json!({"detail": "x", "error_type": "runner_scheduling_failure"})),
            1,
        ),
        (
            Fault::status(503).body(json!({"detail": "x", "error_type": "runner_disconnected"})),
            1,
        ),
        (
            Fault::status(504).body(json!({"detail": "x", "error_type": "request_timeout"})),
            1,
        ),
        (Fault::status(500).header("x-fal-needs-retry", "1"), 1),
        (Fault::status(429).header("x-fal-needs-retry", "1"), 2),
        (Fault::status(429).header("x-fal-retryable", "false"), 1),
        (
            Fault::status(504).header("x-fal-request-timeout-type", "user"),
            1,
        ),
        (Fault::status(422), 1),
    ];
    for (fault, arrivals) in cases {
        emulator.clear_arrivals();
        emulator.inject(fault.clone());
        let outcome = echo(&client);
        assert_eq!(outcome.is_ok(), arrivals == 2, "{fault:?}: {outcome:?}");
        assert_eq!(emulator.arrivals().len(), arrivals, "{fault:?}");
    }
}

#[test]
fn a_connection_is_used_again() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    // A task of its own returns the connection, perhaps a moment after the response was read.
    let is_used_again = (0..50).any(|_| {
        echo(&client).unwrap();
        let arrivals = emulator.arrivals();
        let (last, others) = arrivals.split_last().unwrap();
        others
            .iter()
            .any(|other| other.connection == last.connection)
    });
    assert!(is_used_again);
}
