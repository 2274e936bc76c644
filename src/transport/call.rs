//! One request and how it is sent.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use super::authorize::Authorization;
use super::payload::Payload;
use super::stall::Watch;
use crate::endpoint::EndpointId;
use crate::error::Idempotency;

/// A request without its credential, which [`route`](super::authorize::route) adds.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// `None` if the call is not to an app.
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Payload,
    pub(crate) authorization: Authorization,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Instant,
    /// The upper limit of the service's `Retry-After`.
    pub(crate) longest_pause: Duration,
    /// The maximum size of the response body in bytes, if it is below the limit of the client.
    pub(crate) most: usize,
    pub(crate) watch: Watch,
}
