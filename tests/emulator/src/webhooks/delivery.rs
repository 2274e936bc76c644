//! The result of delivering a webhook.

use std::time::SystemTime;

use serde_json::{Value, json};
use url::Url;

use crate::{clock, tokens};

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The delivery has not ended.
    Pending,
    /// The response to the last attempt was 2xx.
    Delivered,
    /// The response was a redirect, which is not followed.
    Redirected,
    /// The result would have expired before the next attempt.
    Expired,
    /// The permitted number of attempts was made.
    GivenUp,
    /// The target is not plain HTTP on this machine, so nothing was sent.
    Dropped,
}

impl DeliveryOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Redirected => "redirected",
            Self::Expired => "expired",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// One POST of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The start of the attempt by the emulator's clock, which the signature contains.
    pub at: SystemTime,
    /// The status of the response, or why there was none.
    pub answer: Result<u16, String>,
}

/// The webhook of one request, and its attempts so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The id of the finished request.
    pub request_id: String,
    /// The target, with the values of tokens masked.
    pub url: String,
    /// The attempts in order.
    pub attempts: Vec<DeliveryAttempt>,
    /// How the delivery ended, or [`DeliveryOutcome::Pending`].
    pub outcome: DeliveryOutcome,
}

impl WebhookDelivery {
    pub(super) fn new(request_id: &str, url: &Url) -> Self {
        Self {
            request_id: request_id.to_owned(),
            url: tokens::masked(url.as_str()),
            attempts: Vec::new(),
            outcome: DeliveryOutcome::Pending,
        }
    }

    /// The JSON that the control API returns.
    pub fn to_json(&self) -> Value {
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| {
                let at = clock::rfc3339_millis(attempt.at);
                match &attempt.answer {
                    Ok(status) => json!({ "at": at, "status": status }),
                    Err(error) => json!({ "at": at, "error": error }),
                }
            })
            .collect();
        json!({
            "request_id": self.request_id, "url": self.url, "attempts": attempts, "outcome": self.outcome.name(),
        })
    }
}
