//! Every row of docs/protocol.md §12.2, §12.3 and §12.5, repeated here independently of the
//! emulator.

use fal_emulator::Emulator;
use serde_json::{Value, json};

use crate::client::{Request, Response};

fn fail(emulator: &Emulator, path: &str, input: &Value) -> Response {
    Request::run(&format!("emulator/fail{path}"), input)
        .key(emulator.api_key())
        .send(emulator)
}

/// The type, the status, whether it is retryable, and the names in `ctx`.
#[rustfmt::skip]
const MODEL_ERRORS: &[(&str, u16, bool, &[&str])] = &[
    ("internal_server_error", 500, true, &[]),
    ("generation_timeout", 504, true, &[]),
    ("downstream_service_error", 400, true, &[]),
    ("downstream_service_unavailable", 500, true, &[]),
    ("content_policy_violation", 422, false, &[]),
    ("no_media_generated", 422, false, &[]),
    ("image_too_small", 422, false, &["min_height", "min_width"]),
    ("image_too_large", 422, false, &["max_height", "max_width"]),
    ("image_load_error", 422, false, &[]),
    ("file_download_error", 422, false, &[]),
    ("face_detection_error", 422, false, &[]),
    ("file_too_large", 422, false, &["max_size"]),
    ("greater_than", 422, false, &["gt"]),
    ("greater_than_equal", 422, false, &["ge"]),
    ("less_than", 422, false, &["lt"]),
    ("less_than_equal", 422, false, &["le"]),
    ("multiple_of", 422, false, &["multiple_of"]),
    ("sequence_too_short", 422, false, &["min_length"]),
    ("sequence_too_long", 422, false, &["max_length"]),
    ("one_of", 422, false, &["expected"]),
    ("feature_not_supported", 422, false, &[]),
    ("invalid_archive", 422, false, &["supported_extensions"]),
    ("archive_file_count_below_minimum", 422, false, &["min_count", "provided_count", "supported_extensions"]),
    ("archive_file_count_exceeds_maximum", 422, false, &["max_count", "provided_count", "supported_extensions"]),
    ("audio_duration_too_long", 422, false, &["max_duration", "provided_duration"]),
    ("audio_duration_too_short", 422, false, &["min_duration", "provided_duration"]),
    ("video_duration_too_long", 422, false, &["max_duration", "provided_duration"]),
    ("video_duration_too_short", 422, false, &["min_duration", "provided_duration"]),
    ("unsupported_audio_format", 422, false, &["supported_formats"]),
    ("unsupported_image_format", 422, false, &["supported_formats"]),
    ("unsupported_video_format", 422, false, &["supported_formats"]),
];

const PLATFORM_ERRORS: &[(&str, u16)] = &[
    ("request_timeout", 504),
    ("startup_timeout", 504),
    ("runner_scheduling_failure", 503),
    ("runner_connection_timeout", 503),
    ("runner_disconnected", 503),
    ("runner_connection_refused", 503),
    ("runner_connection_error", 503),
    ("runner_incomplete_response", 502),
    ("runner_server_error", 500),
    ("client_disconnected", 499),
    ("client_cancelled", 499),
    ("bad_request", 400),
    ("internal_error", 500),
];

#[test]
fn every_model_error_can_be_had() {
    let emulator = Emulator::start().unwrap();
    for (kind, status, retryable, ctx) in MODEL_ERRORS {
        let by_input = fail(&emulator, "", &json!({ "type": kind }));
        let by_path = fail(&emulator, &format!("/{kind}"), &json!({}));
        for response in [by_input, by_path] {
            assert_eq!(response.status, *status, "{kind}");
            let retryable = retryable.to_string();
            assert_eq!(response.header("x-fal-retryable"), Some(retryable.as_str()));
            response.request_id();
            let body = response.json();
            let entries = body["detail"].as_array().unwrap();
            assert_eq!(entries.len(), 1);
            let entry = &entries[0];
            assert_eq!(entry["type"], *kind);
            assert_eq!(entry["url"], format!("https://docs.fal.ai/errors/#{kind}"));
            assert_eq!(entry["loc"][0], "body");
            assert!(!entry["msg"].as_str().unwrap().is_empty());
            let names: Vec<&str> = entry["ctx"]
                .as_object()
                .map(|ctx| ctx.keys().map(String::as_str).collect())
                .unwrap_or_default();
            assert_eq!(names, *ctx, "{kind}");
            assert_eq!(entry.get("ctx").is_some(), !ctx.is_empty());
        }
    }
}

