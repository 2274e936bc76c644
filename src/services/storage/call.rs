//! What all requests of transfers have in common.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::client::Exchange;
use crate::error::Idempotency;
use crate::transport::{Authorization, Call, Payload, SMALL, Watch};

/// The longest pause between two attempts of a transfer, even if `Retry-After` asks for more. A
/// transfer may take hours, which are meant for its bytes and not for pauses.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A request without a body that is not idempotent and whose response is small.
pub(super) fn call_to(
    exchange: &Exchange,
    method: Method,
    url: Url,
    authorization: Authorization,
) -> Call {
    Call {
        method,
        url,
        endpoint: None,
        headers: HeaderMap::new(),
        body: Payload::default(),
        authorization,
        idempotency: Idempotency::NonIdempotent,
        deadline: exchange.deadline,
        longest_pause: LONGEST_PAUSE,
        most: SMALL,
        watch: Watch::Transfer,
    }
}
