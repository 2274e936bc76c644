//! One request, and how it is to be sent.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use super::authorize::Authorization;
use super::payload::Payload;
use super::stall::Watch;
use crate::endpoint::EndpointId;
use crate::error::Idempotency;

/// One request, ready but for its credential.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The endpoint that is called, if it is one.
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Payload,
    pub(crate) authorization: Authorization,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Instant,
    /// Between two attempts, whatever the service asks for.
    pub(crate) longest_pause: Duration,
    /// The most bytes of the whole answer, where that is less than the client's limit.
    pub(crate) most: usize,
    pub(crate) watch: Watch,
}
