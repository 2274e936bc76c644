use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant, SystemTime};

use fal_emulator::{Emulator, Fault, Outcome, RetryAfterForm};
use serde_json::json;

use crate::client::{Connection, Request};

fn emulator_with(fault: Fault) -> Emulator {
    let emulator = Emulator::start().unwrap();
    emulator.inject(fault);
    emulator
}

fn echo(emulator: &Emulator) -> Request {
    Request::run("emulator/echo", &json!({"some": "input"})).key(emulator.api_key())
}

fn assert_outcome(emulator: &Emulator, outcome: Outcome, executed: bool) {
    let arrival = &emulator.arrivals()[0];
    assert_eq!((arrival.outcome, arrival.executed), (outcome, executed));
    let ran = emulator.executions().values().sum::<u64>();
    assert_eq!(ran, u64::from(executed));
}

#[test]
fn a_delay_comes_before_the_answer() {
    let emulator = emulator_with(Fault::delay(Duration::from_millis(150)));
    let began = Instant::now();
    assert_eq!(echo(&emulator).send(&emulator).status, 200);
    assert!(began.elapsed() >= Duration::from_millis(150));
    assert_outcome(&emulator, Outcome::Status(200), true);
}

#[test]
fn a_status_replaces_the_answer() {
    let fault = Fault::status(429)
        .body(json!({"detail": "slow down"}))
        .header("X-Fal-Needs-Retry", "1")
        .retry_after(7, RetryAfterForm::Seconds);
    let emulator = emulator_with(fault);
    let response = echo(&emulator).send(&emulator);
    response.assert_detail(429, "slow down");
    assert_eq!(response.header("retry-after"), Some("7"));
    assert_eq!(response.header("x-fal-needs-retry"), Some("1"));
    assert_eq!(response.header("content-type"), Some("application/json"));
    let arrival = &emulator.arrivals()[0];
    assert_eq!(arrival.request_id.as_deref(), Some(response.request_id()));
    assert_eq!(arrival.body.json(), Some(&json!({"some": "input"})));
    assert_outcome(&emulator, Outcome::Status(429), false);
    assert_eq!(echo(&emulator).send(&emulator).status, 200);
}

#[test]
fn retry_after_may_be_a_date() {
    let emulator = emulator_with(Fault::status(429).retry_after(60, RetryAfterForm::HttpDate));
    let response = echo(&emulator).send(&emulator);
    let date = httpdate::parse_http_date(response.header("retry-after").unwrap()).unwrap();
    let ahead = date.duration_since(SystemTime::now()).unwrap();
    assert!((50..=60).contains(&ahead.as_secs()), "{ahead:?}");
}

#[test]
fn an_ingress_page_has_no_request_id() {
    let page = "<html><center>nginx</center></html>";
    let emulator = emulator_with(Fault::status(502).body(page).without_request_id());
    let response = echo(&emulator).send(&emulator);
    assert_eq!(
        (response.status, response.body.as_slice()),
        (502, page.as_bytes())
    );
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.header("x-fal-request-id"), None);
    assert_eq!(emulator.arrivals()[0].request_id, None);
}

#[test]
fn a_redirect_leads_elsewhere() {
    let emulator = emulator_with(Fault::redirect("https://example.com/x", 307));
    let response = echo(&emulator).send(&emulator);
    assert_eq!(response.status, 307);
    assert_eq!(response.header("location"), Some("https://example.com/x"));
    assert_outcome(&emulator, Outcome::Status(307), false);
}

#[test]
fn a_fault_that_cannot_be_answered_says_so() {
    for fault in [
        Fault::status(100),
        Fault::status(200).header("bad name", "x"),
        Fault::redirect("https://example.com", 200),
    ] {
        let emulator = emulator_with(fault);
        let response = echo(&emulator).send(&emulator);
        assert_eq!(response.status, 500);
        assert!(
            response.json()["detail"]
                .as_str()
                .unwrap()
                .starts_with("fal-emulator: ")
        );
    }
}

