use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fal_emulator::{Emulator, Scope, Settings, TokenAnswer, TokenStatus};
use serde_json::{Value, json};

use crate::client::{Request, Response, id};

fn ask(path: &str, key: &str, body: &Value) -> Request {
    Request::new("POST", "rest.fal.ai", path)
        .key(key)
        .json(body)
}

fn token(emulator: &Emulator, apps: &Value) -> String {
    let response = ask(
        "/tokens/",
        emulator.api_key(),
        &json!({ "allowed_apps": apps }),
    )
    .send(emulator);
    assert_eq!(response.status, 200);
    response.json().as_str().unwrap().to_owned()
}

fn call(emulator: &Emulator, endpoint: &str, token: &str) -> Response {
    Request::new(
        "POST",
        "fal.run",
        &format!("/{endpoint}?a=1&fal_jwt_token={token}"),
    )
    .json(&json!({}))
    .send(emulator)
}

/// The claims in the second of a token's three parts.
fn claims(token: &str) -> Value {
    let parts: Vec<Vec<u8>> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    let [header, claims, signature] = parts.as_slice() else {
        panic!("{} parts", parts.len());
    };
    assert_eq!(
        serde_json::from_slice::<Value>(header).unwrap()["typ"],
        "JWT"
    );
    assert!(signature.starts_with(b"fake-signature-"));
    serde_json::from_slice(claims).unwrap()
}

#[test]
fn a_token_names_its_apps_and_its_end() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    for (path, body, life) in [
        ("/tokens/", json!({"allowed_apps": ["flux"]}), 120),
        (
            "/tokens",
            json!({"allowed_apps": ["flux"], "token_expiration": 30}),
            30,
        ),
        (
            "/tokens/realtime",
            json!({"allowed_apps": ["flux"], "duration": 7}),
            7,
        ),
        ("/tokens/realtime/", json!({"allowed_apps": ["flux"]}), 120),
    ] {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let response = ask(path, key, &body).send(&emulator);
        let answer = response.json();
        let token = if path.contains("realtime") {
            &answer["token"]
        } else {
            &answer
        };
        let claims = claims(token.as_str().unwrap());
        assert_eq!(
            (response.status, &claims["apps"]),
            (200, &json!(["flux"])),
            "{path}"
        );
        let end = claims["exp"].as_u64().unwrap();
        assert!(
            (now + life..=now + life + 2).contains(&end),
            "{path}: {end}"
        );
    }
}

#[test]
fn the_form_and_status_of_the_answer_can_be_chosen() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"allowed_apps": ["echo"]});
    for (token_answer, member) in [
        (TokenAnswer::Token, "token"),
        (TokenAnswer::Detail, "detail"),
    ] {
        emulator.set(Settings {
            token_answer,
            token_status: TokenStatus::Created,
            ..Settings::default()
        });
        let response = ask("/tokens/", emulator.api_key(), &body).send(&emulator);
        assert_eq!(response.status, 201);
        let token = response.json()[member].as_str().unwrap().to_owned();
        assert_eq!(call(&emulator, "emulator/echo", &token).status, 200);
        let realtime = ask("/tokens/realtime", emulator.api_key(), &body).send(&emulator);
        assert!(realtime.json()["token"].is_string());
    }
}

#[test]
fn tokens_are_for_keys() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"allowed_apps": ["echo"]});
    for path in ["/tokens/", "/tokens/realtime"] {
        let anonymous = Request::new("POST", "rest.fal.ai", path)
            .json(&body)
            .send(&emulator);
        anonymous.assert_detail(401, "Authorization header is required");
        let wrong = ask(path, "fake-id:fake-secret-wrong", &body).send(&emulator);
        wrong.assert_detail(401, "invalid key credentials");
        let get = Request::get("rest.fal.ai", path)
            .key(emulator.api_key())
            .send(&emulator);
        assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    }
    let mut settings = Settings::default();
    settings.locked_accounts.insert(
        "acme".into(),
        "Admin lock. Please contact hello@fal.ai.".into(),
    );
    emulator.set(settings);
    let locked = ask("/tokens/", emulator.api_key(), &body).send(&emulator);
    locked.assert_detail(
        403,
        "User is locked. Reason: Admin lock. Please contact hello@fal.ai.",
    );
}

#[test]
fn a_wrong_request_is_not_valid() {
    let emulator = Emulator::start().unwrap();
    for (body, loc, kind) in [
        (json!({}), json!(["body", "allowed_apps"]), "missing"),
        (
            json!({"allowed_apps": "flux"}),
            json!(["body", "allowed_apps"]),
            "list_type",
        ),
        (
            json!({"allowed_apps": []}),
            json!(["body", "allowed_apps"]),
            "too_short",
        ),
        (
            json!({"allowed_apps": ["flux", 5]}),
            json!(["body", "allowed_apps", 1]),
            "string_type",
        ),
        (
            json!({"allowed_apps": ["a"], "token_expiration": 0}),
            json!(["body", "token_expiration"]),
            "greater_than_equal",
        ),
        (
            json!({"allowed_apps": ["a"], "token_expiration": true}),
            json!(["body", "token_expiration"]),
            "int_type",
        ),
        (json!([]), json!(["body"]), "model_attributes_type"),
    ] {
        let response = ask("/tokens/", emulator.api_key(), &body).send(&emulator);
        let entry = &response.json()["detail"][0];
        assert_eq!(
            (response.status, &entry["loc"], &entry["type"]),
            (422, &loc, &json!(kind)),
            "{body}"
        );
        assert_eq!(response.header("x-fal-billable-units"), None);
    }
    let realtime = json!({"allowed_apps": ["a"], "duration": -1});
    let response = ask("/tokens/realtime", emulator.api_key(), &realtime).send(&emulator);
    assert_eq!(
        response.json()["detail"][0]["loc"],
        json!(["body", "duration"])
    );
}

