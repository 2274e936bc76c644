use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response, secret};
use crate::uploads::{at, initiate};

fn control(emulator: &Emulator, method: &str, path: &str, body: Option<&Value>) -> Response {
    let request = Request::new(method, &emulator.host(), &format!("/_emulator/{path}"));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send(emulator)
}

fn get(emulator: &Emulator, path: &str) -> Value {
    let response = control(emulator, "GET", path, None);
    assert_eq!(response.status, 200);
    response.json()
}

fn visit(emulator: &Emulator, method: &str, path: &str) -> u16 {
    Request::new(method, "fal.run", path).send(emulator).status
}

#[test]
fn it_answers_to_the_loopback_only() {
    let emulator = Emulator::start().unwrap();
    for host in ["127.0.0.1", "localhost", "localhost:8080", &emulator.host()] {
        let response = Request::get(host, "/_emulator/health").send(&emulator);
        assert_eq!(
            (response.status, response.json()),
            (200, json!({"status": "ok"}))
        );
        assert_eq!(
            Request::get(host, "/acme/public").send(&emulator).status,
            404
        );
    }
    assert!(emulator.arrivals().is_empty());
    assert_eq!(visit(&emulator, "GET", "/_emulator/health"), 404);
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn arrivals_are_shown_filtered_and_cleared() {
    let emulator = Emulator::start().unwrap();
    let request = Request::new("POST", "fal.run", "/emulator/echo/a").key(emulator.api_key());
    request.json(&json!({"n": 1})).send(&emulator);
    visit(&emulator, "GET", "/acme/public");
    Request::get("api.fal.ai", "/v1/models").send(&emulator);

    let all = get(&emulator, "requests");
    assert_eq!(all["count"], 3);
    let first = &all["requests"][0];
    assert_eq!(first["body"], json!({"n": 1}));
    assert_eq!(
        (&first["outcome"], &first["executed"]),
        (&json!(200), &json!(true))
    );
    assert_eq!(first["had_key"], true);
    assert_eq!(first["headers"]["authorization"]["scheme"], "Key");
    assert!(!all.to_string().contains(secret(emulator.api_key())));
    for (query, count) in [
        ("method=post", 1),
        ("host=fal.run", 2),
        ("path=/acme/*", 1),
        ("path=%2Facme%2Fpublic&method=GET", 1),
        ("host=fal.run&method=PUT", 0),
    ] {
        let shown = get(&emulator, &format!("requests?{query}"));
        assert_eq!(shown["count"], count, "{query}");
        assert_eq!(shown["requests"].as_array().unwrap().len(), count);
    }
    assert_eq!(
        control(&emulator, "GET", "requests?color=red", None).status,
        400
    );
    assert_eq!(control(&emulator, "DELETE", "requests", None).status, 204);
    assert_eq!(get(&emulator, "requests")["count"], 0);
}

#[test]
fn it_waits_for_arrivals() {
    let emulator = Emulator::start().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            visit(&emulator, "GET", "/acme/public");
        });
        let began = Instant::now();
        let shown = get(&emulator, "requests?wait_for=1&path=/acme/*");
        assert_eq!(shown["count"], 1);
        assert!(began.elapsed() >= Duration::from_millis(100));
    });
    let shown = get(&emulator, "requests?wait_for=5&timeout_ms=50");
    assert_eq!(shown["count"], 1);
}

