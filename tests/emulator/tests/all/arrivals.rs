use std::io::Write;
use std::time::{Duration, Instant};

use fal_emulator::{ArrivedBody, Authorization, Emulator, Fault, KEPT_BODY, Outcome};
use serde_json::json;

use crate::client::{Connection, Request, id, secret};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn an_arrival_tells_all_but_the_secret() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    Request::new("POST", "fal.run", "/emulator/echo/x%20y?q=1")
        .key(key)
        .header("X-Fal-Tags", "a=b")
        .header("X-Fal-Tags", "c=d")
        .json(&json!({"a": 1}))
        .send(&emulator);
    let arrivals = emulator.arrivals();
    let [arrival] = arrivals.as_slice() else {
        panic!("{arrivals:?}");
    };
    assert_eq!((arrival.ordinal, arrival.connection), (1, 1));
    assert_eq!(
        (arrival.method.as_str(), arrival.host.as_str()),
        ("POST", "fal.run")
    );
    assert_eq!(arrival.path, "/emulator/echo/x%20y");
    assert_eq!(arrival.query.as_deref(), Some("q=1"));
    assert_eq!(arrival.headers["x-fal-tags"], "a=b, c=d");
    assert!(!arrival.headers.contains_key("authorization"));
    let authorization = Authorization {
        scheme: "Key".into(),
        key_id: Some(id(key).into()),
    };
    assert_eq!(arrival.authorization, Some(authorization));
    assert!(arrival.had_key());
    assert_eq!(arrival.body, ArrivedBody::Json(json!({"a": 1})));
    assert_eq!(arrival.body_length, 7);
    assert_eq!(arrival.outcome, Outcome::Status(200));
    assert!(arrival.executed);
    let shown = format!("{arrival:?} {}", arrival.to_json());
    assert!(!shown.contains(secret(key)));
    assert!(shown.contains(id(key)));
}

#[test]
fn no_form_of_a_credential_is_shown() {
    let emulator = Emulator::start().unwrap();
    for header in [
        "Key fake-secret-alone",
        "fake-secret-alone",
        "Bearer fake-secret-alone",
        "Basic fake-secret-alone",
        "Key fake-id:fake-secret-a:fake-secret-b",
    ] {
        Request::get("fal.run", "/acme/public")
            .header("Authorization", header)
            .header("Proxy-Authorization", header)
            .send(&emulator);
    }
    Request::get("fal.run", "/acme/public").send(&emulator);
    let arrivals = emulator.arrivals();
    for arrival in &arrivals {
        let shown = format!("{arrival:?} {}", arrival.to_json());
        assert!(!shown.contains("fake-secret"), "{shown}");
    }
    let had_key: Vec<bool> = arrivals.iter().map(|one| one.had_key()).collect();
    assert_eq!(had_key, [true, false, false, false, true, false]);
    assert_eq!(arrivals[5].authorization, None);
}

#[test]
fn bodies_are_kept_up_to_a_limit() {
    let emulator = Emulator::start().unwrap();
    let post = |body: Vec<u8>| {
        let request = Request::new("POST", "fal.run", "/acme/public");
        request.bytes(body).send(&emulator);
    };
    post(vec![0xff; 3]);
    let long = format!("\"{}\"", "x".repeat(KEPT_BODY));
    post(long.clone().into_bytes());
    let longest_json = format!("\"{}\"", "x".repeat(KEPT_BODY - 2));
    post(longest_json.into_bytes());
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals[0].body, ArrivedBody::Bytes(vec![0xff; 3]));
    assert_eq!(arrivals[0].to_json()["body"], json!({"base64": "////"}));
    let kept = long.as_bytes()[..KEPT_BODY].to_vec();
    assert!(arrivals[1].body == ArrivedBody::Bytes(kept));
    assert_eq!(arrivals[1].body_length, KEPT_BODY as u64 + 2);
    assert!(arrivals[2].body.json().is_some());
}

#[test]
fn a_request_arrives_with_its_head() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let head = "POST /acme/public HTTP/1.1\r\nHost: fal.run\r\nContent-Length: 2\r\n\r\n";
    connection.0.write_all(head.as_bytes()).unwrap();
    let arrivals = emulator.wait_for_arrivals(1, SOON).unwrap();
    assert_eq!(
        (arrivals[0].outcome, arrivals[0].executed),
        (Outcome::Pending, false)
    );
    connection.0.write_all(b"{}").unwrap();
    assert_eq!(connection.read().unwrap().status, 200);
    assert_eq!(emulator.arrivals()[0].outcome, Outcome::Status(200));
}

#[test]
fn a_client_that_leaves_while_its_body_is_read_is_noticed() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let head = "POST /acme/public HTTP/1.1\r\nHost: fal.run\r\nContent-Length: 9\r\n\r\n{";
    connection.0.write_all(head.as_bytes()).unwrap();
    emulator.wait_for_arrivals(1, SOON).unwrap();
    drop(connection);
    let arrivals = emulator
        .wait_until(SOON, |arrivals| {
            arrivals[0].outcome == Outcome::ClientClosed
        })
        .unwrap();
    assert!(!arrivals[0].executed);
}

