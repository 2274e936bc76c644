//! Sessions: tests that run beside each other on one emulator.

use fal_emulator::Emulator;
use serde_json::{Value, json};

use crate::client::{Request, Response, id};

const SESSION: &str = "X-Fal-Emulator-Session";

/// A request to the control API, for a session or for none.
fn control(emulator: &Emulator, session: &str, method: &str, path: &str, body: &Value) -> Response {
    let mut request = Request::new(method, &emulator.host(), &format!("/_emulator/{path}"));
    if !session.is_empty() {
        request = request.header(SESSION, session);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    request.send(emulator)
}

fn count(emulator: &Emulator, session: &str) -> u64 {
    let shown = control(emulator, session, "GET", "requests", &Value::Null).json();
    shown["count"].as_u64().unwrap()
}

fn run(emulator: &Emulator, session: &str) -> Response {
    let run = Request::run("emulator/echo", &json!({})).key(emulator.api_key());
    run.header(SESSION, session).send(emulator)
}

#[test]
fn what_a_session_does_no_other_sees() {
    let emulator = Emulator::start().unwrap();
    let fault = json!({"times": null, "action": {"type": "status", "status": 503}});
    assert_eq!(
        control(&emulator, "a", "POST", "faults", &fault).status,
        201
    );
    let locked = json!({"locked_accounts": {"acme": "no money"}});
    assert_eq!(
        control(&emulator, "b", "PUT", "settings", &locked).status,
        200
    );
    assert_eq!(
        control(
            &emulator,
            "c",
            "POST",
            "clock",
            &json!({"advance_ms": 86_400_000})
        )
        .status,
        200
    );
    assert_eq!(
        ["a", "b", "c"].map(|session| run(&emulator, session).status),
        [503, 403, 200]
    );
    let plain = Request::run("emulator/echo", &json!({})).key(emulator.api_key());
    assert_eq!(plain.send(&emulator).status, 200);
    assert_eq!(
        ["a", "b", "c", ""].map(|session| count(&emulator, session)),
        [1, 1, 1, 1]
    );
    let stats = |session| {
        control(&emulator, session, "GET", "stats", &Value::Null).json()["executions"].clone()
    };
    assert_eq!(
        ["a", "c", ""].map(stats),
        [
            json!({}),
            json!({"emulator/echo": 1}),
            json!({"emulator/echo": 1})
        ]
    );
    let advanced = |session| {
        control(&emulator, session, "GET", "clock", &Value::Null).json()["advanced_ms"].clone()
    };
    assert_eq!(["a", "c"].map(advanced), [json!(0), json!(86_400_000)]);
    let sessions = control(&emulator, "", "GET", "sessions", &Value::Null).json();
    assert_eq!(
        sessions["sessions"],
        json!([{"name": "a", "requests": 1}, {"name": "b", "requests": 1}, {"name": "c", "requests": 1}])
    );
}

#[test]
fn a_session_has_a_queue_of_its_own() {
    let emulator = Emulator::start().unwrap();
    let submit = |session: &str| {
        let submit = Request::new("POST", "queue.fal.run", "/emulator/job");
        let submit = submit.key(emulator.api_key()).header(SESSION, session);
        submit
            .json(&json!({"ms": 0, "output": {"of": session}}))
            .send(&emulator)
            .json()
    };
    let result = |session: &str, id: &Value| {
        let path = format!("/emulator/job/requests/{}", id.as_str().unwrap());
        let asked = Request::get("queue.fal.run", &path).key(emulator.api_key());
        asked.header(SESSION, session).send(&emulator)
    };
    let id = &submit("one")["request_id"];
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while result("one", id).status != 200 {
        assert!(std::time::Instant::now() < end, "the job of a session runs");
        std::thread::yield_now();
    }
    assert_eq!(result("one", id).json(), json!({"of": "one"}));
    assert_eq!(result("two", id).status, 404);
}

#[test]
fn a_key_made_in_a_session_leads_there_without_the_header() {
    let emulator = Emulator::start().unwrap();
    let key = control(&emulator, "a", "POST", "keys", &json!({})).json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let run = Request::run("emulator/echo", &json!({})).key(&key);
    assert_eq!(run.send(&emulator).status, 200);
    assert_eq!((count(&emulator, "a"), count(&emulator, "")), (1, 0));
    let shown = control(&emulator, "a", "GET", "requests", &Value::Null).json();
    assert_eq!(
        shown["requests"][0]["headers"]["authorization"]["key_id"],
        id(&key)
    );
    // Another session does not know the key.
    assert_eq!(run.header(SESSION, "b").send(&emulator).status, 401);
}

#[test]
fn a_file_of_a_session_is_read_by_its_url() {
    let emulator = Emulator::start().unwrap();
    let picture = Request::run(
        "fal-ai/flux/schnell",
        &json!({"prompt": "x", "image_size": {"width": 64, "height": 64}}),
    );
    let made = picture
        .key(emulator.api_key())
        .header(SESSION, "a")
        .send(&emulator)
        .json();
    let url = made["images"][0]["url"].as_str().unwrap().to_owned();
    let (host, path) = url
        .strip_prefix("https://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let file = Request::get(host, &format!("/{path}")).send(&emulator);
    assert_eq!(file.status, 200);
    assert!(file.body.starts_with(b"\x89PNG"));
}

#[test]
fn sessions_end_by_name_by_reset_and_when_there_are_too_many() {
    let emulator = Emulator::start().unwrap();
    run(&emulator, "a/b c");
    run(&emulator, "other");
    assert_eq!(
        control(&emulator, "", "DELETE", "sessions/a%2Fb%20c", &Value::Null).status,
        204
    );
    assert_eq!(
        control(&emulator, "", "DELETE", "sessions/a%2Fb%20c", &Value::Null).status,
        404
    );
    // A reset of a session leaves the others as they are.
    run(&emulator, "mine");
    assert_eq!(
        control(&emulator, "mine", "POST", "reset", &Value::Null).status,
        204
    );
    assert_eq!(
        (count(&emulator, "mine"), count(&emulator, "other")),
        (0, 1)
    );
    assert_eq!(
        control(&emulator, "", "POST", "reset", &Value::Null).status,
        204
    );
    let sessions = control(&emulator, "", "GET", "sessions", &Value::Null).json();
    assert_eq!(sessions["sessions"], json!([]));
    run(&emulator, "first");
    run(&emulator, "second");
    for n in 0..999 {
        run(&emulator, &format!("many-{n}"));
        if n == 500 {
            run(&emulator, "first");
        }
    }
    let sessions = control(&emulator, "", "GET", "sessions", &Value::Null)
        .json()
        .to_string();
    assert!(sessions.contains("\"first\"") && !sessions.contains("\"second\""));
}
