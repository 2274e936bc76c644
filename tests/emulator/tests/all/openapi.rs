//! Endpoints from OpenAPI.

use fal_emulator::Emulator;
use serde_json::{Value, json};

use crate::client::{Request, Response};

/// A description as fal serves it, with these schemas of input and output.
fn document(input: &Value, output: &Value) -> Value {
    let schema = |name: &str| json!({ "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } } });
    json!({
        "openapi": "3.0.4",
        "info": {
            "title": "Queue OpenAPI for fal-ai/thing/edit",
            "version": "1.0.0",
            "description": "Edits a thing",
            "x-fal-metadata": { "endpointId": "fal-ai/thing/edit", "category": "image-to-image" },
        },
        "components": { "schemas": {
            "ThingInput": input,
            "ThingOutput": output,
            "Image": { "type": "object", "required": ["url"], "properties": {
                "url": { "type": "string", "format": "uri" }, "content_type": { "type": "string" },
                "width": { "type": "integer", "nullable": true }, "height": { "type": "integer" },
            } },
            "File": { "type": "object", "required": ["url"], "properties": {
                "url": { "type": "string" }, "content_type": { "type": "string" },
                "file_name": { "type": "string" }, "file_size": { "type": "integer" },
            } },
            "Tree": { "type": "object", "properties": {
                "value": { "type": "integer" },
                "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
            } },
        } },
        "paths": {
            "/fal-ai/thing/edit": { "post": { "requestBody": schema("ThingInput"), "responses": { "200": schema("QueueStatus") } } },
            "/fal-ai/thing/edit/requests/{request_id}": { "get": { "responses": { "200": schema("ThingOutput") } } },
        },
    })
}

fn emulator(input: &Value, output: &Value) -> Emulator {
    let text = document(input, output).to_string();
    Emulator::builder()
        .define_openapi(&text)
        .unwrap()
        .start()
        .unwrap()
}

fn run(emulator: &Emulator, input: &Value) -> Response {
    Request::run("fal-ai/thing/edit", input)
        .key(emulator.api_key())
        .send(emulator)
}

#[test]
fn an_input_that_does_not_conform_is_refused_in_the_shape_of_fal() {
    let emulator = emulator(
        &json!({
            "type": "object",
            "required": ["prompt"],
            "properties": {
                "prompt": { "type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$" },
                "num_images": { "type": "integer", "minimum": 1, "maximum": 4 },
                "strength": { "type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1 },
                "width": { "type": "integer", "multipleOf": 8 },
                "format": { "enum": ["png", "jpeg"] },
                "urls": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 2 },
                "seed": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                "size": { "anyOf": [{ "$ref": "#/components/schemas/Image" }, { "enum": ["square"] }] },
                "mode": { "type": "string", "nullable": true },
                "sync_mode": { "type": "boolean" },
            },
        }),
        &json!({ "type": "object", "properties": {} }),
    );
    let one = |input: Value| -> Value {
        let mut whole = json!({ "prompt": "a" });
        whole
            .as_object_mut()
            .unwrap()
            .extend(input.as_object().unwrap().clone());
        let response = run(&emulator, &whole);
        assert_eq!(response.status, 422, "{input}");
        assert_eq!(response.header("x-fal-billable-units"), Some("0"));
        let detail = response.json()["detail"].clone();
        assert_eq!(detail.as_array().unwrap().len(), 1, "{detail}");
        detail[0].clone()
    };
    let url = |kind: &str| format!("https://docs.fal.ai/errors/#{kind}");
    let missing = run(&emulator, &json!({"seed": 1})).json()["detail"][0].clone();
    assert_eq!(
        missing,
        json!({"loc": ["body", "prompt"], "msg": "Field required", "type": "missing", "input": {"seed": 1}})
    );
    assert_eq!(
        one(json!({"num_images": 9})),
        json!({"loc": ["body", "num_images"], "msg": "Input should be less than or equal to 4", "type": "less_than_equal",
               "ctx": {"le": 4}, "input": 9, "url": url("less_than_equal")})
    );
    assert_eq!(
        one(json!({"strength": 0})),
        json!({"loc": ["body", "strength"], "msg": "Input should be greater than 0", "type": "greater_than",
               "ctx": {"gt": 0}, "input": 0, "url": url("greater_than")})
    );
    assert_eq!(
        one(json!({"format": "gif"})),
        json!({"loc": ["body", "format"], "msg": "Input should be one of 'png', 'jpeg'", "type": "one_of",
               "ctx": {"expected": ["png", "jpeg"]}, "input": "gif", "url": url("one_of")})
    );
    for (input, loc, kind) in [
        (
            json!({"num_images": 0}),
            json!(["body", "num_images"]),
            "greater_than_equal",
        ),
        (
            json!({"num_images": 1.5}),
            json!(["body", "num_images"]),
            "int_from_float",
        ),
        (
            json!({"num_images": "x"}),
            json!(["body", "num_images"]),
            "int_parsing",
        ),
        (
            json!({"num_images": []}),
            json!(["body", "num_images"]),
            "int_type",
        ),
        (
            json!({"strength": "x"}),
            json!(["body", "strength"]),
            "float_parsing",
        ),
        (
            json!({"width": 12}),
            json!(["body", "width"]),
            "multiple_of",
        ),
        (
            json!({"urls": []}),
            json!(["body", "urls"]),
            "sequence_too_short",
        ),
        (
            json!({"urls": ["a", "b", "c"]}),
            json!(["body", "urls"]),
            "sequence_too_long",
        ),
        (
            json!({"urls": ["a", 5]}),
            json!(["body", "urls", 1]),
            "string_type",
        ),
        (json!({"urls": "a"}), json!(["body", "urls"]), "list_type"),
        (json!({"seed": "x"}), json!(["body", "seed"]), "int_parsing"),
        (
            json!({"size": {"url": 5}}),
            json!(["body", "size", "url"]),
            "string_type",
        ),
        (
            json!({"sync_mode": 5}),
            json!(["body", "sync_mode"]),
            "bool_type",
        ),
        (json!({"mode": 5}), json!(["body", "mode"]), "string_type"),
        (
            json!({"prompt": ""}),
            json!(["body", "prompt"]),
            "string_too_short",
        ),
        (
            json!({"prompt": "abcdef"}),
            json!(["body", "prompt"]),
            "string_too_long",
        ),
        (
            json!({"prompt": "A"}),
            json!(["body", "prompt"]),
            "string_pattern_mismatch",
        ),
    ] {
        let entry = one(input.clone());
        assert_eq!(
            (&entry["loc"], &entry["type"]),
            (&loc, &json!(kind)),
            "{input}: {entry}"
        );
    }
    assert_eq!(
        run(&emulator, &json!({"num_images": 0, "width": 1})).json()["detail"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // The framework reads numbers from strings, and null where it is allowed.
    for input in [
        json!({"num_images": "2", "strength": "0.5"}),
        json!({"seed": null, "mode": null, "size": "square"}),
        json!({"unknown": [1, 2]}),
    ] {
        let mut whole = input.clone();
        whole["prompt"] = json!("a");
        assert_eq!(run(&emulator, &whole).status, 200, "{input}");
    }
}

#[test]
fn an_output_conforms_and_its_files_are_there() {
    let schema = json!({
        "type": "object",
        "required": ["images", "video"],
        "properties": {
            "images": { "type": "array", "items": { "$ref": "#/components/schemas/Image" }, "minItems": 1 },
            "video": { "allOf": [{ "$ref": "#/components/schemas/File" }], "title": "Video" },
            "audio_url": { "type": "string" },
            "weights": { "$ref": "#/components/schemas/File" },
            "seed": { "type": "integer" },
            "prompt": { "type": "string" },
            "has_nsfw_concepts": { "type": "array", "items": { "type": "boolean" } },
            "state": { "type": "string", "enum": ["done", "failed"] },
            "created": { "type": "string", "format": "date-time" },
            "code": { "type": "string", "minLength": 20, "maxLength": 22 },
            "score": { "type": "number", "minimum": 0.5 },
            "steps": { "type": "integer", "exclusiveMinimum": true, "minimum": 3 },
            "maybe": { "anyOf": [{ "type": "null" }, { "type": "string", "examples": ["yes"] }] },
            "tree": { "$ref": "#/components/schemas/Tree" },
            "timings": { "type": "object", "additionalProperties": { "type": "number" } },
        },
    });
    let emulator = emulator(&json!({ "type": "object" }), &schema);
    let response = run(
        &emulator,
        &json!({"prompt": "mine", "seed": 11, "num_images": 2}),
    );
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    assert_eq!(response.header("x-fal-emulator-made-up"), Some("schema"));
    let output = response.json();
    let whole =
        json!({ "allOf": [schema], "components": document(&json!({}), &json!({}))["components"] });
    let mut strict = whole.clone();
    // JSON Schema has no `nullable` and no flags for limits.
    strict["components"]["schemas"]["Image"]["properties"]["width"] = json!({ "type": "integer" });
    strict["allOf"][0]["properties"]["steps"] = json!({ "type": "integer", "exclusiveMinimum": 3 });
    let validator = jsonschema::validator_for(&strict).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&output)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?} {output:#}");
    assert_eq!(
        (&output["prompt"], &output["seed"], &output["maybe"]),
        (&json!("mine"), &json!(11), &json!("yes"))
    );
    assert_eq!(output["images"].as_array().unwrap().len(), 2);
    for (url, content_type) in [
        (&output["images"][1]["url"], "image/png"),
        (&output["video"]["url"], "video/mp4"),
        (&output["audio_url"], "audio/wav"),
    ] {
        let path = url
            .as_str()
            .unwrap()
            .strip_prefix("https://v3b.fal.media")
            .unwrap();
        let file = Request::get("v3b.fal.media", path).send(&emulator);
        assert_eq!(file.header("content-type"), Some(content_type));
    }
    let served = Request::get(
        "fal.ai",
        "/api/openapi/queue/openapi.json?endpoint_id=fal-ai/thing/edit",
    )
    .send(&emulator);
    assert_eq!(served.json()["info"]["description"], "Edits a thing");
}

#[test]
fn the_emulators_own_descriptions_can_be_given_back() {
    let first = Emulator::start().unwrap();
    let path = "/api/openapi/queue/openapi.json?endpoint_id=fal-ai/flux/schnell";
    let text = String::from_utf8(Request::get("fal.ai", path).send(&first).body).unwrap();
    let second = Emulator::builder()
        .define_openapi(&text)
        .unwrap()
        .start()
        .unwrap();
    let request =
        Request::run("fal-ai/flux/schnell", &json!({"prompt": "a cat"})).key(second.api_key());
    let output = request.send(&second).json();
    assert_eq!(output["prompt"], "a cat");
    assert!(output["images"][0]["url"].is_string(), "{output}");
}

#[test]
fn what_is_no_description_is_refused() {
    let refused = |text: &str| Emulator::builder().define_openapi(text).unwrap_err();
    let syntax = refused("{\n  \"openapi\": oops\n}");
    assert_eq!((syntax.line, syntax.column), (2, 14), "{syntax}");
    for (text, words) in [
        (
            json!({"openapi": "3.0.4", "paths": {}}).to_string(),
            "no path has a POST",
        ),
        (
            document(&json!({"$ref": "#/components/schemas/None"}), &json!({})).to_string(),
            "leads nowhere",
        ),
        (
            document(
                &json!({"$ref": "https://example.com/schema.json"}),
                &json!({}),
            )
            .to_string(),
            "leads nowhere",
        ),
        (
            document(
                &json!({"$ref": "#/components/schemas/ThingInput"}),
                &json!({}),
            )
            .to_string(),
            "leads back to itself",
        ),
        (
            document(
                &json!({"allOf": [{"anyOf": [{"$ref": "#/components/schemas/ThingInput"}]}]}),
                &json!({}),
            )
            .to_string(),
            "leads back to itself",
        ),
        (
            document(
                &json!({}),
                &json!({"$ref": "#/components/schemas/ThingOutput"}),
            )
            .to_string(),
            "leads back to itself",
        ),
        (
            document(
                &json!({"properties": {"a": {"pattern": "(((((a{99}){99}){99}){99}){99})"}}}),
                &json!({}),
            )
            .to_string(),
            "regex",
        ),
        (
            document(&json!({"properties": {"a": {"pattern": "(a"}}}), &json!({})).to_string(),
            "regex",
        ),
        (document(&json!({"type": 5}), &json!({})).to_string(), "5"),
    ] {
        let mistake = refused(&text);
        assert!(mistake.message.contains(words), "{text}: {mistake}");
    }
}

#[test]
fn a_mistake_names_its_place() {
    let document = |input: &str, output: &str| {
        format!(
            r##"{{"openapi": "3.0",
 "paths": {{"/a/b": {{"post": {{
  "requestBody": {{"content": {{"application/json": {{"schema":
   {input}}}}}}},
  "responses": {{"200": {{"content": {{"application/json": {{"schema":
   {output}}}}}}}}}
 }}}}}},
 "components": {{"schemas": {{
  "Wrong": {{"allOf": [{{"type": "object"}},
   {{"$ref": "#/none"}}]}}
 }}}}}}"##
        )
    };
    for (input, output, line, column) in [
        ("{}", "{}", 10, 4),
        (r##"{"$ref": "#/components/schemas/Wrong"}"##, "{}", 10, 4),
        (r##"{"properties": {"x": {"$ref": "#/no"}}}"##, "{}", 4, 25),
        ("{}", r##"{"anyOf": [{}, {"$ref": "#/no"}]}"##, 6, 19),
        (r#"{"properties": {"x": {"type": "strng"}}}"#, "{}", 4, 34),
    ] {
        let mut text = document(input, output);
        if line < 10 {
            text = text.replace("#/none", "#/components");
        }
        let mistake = Emulator::builder().define_openapi(&text).unwrap_err();
        assert_eq!(
            (mistake.line, mistake.column),
            (line, column),
            "{text}: {mistake}"
        );
        assert!(mistake.message.starts_with("/a/b: "), "{mistake}");
    }
}

#[test]
fn a_pattern_takes_no_exponential_time() {
    let emulator = emulator(
        &json!({"properties": {"prompt": {"pattern": "^(a+)+$"}}}),
        &json!({}),
    );
    let began = std::time::Instant::now();
    let input = json!({ "prompt": format!("{}b", "a".repeat(50_000)) });
    assert_eq!(run(&emulator, &input).status, 422);
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn a_deep_value_of_a_recursive_schema_is_checked() {
    let emulator = emulator(
        &json!({"properties": {"tree": {"$ref": "#/components/schemas/Tree"}}}),
        &json!({}),
    );
    let mut tree = json!({ "value": "x" });
    for _ in 0..40 {
        tree = json!({ "children": [tree] });
    }
    let response = run(&emulator, &json!({ "tree": tree }));
    assert_eq!(response.status, 422);
    assert_eq!(
        response.json()["detail"][0]["loc"]
            .as_array()
            .unwrap()
            .len(),
        2 + 80 + 1
    );
}

/// A description whose schemas are these, with those names of input and output.
fn of_schemas(schemas: &Value, input: &str, output: &str) -> Value {
    let mut document = document(&json!({}), &json!({}));
    let all = document["components"]["schemas"].as_object_mut().unwrap();
    all.extend(schemas.as_object().unwrap().clone());
    for (name, target) in [("ThingInput", input), ("ThingOutput", output)] {
        all.insert(
            name.into(),
            json!({ "$ref": format!("#/components/schemas/{target}") }),
        );
    }
    document
}

/// The schemas A0, A1 and so on, each made by `schema` from a reference to the next one.
fn row_of(count: usize, schema: impl Fn(Value) -> Value) -> Value {
    let named = |number: usize| format!("A{number}");
    let mut all = serde_json::Map::from_iter([(named(count), json!({ "type": "object" }))]);
    for number in 0..count {
        let next = json!({ "$ref": format!("#/components/schemas/{}", named(number + 1)) });
        all.insert(named(number), schema(next));
    }
    all.into()
}

#[test]
fn references_that_multiply_or_never_end_are_refused() {
    let twice = |next: Value| json!({ "allOf": [next, next] });
    for (schemas, words) in [
        (
            row_of(26, twice),
            "more than 10000 schemas apply to one value",
        ),
        (row_of(20_000, |next| next), "more than 100 references"),
        (
            row_of(
                20_000,
                |next| json!({ "anyOf": [{ "type": "null" }, next] }),
            ),
            "more than 100 references",
        ),
    ] {
        for (input, output) in [("A0", "Tree"), ("Tree", "A0")] {
            let text = of_schemas(&schemas, input, output).to_string();
            let mistake = Emulator::builder().define_openapi(&text).unwrap_err();
            assert!(mistake.message.contains(words), "{mistake}");
            assert!(
                mistake.message.contains("#/components/schemas/"),
                "it names the place: {mistake}"
            );
            let emulator = Emulator::start().unwrap();
            let posted = Request::new("POST", &emulator.host(), "/_emulator/apps").bytes(text);
            assert_eq!(posted.send(&emulator).status, 400);
        }
    }
}

#[test]
fn references_below_each_other_cost_no_more_than_their_number() {
    let twice = |next: Value| json!({ "allOf": [next, next] });
    let below = |next: Value| json!({ "properties": { "l": next, "r": next } });
    for schemas in [row_of(10, twice), row_of(26, below), row_of(2_000, below)] {
        let text = of_schemas(&schemas, "A0", "Tree").to_string();
        let emulator = Emulator::builder()
            .define_openapi(&text)
            .unwrap()
            .start()
            .unwrap();
        assert_eq!(run(&emulator, &json!({"l": {"r": {}}})).status, 200);
    }
}

#[test]
fn an_output_without_end_is_a_failure_that_says_why() {
    let node = json!({ "$ref": "#/components/schemas/A0" });
    let tree = json!({ "A0": { "type": "object", "required": ["l", "r"], "properties": { "l": node, "r": node } } });
    let list = |items: Value| json!({ "type": "array", "minItems": 1000, "items": items });
    let wide = json!({ "A0": list(list(list(json!({ "type": "string", "minLength": 1000 })))) });
    for schemas in [tree, wide] {
        let text = of_schemas(&schemas, "Tree", "A0").to_string();
        let emulator = Emulator::builder()
            .define_openapi(&text)
            .unwrap()
            .start()
            .unwrap();
        let answer = run(&emulator, &json!({}));
        assert_eq!(answer.status, 500);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("more than 10000 values"), "{detail}");
    }
}

#[test]
fn numbers_in_strings_are_read_as_numbers() {
    let emulator = emulator(
        &json!({ "type": "object", "properties": {
            "num_images": { "type": "integer", "minimum": 1, "maximum": 4 },
            "seed": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
            "steps": { "anyOf": [{ "type": "integer" }, { "enum": ["auto"] }] },
            "scale": { "type": "number", "nullable": true },
            "sizes": { "type": "array", "items": { "type": "object", "properties": { "a~b/c": { "type": "integer" } } } },
            "text": { "type": "string" },
        } }),
        &json!({ "type": "object", "properties": {
            "images": { "type": "array", "items": { "$ref": "#/components/schemas/Image" } },
            "seed": { "type": "integer" },
            "steps": { "type": "integer" },
            "scale": { "type": "number" },
            "text": { "type": "string" },
        } }),
    );
    let input = json!({
        "num_images": "2", "seed": " 7 ", "steps": "30", "scale": "0.5", "text": "5", "sizes": [{ "a~b/c": "1" }],
    });
    let answer = run(&emulator, &input);
    assert_eq!(answer.status, 200, "{answer:?}");
    let output = answer.json();
    assert_eq!(output["images"].as_array().unwrap().len(), 2);
    assert_eq!(
        (
            &output["seed"],
            &output["steps"],
            &output["scale"],
            &output["text"]
        ),
        (&json!(7), &json!(30), &json!(0.5), &json!("5"))
    );
    // As a number it may be refused.
    let refused = run(&emulator, &json!({ "num_images": "9" }));
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["detail"][0]["type"], "less_than_equal");
    for text in ["x", "1.5", ""] {
        let refused = run(&emulator, &json!({ "num_images": text }));
        assert_eq!(refused.json()["detail"][0]["type"], "int_parsing", "{text}");
    }
}

#[test]
fn the_example_answers() {
    let text = include_str!("../../../../examples/emulator/upscale.json");
    let emulator = Emulator::builder()
        .define_openapi(text)
        .unwrap()
        .start()
        .unwrap();
    let call = |input: Value| {
        Request::run("acme/upscale", &input)
            .key(emulator.api_key())
            .send(&emulator)
    };
    let output =
        call(json!({ "image_url": "https://example.com/a.png", "scale": "3", "seed": 5 })).json();
    assert_eq!(
        (&output["scale"], &output["seed"]),
        (&json!(3.0), &json!(5))
    );
    assert_eq!(output["image"]["content_type"], "image/png");
    assert_eq!(call(json!({ "scale": 9 })).status, 422);
}

#[test]
fn the_input_of_a_definition_is_described() {
    let emulator = Emulator::builder()
        .define(
            r##"
            [[endpoint]]
            id = "acme/described"
            category = "text-to-image"
            output = {}
            [endpoint.input]
            required = ["prompt"]
            properties = { prompt = { type = "string", maxLength = 5 }, size = { "$ref" = "#/components/schemas/Size" } }
            components.schemas.Size = { enum = ["small", "large"] }
            "##,
        )
        .unwrap()
        .start()
        .unwrap();
    let path = "/api/openapi/queue/openapi.json?endpoint_id=acme/described";
    let description = Request::get("fal.ai", path).send(&emulator).json();
    let schemas = &description["components"]["schemas"];
    assert_eq!(
        schemas["ModelInput"],
        json!({
            "type": "object", "required": ["prompt"],
            "properties": { "prompt": { "type": "string", "maxLength": 5 }, "size": { "$ref": "#/components/schemas/Size" } },
        })
    );
    assert_eq!(schemas["Size"]["enum"], json!(["small", "large"]));
    // It can be given back.
    let second = Emulator::builder()
        .define_openapi(&description.to_string())
        .unwrap()
        .start()
        .unwrap();
    let run = |input: Value| {
        Request::run("acme/described", &input)
            .key(second.api_key())
            .send(&second)
            .status
    };
    assert_eq!(run(json!({ "prompt": "a", "size": "small" })), 200);
    assert_eq!(run(json!({ "prompt": "a", "size": "huge" })), 422);
}
