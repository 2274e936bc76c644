use fal_emulator::{BadKeyText, Emulator, PrivateRefusal, Scope, Settings};
use serde_json::json;

use crate::client::{Connection, Request, id, secret};

fn echo() -> Request {
    Request::run("emulator/echo", &json!({}))
}

#[test]
fn keys_are_fake_and_fresh() {
    let (one, two) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    assert!(id(one.api_key()).starts_with("fake-api-"));
    assert!(id(one.admin_key()).starts_with("fake-admin-"));
    assert!(secret(one.api_key()).starts_with("fake-secret-"));
    assert_ne!(one.api_key(), two.api_key());
    assert_eq!(echo().key(two.api_key()).send(&one).status, 401);
    assert!(!format!("{one:?}").contains("fake-"));
}

#[test]
fn a_bad_credential_is_refused_with_the_text_of_its_kind() {
    let emulator = Emulator::start().unwrap();
    let wrong_secret = format!("Key {}:fake-secret-wrong", id(emulator.api_key()));
    let format = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.";
    for (header, detail) in [
        ("Key fake-id:fake-secret-unknown", "invalid key credentials"),
        (wrong_secret.as_str(), "invalid key credentials"),
        ("Basic ZmFrZTpmYWtl", "invalid key credentials"),
        ("Key fake-id-alone", format),
        ("Bearer fake-token", "bearer: unable to decode issuer"),
    ] {
        for endpoint in ["emulator/echo", "acme/public", "no/app"] {
            let request = Request::run(endpoint, &json!({})).header("Authorization", header);
            let response = request.send(&emulator);
            response.assert_detail(401, detail);
            response.request_id();
        }
    }
    let twice = echo().key(emulator.api_key()).key(emulator.api_key());
    twice
        .send(&emulator)
        .assert_detail(401, "invalid key credentials");
    let bearer = format!("Bearer {}", emulator.api_key());
    let response = echo().header("Authorization", &bearer).send(&emulator);
    assert_eq!(response.status, 401);
    assert!(emulator.executions().is_empty());
}

#[test]
fn the_older_text_of_a_bad_key_can_be_chosen() {
    let bad_key_text = BadKeyText::Older;
    let settings = Settings {
        bad_key_text,
        ..Settings::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    let response = echo().key("fake-id:fake-secret-unknown").send(&emulator);
    response.assert_detail(401, "No user found for Key ID and Secret");
}

#[test]
fn a_revoked_key_stops_at_once() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "acme");
    assert_eq!(echo().key(&key).send(&emulator).status, 200);
    assert!(emulator.revoke_key(id(&key)));
    let response = echo().key(&key).send(&emulator);
    response.assert_detail(401, "invalid key credentials");
    assert!(!emulator.revoke_key(id(&key)));
}

