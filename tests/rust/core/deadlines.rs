//! One deadline covers a whole call. Cancelling a call ends it at once and closes its socket.

use super::*;
use fal::Code;
use fal_emulator::{Fault, Outcome};
use std::time::Instant;

fn short(emulator: &Emulator) -> Client {
    builder(emulator)
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap()
}

#[test]
fn the_deadline_covers_every_stage() {
    let emulator = Emulator::start().unwrap();
    let client = short(&emulator);
    let faults = [
        (Fault::hang(), "while waiting"),
        (Fault::slow(1, Duration::from_millis(50)), "while reading"),
        (Fault::delay(PATIENCE), "while waiting"),
    ];
    for (fault, stage) in faults {
        emulator.inject(fault.always());
        for method in ["GET", "POST"] {
            let started = Instant::now();
            let error = send(&client, method, "https://fal.run/emulator/echo").unwrap_err();
            assert_eq!(error.code(), Code::Deadline, "{error}");
            assert!(
                error.message().contains(stage) && error.message().contains("300 ms"),
                "{error}"
            );
            assert_eq!(
                error.may_have_executed(),
                method == "POST",
                "{method} {stage}"
            );
            assert!(
                started.elapsed() >= Duration::from_millis(300) && started.elapsed() < PATIENCE
            );
        }
        emulator.clear_faults();
    }
}

#[test]
fn attempts_share_one_deadline() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .timeout(Duration::from_secs(2))
        .max_attempts(100)
        .unwrap()
        .build()
        .unwrap();
    emulator.inject(
        Fault::status(503)
            .delayed(Duration::from_millis(100))
            .always(),
    );
    let started = Instant::now();
    let error = send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err();
    assert!(
        matches!(error.code(), Code::ServiceUnavailable | Code::Deadline),
        "{error}"
    );
    assert!(started.elapsed() < Duration::from_secs(4));
    assert!(emulator.arrivals().len() > 1);
}

#[test]
fn a_connection_that_is_never_accepted_is_bounded() {
    // With a full backlog the handshakes of further connections are not answered.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = full.local_addr().unwrap();
    let _held: Vec<_> = (0..4096)
        .map_while(|_| {
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()
        })
        .collect();
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", address.to_string()),
    ];
    let client = crate::logged::builder().environment(Environment::from_variables(variables));
    let client = client.timeout(Duration::from_millis(300)).build().unwrap();
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::Deadline, "{error}");
    assert!(
        !error.may_have_executed() && error.message().contains("nothing was sent"),
        "{error}"
    );
}

#[test]
fn a_requests_own_time_is_stronger_than_the_clients() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::hang());
    let mut request = Request::run("emulator/echo").unwrap();
    request.set_timeout(Duration::from_millis(50));
    let error = Op::finish(|| client(&emulator).run_start(request)).unwrap_err();
    assert!(error.message().contains("50 ms"), "{error}");
}

#[test]
fn cancelling_ends_the_call_and_closes_the_socket() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let mut fastest = Duration::MAX;
    for round in 0..10 {
        emulator.clear_arrivals();
        emulator.inject(Fault::hang());
        let op = client
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap();
        emulator.wait_for_arrivals(1, PATIENCE).unwrap();
        let started = Instant::now();
        op.cancel();
        op.cancel();
        assert!(op.wait(Some(PATIENCE)).unwrap());
        fastest = fastest.min(started.elapsed());
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Cancelled, "round {round}: {error}");
        assert!(error.may_have_executed(), "{error}");
        op.cancel();
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Taken);
        let closed = emulator.wait_until(PATIENCE, |arrivals| {
            arrivals[0].outcome == Outcome::ClientClosed
        });
        assert!(
            closed.is_ok(),
            "the socket stays open: {:?}",
            emulator.arrivals()
        );
    }
    // Takes the best of ten, because the machine may be busy.
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
}

#[test]
fn cancelling_in_a_pause_sends_nothing_more() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::status(429)
            .retry_after(600, fal_emulator::RetryAfterForm::Seconds)
            .always(),
    );
    let op = client(&emulator)
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    emulator
        .wait_until(PATIENCE, |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.outcome == Outcome::Status(429))
        })
        .unwrap();
    assert!(!op.wait(Some(Duration::from_millis(50))).unwrap());
    op.cancel();
    op.wait(None).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Cancelled, false),
        "{error}"
    );
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn dropping_a_handle_is_not_cancelling() {
    let emulator = Emulator::start().unwrap();
    drop(
        client(&emulator)
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap(),
    );
    emulator
        .wait_until(PATIENCE, |arrivals| {
            arrivals
                .iter()
                .any(|arrival| arrival.outcome == Outcome::Status(200))
        })
        .unwrap();
}

#[test]
fn an_answer_is_bounded() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_response_bytes(1000).build().unwrap();
    run(&client, "emulator/bytes", json!({"size": 1000})).unwrap();
    let error = run(&client, "emulator/bytes", json!({"size": 1001})).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::TooLarge, true)
    );
    assert!(
        error.message().contains("1000 bytes") && error.request_id().is_some(),
        "{error}"
    );
}
