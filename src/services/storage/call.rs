//! The requests of transfers.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::client::Exchange;
use crate::error::Idempotency;
use crate::transport::{Authorization, Call, Payload, SMALL, Watch};

/// A service that asks to be left alone for longer while a file comes or goes is asked again then:
/// the hours that a transfer may take are for its bytes.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A call to an address that an answer named.
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
