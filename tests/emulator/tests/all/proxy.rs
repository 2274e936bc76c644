use std::time::Duration;

use fal_emulator::{Adapter, Emulator, Fault, Outcome, ProxySettings, Scope, Settings};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response, id, secret};

const ECHO: &str = "https://fal.run/emulator/echo";

fn emulator(proxy: ProxySettings) -> Emulator {
    Emulator::builder()
        .settings(Settings {
            proxy,
            ..Settings::default()
        })
        .start()
        .unwrap()
}

fn through(method: &str, target: &str) -> Request {
    Request::new(method, "app.example", "/api/fal/proxy").header("X-Fal-Target-Url", target)
}

fn status(emulator: &Emulator, method: &str, target: &str) -> u16 {
    through(method, target)
        .json(&json!({}))
        .send(emulator)
        .status
}

fn assert_refused(response: &Response, status: u16, text: &str) {
    assert_eq!((response.status, response.json()), (status, json!(text)));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn a_request_passes_with_the_key_of_the_proxy() {
    let emulator = Emulator::start().unwrap();
    let response = through("POST", "https://fal.run/emulator/echo/a?b=c")
        .header("X-Fal-Runner-Hint", "h")
        .header("X-Other", "o")
        .header("User-Agent", "agent/1")
        .header("Accept", "text/plain")
        .header("Content-Type", "text/plain")
        .bytes(r#"{"n":1}"#)
        .send(&emulator);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-fal-billable-units"), Some("1"));
    let echo = response.json();
    assert_eq!(
        (&echo["path"], &echo["query"]),
        (&json!("/emulator/echo/a"), &json!("b=c"))
    );
    assert_eq!(
        (&echo["body"], &echo["key_id"]),
        (&json!({"n": 1}), &json!(id(emulator.api_key())))
    );
    assert_eq!(
        echo["headers"],
        json!({
            "host": "fal.run",
            "accept": "application/json",
            "content-type": "application/json",
            "content-length": "7",
            "user-agent": "agent/1",
            "x-fal-client-proxy": "@fal-ai/server-proxy/express",
            "x-fal-runner-hint": "h",
            "x-fal-target-url": "https://fal.run/emulator/echo/a?b=c",
        })
    );
}

#[test]
fn both_requests_arrive() {
    let emulator = Emulator::start().unwrap();
    let response = through("POST", ECHO).json(&json!({})).send(&emulator);
    let arrivals = emulator.arrivals();
    let [outer, inner] = arrivals.as_slice() else {
        panic!("{arrivals:?}");
    };
    assert_eq!(
        (outer.host.as_str(), outer.path.as_str()),
        ("app.example", "/api/fal/proxy")
    );
    assert_eq!(
        (outer.had_key(), outer.proxied, outer.executed),
        (false, false, false)
    );
    assert_eq!(
        (inner.host.as_str(), inner.path.as_str()),
        ("fal.run", "/emulator/echo")
    );
    assert_eq!(
        (inner.had_key(), inner.proxied, inner.executed),
        (true, true, true)
    );
    assert_eq!(inner.to_json()["proxied"], true);
    assert_eq!(
        (outer.outcome, inner.outcome),
        (Outcome::Status(200), Outcome::Status(200))
    );
    assert_eq!(
        inner.request_id.as_deref(),
        response.header("x-fal-request-id")
    );
    assert_ne!(outer.connection, inner.connection);
    assert!(!format!("{arrivals:?}").contains(secret(emulator.api_key())));
}

#[test]
fn it_answers_on_every_host_that_is_not_fals() {
    let emulator = Emulator::start().unwrap();
    for host in [
        "app.example",
        "APP.example:3000",
        "127.0.0.1",
        &emulator.host(),
        "localhost:3000",
    ] {
        let request = Request::get(host, "/api/fal/proxy")
            .header("x-fal-target-url", "https://fal.run/acme/public");
        assert_eq!(request.send(&emulator).status, 200, "{host}");
    }
    assert_eq!(emulator.arrivals().len(), 10);
    let count = emulator.executions();
    for (host, status) in [
        ("fal.run", 404),
        ("fal.ai", 404),
        ("auth.fal.run", 421),
        ("queue.fal.run", 404),
    ] {
        let request = Request::get(host, "/api/fal/proxy").key(emulator.api_key());
        assert_eq!(
            request
                .header("x-fal-target-url", ECHO)
                .send(&emulator)
                .status,
            status,
            "{host}"
        );
    }
    assert_eq!(emulator.executions(), count);
    assert_eq!(
        Request::get("app.example", "/api/fal/proxy/")
            .send(&emulator)
            .status,
        421
    );
}

#[test]
fn the_checks_have_an_order() {
    let emulator = emulator(ProxySettings {
        allowed_endpoints: vec!["fal-ai/**".into()],
        allow_unauthorized_requests: false,
        is_authenticated: Some(false),
        ..ProxySettings::default()
    });
    let missing = Request::new("POST", "app.example", "/api/fal/proxy").send(&emulator);
    assert_refused(&missing, 400, "Invalid request");
    assert_refused(&through("POST", "").send(&emulator), 400, "Invalid request");
    assert_refused(
        &through("POST", "https://example.com/x").send(&emulator),
        400,
        "Invalid request",
    );
    assert_refused(
        &through("POST", ECHO).send(&emulator),
        400,
        "Invalid request",
    );
    assert_refused(
        &through("POST", "https://fal.run/fal-ai/flux/dev").send(&emulator),
        401,
        "Unauthorized",
    );
    assert_refused(&through("GET", ECHO).send(&emulator), 401, "Unauthorized");
    assert_eq!(status(&emulator, "POST", "no url"), 500);
    assert_eq!(emulator.arrivals().len(), 7);
    assert!(emulator.arrivals().iter().all(|arrival| !arrival.proxied));
}

#[test]
fn targets_are_allowed_by_patterns() {
    let emulator = Emulator::start().unwrap();
    for (target, expected) in [
        ("https://fal.run/acme/public", 200),
        ("http://FAL.run:80/acme/public", 200),
        ("https://fal.run/x/../acme/./public?a=b/c", 200),
        ("https://queue.fal.run/fal-ai/flux/requests/x/status", 404),
        (
            "https://rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3",
            405,
        ),
        (
            "https://rest.fal.ai/storage/upload/complete-multipart?storage_type=fal-cdn-v3",
            404,
        ),
        (
            "https://rest.fal.ai/storage/upload/initiate?storage_type=gcs",
            400,
        ),
        (
            "https://rest.fal.ai/storage/upload/initiate-multipart?storage_type=fal-cdn-v3",
            400,
        ),
        ("https://rest.fal.ai/tokens/", 400),
        ("https://api.fal.ai/v1/models", 400),
        ("https://fal.run.example.com/acme/public", 400),
        ("https://fal.run@example.com/acme/public", 400),
        ("https://fal.run:8443/acme/public", 400),
    ] {
        assert_eq!(status(&emulator, "GET", target), expected, "{target}");
    }
    let patterns = vec!["fal.run/acme/*".into(), "rest.fal.ai/**".into()];
    let allowed_url_patterns = Some(patterns);
    emulator.set(Settings {
        proxy: ProxySettings {
            allowed_url_patterns,
            ..ProxySettings::default()
        },
        ..Settings::default()
    });
    for (target, expected) in [
        ("https://fal.run/acme/public", 200),
        ("https://fal.run/acme/public/deeper", 400),
        ("https://fal.run/acme/../emulator/echo", 400),
        ("https://queue.fal.run/acme/public", 400),
        ("https://rest.fal.ai/tokens/", 405),
    ] {
        assert_eq!(status(&emulator, "GET", target), expected, "{target}");
    }
}

#[test]
fn only_posts_to_models_need_an_allowed_endpoint() {
    let emulator = emulator(ProxySettings {
        allowed_url_patterns: Some(vec!["**".into()]),
        allowed_endpoints: vec!["acme/*".into()],
        ..ProxySettings::default()
    });
    for (method, target, expected) in [
        ("POST", "https://fal.run/acme/public", 200),
        ("POST", ECHO, 400),
        ("GET", ECHO, 200),
        ("PUT", ECHO, 200),
        ("POST", "https://queue.fal.run/emulator/echo", 400),
        ("POST", "https://rest.fal.ai/tokens/", 422),
    ] {
        assert_eq!(
            status(&emulator, method, target),
            expected,
            "{method} {target}"
        );
    }
}

#[test]
fn without_a_key_the_proxy_passes_the_callers() {
    let emulator = emulator(ProxySettings {
        has_key: false,
        ..ProxySettings::default()
    });
    assert_refused(&through("POST", ECHO).send(&emulator), 401, "Unauthorized");
    let key = emulator.create_key(Scope::Api, "other");
    let response = through("POST", ECHO)
        .key(&key)
        .json(&json!({}))
        .send(&emulator);
    assert_eq!(response.json()["key_id"], id(&key));
    let wrong = through("POST", ECHO)
        .key("fake-id:fake-secret-wrong")
        .send(&emulator);
    wrong.assert_detail(401, "invalid key credentials");
}

#[test]
fn a_callers_key_outranks_the_proxys() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "other");
    let response = through("POST", ECHO)
        .key(&key)
        .json(&json!({}))
        .send(&emulator);
    assert_eq!(response.json()["key_id"], id(&key));
    emulator.revoke_key(id(emulator.api_key()));
    through("POST", ECHO)
        .send(&emulator)
        .assert_detail(401, "invalid key credentials");
}