#[test]
fn a_reset_before_the_body_reads_none_of_it() {
    let emulator = emulator_with(Fault::reset_before_body());
    let mut connection = Connection::open(&emulator);
    let head = "POST /emulator/echo HTTP/1.1\r\nHost: fal.run\r\nContent-Length: 1000\r\n\r\n";
    connection.0.write_all(head.as_bytes()).unwrap();
    // The client sends no body, yet the connection is reset.
    assert_eq!(
        connection.drain(),
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    assert_outcome(&emulator, Outcome::Reset, false);
    assert_eq!(emulator.arrivals()[0].body_length, 0);
}

#[test]
fn a_reset_after_the_body_has_executed_the_request() {
    let emulator = emulator_with(Fault::reset_after_body());
    let mut connection = Connection::open(&emulator);
    connection.write(&echo(&emulator)).unwrap();
    assert_eq!(
        connection.drain(),
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    assert_outcome(&emulator, Outcome::Reset, true);
    assert_eq!(
        emulator.arrivals()[0].body.json(),
        Some(&json!({"some": "input"}))
    );
}

#[test]
fn a_reset_on_a_reused_connection_leaves_the_earlier_answer_whole() {
    let emulator = emulator_with(Fault::reset_after_body().skip(1));
    let mut connection = Connection::open(&emulator);
    assert_eq!(connection.call(&echo(&emulator)).status, 200);
    connection.write(&echo(&emulator)).unwrap();
    assert_eq!(connection.drain().1, Some(ErrorKind::ConnectionReset));
    let outcomes: Vec<_> = emulator.arrivals().iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Status(200), Outcome::Reset]);
}

#[test]
fn a_close_ends_without_an_answer_and_without_a_reset() {
    let emulator = emulator_with(Fault::close());
    let mut connection = Connection::open(&emulator);
    connection.write(&echo(&emulator)).unwrap();
    assert_eq!(connection.drain(), (vec![], None));
    assert_outcome(&emulator, Outcome::ClosedByFault, true);
}

#[test]
fn a_hang_reads_everything_and_never_answers() {
    let emulator = emulator_with(Fault::hang());
    let mut connection = Connection::open(&emulator);
    let timeout = Some(Duration::from_millis(200));
    connection.0.set_read_timeout(timeout).unwrap();
    connection.write(&echo(&emulator)).unwrap();
    let error = connection.read().unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    assert_outcome(&emulator, Outcome::Pending, false);
    assert!(emulator.arrivals()[0].body_length > 0);
    drop(connection);
    emulator
        .wait_until(Duration::from_secs(5), |arrivals| {
            arrivals[0].outcome == Outcome::ClientClosed
        })
        .unwrap();
}

#[test]
fn a_truncated_answer_promises_more_than_it_sends() {
    let emulator = emulator_with(Fault::truncate(10));
    let mut connection = Connection::open(&emulator);
    connection.write(&echo(&emulator)).unwrap();
    let head = connection.read_head().unwrap();
    assert_eq!(head.status, 200);
    let promised: usize = head.header("content-length").unwrap().parse().unwrap();
    let (sent, error) = connection.drain();
    assert_eq!((sent.len(), error), (10, None));
    assert!(promised > 10);
    let whole = echo(&emulator).send(&emulator);
    assert_eq!(whole.body.len(), promised);
    assert!(whole.body.starts_with(&sent));
    let arrival = &emulator.arrivals()[0];
    assert_eq!(
        (arrival.outcome, arrival.executed),
        (Outcome::ClosedByFault, true)
    );
}

#[test]
fn a_large_body_can_be_truncated_late() {
    let emulator = emulator_with(Fault::truncate(3_000_000));
    let mut connection = Connection::open(&emulator);
    let run = Request::run("emulator/bytes", &json!({"size": 4_000_000})).key(emulator.api_key());
    connection.write(&run).unwrap();
    let head = connection.read_head().unwrap();
    assert_eq!(head.header("content-length"), Some("4000000"));
    assert_eq!(connection.drain().0.len(), 3_000_000);
}

#[test]
fn a_slow_answer_is_whole_in_the_end() {
    let emulator = emulator_with(Fault::slow(100, Duration::from_millis(20)));
    let mut connection = Connection::open(&emulator);
    let run = Request::run("emulator/bytes", &json!({"size": 1000})).key(emulator.api_key());
    let began = Instant::now();
    assert_eq!(connection.call(&run).body.len(), 1000);
    assert!(began.elapsed() >= Duration::from_millis(9 * 20));
    assert_outcome(&emulator, Outcome::Status(200), true);
    assert_eq!(connection.call(&run).body.len(), 1000);
}

#[test]
fn malformed_http_is_not_http() {
    let emulator = emulator_with(Fault::malformed_http());
    let error = echo(&emulator).attempt(&emulator).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert_outcome(&emulator, Outcome::ClosedByFault, true);
}

