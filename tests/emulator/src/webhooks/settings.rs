//! What the sources leave open about webhooks.

use serde::{Deserialize, Serialize};

/// The settings of webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Attempts after the first (§16.35): 31 according to the current page, 10 to the older one.
    pub retries: u32,
    /// Milliseconds before the second attempt; each later pause is twice as long, up to two
    /// minutes.
    pub first_pause_ms: u64,
    /// Whether requests that ended with 499 are told (§16.36).
    pub on_cancel: bool,
    /// Whether `status` is `ERROR`, and not `OK`, for an output that is not JSON (§16.35).
    pub payload_error_is_error: bool,
    /// Whether the public keys carry base64 padding (§10.3).
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
