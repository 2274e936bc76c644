//! Endpoints that a user defines in TOML.

use std::time::Duration;

use fal_emulator::{BUILT_IN_APPS, Emulator, Scope, Settings};
use serde_json::{Value, json};

use crate::client::{Request, Response};

fn defining(toml: &str) -> Emulator {
    Emulator::builder().define(toml).unwrap().start().unwrap()
}

fn run(emulator: &Emulator, endpoint: &str, input: &Value) -> Response {
    Request::run(endpoint, input)
        .key(emulator.api_key())
        .send(emulator)
}

fn output(emulator: &Emulator, endpoint: &str, input: &Value) -> Value {
    let response = run(emulator, endpoint, input);
    let body = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!(response.status, 200, "{body}");
    response.json()
}

#[test]
fn an_output_is_fixed_or_depends_on_the_input() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "acme/fixed"
        output = { text = "as it is", list = [1, 2.5, true, "x"], deep = { empty = {} } }

        [[endpoint]]
        id = "acme/answer/v1"
        defaults = { steps = 4, size = { width = 8 } }
        units = "{{ input.steps / 2 }}"
        [endpoint.output]
        echo = "{{ input }}"
        greeting = "Hello {{ input.name or 'you' }}!"
        steps = "{{ input.steps }}"
        width = "{{ input.size.width * 2 }}"
        many = "{% for tag in input.tags %}<{{ tag }}>{% endfor %}"
        nothing = "{{ none }}"
        absent = "{{ input.absent }}"
        seed = "{{ seed }}"
        counter = "{{ counter }}"
        id = "{{ id }}"
        "#,
    );
    assert_eq!(
        output(&emulator, "acme/fixed", &json!({"x": 1})),
        json!({"text": "as it is", "list": [1, 2.5, true, "x"], "deep": {"empty": {}}})
    );
    let input = json!({"name": "<Ann>", "tags": ["a", "b"], "seed": 7, "steps": 5});
    let response = run(&emulator, "acme/answer/v1", &input);
    assert_eq!(response.header("x-fal-billable-units"), Some("3"));
    let mut echo = input.clone();
    echo["size"] = json!({"width": 8});
    assert_eq!(
        response.json(),
        json!({
            "echo": echo, "greeting": "Hello <Ann>!", "steps": 5, "width": 16, "many": "<a><b>",
            "nothing": null, "absent": null, "seed": 7, "counter": 1, "id": "acme/answer/v1",
        })
    );
    let second = output(&emulator, "acme/answer/v1", &json!({"tags": []}));
    assert_eq!(second["counter"], 2);
    assert!(second["seed"].is_u64());
    assert_eq!(second["greeting"], "Hello you!");
    run(&emulator, "acme/answer/v1/more", &json!({})).assert_detail(404, "Path /v1/more not found");
    let get = Request::get("fal.run", "/acme/fixed").key(emulator.api_key());
    get.send(&emulator).assert_detail(405, "Method Not Allowed");
}

#[test]
fn the_most_specific_definition_answers_then_the_last() {
    let emulator = defining(
        r#"
        endpoint = [
            { id = "acme/*", output = { by = "acme/*" } },
            { id = "acme/video*", output = { by = "first" } },
            { id = "acme/*ideo", output = { by = "last" } },
            { id = "acme/video/fast", output = { by = "exact" } },
            { id = "fal-ai/flux/dev", output = { by = "mine" } },
            { id = "*/own*", output = { by = "star" } },
            { id = "fal-ai/*", output = { by = "fal-ai/*" } },
        ]
        "#,
    );
    for (endpoint, by) in [
        ("acme/x", "acme/*"),
        ("acme/x/y/z", "acme/*"),
        ("acme/video3", "first"),
        ("acme/video/fast", "exact"),
        ("acme/video/slow", "first"),
        ("fal-ai/flux/dev", "mine"),
        ("fal-ai/flux/dev/", "mine"),
        ("someone/own-thing", "star"),
        // The known endpoint above this id does not take the path.
        ("fal-ai/flux/schnell/redux", "fal-ai/*"),
    ] {
        let found = output(&emulator, endpoint, &json!({"prompt": "x"}));
        assert_eq!(found, json!({"by": by}), "{endpoint}");
    }
    // A pattern is more specific than the app of another id, but not than a built-in id.
    assert!(output(&emulator, "acme/shared", &json!({}))["method"].is_string());
    assert!(output(&emulator, "fal-ai/flux/schnell", &json!({"prompt": "x"}))["images"].is_array());
    run(&emulator, "elsewhere/thing", &json!({}))
        .assert_detail(404, "Application \"elsewhere/thing\" not found");
    emulator
        .define("endpoint = [{ id = \"acme/*\", output = { by = \"anew\" } }]")
        .unwrap();
    assert_eq!(output(&emulator, "acme/x", &json!({}))["by"], "anew");
}

