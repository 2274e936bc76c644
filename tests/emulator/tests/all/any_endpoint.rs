//! Endpoints that are not defined.

use fal_emulator::{Emulator, Settings};
use serde_json::{Value, json};

use crate::client::{Request, Response};

fn run(emulator: &Emulator, endpoint: &str, input: &Value) -> Response {
    Request::run(endpoint, input)
        .key(emulator.api_key())
        .send(emulator)
}

fn any() -> Emulator {
    let settings = Settings {
        any_endpoint: true,
        ..Settings::default()
    };
    Emulator::builder().settings(settings).start().unwrap()
}

#[test]
fn an_unknown_endpoint_answers_with_a_likely_shape() {
    let emulator = any();
    for (endpoint, input, kind, file) in [
        (
            "fal-ai/recraft/v3/text-to-image",
            json!({"prompt": "x", "num_images": 2}),
            "image",
            "/images/1/url",
        ),
        (
            "fal-ai/kling-video/v2/image-to-video",
            json!({"prompt": "x"}),
            "video",
            "/video/url",
        ),
        (
            "fal-ai/minimax/speech-02",
            json!({"text": "x"}),
            "audio",
            "/audio/url",
        ),
        ("acme/own/thing", json!({"messages": []}), "text", "/output"),
        (
            "fal-ai/flux/dev/image-to-image",
            json!({"prompt": "x"}),
            "image",
            "/images/0/url",
        ),
    ] {
        let response = run(&emulator, endpoint, &input);
        assert_eq!(response.status, 200, "{endpoint}");
        assert_eq!(
            response.header("x-fal-emulator-made-up"),
            Some(kind),
            "{endpoint}"
        );
        let output = response.json();
        let text = output
            .pointer(file)
            .unwrap_or_else(|| panic!("{output}"))
            .as_str()
            .unwrap()
            .to_owned();
        if let Some(path) = text.strip_prefix("https://v3b.fal.media") {
            assert_eq!(
                Request::get("v3b.fal.media", path).send(&emulator).status,
                200
            );
        }
    }
    let streamed = run(
        &emulator,
        "fal-ai/some-llm/stream",
        &json!({"prompt": "x y"}),
    );
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    assert_eq!(streamed.header("x-fal-emulator-made-up"), Some("text"));
    assert!(String::from_utf8_lossy(&streamed.body).contains("A made-up answer to: x y"));
}

#[test]
fn a_known_endpoint_is_not_made_up() {
    let emulator = any();
    emulator
        .define("endpoint = [{ id = \"acme/mine\", output = { mine = true } }]")
        .unwrap();
    for endpoint in ["acme/mine", "fal-ai/flux/dev", "emulator/echo/any/path"] {
        let response = run(&emulator, endpoint, &json!({"prompt": "x"}));
        assert_eq!(response.status, 200, "{endpoint}");
        assert_eq!(
            response.header("x-fal-emulator-made-up"),
            None,
            "{endpoint}"
        );
    }
    Request::run("fal-ai/new", &json!({}))
        .send(&emulator)
        .assert_detail(401, "Cannot access application \"fal-ai/new\"");
    for path in ["alone", ""] {
        assert_eq!(run(&emulator, path, &json!({})).status, 404);
    }
}

#[test]
fn the_queue_runs_what_is_made_up_and_its_result_says_so() {
    let emulator = any();
    let submit =
        Request::new("POST", "queue.fal.run", "/fal-ai/ideogram/v3").key(emulator.api_key());
    let submitted = submit.json(&json!({"prompt": "x"})).send(&emulator).json();
    let path = format!(
        "/fal-ai/ideogram/requests/{}",
        submitted["request_id"].as_str().unwrap()
    );
    for _ in 0..200 {
        let result = Request::get("queue.fal.run", &path)
            .key(emulator.api_key())
            .send(&emulator);
        if result.status == 200 {
            assert_eq!(result.header("x-fal-emulator-made-up"), Some("image"));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("no result");
}

#[test]
fn without_the_setting_it_is_not_found() {
    let emulator = Emulator::start().unwrap();
    run(&emulator, "fal-ai/new/thing", &json!({}))
        .assert_detail(404, "Application \"fal-ai/new\" not found");
}
