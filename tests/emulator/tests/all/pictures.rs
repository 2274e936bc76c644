use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::Emulator;
use serde_json::{Value, json};

use crate::client::{Request, Response};

const CDN: &str = "https://v3b.fal.media";

fn run(emulator: &Emulator, input: &Value) -> Response {
    Request::run("fal-ai/flux/schnell", input)
        .key(emulator.api_key())
        .send(emulator)
}

/// Downloads a file without a key, as a browser does.
fn fetch(emulator: &Emulator, url: &Value) -> Vec<u8> {
    let path = url.as_str().unwrap().strip_prefix(CDN).unwrap();
    let response = Request::get("v3b.fal.media", path).send(emulator);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("image/png"));
    response.body
}

/// The width, the height and all pixels.
fn decode(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

#[test]
fn a_run_answers_with_a_picture_that_can_be_fetched() {
    let emulator = Emulator::start().unwrap();
    let response = run(&emulator, &json!({"prompt": "a cat", "seed": 7}));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-fal-billable-units"), Some("1"));
    let output = response.json();
    assert_eq!(output["prompt"], "a cat");
    assert_eq!(output["seed"], 7);
    assert_eq!(output["has_nsfw_concepts"], json!([false]));
    assert!(output["timings"]["inference"].is_f64());
    let image = &output["images"][0];
    assert_eq!(image["content_type"], "image/png");
    assert_eq!(
        (&image["width"], &image["height"]),
        (&json!(1024), &json!(768))
    );
    assert!(
        image["url"]
            .as_str()
            .unwrap()
            .starts_with("https://v3b.fal.media/files/b/")
    );
    let png = fetch(&emulator, &image["url"]);
    let (width, height, pixels) = decode(&png);
    assert_eq!((width, height), (1024, 768));
    let mut colors = pixels;
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 50, "{} colors", colors.len());
    assert!(png.len() < 64 * 1024, "{} bytes", png.len());
}

#[test]
fn a_picture_follows_from_prompt_seed_and_size() {
    let emulator = Emulator::start().unwrap();
    let other = Emulator::start().unwrap();
    let picture = |emulator: &Emulator, input: &Value| {
        let output = run(emulator, input).json();
        fetch(emulator, &output["images"][0]["url"])
    };
    let first = picture(&emulator, &json!({"prompt": "a", "seed": 1}));
    assert!(first == picture(&other, &json!({"prompt": "a", "seed": 1})));
    assert!(first != picture(&emulator, &json!({"prompt": "b", "seed": 1})));
    assert!(first != picture(&emulator, &json!({"prompt": "a", "seed": 2})));
    let square = json!({"prompt": "a", "seed": 1, "image_size": "square"});
    assert!(first != picture(&emulator, &square));
}

#[test]
fn a_random_seed_is_reported_and_can_be_repeated() {
    let emulator = Emulator::start().unwrap();
    let one = run(&emulator, &json!({"prompt": "x"})).json();
    let two = run(&emulator, &json!({"prompt": "x", "seed": null})).json();
    assert!(one["seed"].is_u64());
    assert_ne!(one["seed"], two["seed"]);
    let again = run(&emulator, &json!({"prompt": "x", "seed": one["seed"]})).json();
    let url = |output: &Value| output["images"][0]["url"].clone();
    assert!(fetch(&emulator, &url(&one)) == fetch(&emulator, &url(&again)));
    assert!(fetch(&emulator, &url(&one)) != fetch(&emulator, &url(&two)));
    for seed in [json!(-5), json!(u64::MAX), json!("12")] {
        let output = run(&emulator, &json!({"prompt": "x", "seed": seed})).json();
        assert_eq!(
            output["seed"].to_string(),
            seed.to_string().replace('"', "")
        );
    }
}

#[test]
fn sizes_have_names_or_numbers() {
    let emulator = Emulator::start().unwrap();
    for (size, width, height) in [
        (json!("square_hd"), 1024, 1024),
        (json!("square"), 512, 512),
        (json!("portrait_4_3"), 768, 1024),
        (json!("portrait_16_9"), 576, 1024),
        (json!("landscape_4_3"), 1024, 768),
        (json!("landscape_16_9"), 1024, 576),
        (json!({"width": 64, "height": 65}), 64, 65),
        (json!({"width": 333}), 333, 512),
    ] {
        let output = run(&emulator, &json!({"prompt": "x", "image_size": size})).json();
        let image = &output["images"][0];
        assert_eq!(image["width"], width, "{size}");
        assert_eq!(image["height"], height, "{size}");
        let (real_width, real_height, _) = decode(&fetch(&emulator, &image["url"]));
        assert_eq!((real_width, real_height), (width, height));
    }
}

#[test]
fn the_largest_picture_is_drawn() {
    let emulator = Emulator::start().unwrap();
    let size = json!({"width": 4096, "height": 4096});
    let response = run(&emulator, &json!({"prompt": "x", "image_size": size}));
    assert_eq!(response.header("x-fal-billable-units"), Some("17"));
    let output = response.json();
    let (width, height, _) = decode(&fetch(&emulator, &output["images"][0]["url"]));
    assert_eq!((width, height), (4096, 4096));
}

#[test]
fn several_images_differ() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"prompt": "x", "num_images": 4, "image_size": "square", "seed": 3});
    let output = run(&emulator, &input).json();
    let images = output["images"].as_array().unwrap();
    assert_eq!(images.len(), 4);
    assert_eq!(
        output["has_nsfw_concepts"],
        json!([false, false, false, false])
    );
    let mut pictures: Vec<_> = images
        .iter()
        .map(|image| fetch(&emulator, &image["url"]))
        .collect();
    pictures.sort();
    pictures.dedup();
    assert_eq!(pictures.len(), 4);
}

