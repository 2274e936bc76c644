//! The request of an operation of the Platform API.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderValue};

use super::arguments::{Arguments, IDEMPOTENCY_KEY};
use crate::error::{Error, Result};
use crate::openapi::{Answer, Body, Operation, operations};
use crate::request::Request;
use crate::system::random;

/// How long fal remembers an idempotency key (docs/protocol.md §14.1). After that, a retry would be
/// a second call.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Returns the operation with this name.
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
    let message = format!("the Platform API has no operation {name:?}");
    Error::invalid(message).with_remedy(match near.is_empty() {
        true => "See docs/platform.md for the names.".to_owned(),
        false => format!("Use one of the operations of {group}: {}.", near.join(", ")),
    })
}

/// Returns the request of a call with this time limit.
pub(super) fn request(
    operation: &Operation,
    arguments: &Arguments,
    timeout: Duration,
) -> Result<Request> {
    let mut request = Request::new(operation.method(), &arguments.path_and_query(operation)?)?;
    if let Some(body) = arguments.body(operation) {
        request.set_json(body);
    }
    let accepted = match operation.answer {
        Answer::Events => Some("text/event-stream"),
        Answer::Csv => Some("text/csv"),
        Answer::Text => Some("text/plain"),
        _ => None,
    };
    if let Some(kind) = accepted {
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static(kind));
    }
    if operation.is_idempotent() {
        let key = arguments
            .str(IDEMPOTENCY_KEY)
            .map_or_else(random::uuid, |key| Ok(key.to_owned()))?;
        request.set_header("idempotency-key", &key)?;
        request.recognized = timeout <= REMEMBERED;
    }
    if operation.body == Body::Form {
        // The body is created while it is sent. The transport needs to know that it is not JSON.
        request.set_bytes(Bytes::new(), "multipart/form-data")?;
    }
    Ok(request)
}
