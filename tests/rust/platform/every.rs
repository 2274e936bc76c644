//! Each of the 82 operations, from the table: who may call it, which parameters are rejected, and
//! the shape of its response.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use fal::Upload;
use fal::platform::{Operation, Place, operations};

/// A valid value for a parameter, by its name.
fn fitting(operation: &Operation, name: &str) -> Value {
    match name {
        "request_id" => json!("11111111-2222-4333-8444-555555555555"),
        "endpoint_id" if operation.name().starts_with("serverless.") => json!("acme/job"),
        "endpoint_id" => json!("fal-ai/flux/schnell"),
        "owner" => json!("acme"),
        "url" => json!("https://v3b.fal.media/files/b/nothing/y.png"),
        "expiration_seconds" => json!(60),
        "default" => json!("allow"),
        "type" => json!("image"),
        "instance_type" => json!("gpu_1x_h100_sxm5"),
        "source" => json!("estimate"),
        "contents" => workflow(),
        "reference_images" => json!(["https://v3b.fal.media/files/b/nothing/y.png"]),
        "tag_ids" => json!([]),
        "parent_collection_id" => json!(null),
        "file_upload" => json!({"base64": "aGk=", "file_name": "hi.txt"}),
        _ if operation.name() == "models.pricing.estimate" => json!(null),
        _ => json!("nothing"),
    }
}

fn workflow() -> Value {
    let schema = json!({"input": {}, "output": {}});
    json!({"name": "w", "version": "1.0.0", "nodes": {}, "output": {}, "schema": schema})
}

/// Valid parameters for an operation.
fn sample(operation: &Operation) -> Value {
    let required = operation
        .parameters()
        .iter()
        .filter(|parameter| parameter.is_required());
    let mut params = Value::Object(
        required
            .map(|one| (one.name().to_owned(), fitting(operation, one.name())))
            .collect(),
    );
    match operation.name() {
        "models.pricing.estimate" => return estimate(),
        "serverless.logs.stream" => params["end"] = json!("2026-01-01"),
        "assets.collections.assets.add" | "assets.collections.assets.remove" => {
            params["asset_id"] = json!("nothing")
        }
        "serverless.files.upload" => params["file_upload"] = fitting(operation, "file_upload"),
        _ => {}
    }
    params
}

fn estimate() -> Value {
    json!({"estimate_type": "unit_price", "endpoints": {"fal-ai/flux/schnell": {"unit_quantity": 2.5}}})
}

/// Calls an operation with valid parameters. Creating a key has a function of its own.
fn outcome(client: &Client, operation: &Operation) -> Result<Response, Error> {
    match operation.name() {
        "keys.create" => {
            let creating = client.create_key_start("every")?;
            creating.op().wait(Some(PATIENCE))?;
            creating.op().take().unwrap()
        }
        name => call(client, name, sample(operation)),
    }
}

#[test]
fn each_asks_for_its_scope() {
    assert_eq!(operations().len(), 82);
    let emulator = Emulator::start().unwrap();
    let host = emulator.host();
    let revoked = emulator.create_key(Scope::Admin, DEFAULT_ACCOUNT);
    assert!(emulator.revoke_key(id(&revoked)));
    let (admin, api, revoked) = (
        admin(&emulator),
        client(&emulator, emulator.api_key()),
        client(&emulator, &revoked),
    );
    let nobody = fal::credentials::Options::new().anonymous(true);
    let nobody = builder(&host, emulator.api_key())
        .credentials(nobody)
        .build()
        .unwrap();
    for one in operations() {
        let name = one.name();
        let needed = one.scope().filter(|_| !one.is_key_optional());
        let refused = |client: &Client| {
            let error = outcome(client, one)
                .err()
                .filter(|e| matches!(e.http_status(), Some(401 | 403)));
            if let Some(error) = &error {
                assert!(
                    !error.may_have_executed() && error.needed_scope() == needed,
                    "{name}: {error}"
                );
                assert!(
                    !format!("{error:?} {error}").contains("fake-secret"),
                    "{name}"
                );
            }
            error.map(|error| (error.code(), error.message().to_owned()))
        };
        assert_eq!(refused(&admin), None, "{name} with an ADMIN key");

        let told = refused(&api);
        assert_eq!(
            told.is_some(),
            one.scope() == Some(fal::Scope::Admin),
            "{name} with an API key: {told:?}"
        );
        if let Some((code, message)) = told {
            assert_eq!(code, Code::Forbidden, "{name}");
            let says = message.contains("needs a key of scope ADMIN")
                && message.contains(id(emulator.api_key()));
            assert!(says, "{name}: {message}");
        }

        let told = refused(&nobody);
        let free = one.scope().is_none() || one.is_key_optional();
        assert_eq!(
            told.as_ref().map(|told| told.0),
            (!free).then_some(Code::Unauthenticated),
            "{name} without a key"
        );

        let told = refused(&revoked);
        assert_eq!(
            told.map(|told| told.0),
            Some(Code::Unauthenticated),
            "{name} with a revoked key"
        );
    }
}

