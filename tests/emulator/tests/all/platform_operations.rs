//! All 82 operations: who may call them, and the requests that all of them refuse.

use fal_emulator::{Emulator, Operation, Scope, Settings, UnknownParameters, operations};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;

use crate::client::{Request, Response, got, id, platform, platform_with, sent};

/// The path of an operation, with made-up parameters.
fn path(operation: &Operation) -> String {
    let segments = operation.template.split('/').map(|segment| match segment {
        "{request_id}" => "11111111-2222-4333-8444-555555555555",
        "{owner}" => "acme",
        "{name}" => "job",
        segment if segment.starts_with('{') => "nothing",
        segment => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn call(emulator: &Emulator, operation: &Operation, key: Option<&str>) -> Response {
    let mut request = Request::new(
        operation.method,
        "api.fal.ai",
        &format!("/v1{}", path(operation)),
    );
    if let Some(key) = key {
        request = request.key(key);
    }
    if operation.template == "/serverless/logs/stream" {
        request = Request::new(
            operation.method,
            "api.fal.ai",
            &format!("/v1{}?end=2026-01-01", path(operation)),
        );
        if let Some(key) = key {
            request = request.key(key);
        }
    }
    request.send(emulator)
}

#[test]
fn there_are_82_of_three_scopes() {
    let all = operations();
    let count = |scope: &str| {
        all.iter()
            .filter(|operation| operation.scope == scope)
            .count()
    };
    assert_eq!(
        (all.len(), count("ADMIN"), count("API"), count("none")),
        (82, 17, 64, 1)
    );
    let mut names: Vec<_> = all
        .iter()
        .map(|operation| (operation.method, operation.template))
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 82);
    // Exactly this many operations of §14 list the header.
    assert_eq!(
        all.iter().filter(|operation| operation.idempotent).count(),
        26
    );
}

#[test]
fn each_asks_for_its_scope() {
    let emulator = Emulator::start().unwrap();
    let revoked = emulator.create_key(Scope::Admin, "acme");
    assert!(emulator.revoke_key(id(&revoked)));
    for operation in operations() {
        let status = |key| {
            let response = call(&emulator, &operation, key);
            if matches!(response.status, 401 | 403) {
                assert_eq!(
                    response.json()["error"]["type"],
                    "authorization_error",
                    "{operation:?}"
                );
            }
            response.status
        };
        let optional = operation.scope == "none" || operation.template == "/models";
        let refused = |status: u16| matches!(status, 401 | 403);
        assert_eq!(
            status(None) == 401,
            !optional,
            "{operation:?} without a key"
        );
        assert_eq!(
            status(Some(&revoked)),
            401,
            "{operation:?} with a revoked key"
        );
        assert_eq!(
            status(Some(emulator.api_key())) == 403,
            operation.scope == "ADMIN",
            "{operation:?} with an API key"
        );
        assert!(
            !refused(status(Some(emulator.admin_key()))),
            "{operation:?} with an ADMIN key"
        );
    }
}

#[test]
fn unknown_parameters_are_ignored_or_refused() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(
        got(&emulator, 200, "GET", "/keys?colour=red")["has_more"],
        json!(false)
    );
    let mut settings = Settings::default();
    settings.platform.unknown_parameters = UnknownParameters::Refused;
    emulator.set(settings);
    got(&emulator, 200, "GET", "/keys?limit=1");
    let refused = got(&emulator, 400, "GET", "/keys?colour=red");
    assert_eq!(refused["error"]["type"], "validation_error");
    for operation in operations()
        .iter()
        .filter(|operation| operation.scope == "ADMIN")
    {
        let path = format!("{}?colour=red", path(operation));
        assert_eq!(
            platform(&emulator, operation.method, &path, emulator.admin_key()).status,
            400,
            "{operation:?}"
        );
    }
}

#[test]
fn the_rate_is_limited_by_key() {
    let emulator = Emulator::start().unwrap();
    let mut settings = Settings::default();
    settings.platform.requests_per_minute = Some(3);
    settings.platform.anonymous_requests_per_minute = Some(1);
    emulator.set(settings);
    emulator.advance(Duration::from_secs(60));
    let models = |key: Option<&str>| {
        let request = Request::get("api.fal.ai", "/v1/models");
        key.map_or(request.clone(), |key| request.key(key))
            .send(&emulator)
    };
    // A minute may end during the loop. Of `2 * limit + 1` requests, one is refused even then.
    let refused = |key: Option<&str>, limit: usize| {
        (0..=2 * limit)
            .map(|_| models(key))
            .find(|answer| answer.status == 429)
    };
    let limited = refused(None, 1).expect("a refusal");
    assert_eq!(limited.json()["error"]["type"], "rate_limited");
    let seconds: u64 = limited
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds));
    assert!(refused(Some(emulator.api_key()), 3).is_some());
    emulator.advance(Duration::from_secs(60));
    assert_eq!(models(Some(emulator.api_key())).status, 200);
}