#[test]
fn faults_of_every_kind_can_be_injected() {
    let emulator = Emulator::start().unwrap();
    for action in [
        json!({"type": "none"}),
        json!({"type": "status", "status": 429, "headers": {"X-A": "b"}, "body": {"detail": "x"},
               "request_id": false, "retry_after": {"seconds": 1, "form": "http_date"}}),
        json!({"type": "reset", "when": "before_body"}),
        json!({"type": "reset", "when": "after_body"}),
        json!({"type": "close"}),
        json!({"type": "hang"}),
        json!({"type": "truncate", "bytes": 5}),
        json!({"type": "slow", "bytes": 1, "pause_ms": 1}),
        json!({"type": "gzip_members", "members": 2}),
        json!({"type": "unframed", "bytes": 5}),
        json!({"type": "odd_part", "form": "weak_version"}),
        json!({"type": "early_success"}),
        json!({"type": "malformed_http"}),
        json!({"type": "malformed_json"}),
        json!({"type": "redirect", "location": "/x", "status": 302}),
    ] {
        let fault = json!({"path": "/never", "times": null, "delay_ms": 3, "action": action});
        let response = control(&emulator, "POST", "faults", Some(&fault));
        assert_eq!(response.status, 201, "{}", response.json());
        let listed = get(&emulator, "faults");
        let last = listed["faults"].as_array().unwrap().last().unwrap();
        assert_eq!(last["id"], response.json()["id"]);
        assert_eq!(last["fault"]["action"], action);
    }
    assert_eq!(control(&emulator, "DELETE", "faults", None).status, 204);
    let fault = json!({"method": "GET", "skip": 1, "times": 1, "action": {"type": "status", "status": 503}});
    control(&emulator, "POST", "faults", Some(&fault));
    let statuses: Vec<u16> = (0..3)
        .map(|_| visit(&emulator, "GET", "/acme/public"))
        .collect();
    assert_eq!(statuses, [200, 503, 200]);
    assert_eq!(get(&emulator, "faults")["faults"][0]["struck"], 1);
}

#[test]
fn a_wrong_fault_is_refused() {
    let emulator = Emulator::start().unwrap();
    for fault in [
        json!({"action": {"type": "explode"}}),
        json!({"actoin": {"type": "close"}}),
        json!({"action": {"type": "status"}}),
        json!({"action": {"type": "status", "status": 101}}),
        json!({"action": {"type": "status", "status": 200, "headers": {"a b": "c"}}}),
        json!({"action": {"type": "status", "status": 200, "header": {}}}),
        json!({"action": {"type": "reset"}}),
        json!({"action": {"type": "slow", "bytes": 0, "pause_ms": 1}}),
        json!({"action": {"type": "redirect", "location": "/", "status": 200}}),
        json!([]),
    ] {
        let response = control(&emulator, "POST", "faults", Some(&fault));
        assert_eq!(response.status, 400, "{fault}");
        assert!(response.json()["detail"].is_string());
    }
    assert_eq!(get(&emulator, "faults"), json!({"faults": []}));
}

#[test]
fn keys_are_made_and_revoked() {
    let emulator = Emulator::start().unwrap();
    let wanted = json!({"scope": "ADMIN", "account": "other", "alias": "x"});
    let made = control(&emulator, "POST", "keys", Some(&wanted));
    assert_eq!(made.status, 201);
    let made = made.json();
    let key = made["key"].as_str().unwrap();
    let list = || {
        Request::get("api.fal.ai", "/v1/keys")
            .key(key)
            .send(&emulator)
    };
    assert_eq!(list().json()["keys"], json!([]));
    let path = format!("keys/{}", made["key_id"].as_str().unwrap());
    assert_eq!(control(&emulator, "DELETE", &path, None).status, 204);
    assert_eq!(control(&emulator, "DELETE", &path, None).status, 404);
    assert_eq!(list().status, 401);
    let default = control(&emulator, "POST", "keys", Some(&json!({}))).json();
    assert!(default["key_id"].as_str().unwrap().starts_with("fake-api-"));
    let bad = json!({"scope": "ROOT"});
    assert_eq!(control(&emulator, "POST", "keys", Some(&bad)).status, 400);
}

