//! Workflows: stored, read and run.

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Request, got, has, platform, platform_with, ran, sent};

fn definition(nodes: &Value, output: &Value) -> Value {
    json!({"name": "w", "version": "1.0.0", "nodes": nodes, "output": output, "schema": {"input": {}, "output": {}}})
}

/// A picture of the text that a language model wrote.
fn picture() -> Value {
    let nodes = json!({
        "paint": {
            "id": "paint", "type": "run", "depends": ["say"], "app": "fal-ai/flux/schnell",
            "input": {"prompt": "$say.output", "image_size": "square"},
        },
        "say": {"id": "say", "type": "run", "depends": [], "app": "emulator/llm", "input": {"prompt": "$input.what"}},
    });
    definition(
        &nodes,
        &json!({"url": "$paint.images.0.url", "text": "$say.output"}),
    )
}

fn create(emulator: &Emulator, name: &str, contents: &Value, public: bool) -> Value {
    let body = json!({"name": name, "title": "A title", "contents": contents, "is_public": public});
    sent(emulator, 201, "POST", "/workflows", &body)["workflow"].clone()
}

#[test]
fn a_workflow_is_stored_and_read() {
    let emulator = Emulator::start().unwrap();
    let made = create(&emulator, "say-and_paint", &picture(), false);
    has(
        &made,
        &[
            "name",
            "title",
            "user_nickname",
            "created_at",
            "is_public",
            "contents",
        ],
    );
    assert_eq!(
        got(&emulator, 200, "GET", "/workflows/acme/say-and_paint"),
        json!({ "workflow": made })
    );
    create(
        &emulator,
        "other",
        &definition(&json!({}), &json!({})),
        true,
    );
    let page = got(&emulator, 200, "GET", "/workflows");
    has(&page, &["workflows", "next_cursor", "has_more", "total"]);
    has(
        &page["workflows"][0],
        &[
            "name",
            "title",
            "user_nickname",
            "created_at",
            "tags",
            "endpoint_ids",
        ],
    );
    assert_eq!(
        (&page["total"], &page["workflows"][0]["endpoint_ids"]),
        (&json!(2), &json!(["fal-ai/flux/schnell", "emulator/llm"]))
    );
    for (query, count) in [
        ("search=PAINT", 1),
        ("used_endpoint_ids=emulator/llm", 1),
        ("used_endpoint_ids=no/app", 0),
        ("limit=1", 1),
    ] {
        let page = got(&emulator, 200, "GET", &format!("/workflows?{query}"));
        assert_eq!(
            page["workflows"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    let stranger = emulator.create_key(Scope::Admin, "other");
    let read = |name: &str| {
        platform(
            &emulator,
            "GET",
            &format!("/workflows/acme/{name}"),
            &stranger,
        )
        .status
    };
    assert_eq!(
        (
            read("say-and_paint"),
            read("other"),
            read("none"),
            read("a.b")
        ),
        (404, 200, 404, 400)
    );
    let twice = json!({"name": "other", "title": "t", "contents": picture()});
    assert_eq!(
        sent(&emulator, 400, "POST", "/workflows", &twice)["error"]["type"],
        "validation_error"
    );
    assert_eq!(
        platform_with(&emulator, "POST", "/workflows", &stranger, &twice).status,
        201
    );
    for (member, wrong) in [
        ("name", json!("a b")),
        ("name", json!("x".repeat(129))),
        ("title", json!("")),
        ("contents", json!(null)),
        ("contents", json!({})),
        ("is_public", json!("yes")),
        ("contents", definition(&json!({"a": 1}), &json!({}))),
        ("contents", definition(&json!({}), &json!({"a": 1}))),
    ] {
        let mut body = json!({"name": "fine", "title": "t", "contents": picture()});
        body[member] = wrong;
        sent(&emulator, 400, "POST", "/workflows", &body);
    }
}

#[test]
fn a_workflow_runs_and_its_nodes_are_billed() {
    let emulator = Emulator::start().unwrap();
    create(&emulator, "paint", &picture(), false);
    let id = "workflows/acme/paint";
    let (request, output) = ran(&emulator, id, &json!({"what": "a cat"}), emulator.api_key());
    assert_eq!(output["text"], "You said: a cat");
    assert!(
        output["url"]
            .as_str()
            .unwrap()
            .starts_with("https://v3b.fal.media/")
    );
    let events = got(&emulator, 200, "GET", "/models/billing-events");
    let billed: Vec<&str> = events["billing_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["endpoint_id"].as_str().unwrap())
        .collect();
    assert_eq!(billed, ["emulator/llm", "fal-ai/flux/schnell"]);
    let items = got(
        &emulator,
        200,
        "GET",
        &format!("/models/requests/by-endpoint?endpoint_id={id}"),
    );
    assert_eq!(items["items"][0]["request_id"], json!(request));
    let run = |key: &str| {
        Request::run(id, &json!({"what": "x"}))
            .key(key)
            .send(&emulator)
            .status
    };
    assert_eq!(run(&emulator.create_key(Scope::Admin, "other")), 403);
    assert_eq!(Request::run(id, &json!({})).send(&emulator).status, 401);
    assert_eq!(run(emulator.admin_key()), 200);
    assert_eq!(
        Request::run("workflows/acme/none", &json!({}))
            .key(emulator.api_key())
            .send(&emulator)
            .status,
        404
    );
    // Through the queue too.
    let submit = Request::new("POST", "queue.fal.run", &format!("/{id}")).key(emulator.api_key());
    let job = submit
        .json(&json!({"what": "a dog"}))
        .send(&emulator)
        .json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let result =
        Request::get("queue.fal.run", &format!("/{id}/requests/{job}")).key(emulator.api_key());
    let finished = (0..1000)
        .map(|_| result.send(&emulator))
        .find(|answer| answer.status == 200);
    assert_eq!(finished.unwrap().json()["text"], "You said: a dog");
}

fn events(emulator: &Emulator, id: &str, input: &Value) -> Vec<Value> {
    let answer = Request::run(&format!("{id}/stream"), input)
        .key(emulator.api_key())
        .send(emulator);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = String::from_utf8(answer.body).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

#[test]
fn a_workflow_is_streamed() {
    let emulator = Emulator::start().unwrap();
    create(&emulator, "paint", &picture(), false);
    let all = events(&emulator, "workflows/acme/paint", &json!({"what": "a cat"}));
    let told: Vec<(&str, &str)> = all
        .iter()
        .map(|event| {
            (
                event["type"].as_str().unwrap(),
                event["node_id"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("submit", "say"),
            ("completion", "say"),
            ("submit", "paint"),
            ("completion", "paint"),
            ("output", "")
        ]
    );
    assert_eq!(all[4]["output"]["text"], "You said: a cat");
}

#[test]
fn a_node_that_fails_ends_the_workflow() {
    let emulator = Emulator::start().unwrap();
    let node = |app: &str| json!({"n": {"id": "n", "type": "run", "depends": [], "app": app, "input": {"error_type": "internal_error"}}});
    let cases = [
        ("fails", node("emulator/fail"), 500),
        ("missing", node("no/app"), 404),
        ("itself", node("workflows/acme/itself"), 422),
        (
            "circle",
            json!({"a": {"depends": ["b"]}, "b": {"depends": ["a"]}}),
            422,
        ),
    ];
    for (name, nodes, status) in cases {
        create(&emulator, name, &definition(&nodes, &json!({})), false);
        let id = format!("workflows/acme/{name}");
        let answer = Request::run(&id, &json!({}))
            .key(emulator.api_key())
            .send(&emulator);
        assert_eq!(answer.status, status, "{name}");
        let all = events(&emulator, &id, &json!({}));
        let last = all.last().unwrap();
        assert_eq!(
            (&last["type"], &last["error"]["status"]),
            (&json!("error"), &json!(status)),
            "{name}"
        );
        assert!(
            last["message"]
                .as_str()
                .unwrap()
                .starts_with("Error while fetching the result of the request")
        );
    }
}