#[test]
fn sync_mode_answers_with_data() {
    let emulator = Emulator::start().unwrap();
    let mut input = json!({"prompt": "x", "seed": 1, "sync_mode": true});
    let inline = run(&emulator, &input).json();
    let inline = inline["images"][0]["url"].as_str().unwrap();
    let data = inline.strip_prefix("data:image/png;base64,").unwrap();
    input["sync_mode"] = json!(false);
    let output = run(&emulator, &input).json();
    let stored = fetch(&emulator, &output["images"][0]["url"]);
    assert!(STANDARD.decode(data).unwrap() == stored);
}

#[test]
fn invalid_input_is_told_as_pydantic_tells_it() {
    let emulator = Emulator::start().unwrap();
    let missing = run(&emulator, &json!({"seed": 1}));
    missing.assert_detail(
        422,
        json!([{"loc": ["body", "prompt"], "msg": "Field required", "type": "missing", "input": {"seed": 1}}]),
    );
    assert_eq!(missing.header("x-fal-billable-units"), Some("0"));
    missing.request_id();
    for (field, value, kind, loc) in [
        ("prompt", json!(5), "string_type", vec!["body", "prompt"]),
        ("prompt", json!(null), "string_type", vec!["body", "prompt"]),
        ("seed", json!(1.5), "int_from_float", vec!["body", "seed"]),
        ("seed", json!("x"), "int_parsing", vec!["body", "seed"]),
        ("seed", json!([]), "int_type", vec!["body", "seed"]),
        (
            "num_images",
            json!(0),
            "greater_than_equal",
            vec!["body", "num_images"],
        ),
        (
            "num_images",
            json!(5),
            "less_than_equal",
            vec!["body", "num_images"],
        ),
        (
            "sync_mode",
            json!([]),
            "bool_type",
            vec!["body", "sync_mode"],
        ),
        (
            "image_size",
            json!("huge"),
            "enum",
            vec!["body", "image_size"],
        ),
        (
            "image_size",
            json!({"width": 63}),
            "greater_than_equal",
            vec!["body", "image_size", "width"],
        ),
        (
            "image_size",
            json!({"height": 4097}),
            "less_than_equal",
            vec!["body", "image_size", "height"],
        ),
    ] {
        let mut input = json!({"prompt": "x"});
        input[field] = value;
        let response = run(&emulator, &input);
        assert_eq!(response.status, 422, "{input}");
        let entries = response.json();
        assert_eq!(entries["detail"].as_array().unwrap().len(), 1, "{entries}");
        let entry = &entries["detail"][0];
        assert_eq!(
            (&entry["type"], &entry["loc"]),
            (&json!(kind), &json!(loc)),
            "{input}"
        );
        assert!(entry["msg"].is_string());
    }
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_body_that_is_no_object_is_invalid() {
    let emulator = Emulator::start().unwrap();
    let post = |content_type: &str, body: &str| {
        let response = Request::new("POST", "fal.run", "/fal-ai/flux/dev")
            .key(emulator.api_key())
            .header("Content-Type", content_type)
            .bytes(body)
            .send(&emulator);
        assert_eq!(response.status, 422, "{body}");
        response.json()["detail"][0]["type"].clone()
    };
    assert_eq!(post("application/json", ""), "missing");
    assert_eq!(post("application/json", "{\"prompt\":"), "json_invalid");
    assert_eq!(post("application/json", "[1]"), "model_attributes_type");
    assert_eq!(
        post("text/plain", "{\"prompt\":\"x\"}"),
        "model_attributes_type"
    );
}

#[test]
fn only_get_and_head_reach_a_file() {
    let emulator = Emulator::start().unwrap();
    let output = run(&emulator, &json!({"prompt": "x"})).json();
    let path = output["images"][0]["url"].as_str().unwrap();
    let path = path.strip_prefix(CDN).unwrap();
    let response = Request::new("DELETE", "v3b.fal.media", path).send(&emulator);
    assert_eq!(response.status, 405);
    let other_host = Request::get("v3.fal.media", path).send(&emulator);
    assert_eq!(other_host.status, 200);
}

#[test]
fn models_of_the_guides_make_files() {
    let emulator = Emulator::start().unwrap();
    let made = |model: &str, input: &Value, file: &str| {
        let output = Request::run(model, input)
            .key(emulator.api_key())
            .send(&emulator)
            .json();
        let url = output
            .pointer(file)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{output}"));
        let file = Request::get("v3b.fal.media", url.strip_prefix(CDN).unwrap()).send(&emulator);
        (file.header("content-type").unwrap().to_owned(), file.body)
    };
    let (kind, video) = made("fal-ai/veo3", &json!({"prompt": "x"}), "/video/url");
    assert_eq!((kind.as_str(), &video[4..8]), ("video/mp4", &b"ftyp"[..]));
    for scale in [1_u32, 2] {
        let input = json!({"image_url": "https://a.example/x.png", "scale": scale});
        let (kind, picture) = made("fal-ai/esrgan", &input, "/image/url");
        assert_eq!(
            (kind.as_str(), &picture[16..20]),
            ("image/png", &(512 * scale).to_be_bytes()[..])
        );
    }
    let filled = json!({"prompt": "x", "image_url": "u", "mask_url": "u"});
    assert_eq!(
        made("fal-ai/flux-pro/v1/fill", &filled, "/images/0/url").0,
        "image/png"
    );
    assert_eq!(emulator.files().len(), 4);
}