#[test]
fn a_reset_leaves_what_clients_know() {
    let emulator = Emulator::start().unwrap();
    let run = |key: &str| {
        let request = Request::new("POST", "fal.run", "/emulator/echo").key(key);
        request.json(&json!({})).send(&emulator)
    };
    let first_keys = [emulator.api_key(), emulator.admin_key()].map(String::from);
    let later_key = emulator.create_key(Scope::Api, "acme");
    emulator.revoke_key(first_keys[0].split(':').next().unwrap());
    emulator.advance(Duration::from_secs(3600));
    let fault = json!({"action": {"type": "status", "status": 503}, "times": null});
    control(&emulator, "POST", "faults", Some(&fault));
    let settings = json!({"bad_key_text": "older"});
    control(&emulator, "PUT", "settings", Some(&settings));
    assert_eq!(run(&later_key).status, 503);

    assert_eq!(control(&emulator, "POST", "reset", None).status, 204);
    assert!(emulator.arrivals().is_empty());
    assert_eq!(get(&emulator, "clock")["advanced_ms"], 0);
    assert_eq!(get(&emulator, "settings")["bad_key_text"], "current");
    assert_eq!(run(&later_key).status, 401);
    for key in &first_keys {
        assert_eq!(run(key).status, 200);
    }
    assert_eq!(
        get(&emulator, "stats")["executions"],
        json!({"emulator/echo": 2})
    );
}

#[test]
fn jobs_run_after_a_reset_on_the_same_connection() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    let submit = Request::new("POST", "queue.fal.run", "/emulator/job").key(emulator.api_key());
    let submit = submit.json(&json!({}));
    for _ in 0..2 {
        let made = connection.call(&submit).json();
        let path = format!(
            "/emulator/job/requests/{}",
            made["request_id"].as_str().unwrap()
        );
        let status =
            Request::get("queue.fal.run", &format!("{path}/status")).key(emulator.api_key());
        while connection.call(&status).json()["status"] != "COMPLETED" {
            std::thread::sleep(Duration::from_millis(5));
        }
        let reset = Request::new("POST", &emulator.host(), "/_emulator/reset");
        assert_eq!(connection.call(&reset).status, 204);
        assert_eq!(connection.call(&status).status, 404);
    }
}