#[test]
fn failures_follow_rules() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "acme/strict"
        output = { ok = true }
        fail = [
            "content_policy_violation when 'nsfw' in input.prompt",
            { when = "input.prompt | length > 20", status = 418, body = { detail = "too long" } },
            "runner_disconnected when input.prompt == 'gone'",
            "app_error when input.prompt == 'no'",
            "503 when counter == 4",
        ]
        "#,
    );
    let ask = |prompt: &str| run(&emulator, "acme/strict", &json!({"prompt": prompt}));
    let flagged = ask("very nsfw");
    assert_eq!(flagged.status, 422);
    let entry = &flagged.json()["detail"][0];
    assert_eq!(entry["type"], "content_policy_violation");
    assert_eq!(
        (&entry["loc"], &entry["input"]),
        (&json!(["body", "prompt"]), &json!("very nsfw"))
    );
    ask("a prompt that is much too long").assert_detail(418, "too long");
    assert_eq!(
        ask("gone").header("x-fal-error-type"),
        Some("runner_disconnected")
    );
    assert_eq!(ask("fourth").status, 503);
    assert_eq!(ask("no").status, 400);
    assert_eq!(ask("fine").json(), json!({"ok": true}));
    // A rule that cannot be decided says so.
    let broken = run(&emulator, "acme/strict", &json!({"prompt": 5}));
    assert_eq!(broken.status, 500);
    assert!(
        broken.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("The definition of this endpoint fails: ")
    );
}

#[test]
fn an_input_has_a_schema() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "acme/typed"
        output = {}
        input.required = ["prompt"]
        input.properties.prompt = { type = "string", minLength = 2 }
        "#,
    );
    let refused = run(&emulator, "acme/typed", &json!({"prompt": "x"}));
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json()["detail"][0],
        json!({"loc": ["body", "prompt"], "msg": "String should have at least 2 characters",
               "type": "string_too_short", "input": "x", "ctx": {"min_length": 2}})
    );
    assert!(emulator.executions().is_empty());
    output(&emulator, "acme/typed", &json!({"prompt": "xy"}));
}

#[test]
fn a_run_takes_its_time_in_the_queue_and_logs() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "fal-ai/slow-one/v2"
        ms = 10_000
        startup_ms = 5_000
        logs = ["loading {{ input.what }}", { message = "odd", level = "WARN" }]
        output = { done = "{{ input.what }}" }
        fail = ["runner_disconnected when attempt == 1 and input.what == 'fragile'"]
        "#,
    );
    let submit = |what: &str| {
        let request = Request::new("POST", "queue.fal.run", "/fal-ai/slow-one/v2");
        let answer = request
            .key(emulator.api_key())
            .json(&json!({"what": what}))
            .send(&emulator);
        answer.json()["request_id"].as_str().unwrap().to_owned()
    };
    let at = |path: &str| {
        let path = format!("/fal-ai/slow-one/requests/{path}");
        Request::get("queue.fal.run", &path)
            .key(emulator.api_key())
            .send(&emulator)
    };
    let until = |id: &str, state: &str| {
        for _ in 0..200 {
            let status = at(&format!("{id}/status?logs=1")).json();
            if status["status"] == state {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{id} is not {state}");
    };
    let id = submit("wood");
    until(&id, "IN_QUEUE");
    emulator.advance(Duration::from_secs(5));
    until(&id, "IN_PROGRESS");
    emulator.advance(Duration::from_secs(5));
    let deadline = std::time::Instant::now();
    loop {
        let logs = at(&format!("{id}/status?logs=1")).json()["logs"].clone();
        if logs.as_array().is_some_and(|lines| lines.len() == 2) {
            assert_eq!(logs[0]["message"], "loading wood");
            assert_eq!(
                (&logs[1]["message"], &logs[1]["level"]),
                (&json!("odd"), &json!("WARN"))
            );
            break;
        }
        assert!(deadline.elapsed() < Duration::from_secs(5), "{logs}");
    }
    emulator.advance(Duration::from_secs(5));
    until(&id, "COMPLETED");
    assert_eq!(at(&id).json(), json!({"done": "wood"}));
    // Its definition goes, the result stays.
    let fragile = submit("fragile");
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(20));
        emulator.advance(Duration::from_secs(10));
    }
    until(&fragile, "COMPLETED");
    assert_eq!(at(&fragile).json(), json!({"done": "fragile"}));
    assert_eq!(emulator.executions()["fal-ai/slow-one/v2"], 3);
}