#[test]
fn each_refuses_what_is_missing_or_wrong_before_anything_is_sent() {
    let emulator = Emulator::start().unwrap();
    let client = admin(&emulator);
    let mut cases = (0, 0);
    for one in operations()
        .iter()
        .filter(|one| one.name() != "keys.create")
    {
        let name = one.name();
        let refused = |params: Value, named: &str| {
            let error = call(&client, name, params).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{name}: {error}");
            let message = error.message();
            assert!(
                message.starts_with(&format!("{name}: ")) && message.contains(named),
                "{message}"
            );
        };
        let good = sample(one);
        for parameter in one.parameters() {
            // Invalid for every parameter that does not accept everything.
            if parameter.expects() != "anything" || parameter.name() == "file_upload" {
                let mut wrong = good.clone();
                wrong[parameter.name()] = json!({"no": {"such": [7]}});
                refused(wrong, parameter.name());
                cases.0 += 1;
            }
            let needed = parameter.is_required() || parameter.name() == "file_upload";
            if needed && name != "models.pricing.estimate" {
                let mut less = good.clone();
                less.as_object_mut().unwrap().remove(parameter.name());
                refused(less, parameter.name());
                cases.1 += 1;
            }
        }
        let mut more = good.clone();
        more["surprise"] = json!(1);
        refused(more, "\"surprise\"");
    }
    assert!(emulator.arrivals().is_empty());
    assert_eq!(
        cases,
        (339, 70),
        "parameters that can be wrong, and missing"
    );
    let paths = operations()
        .iter()
        .flat_map(Operation::parameters)
        .filter(|one| one.place() == Place::Path)
        .count();
    assert!(paths > 30);
}

/// An account with some history.
struct World {
    admin: Client,
    api: Client,
    seen: RefCell<BTreeSet<&'static str>>,
}

impl World {
    /// Returns the response of an operation, which has its published status and shape.
    fn get(&self, name: &str, params: Value) -> Response {
        let operation = operations().iter().find(|one| one.name() == name).unwrap();
        let client = if operation.scope() == Some(fal::Scope::Admin) {
            &self.admin
        } else {
            &self.api
        };
        let response =
            call(client, name, params).unwrap_or_else(|e| panic!("{name}: {e}\n{}", e.remedy()));
        assert_eq!(response.status(), operation.status(), "{name}");
        match operation.answer() {
            "json" => operation
                .check_answer(response.json().unwrap())
                .unwrap_or_else(|e| panic!("{name}: {e}")),
            "none" => assert!(response.body().is_empty(), "{name}"),
            "csv" => assert!(
                response
                    .header("content-type")
                    .unwrap()
                    .starts_with("text/csv"),
                "{name}"
            ),
            "text" => assert!(
                response
                    .header("content-type")
                    .unwrap()
                    .starts_with("text/plain"),
                "{name}"
            ),
            _ => {}
        }
        self.seen.borrow_mut().insert(operation.name());
        response
    }

    fn text(&self, name: &str, params: Value, pointer: &str) -> String {
        self.get(name, params)
            .get_str(pointer)
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .to_owned()
    }
}

