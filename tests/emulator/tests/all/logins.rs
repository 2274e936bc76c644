//! Logins of users: renewals at `auth.fal.ai`, and access tokens instead of keys.

use fal_emulator::{Emulator, LoginScope, Settings};
use serde_json::{Value, json};

use crate::client::{Request, Response};

const CLIENT: &str = "TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N";

fn post(body: &str) -> Request {
    Request::new("POST", "auth.fal.ai", "/oauth/token")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .bytes(body)
}

fn renew(emulator: &Emulator, refresh_token: &str) -> Response {
    post(&format!(
        "grant_type=refresh_token&client_id={CLIENT}&refresh_token={refresh_token}"
    ))
    .send(emulator)
}

fn bearer(endpoint: &str, token: &str) -> Request {
    Request::run(endpoint, &json!({})).header("Authorization", &format!("Bearer {token}"))
}

fn assert_error(response: &Response, status: u16, error: &str) {
    assert_eq!(
        (response.status, &response.json()["error"]),
        (status, &json!(error))
    );
    assert!(response.json()["error_description"].is_string());
}

fn claims(token: &Value) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let parts: Vec<_> = token.as_str().unwrap().split('.').collect();
    assert_eq!(parts.len(), 3);
    serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap()
}

#[test]
fn a_refresh_token_works_once() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 600);
    let response = renew(&emulator, &login.refresh_token);
    assert_eq!(
        (response.status, response.header("cache-control")),
        (200, Some("no-store"))
    );
    let tokens = response.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    let access = claims(&tokens["access_token"]);
    assert_eq!(
        access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap(),
        600
    );
    assert_eq!(
        (&access["sub"], &claims(&tokens["id_token"])["aud"]),
        (&json!("fake|acme"), &json!(CLIENT))
    );

    assert_error(
        &renew(&emulator, &login.refresh_token),
        403,
        "invalid_grant",
    );
    let next = tokens["refresh_token"].as_str().unwrap();
    assert_ne!(next, login.refresh_token);
    assert_eq!(renew(&emulator, next).status, 200);
}

#[test]
fn a_second_use_can_end_the_login() {
    let settings = Settings {
        reuse_ends_login: true,
        ..Settings::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    let login = emulator.create_login("acme", 600);
    let next = renew(&emulator, &login.refresh_token).json();
    assert_eq!(renew(&emulator, &login.refresh_token).status, 403);
    assert_error(
        &renew(&emulator, next["refresh_token"].as_str().unwrap()),
        403,
        "invalid_grant",
    );
    let access = next["access_token"].as_str().unwrap();
    bearer("acme/private", access)
        .send(&emulator)
        .assert_detail(401, "invalid key credentials");
}

#[test]
fn a_bad_renewal_is_refused_with_the_error_of_its_kind() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 600);
    let good = format!(
        "grant_type=refresh_token&client_id={CLIENT}&refresh_token={}",
        login.refresh_token
    );
    for (body, status, error) in [
        (String::new(), 400, "invalid_request"),
        (good.replace("client_id", "client"), 400, "invalid_request"),
        (format!("{good}&client_id={CLIENT}"), 400, "invalid_request"),
        (good.replace(CLIENT, "another"), 401, "invalid_client"),
        (
            good.replace("=refresh_token", "=password"),
            403,
            "unsupported_grant_type",
        ),
        (
            good.replace("fake-secret", "fake-other"),
            403,
            "invalid_grant",
        ),
    ] {
        assert_error(&post(&body).send(&emulator), status, error);
    }
    let json = Request::new("POST", "auth.fal.ai", "/oauth/token")
        .json(&json!({}))
        .send(&emulator);
    assert_error(&json, 400, "invalid_request");
    assert_eq!(
        Request::get("auth.fal.ai", "/oauth/token")
            .send(&emulator)
            .status,
        405
    );
    assert_eq!(
        Request::get("auth.fal.ai", "/userinfo")
            .send(&emulator)
            .status,
        404
    );
    // None of the refused requests used up the token.
    assert_eq!(post(&good).send(&emulator).status, 200);
}

