//! The body of a webhook (docs/protocol.md §10.1).

use bytes::Bytes;
use serde_json::{Value, json};

use super::settings::WebhookSettings;
use crate::body::Payload;
use crate::queue::{Job, Outcome};

const NOT_JSON: &str = "Response payload is not JSON serializable. Either return a JSON serializable object or use the \
                        queue endpoint to retrieve the response.";

pub(super) fn of(job: &Job, outcome: &Outcome, settings: &WebhookSettings) -> Bytes {
    let payload = match &outcome.payload {
        Payload::Bytes(bytes) => serde_json::from_slice::<Value>(bytes).ok(),
        _ => None,
    };
    let succeeded = outcome.status.is_success();
    let is_error = !succeeded || payload.is_none() && settings.payload_error_is_error;
    let mut body = json!({
        "request_id": job.id,
        "gateway_request_id": job.gateway_request_id(),
        "status": if is_error { "ERROR" } else { "OK" },
        "payload": payload,
    });
    if is_error {
        body["error"] = json!(format!("Invalid status code: {}", outcome.status.as_u16()));
    }
    if payload.is_none() {
        body["payload_error"] = json!(NOT_JSON);
    }
    body.to_string().into()
}