#[test]
fn the_same_idempotency_key_gets_the_same_answer_for_ten_minutes() {
    let emulator = Emulator::start().unwrap();
    let create = |value: &str, name: &str| {
        let request = Request::new("POST", "api.fal.ai", "/v1/assets/tags").key(emulator.api_key());
        request
            .header("Idempotency-Key", value)
            .json(&json!({ "name": name }))
            .send(&emulator)
    };
    let first = create("one", "red");
    assert_eq!(first.status, 201);
    assert_eq!(create("one", "red").json(), first.json());
    assert_eq!(create("one", "blue").json(), first.json());
    assert_eq!(create("two", "red").status, 409);
    assert_eq!(create("two", "green").status, 201);
    emulator.advance(Duration::from_secs(601));
    assert_eq!(create("one", "red").status, 409);
    assert_eq!(
        got(&emulator, 200, "GET", "/assets/tags")["tags"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Creating a key does not list the header, so a repetition creates a second key.
    let key = || {
        let request = Request::new("POST", "api.fal.ai", "/v1/keys").key(emulator.admin_key());
        request
            .header("Idempotency-Key", "k")
            .json(&json!({"alias": "a"}))
            .send(&emulator)
            .json()["key_id"]
            .clone()
    };
    assert_ne!(key(), key());
}

#[test]
fn repeats_that_come_together_are_executed_once() {
    let emulator = Emulator::start().unwrap();
    let wanted = json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k"});
    let request =
        Request::new("POST", "api.fal.ai", "/v1/compute/instances").key(emulator.admin_key());
    let request = request.header("Idempotency-Key", "one").json(&wanted);
    let ids: HashSet<String> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| request.send(&emulator)))
            .collect();
        let answers = sent.into_iter().map(|one| one.join().unwrap());
        answers
            .map(|answer| answer.json()["id"].as_str().unwrap().to_owned())
            .collect()
    });
    let made = got(&emulator, 200, "GET", "/compute/instances")["instances"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!((ids.len(), made), (1, 1));
}

#[test]
fn what_is_no_operation_is_refused() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(
        got(&emulator, 404, "GET", "/nothing")["error"]["type"],
        "not_found"
    );
    let wrong = platform(
        &emulator,
        "PATCH",
        "/assets/collections",
        emulator.api_key(),
    );
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("GET, POST"))
    );
    for body in ["", "[]", "{", "null"] {
        let request =
            Request::new("POST", "api.fal.ai", "/v1/compute/instances").key(emulator.admin_key());
        let answer = request
            .header("Content-Type", "application/json")
            .bytes(body)
            .send(&emulator);
        assert_eq!(
            (answer.status, answer.json()["error"]["type"].as_str()),
            (400, Some("validation_error")),
            "{body}"
        );
    }
}

#[test]
fn where_webhooks_come_from_is_told_to_everybody() {
    let emulator = Emulator::start().unwrap();
    let answer = Request::get("api.fal.ai", "/v1/meta").send(&emulator);
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"webhook_ip_ranges": ["127.0.0.1/32"]}))
    );
}

#[test]
fn machines_come_and_go() {
    let emulator = Emulator::start().unwrap();
    let wanted = json!({"instance_type": "gpu_8x_h100_sxm5", "ssh_key": "ssh-ed25519 AAAA", "sector": "sector_2"});
    let made = sent(&emulator, 201, "POST", "/compute/instances", &wanted);
    assert_eq!(
        (&made["status"], &made["sector"]),
        (&json!("provisioning"), &json!("sector_2"))
    );
    assert!(made.get("ip").is_none());
    emulator.advance(Duration::from_secs(61));
    let path = format!("/compute/instances/{}", made["id"].as_str().unwrap());
    let ready = got(&emulator, 200, "GET", &path);
    assert_eq!(ready["status"], "ready");
    assert!(ready["ip"].is_string());
    assert_eq!(
        got(&emulator, 200, "GET", "/compute/instances")["instances"],
        json!([ready])
    );
    let stranger = emulator.create_key(Scope::Admin, "other");
    assert_eq!(platform(&emulator, "GET", &path, &stranger).status, 404);
    assert_eq!(platform(&emulator, "DELETE", &path, &stranger).status, 404);
    got(&emulator, 204, "DELETE", &path);
    got(&emulator, 404, "GET", &path);
    got(&emulator, 404, "DELETE", &path);
    for wrong in [
        json!({"instance_type": "gpu_1x_h100_sxm5"}),
        json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": ""}),
        json!({"instance_type": "toaster", "ssh_key": "k"}),
        json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k", "sector": "sector_1"}),
        json!({"instance_type": "gpu_8x_h100_sxm5", "ssh_key": "k", "sector": "sector_9"}),
    ] {
        sent(&emulator, 400, "POST", "/compute/instances", &wrong);
    }
    let mut settings = Settings::default();
    settings.platform.compute = false;
    emulator.set(settings);
    got(&emulator, 403, "GET", "/compute/instances");
    assert_eq!(
        platform_with(
            &emulator,
            "POST",
            "/compute/instances",
            emulator.admin_key(),
            &wanted
        )
        .status,
        403
    );
}

#[test]
fn an_endpoint_is_described_to_everybody() {
    let emulator = Emulator::start().unwrap();
    let get = |path: &str| Request::get("fal.ai", path).send(&emulator);
    let document = get("/api/openapi/queue/openapi.json?endpoint_id=fal-ai/flux/dev").json();
    assert_eq!(document["openapi"], "3.0.4");
    assert_eq!(
        document["info"]["x-fal-metadata"]["endpointId"],
        "fal-ai/flux/dev"
    );
    assert!(document["paths"]["/fal-ai/flux/dev"]["post"].is_object());
    assert_eq!(
        document["components"]["schemas"]["ModelInput"]["required"],
        json!(["prompt"])
    );
    let unknown = get("/api/openapi/queue/openapi.json?endpoint_id=no/model");
    assert_eq!((unknown.status, unknown.json()), (404, json!(null)));
    let text = get("/models/fal-ai/flux/dev/llms.txt");
    assert_eq!(text.status, 200);
    assert!(
        String::from_utf8(text.body)
            .unwrap()
            .contains("fal-ai/flux/dev")
    );
    assert_eq!(get("/models/acme/private/llms.txt").status, 404);
}