#[test]
fn an_error_about_a_field_quotes_it() {
    let emulator = Emulator::start().unwrap();
    let url = "https://example.com/large.png";
    let response = fail(
        &emulator,
        "",
        &json!({"type": "image_too_large", "image_url": url}),
    );
    response.assert_detail(
        422,
        json!([{
            "loc": ["body", "image_url"],
            "msg": "Image too large",
            "type": "image_too_large",
            "url": "https://docs.fal.ai/errors/#image_too_large",
            "ctx": {"max_height": 1024, "max_width": 1024},
            "input": url,
        }]),
    );
}

#[test]
fn every_platform_error_can_be_had() {
    let emulator = Emulator::start().unwrap();
    for (kind, status) in PLATFORM_ERRORS {
        let by_input = fail(&emulator, "", &json!({ "error_type": kind }));
        let by_path = fail(&emulator, &format!("/{kind}"), &json!({}));
        for response in [by_input, by_path] {
            assert_eq!(response.status, *status, "{kind}");
            assert_eq!(response.header("x-fal-error-type"), Some(*kind));
            response.request_id();
            let body = response.json();
            assert_eq!(body["error_type"], *kind);
            assert!(!body["detail"].as_str().unwrap().is_empty());
            assert_eq!(body.as_object().unwrap().len(), 2);
        }
    }
    let limit = fail(&emulator, "/concurrent_requests_limit", &json!({}));
    assert_eq!(limit.status, 429);
    assert_eq!(limit.header("x-fal-needs-retry"), Some("1"));
}

#[test]
fn every_failure_of_the_framework_can_be_had() {
    let emulator = Emulator::start().unwrap();
    let framework = |name: &str| fail(&emulator, "", &json!({ "framework": name }));
    framework("app_error").assert_detail(400, "The app refused the request");
    framework("uncaught_exception").assert_detail(500, "Internal Server Error");
    framework("gpu_failure").assert_detail(503, "CUDA error: device-side assert triggered");
    framework("field_error").assert_detail(
        422,
        json!([{"loc": ["body", "prompt"], "msg": "This prompt is not supported", "type": "value_error"}]),
    );
    let deadline = framework("start_deadline");
    assert_eq!(deadline.status, 504);
    assert_eq!(deadline.header("x-fal-request-timeout-type"), Some("user"));
}

#[test]
fn executed_says_whether_the_model_had_been_running() {
    let emulator = Emulator::start().unwrap();
    for (kind, executed) in [
        ("content_policy_violation", true),
        ("runner_disconnected", true),
        ("runner_scheduling_failure", false),
        ("concurrent_requests_limit", false),
        ("uncaught_exception", true),
    ] {
        emulator.clear_arrivals();
        fail(&emulator, &format!("/{kind}"), &json!({}));
        assert_eq!(emulator.arrivals()[0].executed, executed, "{kind}");
    }
}

#[test]
fn an_app_chooses_its_status() {
    let emulator = Emulator::start().unwrap();
    let body = json!({"message": "teapot"});
    let response = fail(&emulator, "", &json!({"status": 418, "body": body}));
    assert_eq!((response.status, response.json()), (418, body));
    response.request_id();
    fail(&emulator, "", &json!({"status": 503})).assert_detail(503, "Service Unavailable");
}

#[test]
fn the_ingress_answers_without_the_gateways_headers() {
    let emulator = Emulator::start().unwrap();
    for status in [502, 503, 504] {
        let response = fail(&emulator, "", &json!({"status": status, "html": true}));
        assert_eq!(response.status, status);
        assert_eq!(response.header("content-type"), Some("text/html"));
        assert_eq!(response.header("x-fal-request-id"), None);
        assert!(String::from_utf8(response.body).unwrap().contains("nginx"));
    }
    let page = json!({"status": 502, "html": true, "body": "<h1>down</h1>"});
    assert_eq!(fail(&emulator, "", &page).body, b"<h1>down</h1>");
}

#[test]
fn an_unknown_failure_is_invalid_input() {
    let emulator = Emulator::start().unwrap();
    for (input, field, kind) in [
        (json!({}), "type", "missing"),
        (json!({"type": "x"}), "type", "enum"),
        (json!({"type": 1}), "type", "string_type"),
        (json!({"error_type": "x"}), "error_type", "enum"),
        (json!({"framework": "x"}), "framework", "enum"),
        (json!({"status": 100}), "status", "greater_than_equal"),
        (json!({"status": 600}), "status", "less_than_equal"),
    ] {
        let response = fail(&emulator, "", &input);
        assert_eq!(response.status, 422, "{input}");
        let entry = &response.json()["detail"][0];
        assert_eq!(
            (&entry["type"], &entry["loc"][1]),
            (&json!(kind), &json!(field))
        );
    }
    assert!(emulator.executions().is_empty());
}