#[test]
fn each_answers_in_its_published_shape() {
    let emulator = Emulator::start().unwrap();
    let (admin, api) = (admin(&emulator), client(&emulator, emulator.api_key()));
    let world = World {
        admin,
        api,
        seen: RefCell::default(),
    };
    let run = |endpoint: &str| {
        let mut request = fal::Request::run(endpoint).unwrap();
        request.set_field("prompt", json!("a lighthouse")).unwrap();
        Op::finish(|| world.api.run_start(request))
            .unwrap()
            .request_id()
            .unwrap()
            .to_owned()
    };
    let request = run("fal-ai/flux/schnell");
    run("emulator/echo");
    let upload = Upload::bytes(b"a picture".to_vec())
        .content_type("image/png")
        .unwrap()
        .file_name("a.png");
    let url = Op::finish(|| world.api.upload_start(upload))
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();

    models(&world, &request);
    workflows(&world);
    assets(&world, &url);
    storage(&world, &url);
    serverless(&world, &url);
    account(&world);
    world.get(
        "models.requests.payloads.delete",
        json!({"request_id": request}),
    );
    // By its URL, because this operation is refused by its name.
    let mut raw = fal::Request::new("POST", "/v1/keys").unwrap();
    raw.set_json(json!({"alias": "shape"}));
    let made = Op::finish(|| world.admin.send_start(raw)).unwrap();
    let create = operations()
        .iter()
        .find(|one| one.name() == "keys.create")
        .unwrap();
    create.check_answer(made.json().unwrap()).unwrap();
    assert_eq!(made.status(), create.status());
    world.get(
        "keys.revoke",
        json!({"key_id": made.get_str("/key_id").unwrap()}),
    );
    let all: BTreeSet<_> = operations()
        .iter()
        .map(Operation::name)
        .filter(|name| *name != "keys.create")
        .collect();
    let missing: Vec<_> = all.difference(&world.seen.borrow()).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn models(world: &World, request: &str) {
    let flux = "fal-ai/flux/schnell";
    let expand = ["openapi-3.0", "enterprise_status"];
    world.get(
        "models.list",
        json!({"endpoint_id": flux, "expand": expand}),
    );
    world.get("models.list", json!({"q": "flux", "limit": 2}));
    world.get(
        "models.pricing",
        json!({"endpoint_id": [flux, "fal-ai/flux/dev"]}),
    );
    world.get("models.pricing.estimate", estimate());
    let usage =
        json!({"expand": ["time_series", "summary", "auth_method", "auth_method_structured"]});
    let rows = world.get("models.usage", usage);
    assert!(
        !rows.get("/summary").unwrap().as_array().unwrap().is_empty(),
        "what ran is billed"
    );
    let metrics = [
        "time_series",
        "summary",
        "request_count",
        "success_count",
        "p50_duration",
    ];
    world.get(
        "models.analytics",
        json!({"endpoint_id": flux, "expand": metrics}),
    );
    let events = world.get("models.billing_events", json!({"expand": "auth_method"}));
    assert!(
        !events
            .get("/billing_events")
            .unwrap()
            .as_array()
            .unwrap()
            .is_empty()
    );
    let found = world.text(
        "models.requests.by_endpoint",
        json!({"endpoint_id": flux, "expand": "payloads"}),
        "/items/0/request_id",
    );
    assert_eq!(found, request);
    world.get("models.requests.search", json!({"query": "lighthouse"}));
}

fn workflows(world: &World) {
    let made = world.get(
        "workflows.create",
        json!({"name": "w", "title": "W", "contents": workflow()}),
    );
    let user = made.get_str("/workflow/user_nickname").unwrap();
    world.get("workflows.list", json!({"limit": 1}));
    world.get(
        "workflows.get",
        json!({"username": user, "workflow_name": "w"}),
    );
}

fn assets(world: &World, url: &str) {
    let asset = world.text(
        "assets.uploads.create",
        json!({"url": url, "type": "image"}),
        "/asset/asset_id",
    );
    let whose = json!({"asset_id": asset});
    let with = |name: &str, value: &str| json!({name: value, "asset_id": asset});
    for name in [
        "assets.get",
        "assets.lineage",
        "assets.favorite",
        "assets.unfavorite",
        "assets.tags.of_asset",
    ] {
        world.get(name, whose.clone());
    }
    world.get("assets.list", json!({"limit": 5, "media_type": ["image"]}));
    let tag = world.text("assets.tags.create", json!({"name": "red"}), "/tag/id");
    world.get("assets.tags.list", json!({}));
    world.get("assets.tags.update", json!({"tag_id": tag, "name": "blue"}));
    world.get("assets.tags.assign", with("tag_id", &tag));
    world.get("assets.tags.unassign", with("tag_id", &tag));
    world.get(
        "assets.tags.replace",
        json!({"asset_id": asset, "tag_ids": [tag]}),
    );
    world.get("assets.tags.delete", json!({"tag_id": tag}));

    let outer = world.text(
        "assets.collections.create",
        json!({"name": "outer"}),
        "/collection/id",
    );
    let inner = world.text(
        "assets.collections.create",
        json!({"name": "inner"}),
        "/collection/id",
    );
    world.get(
        "assets.collections.move",
        json!({"collection_id": inner, "parent_collection_id": outer}),
    );
    world.get("assets.collections.list", json!({"limit": 1}));
    world.get(
        "assets.collections.update",
        json!({"collection_id": outer, "description": "d"}),
    );
    for name in ["get", "hierarchy", "favorite", "unfavorite"] {
        world.get(
            &format!("assets.collections.{name}"),
            json!({"collection_id": outer}),
        );
    }
    world.get(
        "assets.collections.assets.add",
        with("collection_id", &outer),
    );
    world.get(
        "assets.collections.assets.list",
        json!({"collection_id": outer}),
    );
    world.get(
        "assets.collections.assets.remove",
        with("collection_id", &outer),
    );
    world.get("assets.collections.delete", json!({"collection_id": inner}));

    let character = json!({"name": "Ada", "description": "an engineer", "reference_images": [url]});
    let character = world.text("assets.characters.create", character, "/character/id");
    world.get("assets.characters.list", json!({}));
    world.get(
        "assets.characters.update",
        json!({"character_id": character, "name": "Ada L."}),
    );
    for name in ["get", "favorite", "unfavorite", "delete"] {
        world.get(
            &format!("assets.characters.{name}"),
            json!({"character_id": character}),
        );
    }
}

fn storage(world: &World, url: &str) {
    world.get("storage.files.acl.get", json!({"url": url}));
    world.get(
        "storage.files.acl.replace",
        json!({"url": url, "default": "hide"}),
    );
    world.get(
        "storage.files.sign",
        json!({"url": url, "expiration_seconds": 60}),
    );
    world.get("storage.settings.get", json!({}));
    world.get(
        "storage.settings.replace",
        json!({"expiration_duration_seconds": 3600}),
    );
}

fn serverless(world: &World, url: &str) {
    let app = world.get("serverless.apps.list", json!({"expand": "endpoints"}));
    let endpoint = app.get_str("/apps/0/endpoint_id").unwrap().to_owned();
    let name = app.get_str("/apps/0/name").unwrap();
    let app = json!({"owner": app.get_str("/apps/0/owner").unwrap(), "name": name});
    for name in [
        "queue.get",
        "queue.flush",
        "runners.history",
        "events",
        "revisions",
    ] {
        world.get(&format!("serverless.apps.{name}"), app.clone());
    }
    let one = json!({"endpoint_id": endpoint});
    world.get("serverless.analytics", one.clone());
    world.get("serverless.requests.by_endpoint", one);
    world.get(
        "serverless.usage",
        json!({"expand": ["time_series", "summary"]}),
    );
    world.get("serverless.metrics", json!({}));
    world.get("serverless.logs.history", json!({"limit": 5}));
    world.get("serverless.logs.stream", json!({"end": "2026-01-01"}));
    let file = json!({"base64": "aGVsbG8=", "file_name": "hello.txt"});
    let stored = world.get(
        "serverless.files.upload",
        json!({"target_path": "folder/hello.txt", "file_upload": file}),
    );
    assert_eq!(stored.json().unwrap(), &json!(true));
    world.get(
        "serverless.files.upload_url",
        json!({"file": "copy.png", "url": url}),
    );
    let names = |answer: &Response| answer.text().unwrap().to_owned();
    let root = names(&world.get("serverless.files.list", json!({})));
    assert!(
        root.contains("copy.png") && root.contains("folder"),
        "{root}"
    );
    let folder = names(&world.get("serverless.files.list_dir", json!({"dir": "folder"})));
    assert!(folder.contains("hello.txt"), "{folder}");
    let got = world.get(
        "serverless.files.download",
        json!({"file": "folder/hello.txt"}),
    );
    assert_eq!(got.text().unwrap(), "hello");
}

fn account(world: &World) {
    let made = json!({"instance_type": "gpu_8x_h100_sxm5", "ssh_key": "ssh-ed25519 AAAA", "sector": "sector_1"});
    let machine = json!({"id": world.text("compute.instances.create", made, "/id")});
    world.get("compute.instances.list", json!({}));
    world.get("compute.instances.get", machine.clone());
    world.get("compute.instances.delete", machine);
    world.get("keys.list", json!({"expand": "creator_info"}));
    world.get("account.billing", json!({"expand": "credits"}));
    for (name, params) in [
        ("account.focus", json!({"source": "estimate"})),
        ("account.model_access_controls", json!({})),
        ("organization.focus", json!({"source": "estimate"})),
        (
            "organization.billing_events",
            json!({"expand": "auth_method"}),
        ),
        ("organization.teams", json!({})),
        (
            "organization.usage",
            json!({"expand": ["time_series", "summary"]}),
        ),
        ("meta.get", json!({})),
    ] {
        world.get(name, params);
    }
}
