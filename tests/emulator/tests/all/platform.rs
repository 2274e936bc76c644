use fal_emulator::{AdminRefusal, Emulator, Scope, Settings};
use serde_json::{Value, json};

use crate::client::{Request, Response, id};

fn call(emulator: &Emulator, method: &str, path: &str, key: &str) -> Response {
    Request::new(method, "api.fal.ai", path)
        .key(key)
        .send(emulator)
}

fn admin(emulator: &Emulator, method: &str, path: &str) -> Response {
    call(emulator, method, path, emulator.admin_key())
}

fn create(emulator: &Emulator, body: &Value) -> Response {
    Request::new("POST", "api.fal.ai", "/v1/keys")
        .key(emulator.admin_key())
        .json(body)
        .send(emulator)
}

fn assert_error(response: &Response, status: u16, kind: &str, message: &str) {
    let error = &response.json()["error"];
    assert_eq!(response.status, status, "{error}");
    assert_eq!(error["type"], kind);
    assert!(
        error["message"].as_str().unwrap().contains(message),
        "{error}"
    );
    assert!(error["request_id"].is_string());
}

#[test]
fn a_key_is_created_listed_used_and_revoked() {
    let emulator = Emulator::start().unwrap();
    let created = create(&emulator, &json!({"alias": "ci"}));
    assert_eq!(created.status, 201);
    let created = created.json();
    let key_id = created["key_id"].as_str().unwrap();
    let key = created["key"].as_str().unwrap();
    assert_eq!(
        key,
        format!("{key_id}:{}", created["key_secret"].as_str().unwrap())
    );
    assert_eq!(created.as_object().unwrap().len(), 3);

    let listed = admin(&emulator, "GET", "/v1/keys").json();
    let row = &listed["keys"][1];
    assert_eq!(row["key_id"], key_id);
    assert_eq!(
        (&row["alias"], &row["scope"]),
        (&json!("ci"), &json!("API"))
    );
    let created_at = row["created_at"].as_str().unwrap();
    assert_eq!(created_at.len(), "2026-01-01T00:00:00Z".len());
    assert!(created_at.ends_with('Z'));
    assert!(!listed.to_string().contains("fake-secret"));

    let run = || {
        Request::run("emulator/echo", &json!({}))
            .key(key)
            .send(&emulator)
    };
    assert_eq!(run().status, 200);
    for _ in 0..2 {
        let revoked = admin(&emulator, "DELETE", &format!("/v1/keys/{key_id}"));
        assert_eq!((revoked.status, revoked.body.len()), (204, 0));
    }
    assert_eq!(run().status, 401);
}

#[test]
fn the_list_shows_only_api_keys_of_the_account() {
    let emulator = Emulator::start().unwrap();
    let stranger = emulator.create_key(Scope::Api, "other");
    emulator.create_key(Scope::Admin, "acme");
    let listed = admin(&emulator, "GET", "/v1/keys").json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
    assert_eq!(listed["keys"][0]["key_id"], id(emulator.api_key()));
    assert_eq!(listed["next_cursor"], json!(null));
    assert_eq!(listed["has_more"], json!(false));
    for key in [&stranger, emulator.admin_key()] {
        let revoked = admin(&emulator, "DELETE", &format!("/v1/keys/{}", id(key)));
        assert_eq!(revoked.status, 204);
    }
    let run = |key: &str| {
        Request::run("emulator/echo", &json!({}))
            .key(key)
            .send(&emulator)
    };
    assert_eq!(run(&stranger).status, 200);
    assert_eq!(run(emulator.admin_key()).status, 200);
}

#[test]
fn the_list_is_paged_and_expanded() {
    let emulator = Emulator::start().unwrap();
    for alias in ["a", "b", "c", "d"] {
        create(&emulator, &json!({ "alias": alias }));
    }
    let mut seen = Vec::new();
    let mut path = "/v1/keys?limit=2&expand=creator_info".to_owned();
    let pages = loop {
        let page = admin(&emulator, "GET", &path).json();
        for key in page["keys"].as_array().unwrap() {
            seen.push(key["alias"].as_str().unwrap().to_owned());
            assert_eq!(key["creator_nickname"], "acme");
            assert!(key["creator_email"].is_string());
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(page["has_more"], json!(false));
            break seen.len().div_ceil(2);
        };
        assert_eq!(page["has_more"], json!(true));
        let cursor = cursor.replace('=', "%3D");
        path = format!("/v1/keys?limit=2&expand=creator_info&cursor={cursor}");
    };
    assert_eq!(
        (pages, seen),
        (
            3,
            ["default", "a", "b", "c", "d"].map(String::from).to_vec()
        )
    );
    for query in ["limit=0", "limit=x", "cursor=!", "expand=secret"] {
        let response = admin(&emulator, "GET", &format!("/v1/keys?{query}"));
        assert_error(&response, 400, "validation_error", "");
    }
}

