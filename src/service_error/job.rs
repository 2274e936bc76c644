//! Errors of a job that failed.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::classify::classify;
use super::context::{RequestContext, Responder};
use super::platform::PLATFORM;
use crate::error::{Answer, Error, Idempotency, clause};

/// The error of a job whose status says why it failed, where no answer was kept that would (§5.3,
/// §16.6).
///
/// `answer` is what fal did answer. The type decides, by the status that usually comes with it.
pub(crate) fn told(text: &str, kind: Option<&str>, answer: Answer) -> Error {
    let usual = PLATFORM
        .iter()
        .find(|row| Some(row.name) == kind)
        .map_or(500, |row| row.status);
    let body = json!({ "detail": text, "error_type": kind })
        .to_string()
        .into();
    let typed = Answer::told(usual, HeaderMap::new(), body);
    let named = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let asked = RequestContext {
        host: "",
        service: true,
        idempotency: Idempotency::Safe,
        about_job: false,
        whose: Responder::Service,
    };
    let error = classify(typed, asked).error;
    error
        .with_message(format!(
            "the job failed: {}{named}; fal keeps no result of it",
            reason(text)
        ))
        .with_answer(answer)
}

fn reason(text: &str) -> &str {
    match clause(text) {
        "" => "no reason was given",
        text => text,
    }
}

/// The error of a job that failed with this answer, as a webhook tells of it: its body if that was
/// JSON (§10.1).
pub(crate) fn delivered(status: u16, text: &str, body: Bytes) -> Error {
    let answer = |headers| Answer::told(status, headers, body.clone());
    // It came through the gateway, whose headers a webhook does not repeat.
    let gateways = [(
        HeaderName::from_static("x-fal-request-id"),
        HeaderValue::from_static(""),
    )];
    let asked = RequestContext {
        host: "",
        service: true,
        idempotency: Idempotency::Safe,
        about_job: false,
        whose: Responder::Service,
    };
    let error = classify(answer(HeaderMap::from_iter(gateways)), asked).error;
    let error_type = error.error_type().map(str::to_owned);
    let error = match body.is_empty() {
        true => error.with_message(format!(
            "the job failed: {}; the webhook does not hold what the app answered",
            reason(text)
        )),
        false => error,
    };
    error.with_answer(answer(HeaderMap::new()).with_names(error_type, None))
}