#[test]
fn a_job_of_a_removed_definition_can_be_read_and_a_running_one_cancelled() {
    let emulator = Emulator::start().unwrap();
    emulator
        .define("endpoint = [{ id = \"gone/soon/x\", ms = 60_000, output = { ok = 1 } }]")
        .unwrap();
    let request = Request::new("POST", "queue.fal.run", "/gone/soon/x").key(emulator.api_key());
    let id = request.json(&json!({})).send(&emulator).json()["request_id"].clone();
    let control = format!("127.0.0.1:{}", emulator.addr().port());
    assert_eq!(
        Request::new("DELETE", &control, "/_emulator/apps")
            .send(&emulator)
            .status,
        204
    );
    run(&emulator, "gone/soon/x", &json!({}))
        .assert_detail(404, "Application \"gone/soon\" not found");
    let path = format!("/gone/soon/requests/{}", id.as_str().unwrap());
    for _ in 0..200 {
        let status = Request::get("queue.fal.run", &format!("{path}/status"))
            .key(emulator.api_key())
            .send(&emulator);
        if status.json()["status"] == "IN_PROGRESS" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let cancel = Request::new("PUT", "queue.fal.run", &format!("{path}/cancel"));
    assert_eq!(cancel.key(emulator.api_key()).send(&emulator).status, 202);
    for _ in 0..200 {
        let result = Request::get("queue.fal.run", &path)
            .key(emulator.api_key())
            .send(&emulator);
        if result.status == 499 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not cancelled");
}

#[test]
fn a_stream_has_events_or_a_growing_text() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "acme/talk"
        stream.text = "You said: {{ input.prompt }}"

        [[endpoint]]
        id = "acme/talk/own*"
        stream.text = "a b"
        stream.event = { delta = "{{ text }}", done = "{{ not partial }}" }

        [[endpoint]]
        id = "acme/steps"
        output = { done = true }
        stream.events = [{ step = 1, of = "{{ input.n }}" }, { step = 2 }]

        [[endpoint]]
        id = "acme/mute"
        output = {}
        "#,
    );
    let events = |endpoint: &str, input: &Value| -> Vec<Value> {
        let response = run(&emulator, endpoint, input);
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        let text = String::from_utf8(response.body).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap())
            .collect()
    };
    assert_eq!(
        events("acme/talk/stream", &json!({"prompt": "hi"})),
        [
            json!({"output": "You", "partial": true}),
            json!({"output": "You said:", "partial": true}),
            json!({"output": "You said: hi", "partial": false}),
        ]
    );
    assert_eq!(
        output(&emulator, "acme/talk", &json!({"prompt": "hi"})),
        json!({"output": "You said: hi", "partial": false})
    );
    assert_eq!(
        events("acme/talk/own-one/stream", &json!({})),
        [
            json!({"delta": "a", "done": false}),
            json!({"delta": "a b", "done": true})
        ]
    );
    assert_eq!(
        events("acme/steps/stream", &json!({"n": 2})),
        [json!({"step": 1, "of": 2}), json!({"step": 2})]
    );
    assert_eq!(
        output(&emulator, "acme/steps", &json!({})),
        json!({"done": true})
    );
    run(&emulator, "acme/mute/stream", &json!({})).assert_detail(404, "Path /stream not found");
}