/// The time until the emulator notices that a client disconnected from a running model.
fn time_to_notice() -> Duration {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let run = Request::run("emulator/slow", &json!({"ms": 60_000})).key(emulator.api_key());
    connection.write(&run).unwrap();
    emulator
        .wait_until(SOON, |arrivals| arrivals.iter().any(|one| one.executed))
        .unwrap();
    assert_eq!(emulator.open_connections(), 1);
    let left = Instant::now();
    drop(connection);
    let arrivals = emulator
        .wait_until(SOON, |arrivals| arrivals[0].outcome != Outcome::Pending)
        .unwrap();
    let noticed = left.elapsed();
    assert_eq!(arrivals[0].outcome, Outcome::ClientClosed);
    noticed
}

#[test]
fn a_client_that_leaves_while_a_model_runs_is_noticed_promptly() {
    // The best of three attempts, because the machine may be busy.
    let noticed = (0..3).map(|_| time_to_notice()).min().unwrap();
    assert!(noticed < Duration::from_millis(50), "{noticed:?}");
}

#[test]
fn a_client_that_leaves_during_a_delay_is_not_executed() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::delay(Duration::from_millis(200)));
    let mut connection = Connection::open(&emulator);
    let run = Request::run("emulator/echo", &json!({})).key(emulator.api_key());
    connection.write(&run).unwrap();
    emulator.wait_for_arrivals(1, SOON).unwrap();
    drop(connection);
    std::thread::sleep(Duration::from_millis(300));
    let arrival = &emulator.arrivals()[0];
    assert_eq!(
        (arrival.outcome, arrival.executed),
        (Outcome::ClientClosed, false)
    );
}

#[test]
fn a_client_that_leaves_during_the_answer_is_noticed() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let size = json!({"size": 200_000_000});
    let run = Request::run("emulator/bytes", &size).key(emulator.api_key());
    connection.write(&run).unwrap();
    connection.read_head().unwrap();
    assert_eq!(emulator.arrivals()[0].outcome, Outcome::Pending);
    drop(connection);
    let arrivals = emulator
        .wait_until(SOON, |arrivals| arrivals[0].outcome != Outcome::Pending)
        .unwrap();
    assert_eq!(arrivals[0].outcome, Outcome::ClientClosed);
}

#[test]
fn a_client_that_leaves_between_two_pieces_is_noticed() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::slow(10, Duration::from_secs(60)));
    let mut connection = Connection::open(&emulator);
    connection
        .write(&Request::get("fal.run", "/acme/public"))
        .unwrap();
    connection.read_head().unwrap();
    drop(connection);
    let arrivals = emulator
        .wait_until(SOON, |arrivals| arrivals[0].outcome != Outcome::Pending)
        .unwrap();
    assert_eq!(arrivals[0].outcome, Outcome::ClientClosed);
}

#[test]
fn waiting_ends_with_the_time() {
    let emulator = Emulator::start().unwrap();
    let error = emulator
        .wait_for_arrivals(1, Duration::from_millis(20))
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn clearing_forgets_and_ordinals_go_on() {
    let emulator = Emulator::start().unwrap();
    let get = Request::get("fal.run", "/acme/public");
    get.send(&emulator);
    emulator.clear_arrivals();
    assert!(emulator.arrivals().is_empty());
    get.send(&emulator);
    assert_eq!(emulator.arrivals()[0].ordinal, 2);
}

#[test]
fn open_connections_are_counted() {
    let emulator = Emulator::start().unwrap();
    let get = Request::get("fal.run", "/acme/public");
    let mut one = Connection::open(&emulator);
    let mut two = Connection::open(&emulator);
    one.call(&get);
    two.call(&get);
    assert_eq!(emulator.open_connections(), 2);
    drop(one);
    let end = Instant::now() + SOON;
    while emulator.open_connections() != 1 {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
    two.call(&get);
}

#[test]
fn what_makes_something_is_told_from_what_gets_the_first_answer_again() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let create = Request::new("POST", "api.fal.ai", "/v1/assets/collections")
        .key(key)
        .header("Idempotency-Key", "one");
    let create = create.json(&json!({"name": "x"}));
    assert_eq!(
        (create.send(&emulator).status, create.send(&emulator).status),
        (201, 201)
    );
    Request::new("POST", "api.fal.ai", "/v1/assets/tags")
        .key(key)
        .json(&json!({}))
        .send(&emulator);
    Request::get("api.fal.ai", "/v1/assets/collections")
        .key(key)
        .send(&emulator);
    Request::new("POST", "queue.fal.run", "/emulator/echo")
        .key(key)
        .json(&json!({}))
        .send(&emulator);
    Request::new("POST", "rest.fal.ai", "/tokens/")
        .key(key)
        .json(&json!({"allowed_apps": ["a"]}))
        .send(&emulator);
    Request::run("emulator/echo", &json!({}))
        .key(key)
        .send(&emulator);
    let made: Vec<_> = emulator
        .arrivals()
        .iter()
        .map(|arrival| arrival.made)
        .collect();
    assert_eq!(made, [true, false, false, false, true, true, false]);
}
