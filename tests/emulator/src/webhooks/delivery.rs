//! What became of a webhook.

use std::time::SystemTime;

use serde_json::{Value, json};
use url::Url;

use crate::{clock, tokens};

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It has not ended.
    Pending,
    /// The last attempt was answered with 2xx.
    Delivered,
    /// A redirect, which is not followed.
    Redirected,
    /// The result would have expired before the next attempt.
    Expired,
    /// There were as many attempts as there may be.
    GivenUp,
    /// The target is not this machine in plain HTTP: nothing was sent.
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
    /// When it began, in the emulator's time; its signature says so too.
    pub at: SystemTime,
    /// The status, or why there was none.
    pub answer: Result<u16, String>,
}

/// A webhook of one request, and its attempts so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The request that ended.
    pub request_id: String,
    /// Where to, without the values of tokens.
    pub url: String,
    /// In order.
    pub attempts: Vec<DeliveryAttempt>,
    /// How it ended, so far.
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

    /// The form of the control API.
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