#[test]
fn access_owner_and_price_are_those_of_the_definition() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "other/secret"
        access = "private"
        account = "acme"
        output = {}

        [[endpoint]]
        id = "other/open"
        access = "public"
        output = {}
        price = { dollars = 0.25, unit = "song" }
        title = "Open"
        category = "text-to-audio"
        "#,
    );
    run(&emulator, "other/secret", &json!({}))
        .assert_detail(403, "Cannot access application \"other/secret\"");
    let as_admin = Request::run("other/secret", &json!({})).key(emulator.admin_key());
    assert_eq!(as_admin.send(&emulator).status, 200);
    let stranger = emulator.create_key(Scope::Admin, "other");
    assert_eq!(
        Request::run("other/secret", &json!({}))
            .key(&stranger)
            .send(&emulator)
            .status,
        403
    );
    assert_eq!(
        Request::run("other/open", &json!({}))
            .send(&emulator)
            .status,
        200
    );
    let platform = |path: &str| {
        Request::get("api.fal.ai", path)
            .key(emulator.api_key())
            .send(&emulator)
            .json()
    };
    let price = &platform("/v1/models/pricing?endpoint_id=other/open")["prices"][0];
    assert_eq!(
        (&price["unit_price"], &price["unit"]),
        (&json!(0.25), &json!("song"))
    );
    let listed = platform("/v1/models?category=text-to-audio");
    assert_eq!(listed["models"][0]["endpoint_id"], "other/open");
    assert_eq!(listed["models"].as_array().unwrap().len(), 1);
}