#[test]
fn an_alias_has_1_to_255_characters() {
    let emulator = Emulator::start().unwrap();
    for body in [
        json!({}),
        json!({"alias": ""}),
        json!({"alias": 5}),
        json!({"alias": "ü".repeat(256)}),
        json!([]),
    ] {
        let response = create(&emulator, &body);
        assert_error(
            &response,
            400,
            "validation_error",
            "Invalid request parameters",
        );
    }
    assert_eq!(
        create(&emulator, &json!({"alias": "ü".repeat(255)})).status,
        201
    );
    let broken = Request::new("POST", "api.fal.ai", "/v1/keys").key(emulator.admin_key());
    assert_error(
        &broken.bytes("{").send(&emulator),
        400,
        "validation_error",
        "",
    );
}

#[test]
fn keys_are_for_administrators() {
    let emulator = Emulator::start().unwrap();
    let operations = [
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("DELETE", "/v1/keys/fake-id"),
    ];
    for (method, path) in operations {
        let response = call(&emulator, method, path, emulator.api_key());
        assert_error(&response, 403, "authorization_error", "Access denied");
        let response = call(&emulator, method, path, "fake-id:fake-secret-wrong");
        assert_error(
            &response,
            401,
            "authorization_error",
            "Authentication required",
        );
        let response = Request::new(method, "api.fal.ai", path).send(&emulator);
        assert_error(
            &response,
            401,
            "authorization_error",
            "Authentication required",
        );
    }
    emulator.set(Settings {
        admin_refusal_status: AdminRefusal::Unauthorized,
        ..Settings::default()
    });
    for (method, path) in operations {
        let response = call(&emulator, method, path, emulator.api_key());
        assert_error(&response, 401, "authorization_error", "Access denied");
    }
}

#[test]
fn unknown_operations_are_not_found() {
    let emulator = Emulator::start().unwrap();
    for path in ["/v1/nothing", "/", "/v1/keys/a/b", "/v1/keysx"] {
        assert_error(
            &admin(&emulator, "GET", path),
            404,
            "not_found",
            "Resource not found",
        );
    }
    let response = admin(&emulator, "PUT", "/v1/keys");
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("GET, POST"))
    );
}

fn models(emulator: &Emulator, query: &str) -> Value {
    let path = format!("/v1/models{query}");
    let response = Request::get("api.fal.ai", &path).send(emulator);
    assert_eq!(response.status, 200, "{}", response.json());
    response.json()
}

fn ids(page: &Value) -> Vec<&str> {
    let models = page["models"].as_array().unwrap();
    models
        .iter()
        .map(|model| model["endpoint_id"].as_str().unwrap())
        .collect()
}

#[test]
fn the_catalogue_shows_what_can_be_called() {
    let emulator = Emulator::start().unwrap();
    let page = models(&emulator, "");
    let all = ids(&page);
    for id in [
        "fal-ai/flux/schnell",
        "fal-ai/flux/dev",
        "emulator/echo",
        "acme/public",
    ] {
        assert!(all.contains(&id), "{id}");
    }
    assert!(!all.contains(&"acme/private"));
    for model in page["models"].as_array().unwrap() {
        let metadata = &model["metadata"];
        for text in [
            "display_name",
            "category",
            "description",
            "updated_at",
            "thumbnail_url",
            "model_url",
            "date",
        ] {
            assert!(metadata[text].is_string(), "{text}");
        }
        assert_eq!(metadata["status"], "active");
        assert!(metadata["tags"].is_array());
        assert_eq!(metadata["is_favorited"], json!(null));
        assert_eq!(
            (&metadata["highlighted"], &metadata["pinned"]),
            (&json!(false), &json!(false))
        );
    }
    for key in [emulator.api_key(), emulator.admin_key()] {
        let page = call(&emulator, "GET", "/v1/models", key).json();
        assert_eq!(page["models"][0]["metadata"]["is_favorited"], json!(false));
    }
    let wrong = call(&emulator, "GET", "/v1/models", "fake-id:fake-secret-wrong");
    assert_error(
        &wrong,
        401,
        "authorization_error",
        "Authentication required",
    );
}