#[test]
fn settings_are_replaced() {
    let emulator = Emulator::start().unwrap();
    let default = get(&emulator, "settings");
    assert_eq!(
        default,
        json!({
            "any_endpoint": false,
            "bad_key_text": "current",
            "queue": {
                "concurrent_requests": 2,
                "refuse_runs": false,
                "startup_ms": 0,
                "retry_pause_ms": 0,
                "status_always_200": false,
                "full_id_urls": false,
                "response_suffix": false,
                "submit_omits": [],
                "status_omits": [],
                "app_errors_in_status": false,
                "unasked_logs": "null",
                "status_logs": "whole",
                "stream_logs": "new",
                "stream_comments": false,
                "stream_events": null,
                "stream_heartbeat_ms": null,
                "heartbeat": "comment",
                "late_result_ms": 0,
                "late_result": "bad_request",
                "unfinished_result_202": false,
                "cancel_answer": "status",
                "missed_start": "request_timeout",
                "all_results_expire": false,
                "expired_is_gone": false,
            },
            "platform": {
                "unknown_parameters": "ignored",
                "requests_per_minute": null,
                "anonymous_requests_per_minute": null,
                "enterprise": true,
                "compute": true,
                "organization": {"root": "acme", "teams": ["acme", "acme-research"]},
                "discounts": {},
                "blocked_models": [],
                "odd_pages": null,
            },
            "webhooks": {
                "retries": 31,
                "first_pause_ms": 1000,
                "on_cancel": true,
                "payload_error_is_error": false,
                "jwks_padding": true,
            },
            "token_answer": "string",
            "token_status": 200,
            "proxy": {
                "allowed_url_patterns": null,
                "allowed_endpoints": [],
                "allow_unauthorized_requests": true,
                "is_authenticated": null,
                "has_key": true,
                "adapter": "express",
                "methods": null,
            },
            "credit_balances": {},
            "proxy_credentials": null,
            "gzip": false,
            "strict": false,
            "journal": {"arrivals": 100_000, "body_bytes": 67_108_864},
            "realtime_refusal": "http",
            "realtime_session_seconds": null,
            "admin_refusal_status": 403,
            "private_refusal_status": 403,
            "api_key_may_call_private_apps": false,
            "locked_accounts": {},
            "platform_login_scope": "none",
            "access_token_seconds": null,
            "reuse_ends_login": false,
            "file_url_form": null,
            "cdn_base_url": "v3",
            "signed_url_seconds": 3600,
            "part_answer": "both",
            "file_validator": "strong",
            "single_upload_limit": null,
            "expired_file_status": 410,
            "old_cdn_status": 410,
        })
    );
    let chosen = json!({
        "any_endpoint": true,
        "bad_key_text": "older",
        "queue": {
            "concurrent_requests": null,
            "refuse_runs": true,
            "startup_ms": 10,
            "retry_pause_ms": 10,
            "status_always_200": true,
            "full_id_urls": true,
            "response_suffix": true,
            "submit_omits": ["status"],
            "status_omits": ["status"],
            "app_errors_in_status": true,
            "unasked_logs": "absent",
            "status_logs": {"last": 3},
            "stream_logs": "whole",
            "stream_comments": true,
            "stream_events": 2,
            "stream_heartbeat_ms": 100,
            "heartbeat": "repeat",
            "late_result_ms": 50,
            "late_result": "accepted",
            "unfinished_result_202": true,
            "cancel_answer": "success",
            "missed_start": "absent",
            "all_results_expire": true,
            "expired_is_gone": true,
        },
        "platform": {
            "unknown_parameters": "refused",
            "requests_per_minute": 100,
            "anonymous_requests_per_minute": 10,
            "enterprise": false,
            "compute": false,
            "organization": null,
            "discounts": {"acme": 12.5},
            "blocked_models": ["fal-ai/flux/dev"],
            "odd_pages": "short",
        },
        "webhooks": {
            "retries": 10,
            "first_pause_ms": 5,
            "on_cancel": false,
            "payload_error_is_error": true,
            "jwks_padding": false,
        },
        "token_answer": "detail",
        "token_status": 201,
        "proxy": {
            "allowed_url_patterns": ["fal.run/**"],
            "allowed_endpoints": ["fal-ai/*"],
            "allow_unauthorized_requests": false,
            "is_authenticated": true,
            "has_key": false,
            "adapter": "nextjs-app-router",
            "methods": ["POST"],
        },
        "credit_balances": {"acme": 2.5},
        "proxy_credentials": "user:fake-password",
        "gzip": true,
        "strict": true,
        "journal": {"arrivals": 10, "body_bytes": 1000},
        "realtime_refusal": "message",
        "realtime_session_seconds": 5,
        "admin_refusal_status": 401,
        "private_refusal_status": 404,
        "api_key_may_call_private_apps": true,
        "locked_accounts": {"acme": "Unknown. Please contact hello@fal.ai."},
        "platform_login_scope": "API",
        "access_token_seconds": 60,
        "reuse_ends_login": true,
        "file_url_form": "animal",
        "cdn_base_url": "v3b",
        "signed_url_seconds": 60,
        "part_answer": "header",
        "file_validator": "weak",
        "single_upload_limit": 1000,
        "expired_file_status": 404,
        "old_cdn_status": 404,
    });
    assert_eq!(
        control(&emulator, "PUT", "settings", Some(&chosen)).json(),
        chosen
    );
    assert_eq!(get(&emulator, "settings"), chosen);
    assert_eq!(
        control(&emulator, "PUT", "settings", Some(&json!({}))).json(),
        default
    );
    for wrong in [
        json!({"admin_refusal_status": 500}),
        json!({"privat": 1}),
        json!({"queue": {"status_log": "new"}}),
        json!({"queue": {"status_logs": "old"}}),
        json!({"private_refusal_status": 200}),
        json!({"token_status": 202}),
        json!({"token_answer": "jwt"}),
        json!({"proxy": {"adapter": "rails"}}),
        json!({"proxy": {"key": true}}),
        json!({"credit_balances": {"acme": -1}}),
        json!({"expired_file_status": 403}),
        json!({"file_url_form": "v2"}),
        json!({"signed_url_seconds": -1}),
    ] {
        let response = control(&emulator, "PUT", "settings", Some(&wrong));
        assert_eq!(response.status, 400, "{wrong}");
    }
    assert_eq!(get(&emulator, "settings"), default);
}