#[test]
fn an_adapter_decides_who_is_authenticated_and_which_methods_exist() {
    for (adapter, name, anonymous, delete) in [
        (Adapter::Express, "express", 200, 200),
        (Adapter::Hono, "hono", 200, 200),
        (Adapter::NextjsPageRouter, "nextjs-page-router", 200, 200),
        (Adapter::NextjsAppRouter, "nextjs-app-router", 401, 405),
        (Adapter::Remix, "remix", 401, 200),
        (Adapter::SvelteAppRouter, "svelte-app-router", 401, 405),
    ] {
        let allow_unauthorized_requests = false;
        let emulator = emulator(ProxySettings {
            adapter,
            allow_unauthorized_requests,
            ..ProxySettings::default()
        });
        assert_eq!(status(&emulator, "POST", ECHO), anonymous, "{name}");
        let with_key = |method: &str| {
            through(method, ECHO)
                .key(emulator.api_key())
                .send(&emulator)
        };
        let client_proxy = with_key("POST").json()["headers"]["x-fal-client-proxy"].clone();
        assert_eq!(client_proxy, format!("@fal-ai/server-proxy/{name}"));
        let response = with_key("DELETE");
        assert_eq!(response.status, delete, "{name}");
        assert_eq!(
            response.header("allow"),
            (delete == 405).then_some("GET, POST, PUT")
        );
    }
    let methods = Some(vec!["POST".into()]);
    let emulator = emulator(ProxySettings {
        methods,
        ..ProxySettings::default()
    });
    assert_eq!(
        (
            status(&emulator, "POST", ECHO),
            status(&emulator, "GET", ECHO)
        ),
        (200, 405)
    );
}