#[test]
fn a_token_takes_the_place_of_a_key_for_its_apps() {
    let emulator = Emulator::start().unwrap();
    let token = token(&emulator, &json!(["echo", "fal-ai/flux/dev"]));
    let echo = call(&emulator, "emulator/echo/live", &token);
    assert_eq!(
        (echo.status, echo.json()["key_id"].as_str()),
        (200, Some(id(emulator.api_key())))
    );
    // The request is allowed, so the app reads it and finds it incomplete.
    assert_eq!(call(&emulator, "fal-ai/flux/dev", &token).status, 422);
    for other in ["fal-ai/flux/schnell", "acme/shared", "acme/public"] {
        let app = other.strip_suffix("/schnell").unwrap_or(other);
        call(&emulator, other, &token)
            .assert_detail(403, format!("Cannot access application \"{app}\""));
    }
    for wrong in ["", "fake.fake.fake", &token[..token.len() - 1]] {
        for endpoint in ["emulator/echo", "acme/public", "no/app"] {
            call(&emulator, endpoint, wrong).assert_detail(401, "bearer: invalid or expired token");
        }
    }
    let at_the_queue = Request::get(
        "queue.fal.run",
        &format!("/emulator/echo/requests/x/status?fal_jwt_token={token}"),
    );
    at_the_queue
        .send(&emulator)
        .assert_detail(401, "Cannot access application \"emulator/echo\"");
}

#[test]
fn an_authorization_header_outranks_a_token() {
    let emulator = Emulator::start().unwrap();
    let path = format!(
        "/emulator/echo?fal_jwt_token={}",
        token(&emulator, &json!(["echo"]))
    );
    let other = emulator.create_key(Scope::Api, "other");
    let both = Request::get("fal.run", &path).key(&other).send(&emulator);
    assert_eq!(both.json()["key_id"], id(&other));
    let wrong = Request::get("fal.run", &path)
        .key("fake-id:fake-secret-wrong")
        .send(&emulator);
    wrong.assert_detail(401, "invalid key credentials");
}

#[test]
fn a_token_may_do_what_its_key_may() {
    let emulator = Emulator::start().unwrap();
    let private = json!({"allowed_apps": ["private"]});
    for (key, status) in [(emulator.api_key(), 403), (emulator.admin_key(), 200)] {
        let token = ask("/tokens/", key, &private).send(&emulator).json();
        assert_eq!(
            call(&emulator, "acme/private", token.as_str().unwrap()).status,
            status
        );
    }
    let token = token(&emulator, &json!(["echo"]));
    let mut settings = Settings::default();
    settings.locked_accounts.insert(
        "acme".into(),
        "Unknown. Please contact hello@fal.ai.".into(),
    );
    emulator.set(settings);
    assert_eq!(call(&emulator, "emulator/echo", &token).status, 403);
}

#[test]
fn a_token_outlives_its_key_but_not_its_time() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "acme");
    let body = json!({"allowed_apps": ["echo"], "token_expiration": 1});
    let token = ask("/tokens/", &key, &body).send(&emulator).json();
    let token = token.as_str().unwrap();
    assert!(emulator.revoke_key(id(&key)));
    assert_eq!(call(&emulator, "emulator/echo", token).status, 200);
    std::thread::sleep(Duration::from_millis(1100));
    call(&emulator, "emulator/echo", token).assert_detail(401, "bearer: invalid or expired token");
}

#[test]
fn a_token_shows_nowhere() {
    let emulator = Emulator::start().unwrap();
    let token = token(&emulator, &json!(["echo"]));
    let url = format!("https://fal.run/emulator/echo?fal_jwt_token={token}");
    let mut answers = Vec::new();
    for endpoint in ["emulator/echo", "emulator/fail", "no/app"] {
        answers.push(call(&emulator, endpoint, &token));
    }
    answers.push(
        Request::get("app.example", "/api/fal/proxy")
            .header("x-fal-target-url", &url)
            .send(&emulator),
    );
    answers.push(
        Request::get("example.com", &format!("/x?fal%5Fjwt_token={token}"))
            .header("Referer", &url)
            .send(&emulator),
    );
    assert_eq!(
        answers
            .iter()
            .map(|answer| answer.status)
            .collect::<Vec<_>>(),
        [200, 403, 404, 200, 421]
    );
    for answer in &answers {
        assert!(!String::from_utf8_lossy(&answer.body).contains(&token));
    }
    let arrivals = emulator.arrivals();
    for arrival in &arrivals {
        assert!(
            !format!("{arrival:?} {}", arrival.to_json()).contains(&token),
            "{}",
            arrival.path
        );
    }
    assert_eq!(arrivals[1].query.as_deref(), Some("a=1&fal_jwt_token=****"));
    assert_eq!(
        arrivals[4].headers["x-fal-target-url"],
        "https://fal.run/emulator/echo?fal_jwt_token=****"
    );
    let flags: Vec<Value> = arrivals
        .iter()
        .map(|arrival| arrival.to_json()["token"].clone())
        .collect();
    assert_eq!(
        flags,
        [false, true, true, true, false, true, true].map(Value::from)
    );
    assert!(!arrivals[1].had_key());
}