/// A running job continues (docs/protocol.md §2.3), but no host accepts the key any more, not even
/// for the key's own jobs.
#[test]
fn a_revoked_key_opens_nothing_any_more() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "acme");
    let submit = Request::new("POST", "queue.fal.run", "/acme/job").json(&json!({"ms": 600_000}));
    let job = submit.clone().key(&key).send(&emulator).json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = |method: &str, end: &str| {
        Request::new(
            method,
            "queue.fal.run",
            &format!("/acme/job/requests/{job}{end}"),
        )
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while at("GET", "/status").key(&key).send(&emulator).json()["status"] != "IN_PROGRESS" {
        assert!(std::time::Instant::now() < end);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let stream = Request::run(
        "emulator/stream/stream",
        &json!({"events": [1, 2, 3], "ms": 300}),
    );
    let mut open = Connection::open(&emulator);
    open.write(&stream.clone().key(&key)).unwrap();
    open.read_head().unwrap();
    open.read_chunk().unwrap();
    assert!(emulator.revoke_key(id(&key)));
    while open.read_chunk().unwrap().is_some() {}

    let post = |host: &str, path: &str, body: serde_json::Value| {
        Request::new("POST", host, path).json(&body)
    };
    let socket =
        Request::get("fal.run", "/emulator/realtime/realtime").header("Connection", "Upgrade");
    let socket = socket
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13");
    let requests = [
        at("GET", "/status"),
        at("PUT", "/cancel"),
        at("GET", "/status/stream"),
        at("GET", ""),
        echo(),
        stream,
        submit,
        socket.header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        post(
            "rest.fal.ai",
            "/tokens/",
            json!({"allowed_apps": ["echo"], "token_expiration": 60}),
        ),
        post(
            "rest.fal.ai",
            "/storage/upload/initiate",
            json!({"file_name": "a", "content_type": "image/png"}),
        ),
        post(
            "rest.fal.ai",
            "/storage/auth/token?storage_type=fal-cdn-v3",
            json!({}),
        ),
        Request::get("api.fal.ai", "/v1/models"),
    ];
    for request in &requests {
        assert_eq!(
            request.clone().key(&key).send(&emulator).status,
            401,
            "{request:?}"
        );
    }
    // With another key of the account, each request has its normal effect.
    let status = requests[0]
        .clone()
        .key(emulator.api_key())
        .send(&emulator)
        .json();
    assert_eq!(status["status"], "IN_PROGRESS");
    for request in &requests {
        assert_ne!(
            request
                .clone()
                .key(emulator.api_key())
                .send(&emulator)
                .status,
            401,
            "{request:?}"
        );
    }
}

#[test]
fn without_a_key_only_public_apps_answer() {
    let emulator = Emulator::start().unwrap();
    for app in [
        "fal-ai/flux",
        "emulator/echo",
        "acme/shared",
        "acme/private",
    ] {
        let response = Request::run(app, &json!({})).send(&emulator);
        response.assert_detail(401, format!("Cannot access application \"{app}\""));
        response.request_id();
    }
    let response = Request::run("acme/public", &json!({"a": 1})).send(&emulator);
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["key_id"], json!(null));
}

#[test]
fn a_shared_app_serves_every_account() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "other");
    let response = Request::run("acme/shared", &json!({}))
        .key(&key)
        .send(&emulator);
    assert_eq!(response.json()["key_id"], id(&key));
}

#[test]
fn a_private_app_is_for_its_owner() {
    let emulator = Emulator::start().unwrap();
    let private = |key: &str| {
        Request::run("acme/private", &json!({}))
            .key(key)
            .send(&emulator)
    };
    let stranger = emulator.create_key(Scope::Admin, "other");
    let detail = "Cannot access application \"acme/private\"";
    assert_eq!(private(emulator.admin_key()).status, 200);
    private(emulator.api_key()).assert_detail(403, detail);
    private(&stranger).assert_detail(403, detail);

    let mut settings = Settings {
        api_key_may_call_private_apps: true,
        ..Settings::default()
    };
    for (refusal, status) in [
        (PrivateRefusal::Unauthorized, 401),
        (PrivateRefusal::Forbidden, 403),
        (PrivateRefusal::NotFound, 404),
    ] {
        settings.private_refusal_status = refusal;
        emulator.set(settings.clone());
        assert_eq!(private(emulator.api_key()).status, 200);
        private(&stranger).assert_detail(status, detail);
        let anonymous = Request::run("acme/private", &json!({})).send(&emulator);
        anonymous.assert_detail(401, detail);
    }
}

#[test]
fn a_locked_account_runs_nothing() {
    let emulator = Emulator::start().unwrap();
    let reason = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing";
    let other = emulator.create_key(Scope::Api, "other");
    let mut settings = Settings::default();
    settings
        .locked_accounts
        .insert("acme".into(), reason.into());
    emulator.set(settings);
    let response = echo().key(emulator.api_key()).send(&emulator);
    response.assert_detail(403, format!("User is locked. Reason: {reason}"));
    assert_eq!(echo().key(&other).send(&emulator).status, 200);
    emulator.set(Settings::default());
    assert_eq!(echo().key(emulator.api_key()).send(&emulator).status, 200);
}