#[test]
fn an_access_token_is_as_good_as_an_admin_key_on_models() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 600);
    let response = bearer("acme/private", &login.access_token).send(&emulator);
    assert_eq!(
        (response.status, &response.json()["key_id"]),
        (200, &json!("fake|acme"))
    );
    let stranger = emulator.create_login("other", 600);
    assert_eq!(
        bearer("acme/private", &stranger.access_token)
            .send(&emulator)
            .status,
        403
    );
    // A renewal does not revoke earlier access tokens.
    assert_eq!(renew(&emulator, &login.refresh_token).status, 200);
    assert_eq!(
        bearer("emulator/echo", &login.access_token)
            .send(&emulator)
            .status,
        200
    );
}

#[test]
fn an_expired_or_altered_access_token_is_refused() {
    let emulator = Emulator::start().unwrap();
    let expired = emulator.create_login("acme", 0);
    bearer("acme/public", &expired.access_token)
        .send(&emulator)
        .assert_detail(401, "invalid key credentials");
    let login = emulator.create_login("acme", 600);
    let altered = format!("{}x", login.access_token);
    bearer("emulator/echo", &altered)
        .send(&emulator)
        .assert_detail(401, "invalid key credentials");
    for no_jwt in [login.refresh_token.as_str(), "a.b.c", "fake"] {
        let response = bearer("emulator/echo", no_jwt).send(&emulator);
        response.assert_detail(401, "bearer: unable to decode issuer");
    }
    let swapped = Request::run("emulator/echo", &json!({})).key(&login.access_token);
    assert_eq!(swapped.send(&emulator).status, 401);
}

#[test]
fn the_platform_takes_logins_only_if_told_so() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 600);
    let keys = |emulator: &Emulator| {
        let request = Request::get("api.fal.ai", "/v1/keys");
        request
            .header("Authorization", &format!("Bearer {}", login.access_token))
            .send(emulator)
            .status
    };
    for (platform_login_scope, status) in [
        (LoginScope::None, 401),
        (LoginScope::Api, 403),
        (LoginScope::Admin, 200),
    ] {
        emulator.set(Settings {
            platform_login_scope,
            ..Settings::default()
        });
        assert_eq!(keys(&emulator), status);
    }
}

#[test]
fn the_control_api_makes_logins_and_sets_how_long_they_live() {
    let emulator = Emulator::start().unwrap();
    let control = |path: &str, method, body: &Value| {
        Request::new(method, "localhost", path)
            .json(body)
            .send(&emulator)
    };
    let wanted = json!({ "account": "other", "access_token_seconds": 5 });
    let created = control("/_emulator/logins", "POST", &wanted);
    assert_eq!(created.status, 201);
    let login = created.json();
    assert_eq!(claims(&login["access_token"])["sub"], "fake|other");
    assert_eq!(
        control("/_emulator/logins", "POST", &json!({ "acount": "typo" })).status,
        400
    );
    assert_eq!(control("/_emulator/logins", "GET", &json!({})).status, 405);

    let settings = json!({ "access_token_seconds": 7, "platform_login_scope": "ADMIN" });
    assert_eq!(control("/_emulator/settings", "PUT", &settings).status, 200);
    let renewed = renew(&emulator, login["refresh_token"].as_str().unwrap()).json();
    assert_eq!(renewed["expires_in"], 7);
}

#[test]
fn renewals_are_recorded_without_their_tokens() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 600);
    renew(&emulator, &login.refresh_token);
    bearer("emulator/echo", &login.access_token).send(&emulator);
    let arrivals = emulator.arrivals();
    assert_eq!(
        (arrivals[0].host.as_str(), arrivals[0].path.as_str()),
        ("auth.fal.ai", "/oauth/token")
    );
    let shown = format!("{arrivals:?} {:?} {login:?}", arrivals[0].to_json());
    assert!(
        !shown.contains("fake-secret") && !shown.contains(&login.access_token),
        "{shown}"
    );
    let fal_emulator::ArrivedBody::Bytes(body) = &arrivals[0].body else {
        panic!("{arrivals:?}")
    };
    let body = String::from_utf8_lossy(body);
    assert_eq!(
        body,
        format!("grant_type=refresh_token&client_id={CLIENT}&refresh_token=****")
    );
}