#[test]
fn malformed_json_looks_like_success() {
    let emulator = emulator_with(Fault::malformed_json());
    let response = echo(&emulator).send(&emulator);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_err());
    assert_outcome(&emulator, Outcome::Status(200), true);
}

#[test]
fn a_fault_strikes_only_what_it_names() {
    let fault = Fault::status(503)
        .method("post")
        .host("fal.run")
        .path("/emulator/*")
        .always();
    let emulator = emulator_with(fault);
    let get = Request::get("fal.run", "/emulator/echo").key(emulator.api_key());
    assert_eq!(get.send(&emulator).status, 200);
    let other_host = Request::new("POST", "rest.fal.ai", "/emulator/echo");
    assert_eq!(other_host.send(&emulator).status, 404);
    let other_path = Request::run("acme/public", &json!({}));
    assert_eq!(other_path.send(&emulator).status, 200);
    for _ in 0..3 {
        assert_eq!(echo(&emulator).send(&emulator).status, 503);
    }
    emulator.clear_faults();
    assert_eq!(echo(&emulator).send(&emulator).status, 200);
}

#[test]
fn a_fault_skips_then_strikes_so_many_times() {
    let emulator = emulator_with(Fault::status(503).skip(1).times(2));
    let statuses: Vec<u16> = (0..5)
        .map(|_| echo(&emulator).send(&emulator).status)
        .collect();
    assert_eq!(statuses, [200, 503, 503, 200, 200]);
}

#[test]
fn of_two_faults_the_first_strikes_first() {
    let emulator = emulator_with(Fault::status(500));
    emulator.inject(Fault::status(503));
    let statuses: Vec<u16> = (0..3)
        .map(|_| echo(&emulator).send(&emulator).status)
        .collect();
    assert_eq!(statuses, [500, 503, 200]);
}

#[test]
fn a_fault_strikes_every_host_of_fal() {
    let emulator = emulator_with(Fault::status(500).always());
    for host in [
        "fal.run",
        "queue.fal.run",
        "api.fal.ai",
        "rest.fal.ai",
        "v3b.fal.media",
    ] {
        assert_eq!(
            Request::get(host, "/x").send(&emulator).status,
            500,
            "{host}"
        );
    }
    let health = Request::get("127.0.0.1", "/_emulator/health").send(&emulator);
    assert_eq!(health.status, 200);
}

/// Which of a hundred requests fail.
fn failures(fault: &Fault) -> Vec<bool> {
    let emulator = emulator_with(fault.clone());
    (0..100)
        .map(|_| echo(&emulator).send(&emulator).status == 503)
        .collect()
}

#[test]
fn a_fault_with_a_probability_follows_from_its_seed() {
    let fault = Fault::status(503).always().probability(0.3);
    let first = failures(&fault.clone().seed(7));
    let struck = first.iter().filter(|failed| **failed).count();
    assert!((15..=45).contains(&struck), "{struck} of 100");
    assert_eq!(first, failures(&fault.clone().seed(7)));
    assert_ne!(first, failures(&fault.clone().seed(8)));
    assert!(!failures(&fault.clone().probability(0.0)).contains(&true));
    assert!(!failures(&fault.probability(1.0)).contains(&false));
}

#[test]
fn a_chosen_seed_is_shown_and_repeats_the_draws() {
    let emulator = Emulator::start().unwrap();
    let faults = |method: &str, body: Option<serde_json::Value>| {
        let request = Request::new(method, &emulator.host(), "/_emulator/faults");
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send(&emulator)
    };
    let fault =
        json!({"times": null, "probability": 0.5, "action": {"type": "status", "status": 503}});
    assert_eq!(faults("POST", Some(fault)).status, 201);
    let draws = || -> Vec<u16> {
        (0..40)
            .map(|_| echo(&emulator).send(&emulator).status)
            .collect()
    };
    let first = draws();
    let listed = faults("GET", None).json()["faults"][0].clone();
    let struck = first.iter().filter(|status| **status == 503).count();
    assert_eq!(
        (&listed["met"], &listed["struck"]),
        (&json!(40), &json!(struck))
    );
    assert!(listed["fault"]["seed"].is_u64());
    faults("DELETE", None);
    assert_eq!(faults("POST", Some(listed["fault"].clone())).status, 201);
    assert_eq!(draws(), first);
    for wrong in [
        json!({"probability": 1.5}),
        json!({"probability": -0.1}),
        json!({"seed": 1}),
    ] {
        assert_eq!(faults("POST", Some(wrong.clone())).status, 400, "{wrong}");
    }
}
