//! The behaviours of webhooks that the sources leave open.

use serde::{Deserialize, Serialize};

/// The settings of webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// The number of attempts after the first (§16.35): 31 according to the current page, 10
    /// according to the older one.
    pub retries: u32,
    /// The milliseconds before the second attempt. Each later pause is twice as long, up to two
    /// minutes.
    pub first_pause_ms: u64,
    /// Whether requests that ended with 499 cause a webhook (§16.36).
    pub on_cancel: bool,
    /// Whether `status` of an output that is not JSON is `ERROR` instead of `OK` (§16.35).
    pub payload_error_is_error: bool,
    /// Whether the public keys have base64 padding (§10.3).
    pub jwks_padding: bool,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            retries: 31,
            first_pause_ms: 1000,
            on_cancel: true,
            payload_error_is_error: false,
            jwks_padding: true,
        }
    }
}
