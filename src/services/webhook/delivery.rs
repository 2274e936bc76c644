//! The content of a delivery (docs/protocol.md §10.1).

use serde_json::Value;

use crate::codec::json;
use crate::error::{Code, Error, Result};
use crate::response::Response;
use crate::service_error;

/// How the request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The app responded with 200.
    Ok,
    /// The app failed, or responded with another status.
    Error,
}

/// The content of a delivery: the outcome of a queued request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// The id of the request in the queue. A delivery may arrive more than once, each time with the
    /// same id.
    pub request_id: String,
    /// The id of the last attempt.
    pub gateway_request_id: Option<String>,
    /// How the request ended.
    pub status: Status,
    /// The output, or the body of the error. Null if that is not JSON.
    pub payload: Value,
    /// Why the request failed, such as `Invalid status code: 422`.
    pub error: Option<String>,
    /// The HTTP status of the app's response, if `error` contains it.
    pub http_status: Option<u16>,
    /// Why the payload of an existing result is missing. The result can still be fetched from the
    /// queue. May be set with either status (docs/protocol.md §16.35).
    pub payload_error: Option<String>,
}

impl Delivery {
    /// Reads the body of a verified delivery.
    ///
    /// # Errors
    /// [`Code::Protocol`] if the body is not what fal documents.
    pub fn of(verified: &Response) -> Result<Self> {
        let mut body = json::tree(verified.body())?.map_err(|e| malformed(&e.to_string()))?;
        let status = match body.get("status").and_then(Value::as_str) {
            Some("OK") => Status::Ok,
            Some("ERROR") => Status::Error,
            _ => return Err(malformed("its status is neither OK nor ERROR")),
        };
        let payload = body.get_mut("payload").map(Value::take).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Delivery {
            request_id: text("request_id").ok_or_else(|| malformed("it has no request_id"))?,
            gateway_request_id: text("gateway_request_id"),
            status,
            payload,
            http_status: text("error").as_deref().and_then(status_in),
            error: text("error"),
            payload_error: text("payload_error"),
        })
    }

    /// Returns the error of a failed request, or `None` if the request succeeded. It has the same
    /// code, fields and remedy as the error of fetching the result from the queue.
    pub fn failure(&self) -> Option<Error> {
        if self.status == Status::Ok {
            return None;
        }
        let text = self.error.as_deref().unwrap_or("fal gives no reason");
        let body = match &self.payload {
            Value::Null => String::new(),
            payload => payload.to_string(),
        };
        let error = match self.http_status {
            Some(status) => service_error::delivered(status, text, body.into()),
            None => Error::new(Code::ServiceFailed, format!("the job failed: {text}")),
        };
        Some(error.with_request_id(&self.request_id))
    }
}

/// Reads the status from `Invalid status code: 422`, the only known form.
fn status_in(error: &str) -> Option<u16> {
    let digits = error.strip_prefix("Invalid status code:")?.trim();
    let status = digits.parse().ok()?;
    (300..=599).contains(&status).then_some(status)
}

fn malformed(what: &str) -> Error {
    let message = format!("the webhook's body is not as fal documents it: {what}");
    Error::new(Code::Protocol, message)
}
