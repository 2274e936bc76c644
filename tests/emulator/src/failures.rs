//! Every failure that fal documents, as data (docs/protocol.md §12.2, §12.3, §12.5, §15).

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::answer::Answer;

/// A model error (§12.2).
struct ModelError {
    kind: &'static str,
    status: u16,
    retryable: bool,
    field: &'static str,
    message: &'static str,
    /// An example of `ctx`, as JSON.
    ctx: Option<&'static str>,
}

const fn model(
    kind: &'static str,
    status: u16,
    retryable: bool,
    field: &'static str,
    message: &'static str,
    ctx: Option<&'static str>,
) -> ModelError {
    ModelError {
        kind,
        status,
        retryable,
        field,
        message,
        ctx,
    }
}

#[rustfmt::skip]
static MODEL_ERRORS: &[ModelError] = &[
    model("internal_server_error", 500, true, "", "Internal server error", None),
    model("generation_timeout", 504, true, "", "Generation timed out", None),
    model("downstream_service_error", 400, true, "", "Downstream service error", None),
    model("downstream_service_unavailable", 500, true, "", "Downstream service unavailable", None),
    model("content_policy_violation", 422, false, "prompt", "The content could not be processed because it was flagged by a content checker", None),
    model("no_media_generated", 422, false, "prompt", "No media was generated", None),
    model("image_too_small", 422, false, "image_url", "Image too small", Some(r#"{"min_height":256,"min_width":256}"#)),
    model("image_too_large", 422, false, "image_url", "Image too large", Some(r#"{"max_height":1024,"max_width":1024}"#)),
    model("image_load_error", 422, false, "image_url", "Failed to load the image", None),
    model("file_download_error", 422, false, "image_url", "Failed to download the file", None),
    model("face_detection_error", 422, false, "image_url", "No face was detected in the image", None),
    model("file_too_large", 422, false, "image_url", "File too large", Some(r#"{"max_size":10485760}"#)),
    model("greater_than", 422, false, "guidance_scale", "Input should be greater than 0", Some(r#"{"gt":0}"#)),
    model("greater_than_equal", 422, false, "num_images", "Input should be greater than or equal to 1", Some(r#"{"ge":1}"#)),
    model("less_than", 422, false, "strength", "Input should be less than 1", Some(r#"{"lt":1}"#)),
    model("less_than_equal", 422, false, "num_images", "Input should be less than or equal to 4", Some(r#"{"le":4}"#)),
    model("multiple_of", 422, false, "width", "Input should be a multiple of 8", Some(r#"{"multiple_of":8}"#)),
    model("sequence_too_short", 422, false, "image_urls", "Input should have at least 1 item", Some(r#"{"min_length":1}"#)),
    model("sequence_too_long", 422, false, "image_urls", "Input should have at most 4 items", Some(r#"{"max_length":4}"#)),
    model("one_of", 422, false, "aspect_ratio", "Input should be one of '16:9', '1:1'", Some(r#"{"expected":["16:9","1:1"]}"#)),
    model("feature_not_supported", 422, false, "sync_mode", "Feature not supported", None),
    model("invalid_archive", 422, false, "images_data_url", "Invalid archive", Some(r#"{"supported_extensions":[".zip",".tar"]}"#)),
    model("archive_file_count_below_minimum", 422, false, "images_data_url", "Too few files in the archive", Some(r#"{"min_count":4,"provided_count":2,"supported_extensions":[".jpg",".png"]}"#)),
    model("archive_file_count_exceeds_maximum", 422, false, "images_data_url", "Too many files in the archive", Some(r#"{"max_count":1000,"provided_count":1001,"supported_extensions":[".jpg",".png"]}"#)),
    model("audio_duration_too_long", 422, false, "audio_url", "Audio too long", Some(r#"{"max_duration":60,"provided_duration":75.5}"#)),
    model("audio_duration_too_short", 422, false, "audio_url", "Audio too short", Some(r#"{"min_duration":3,"provided_duration":1.5}"#)),
    model("video_duration_too_long", 422, false, "video_url", "Video too long", Some(r#"{"max_duration":60,"provided_duration":75.5}"#)),
    model("video_duration_too_short", 422, false, "video_url", "Video too short", Some(r#"{"min_duration":3,"provided_duration":1.5}"#)),
    model("unsupported_audio_format", 422, false, "audio_url", "Unsupported audio format", Some(r#"{"supported_formats":["mp3","wav"]}"#)),
    model("unsupported_image_format", 422, false, "image_url", "Unsupported image format", Some(r#"{"supported_formats":["jpeg","png","webp"]}"#)),
    model("unsupported_video_format", 422, false, "video_url", "Unsupported video format", Some(r#"{"supported_formats":["mp4","webm"]}"#)),
];

/// A failure of the platform (§12.3) or of the app framework (§12.5).
struct PlatformError {
    kind: &'static str,
    status: u16,
    detail: &'static str,
    /// Whether the model had been running.
    ran: bool,
}

const fn platform(
    kind: &'static str,
    status: u16,
    detail: &'static str,
    ran: bool,
) -> PlatformError {
    PlatformError {
        kind,
        status,
        detail,
        ran,
    }
}

/// §12.3, and the refusal of the concurrency limit (§15), whose body is not published (§16.16).
static PLATFORM_ERRORS: &[PlatformError] = &[
    platform("request_timeout", 504, "Request timed out", true),
    platform(
        "startup_timeout",
        504,
        "Runner did not start in time",
        false,
    ),
    platform(
        "runner_scheduling_failure",
        503,
        "No runner could be scheduled",
        false,
    ),
    platform(
        "runner_connection_timeout",
        503,
        "Connecting to the runner timed out",
        false,
    ),
    platform("runner_disconnected", 503, "Runner disconnected", true),
    platform(
        "runner_connection_refused",
        503,
        "Runner refused the connection",
        false,
    ),
    platform(
        "runner_connection_error",
        503,
        "Connecting to the runner failed",
        false,
    ),
    platform(
        "runner_incomplete_response",
        502,
        "Runner sent an incomplete response",
        true,
    ),
    platform("runner_server_error", 500, "Runner failed", true),
    platform("client_disconnected", 499, "Client disconnected", true),
    platform(
        "client_cancelled",
        499,
        "Request cancelled by the client.",
        true,
    ),
    platform("bad_request", 400, "Bad request", false),
    platform("internal_error", 500, "Internal error", false),
    platform(
        "concurrent_requests_limit",
        429,
        "Concurrent requests limit reached",
        false,
    ),
];

/// The failures of §12.5 for which the app ran, and a missed start deadline (§5.8). Real inputs
/// produce the other cases of §12.5.
static APP_ERRORS: &[PlatformError] = &[
    platform("app_error", 400, "The app refused the request", true),
    platform("field_error", 422, "This prompt is not supported", true),
    platform(
        "gpu_failure",
        503,
        "CUDA error: device-side assert triggered",
        true,
    ),
    platform("uncaught_exception", 500, "Internal Server Error", true),
    platform("start_deadline", 504, "Request timed out", false),
];

/// A failure and its response.
pub(crate) struct Failure {
    pub(crate) answer: Answer,
    /// Whether a model had been running.
    pub(crate) ran: bool,
}

/// The names of all model errors, platform errors and app errors.
pub(crate) fn names() -> [Vec<&'static str>; 3] {
    [
        MODEL_ERRORS.iter().map(|row| row.kind).collect(),
        PLATFORM_ERRORS.iter().map(|row| row.kind).collect(),
        APP_ERRORS.iter().map(|row| row.kind).collect(),
    ]
}

/// The page about an error.
pub(crate) fn url(kind: &str) -> String {
    format!("https://docs.fal.ai/errors/#{kind}")
}

/// The model error `kind` (§12.2), about a field of `input`.
pub(crate) fn model_error(kind: &str, input: &Map<String, Value>) -> Option<Failure> {
    let row = MODEL_ERRORS.iter().find(|row| row.kind == kind)?;
    let mut loc = vec![json!("body")];
    if !row.field.is_empty() {
        loc.push(json!(row.field));
    }
    let mut entry = json!({
        "loc": loc,
        "msg": row.message,
        "type": row.kind,
        "url": url(row.kind),
    });
    if let Some(ctx) = row.ctx {
        entry["ctx"] = serde_json::from_str(ctx).ok()?;
    }
    if let Some(value) = input.get(row.field) {
        entry["input"] = value.clone();
    }
    let retryable = if row.retryable { "true" } else { "false" };
    let answer = Answer::detail(StatusCode::from_u16(row.status).ok()?, vec![entry])
        .header("x-fal-retryable", HeaderValue::from_static(retryable))
        .billable_units(0);
    Some(Failure { answer, ran: true })
}

/// The platform error `kind` (§12.3).
pub(crate) fn platform_error(kind: &str) -> Option<Failure> {
    let row = PLATFORM_ERRORS.iter().find(|row| row.kind == kind)?;
    let body = json!({ "detail": row.detail, "error_type": row.kind });
    let mut answer = Answer::json(StatusCode::from_u16(row.status).ok()?, &body)
        .header("x-fal-error-type", HeaderValue::from_static(row.kind));
    if row.status == 429 {
        answer = answer.header("x-fal-needs-retry", HeaderValue::from_static("1"));
    }
    Some(Failure {
        answer,
        ran: row.ran,
    })
}

/// An error that the app raised (§12.5), or the missed start deadline of the caller.
pub(crate) fn app_error(kind: &str) -> Option<Failure> {
    let row = APP_ERRORS.iter().find(|row| row.kind == kind)?;
    let status = StatusCode::from_u16(row.status).ok()?;
    let answer = match kind {
        "field_error" => Answer::detail(
            status,
            vec![json!({"loc": ["body", "prompt"], "msg": row.detail, "type": "value_error"})],
        ),
        "start_deadline" => Answer::detail(status, row.detail).header(
            "x-fal-request-timeout-type",
            HeaderValue::from_static("user"),
        ),
        _ => Answer::detail(status, row.detail),
    };
    Some(Failure {
        answer,
        ran: row.ran,
    })
}
