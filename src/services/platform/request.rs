//! The request of an operation of the Platform API.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderValue};

use super::arguments::{Arguments, IDEMPOTENCY_KEY};
use crate::error::{Error, Result};
use crate::openapi::{Answer, Body, Operation, operations};
use crate::request::Request;
use crate::system::random;

/// So long does fal know an idempotency key (docs/protocol.md §14.1); behind that a repeat would be
/// a second call.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The operation of this name.
pub(super) fn find(name: &str) -> Result<&'static Operation> {
    operations()
        .iter()
        .find(|operation| operation.name == name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let name: String = name.chars().take(60).collect();
    let group = name.split('.').next().unwrap_or_default();
    let near = operations().iter().map(|operation| operation.name);
    let near: Vec<_> = near
        .filter(|known| known.split('.').next() == Some(group))
        .collect();
    let told = format!("the Platform API has no operation {name:?}");
    Error::invalid(told).with_remedy(match near.is_empty() {
        true => "See docs/platform.md for the names.".to_owned(),
        false => format!("Those of {group} are {}.", near.join(", ")),
    })
}

/// The request of a call that may take so long.
pub(super) fn request(
    operation: &Operation,
    arguments: &Arguments,
    timeout: Duration,
) -> Result<Request> {
    let mut request = Request::new(operation.method(), &arguments.address(operation)?)?;
    if let Some(body) = arguments.body(operation) {
        request.set_json(body);
    }
    match operation.answer {
        Answer::Events => request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("text/event-stream")),
        Answer::Csv => request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("text/csv")),
        Answer::Text => request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("text/plain")),
        _ => None,
    };
    if operation.is_idempotent() {
        let key = arguments
            .str(IDEMPOTENCY_KEY)
            .map_or_else(random::uuid, |key| Ok(key.to_owned()))?;
        request.set_header("idempotency-key", &key)?;
        request.recognized = timeout <= REMEMBERED;
    }
    if operation.body == Body::Form {
        // The body is made while it is sent; the transport has to know that it is not JSON.
        request.set_bytes(Bytes::new(), "multipart/form-data")?;
    }
    Ok(request)
}