#[test]
fn the_catalogue_is_filtered_and_paged() {
    let emulator = Emulator::start().unwrap();
    let flux = ["fal-ai/flux/schnell", "fal-ai/flux/dev"];
    for query in [
        "?q=FLUX.1",
        "?category=text-to-image&q=flux.1",
        "?endpoint_id=fal-ai/flux/dev,fal-ai%2Fflux%2Fschnell",
        "?endpoint_id=fal-ai/flux/dev&endpoint_id=fal-ai/flux/schnell",
    ] {
        assert_eq!(ids(&models(&emulator, query)), flux, "{query}");
    }
    assert!(ids(&models(&emulator, "?status=deprecated")).is_empty());
    assert!(ids(&models(&emulator, "?q=nothing-like-it")).is_empty());
    let first = models(&emulator, "?q=flux.1&limit=1");
    assert_eq!(
        (ids(&first), &first["has_more"]),
        (vec![flux[0]], &json!(true))
    );
    let cursor = first["next_cursor"].as_str().unwrap().replace('=', "%3D");
    let second = models(&emulator, &format!("?q=flux.1&limit=1&cursor={cursor}"));
    assert_eq!(
        (ids(&second), &second["has_more"]),
        (vec![flux[1]], &json!(false))
    );
    let expanded = models(&emulator, "?expand=openapi-3.0,enterprise_status&limit=1");
    let model = &expanded["models"][0];
    assert_eq!(model["openapi"]["openapi"], "3.0.4");
    assert_eq!(model["enterprise_status"], "ready");
}

#[test]
fn a_wrong_catalogue_query_is_refused() {
    let emulator = Emulator::start().unwrap();
    let many = format!("endpoint_id={}", "a,".repeat(51));
    for query in ["limit=-1", "status=gone", "expand=all", "cursor=%2A", &many] {
        let path = format!("/v1/models?{query}");
        let response = Request::get("api.fal.ai", &path).send(&emulator);
        assert_error(&response, 400, "validation_error", "");
    }
    let unknown = Request::get("api.fal.ai", "/v1/models?endpoint_id=no/model").send(&emulator);
    assert_error(&unknown, 404, "not_found", "Resource not found");
}

#[test]
fn the_balance_is_told_to_administrators() {
    let emulator = Emulator::start().unwrap();
    let plain = admin(&emulator, "GET", "/v1/account/billing");
    assert_eq!(
        (plain.status, plain.json()),
        (200, json!({"username": "acme"}))
    );
    let credits =
        |key: &str| call(&emulator, "GET", "/v1/account/billing?expand=credits", key).json();
    let expected = |account: &str, usd: f64| json!({"username": account, "credits": {"current_balance": usd, "currency": "USD"}});
    assert_eq!(credits(emulator.admin_key()), expected("acme", 100.0));
    let mut settings = Settings::default();
    settings
        .credit_balances
        .insert("acme".into(), 0.25.try_into().unwrap());
    emulator.set(settings);
    assert_eq!(credits(emulator.admin_key()), expected("acme", 0.25));
    let other = emulator.create_key(Scope::Admin, "other");
    assert_eq!(credits(&other), expected("other", 100.0));

    let unknown = admin(&emulator, "GET", "/v1/account/billing?expand=credits,debts");
    assert_error(&unknown, 400, "validation_error", "credits");
    let refused = call(&emulator, "GET", "/v1/account/billing", emulator.api_key());
    assert_error(&refused, 403, "authorization_error", "Access denied");
    let anonymous = Request::get("api.fal.ai", "/v1/account/billing").send(&emulator);
    assert_error(
        &anonymous,
        401,
        "authorization_error",
        "Authentication required",
    );
    let post = admin(&emulator, "POST", "/v1/account/billing");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET")));
}