#[test]
fn files_and_uploads_are_listed() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(
        (get(&emulator, "files"), get(&emulator, "uploads")),
        (json!({"files": []}), json!({"uploads": []}))
    );
    let request = initiate(&emulator, "gcs").header(
        "X-Fal-Object-Lifecycle",
        r#"{"initial_acl":{"default":"hide"}}"#,
    );
    let begun = request.send(&emulator).json();
    assert_eq!(get(&emulator, "uploads")["uploads"][0]["completed"], false);
    assert_eq!(
        at("PUT", begun["upload_url"].as_str().unwrap())
            .bytes("abc")
            .send(&emulator)
            .status,
        200
    );
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let file = json!({
        "url": begun["file_url"],
        "size": 3,
        "sha256": sha256,
        "content_type": "image/png",
        "owner": "acme",
        "file_name": "input.png",
        "expires": null,
        "acl": { "default": "hide", "rules": [] },
    });
    assert_eq!(get(&emulator, "files"), json!({ "files": [file] }));
    let upload = &get(&emulator, "uploads")["uploads"][0];
    assert_eq!(
        *upload,
        json!({
            "id": upload["id"],
            "kind": "signed",
            "url": begun["file_url"],
            "owner": "acme",
            "parts": { "1": { "puts": 1, "size": 3, "etag": sha256[..32] } },
            "completed": true,
        })
    );
}

#[test]
fn stats_count_what_is_open_and_what_ran() {
    let emulator = Emulator::start().unwrap();
    let mut open = crate::client::Connection::open(&emulator);
    open.call(&Request::get("fal.run", "/acme/public"));
    let stats = get(&emulator, "stats");
    assert_eq!(
        (&stats["open_connections"], &stats["executions"]),
        (&json!(1), &json!({"acme/public": 1}))
    );
}

#[test]
fn unknown_control_requests_are_refused() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(control(&emulator, "GET", "nothing", None).status, 404);
    for (method, path, allowed) in [
        ("POST", "health", "GET"),
        ("PUT", "requests", "GET, DELETE"),
        ("PUT", "faults", "GET, POST, DELETE"),
        ("GET", "keys", "POST"),
        ("GET", "keys/x", "DELETE"),
        ("DELETE", "settings", "GET, PUT"),
        ("POST", "stats", "GET"),
        ("DELETE", "files", "GET"),
        ("POST", "uploads", "GET"),
    ] {
        let response = control(&emulator, method, path, None);
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some(allowed)),
            "{method} {path}"
        );
    }
}

#[test]
fn time_can_be_advanced() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(get(&emulator, "clock")["advanced_ms"], 0);
    let login = emulator.create_login("acme", 3600);
    let run = || {
        let request = Request::new("GET", "fal.run", "/emulator/echo");
        request
            .header("Authorization", &format!("Bearer {}", login.access_token))
            .send(&emulator)
            .status
    };
    assert_eq!(run(), 200);
    let body = json!({"advance_ms": 3_600_000});
    let answer = control(&emulator, "POST", "clock", Some(&body));
    assert_eq!(
        (answer.status, &answer.json()["advanced_ms"]),
        (200, &json!(3_600_000))
    );
    assert_eq!(run(), 401);
    assert_eq!(
        control(&emulator, "POST", "clock", Some(&json!({"advance_ms": -1}))).status,
        400
    );
    assert_eq!(
        control(&emulator, "DELETE", "clock", None).header("allow"),
        Some("GET, POST")
    );
}

#[test]
fn a_running_model_notices_that_time_was_advanced() {
    let emulator = Emulator::start().unwrap();
    let run = Request::run("emulator/slow", &json!({"ms": 3_000_000})).key(emulator.api_key());
    let mut connection = Connection::open(&emulator);
    connection.write(&run).unwrap();
    emulator
        .wait_until(Duration::from_secs(10), |arrivals| {
            arrivals.iter().any(|one| one.executed)
        })
        .unwrap();
    emulator.advance(Duration::from_secs(3000));
    assert_eq!(connection.read().unwrap().json(), json!({"ms": 3_000_000}));
}
