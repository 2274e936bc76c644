//! Fuzzes error responses: errors are bounded, and no POST that may have been executed is retried.

use super::*;
use crate::error::{Answer, Idempotency};
use crate::fuzz::input::Input;
use crate::fuzz::spent::bounded;
use crate::secrets::Secrets;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

const NAMES: [&str; 8] = [
    "x-fal-error-type",
    "x-fal-request-id",
    "x-fal-needs-retry",
    "x-fal-retryable",
    "x-fal-request-timeout-type",
    "retry-after",
    "server",
    "content-type",
];
const MARKS: [&str; 2] = ["x-fal-served-from", "x-fal-billable-units"];

/// A second implementation, to compare with: whether a 401 or 429 was sent before an app was
/// called.
fn is_said_before_apps(headers: &HeaderMap, whose: Responder) -> bool {
    let marked = MARKS.iter().any(|name| headers.contains_key(*name));
    match whose {
        Responder::Service => true,
        Responder::Queue => !marked,
        Responder::App => !marked && headers.contains_key("x-fal-request-id"),
    }
}

/// A second implementation, to compare with: whether a POST may be retried.
fn is_permitted(status: u16, headers: &HeaderMap, whose: Responder) -> bool {
    let kind = headers
        .get("x-fal-error-type")
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    match (status, kind) {
        (429, _) => is_said_before_apps(headers, whose),
        (
            503,
            b"runner_scheduling_failure"
            | b"runner_connection_refused"
            | b"runner_connection_timeout",
        )
        | (504, b"startup_timeout") => is_said_before_apps(headers, Responder::App),
        _ => false,
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (status, which, flags) = (input.byte(), input.byte(), input.byte());
    let mut headers = HeaderMap::new();
    for name in NAMES
        .iter()
        .enumerate()
        .filter(|(place, _)| which >> place & 1 == 1)
        .map(|(_, name)| *name)
    {
        if let Ok(value) = HeaderValue::from_bytes(input.part()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    for name in MARKS
        .iter()
        .enumerate()
        .filter(|(place, _)| flags >> (place + 5) & 1 == 1)
        .map(|(_, name)| *name)
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("0"));
    }
    let body = input.rest();
    let bytes = bytes::Bytes::copy_from_slice(body);
    let status = 300 + u16::from(status);
    let answer = Answer::new(&Secrets::default(), status, headers.clone(), bytes);
    let [service, safe, about_job, app, queue] = [1, 2, 4, 8, 16].map(|bit| flags & bit != 0);
    let whose = match (app, queue) {
        (true, _) => Responder::App,
        (false, true) => Responder::Queue,
        (false, false) => Responder::Service,
    };
    let idempotency = if safe {
        Idempotency::Safe
    } else {
        Idempotency::NonIdempotent
    };
    let asked = RequestContext {
        host: "fal.run",
        service,
        idempotency,
        about_job,
        whose,
    };
    // The number of values in the fields' trees is bounded. For a short body, they may still take a
    // hundred times its size.
    let classification = bounded(body.len(), 256, 64 * 1024, || {
        classify(answer.clone(), asked)
    });
    let error = &classification.error;
    assert!(
        error.message().len() <= crate::limits::MESSAGE + 4
            && error.remedy().len() <= crate::limits::MESSAGE + 4
    );
    assert!(error.fields().len() <= crate::limits::FIELDS);
    assert_eq!(error.body(), body);
    // A header of the service forbids a retry, and a request that may have run is not retried.
    let forbidden = matches!(
        headers.get("x-fal-needs-retry").map(HeaderValue::as_bytes),
        Some(b"0" | b"false")
    );
    assert!(
        !classification.again || safe || !(forbidden || error.may_have_executed()),
        "{error:?}"
    );
    assert!(
        !classification.again || safe || is_permitted(status, &headers, whose),
        "{error:?} {headers:?}"
    );
    let known = safe || !matches!(status, 401 | 429) || is_said_before_apps(&headers, whose);
    assert!(known || error.may_have_executed(), "{error:?} {headers:?}");
    if headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/html")
    {
        let _ = page_for_json(answer.clone(), asked);
    }
    let text = String::from_utf8_lossy(body);
    let told = told(&text, Some(&text), answer);
    assert!(told.message().len() <= crate::limits::MESSAGE + 4);
}
