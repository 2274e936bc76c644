//! The errors of failed jobs.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::classify::classify;
use super::context::{RequestContext, Responder};
use super::platform::PLATFORM;
use crate::error::{Answer, Error, Idempotency, clause_or};

const NO_REASON: &str = "no reason was given";

/// The context of a failed job: its request is not sent again.
const JOB: RequestContext<'static> = RequestContext {
    host: "",
    service: true,
    idempotency: Idempotency::Safe,
    about_job: false,
    whose: Responder::Service,
};

/// Returns the error of a job whose status has the reason of the failure, and whose result fal did
/// not keep (§5.3, §16.6).
///
/// `answer` is the response of fal that the error exposes. `kind` decides the code, by the status
/// that fal documents for it.
pub(crate) fn told(text: &str, kind: Option<&str>, answer: Answer) -> Error {
    let usual = PLATFORM
        .iter()
        .find(|row| Some(row.name) == kind)
        .map_or(500, |row| row.status);
    let body = json!({ "detail": text, "error_type": kind })
        .to_string()
        .into();
    let typed = Answer::clean(usual, HeaderMap::new(), body);
    let named = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let error = classify(typed, JOB).error;
    error
        .with_message(format!(
            "the job failed: {}{named}; fal keeps no result of it",
            clause_or(Some(text), NO_REASON)
        ))
        .with_answer(answer)
}

/// Returns the error of a failed job that a webhook reports. `body` is the response of the app, if
/// it was JSON (§10.1).
pub(crate) fn delivered(status: u16, text: &str, body: Bytes) -> Error {
    let answer = |headers| Answer::clean(status, headers, body.clone());
    // The response came through the gateway. A webhook does not repeat its headers.
    let gateways = [(
        HeaderName::from_static("x-fal-request-id"),
        HeaderValue::from_static(""),
    )];
    let error = classify(answer(HeaderMap::from_iter(gateways)), JOB).error;
    let error_type = error.error_type().map(str::to_owned);
    let error = match body.is_empty() {
        true => error.with_message(format!(
            "the job failed: {}; the webhook does not have the response of the app",
            clause_or(Some(text), NO_REASON)
        )),
        false => error,
    };
    error.with_answer(answer(HeaderMap::new()).with_names(error_type, None))
}