#[test]
fn a_mistake_names_its_place() {
    let long = format!(
        "[[endpoint]]\nid = \"a/{}\"\noutput = {{}}",
        "x".repeat(300)
    );
    for (toml, line, column, words) in [
        ("[[endpoint]]\nid = \"a/b\"\noutput = ", 3, 10, "value"),
        (
            "[[endpoint]]\nid = \"a/b\"\nouput = {}",
            3,
            1,
            "unknown field `ouput`",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"",
            2,
            6,
            "needs a program, an output",
        ),
        ("[[endpoint]]\noutput = {}", 1, 1, "missing field `id`"),
        (
            "\n[[endpoint]]\nid = \"alone\"\noutput = {}",
            3,
            6,
            "owner/alias",
        ),
        (
            "[[endpoint]]\nid = \"a/../b\"\noutput = {}",
            2,
            6,
            "owner/alias",
        ),
        (long.as_str(), 2, 6, "owner/alias"),
        (
            "[[endpoint]]\nid = \"a/b\"\nprogram = \"flx\"",
            3,
            11,
            "unknown variant `flx`",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nprogram = \"flux\"\noutput = {}",
            2,
            6,
            "a program has no output",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = { a = \"ü\", b = \"{{ input. }}\" }",
            3,
            25,
            "identifier",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = { a = [1, \"{% for %}\"] }",
            3,
            20,
            "unexpected",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = { a = { media = \"imag\" } }",
            3,
            16,
            "unknown variant `imag`",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = { a = { media = \"image\", width = 9999 } }",
            3,
            16,
            "width must be 1 to 4096",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = { at = 2026-01-01 }",
            3,
            17,
            "JSON has no dates",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nfail = [\"422 whenever\"]",
            3,
            9,
            "no status and no name",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nfail = [\"500\", { type = \"nope\" }]",
            3,
            16,
            "not a failure: Input should be one of",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nfail = [\"500 when input.\"]",
            3,
            9,
            "identifier",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nms = -1\noutput = {}",
            3,
            6,
            "a time must be 0 to",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nms = 99999999\noutput = {}",
            3,
            6,
            "must be 0 to 86400000 ms",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\nprice = { dollars = -1, unit = \"x\" }\noutput = {}",
            3,
            21,
            "0 to 1000000 dollars",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = {}\ndefaults = 3",
            4,
            12,
            "defaults must be a table",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = {}\n[endpoint.input.properties]\na = {}\nb = { \"$ref\" = \"#/none\" }",
            6,
            5,
            "leads nowhere",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = {}\ninput = { type = \"strin\" }",
            4,
            18,
            "strin",
        ),
        (
            "[[endpoint]]\nid = \"a/b\"\noutput = {}\ninput = { pattern = \"(\" }",
            4,
            21,
            "(",
        ),
    ] {
        let mistake = Emulator::builder().define(toml).unwrap_err();
        assert_eq!(
            (mistake.line, mistake.column),
            (line, column),
            "{toml}: {mistake}"
        );
        assert!(mistake.message.contains(words), "{toml}: {mistake}");
    }
}

#[test]
fn deep_and_huge_definitions_end() {
    let emulator = Emulator::start().unwrap();
    let deep = format!(
        "endpoint = [{{ id = \"a/b\", output = {}1{} }}]",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    assert!(
        emulator
            .define(&deep)
            .unwrap_err()
            .message
            .contains("recursion")
    );
    // Ten megabytes of endpoints.
    let many: String = (0..220_000)
        .map(|number| format!("[[endpoint]]\nid = \"big/n{number}\"\noutput = {{}}\n"))
        .collect();
    assert!(many.len() > 9_000_000);
    emulator.define(&many).unwrap();
    output(&emulator, "big/n219999", &json!({}));
    emulator
        .define(
            r#"
            [[endpoint]]
            id = "acme/loop"
            output = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
            "#,
        )
        .unwrap();
    let answer = run(&emulator, "acme/loop", &json!({}));
    assert_eq!(answer.status, 500);
    assert!(
        String::from_utf8_lossy(&answer.body).contains("fuel"),
        "{answer:?}"
    );
}

#[test]
fn the_control_api_defines_and_a_reset_forgets() {
    let emulator = defining("endpoint = [{ id = \"acme/kept\", output = { from = \"file\" } }]");
    let control = emulator.host();
    let post = |body: &str| {
        Request::new("POST", &control, "/_emulator/apps")
            .bytes(body)
            .send(&emulator)
    };
    let defined = post(
        "endpoint = [{ id = \"acme/one\", output = { n = 1 } }, { id = \"acme/kept\", output = { from = \"test\" } }]",
    );
    assert_eq!(defined.status, 201);
    assert_eq!(
        defined.json(),
        json!({"defined": ["acme/one", "acme/kept"]})
    );
    let as_json = json!({"endpoint": [{"id": "acme/two", "output": {"none": null, "prompt": "{{ input.prompt }}"}}]});
    assert_eq!(post(&as_json.to_string()).status, 201);
    assert_eq!(output(&emulator, "acme/one", &json!({})), json!({"n": 1}));
    assert_eq!(
        output(&emulator, "acme/two", &json!({"prompt": "p"})),
        json!({"none": null, "prompt": "p"})
    );
    assert_eq!(output(&emulator, "acme/kept", &json!({}))["from"], "test");
    post("[[endpoint]]\nid = 3").assert_detail(
        400,
        "line 2, column 6: invalid type: integer `3`, expected a string",
    );
    for (text, detail) in [
        (
            "{\"endpoint\": [{}]}",
            "line 1, column 15: missing field `id`",
        ),
        (
            "{\"endpoint\": [\n  {\"id\": \"a/b\", \"output\": {}},\n  {\"id\": \"a/b\", \"output\": null, \"ms\": -1}]}",
            "line 3, column 3: a time must be 0 to 86400000 ms, not -1",
        ),
        ("{\n\"endpoint\": [}", "line 2, column 14: expected value"),
        (
            "\n {\"endpoints\": []}",
            "line 2, column 2: unknown field `endpoints`, expected `endpoint`",
        ),
        (
            "{\"openapi\": \"3.0\",\n \"paths\": {}}",
            "line 2, column 11: no path has a POST with a schema of its JSON body",
        ),
    ] {
        post(text).assert_detail(400, detail);
    }
    // A list with a mistake defines nothing.
    assert_eq!(
        post("endpoint = [{ id = \"acme/three\", output = {} }, { id = \"x\", output = {} }]")
            .status,
        400
    );
    assert_eq!(run(&emulator, "acme/three", &json!({})).status, 404);
    let listed = Request::get(&control, "/_emulator/apps")
        .send(&emulator)
        .json();
    let ids: Vec<&str> = listed["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|app| app["id"].as_str().unwrap())
        .collect();
    assert!(
        ids.contains(&"fal-ai/flux/schnell") && ids.contains(&"acme/two"),
        "{ids:?}"
    );
    assert_eq!(
        Request::new("POST", &control, "/_emulator/reset")
            .send(&emulator)
            .status,
        204
    );
    assert_eq!(run(&emulator, "acme/one", &json!({})).status, 404);
    assert_eq!(output(&emulator, "acme/kept", &json!({}))["from"], "file");
    assert_eq!(
        Request::new("PUT", &control, "/_emulator/apps")
            .send(&emulator)
            .header("allow"),
        Some("GET, POST, DELETE")
    );
}

#[test]
fn definitions_and_calls_at_once_see_whole_definitions() {
    let emulator = Emulator::start().unwrap();
    let toml = |number: usize| {
        format!("endpoint = [{{ id = \"acme/now\", output = {{ a = {number}, b = {number} }} }}]")
    };
    emulator.define(&toml(0)).unwrap();
    std::thread::scope(|scope| {
        let definer =
            scope.spawn(|| (1..200).for_each(|number| emulator.define(&toml(number)).unwrap()));
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let seen = output(&emulator, "acme/now", &json!({}));
                    assert_eq!(seen["a"], seen["b"]);
                }
            });
        }
        definer.join().unwrap();
    });
    assert_eq!(
        output(&emulator, "acme/now", &json!({})),
        json!({"a": 199, "b": 199})
    );
}

#[test]
fn the_built_in_file_can_be_given_again() {
    let emulator = defining(BUILT_IN_APPS);
    assert!(output(&emulator, "fal-ai/flux/schnell", &json!({"prompt": "x"}))["images"].is_array());
    emulator.set(Settings::default());
    assert_eq!(
        output(&emulator, "fal-ai/any-llm", &json!({"prompt": "x"}))["partial"],
        false
    );
}

#[test]
fn a_time_is_rounded_to_milliseconds() {
    let emulator = defining(
        r#"
        [[endpoint]]
        id = "acme/time"
        ms = "{{ input.seconds * 1000 }}"
        output = {}

        [[endpoint]]
        id = "acme/short"
        ms = 0.5
        output = {}
        "#,
    );
    for seconds in [json!(0.005), json!(0.0004), json!(0)] {
        output(&emulator, "acme/time", &json!({ "seconds": seconds }));
    }
    output(&emulator, "acme/short", &json!({}));
    for seconds in [json!(-0.001), json!(1e300)] {
        let answer = run(&emulator, "acme/time", &json!({ "seconds": seconds }));
        assert_eq!(answer.status, 500);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("must be 0 to 86400000 ms"), "{detail}");
    }
}

#[test]
fn the_counter_begins_with_the_definition() {
    let emulator = Emulator::start().unwrap();
    let define = |id: &str, value: u64| {
        let toml = format!(
            "[[endpoint]]\nid = \"{id}\"\noutput = {{ n = \"{{{{ counter }}}}\", v = {value} }}"
        );
        emulator.define(&toml).unwrap();
    };
    let counts = |id: &str, value: u64, count: u64| {
        let expected = json!({ "n": count, "v": value });
        assert_eq!(output(&emulator, id, &json!({})), expected, "{id}");
    };
    output(&emulator, "emulator/llm", &json!({ "prompt": "before" }));
    define("emulator/llm", 1);
    counts("emulator/llm", 1, 1);
    counts("emulator/llm", 1, 2);
    define("acme/*", 2);
    counts("emulator/llm", 1, 3);
    counts("acme/a", 2, 1);
    counts("acme/b", 2, 1);
    counts("acme/a", 2, 2);
    define("acme/*", 3);
    counts("acme/a", 3, 1);
    // The statistics go on.
    assert_eq!(emulator.executions()["acme/a"], 3);
}