#[test]
fn a_get_loses_its_body_and_other_methods_keep_theirs() {
    let emulator = Emulator::start().unwrap();
    for (method, body) in [
        ("GET", Value::Null),
        ("PUT", json!({"n": 1})),
        ("DELETE", json!({"n": 1})),
    ] {
        let response = through(method, ECHO).json(&json!({"n": 1})).send(&emulator);
        assert_eq!(
            (&response.json()["method"], &response.json()["body"]),
            (&json!(method), &body)
        );
    }
    let head = through("HEAD", ECHO);
    let mut connection = Connection::open(&emulator);
    connection.write(&head).unwrap();
    assert_eq!(
        connection
            .read_head()
            .unwrap()
            .header("x-fal-billable-units"),
        Some("1")
    );
}

#[test]
fn failures_and_bytes_of_the_target_pass_unchanged() {
    let emulator = Emulator::start().unwrap();
    let send = |endpoint: &str, input: &Value| {
        through("POST", &format!("https://fal.run/{endpoint}"))
            .json(input)
            .send(&emulator)
    };
    let failure = send(
        "emulator/fail",
        &json!({"error_type": "runner_disconnected"}),
    );
    assert_eq!(
        (failure.status, failure.header("x-fal-error-type")),
        (503, Some("runner_disconnected"))
    );
    assert!(failure.header("x-fal-request-id").is_some());
    let bytes = send("emulator/bytes", &json!({"size": 300_000}));
    assert_eq!(
        bytes.header("content-type"),
        Some("application/octet-stream")
    );
    let pattern: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
    assert!(bytes.body == pattern);
}

#[test]
fn a_fault_of_the_target_reaches_the_client_as_the_proxys_failure() {
    let emulator = Emulator::start().unwrap();
    for fault in [Fault::reset_after_body(), Fault::malformed_http()] {
        emulator.inject(fault.host("fal.run"));
        let response = through("POST", ECHO).json(&json!({})).send(&emulator);
        assert_eq!(
            (response.status, response.header("content-type")),
            (500, Some("text/plain"))
        );
    }
    emulator.inject(Fault::status(429).host("fal.run"));
    assert_eq!(status(&emulator, "POST", ECHO), 429);
    emulator.inject(Fault::status(503).host("app.example"));
    assert_eq!(status(&emulator, "POST", ECHO), 503);
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals.len(), 7);
    assert_eq!(arrivals[1].outcome, Outcome::Reset);
}

#[test]
fn the_target_notices_a_client_that_leaves() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let slow = through("POST", "https://fal.run/emulator/slow").json(&json!({"ms": 60_000}));
    connection.write(&slow).unwrap();
    let timeout = Duration::from_secs(5);
    emulator
        .wait_until(timeout, |arrivals| arrivals.iter().any(|one| one.executed))
        .unwrap();
    drop(connection);
    let left = |arrivals: &[fal_emulator::Arrival]| {
        arrivals
            .iter()
            .all(|one| one.outcome == Outcome::ClientClosed)
    };
    assert_eq!(emulator.wait_until(timeout, left).unwrap().len(), 2);
}

#[test]
fn it_reaches_fal_only() {
    let emulator = emulator(ProxySettings {
        allowed_url_patterns: Some(vec!["**".into()]),
        ..ProxySettings::default()
    });
    let control = format!("http://{}/_emulator/requests", emulator.host());
    for target in [
        "https://app.example/api/fal/proxy",
        "https://example.com/x",
        control.as_str(),
        "http://127.0.0.1/api/fal/proxy",
        "ftp://fal.run/acme/public",
    ] {
        assert_eq!(status(&emulator, "GET", target), 500, "{target}");
    }
    assert_eq!(emulator.arrivals().len(), 5);
    assert_eq!(
        status(&emulator, "GET", "https://api.fal.ai/v1/models"),
        200
    );
}
