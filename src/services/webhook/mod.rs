//! Webhooks: verifies that fal sent a delivery, and reads it (docs/protocol.md §10).
//!
//! ```no_run
//! # async fn handle(client: fal::Client, headers: Vec<(String, String)>, raw_body: Vec<u8>) -> fal::Result<()> {
//! use fal::webhook::{Delivery, Webhook};
//!
//! let mut webhook = Webhook::new(raw_body.into());
//! for (name, value) in &headers {
//!     webhook.set_header(name, value);
//! }
//! let verified = client.verify_webhook(webhook).await?;
//! let delivery = Delivery::of(&verified)?;
//! println!("{}: {:?}", delivery.request_id, delivery.status);
//! # Ok(())
//! # }
//! ```

mod cache;
mod delivery;
mod error;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/webhook.rs"]
pub(crate) mod fuzz;
mod signature;
mod time;

use std::time::SystemTime;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};

pub(crate) use self::cache::Cache;
pub use self::delivery::{Delivery, Status};
use self::error::{invalid, unsigned};
pub use self::signature::KeySet;
use self::signature::{Signed, signature_of};
use self::time::TIMESTAMP;
pub use self::time::TOLERANCE;
use crate::client::{Client, Exchange};
use crate::error::Result;
use crate::operation::Op;
use crate::response::Response;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-fal-webhook-request-id");
const USER_ID: HeaderName = HeaderName::from_static("x-fal-webhook-user-id");
const SIGNATURE: HeaderName = HeaderName::from_static("x-fal-webhook-signature");
/// The required headers, in the order in which they are signed.
const HEADERS: [HeaderName; 4] = [REQUEST_ID, USER_ID, TIMESTAMP, SIGNATURE];

/// A delivery that is not verified yet: the raw body, and the headers that the signature needs.
#[derive(Clone)]
pub struct Webhook {
    body: Bytes,
    /// The values of each of [`HEADERS`]. A valid delivery has exactly one value for each.
    values: [Vec<String>; 4],
}

impl Webhook {
    /// Creates a delivery with this body, which must be the bytes as they arrived. JSON that was
    /// parsed and serialized again has other bytes.
    pub fn new(body: Bytes) -> Self {
        Webhook {
            body,
            values: Default::default(),
        }
    }

    /// Adds a header of the delivery. The name's case does not matter. Headers that the signature
    /// does not need are ignored, so a caller can add all of them.
    pub fn set_header(&mut self, name: &str, value: &str) {
        let is_it = |header: &HeaderName| header.as_str().eq_ignore_ascii_case(name);
        if let Some(place) = HEADERS.iter().position(is_it) {
            self.values[place].push(value.trim_matches([' ', '\t']).to_owned());
        }
    }

    /// Verifies that one of `keys` signed this delivery, not more than [`TOLERANCE`] before or
    /// after `now`. Uses no network.
    ///
    /// The response has the body of the delivery and the four headers of the signature.
    ///
    /// # Errors
    /// [`Code::WebhookInvalid`](crate::Code::WebhookInvalid); the message says which check failed.
    pub fn verify(&self, keys: &KeySet, now: SystemTime) -> Result<Response> {
        match keys.signed(&self.signed(now)?) {
            true => self.verified(),
            false => Err(unsigned()),
        }
    }

    /// Makes all checks that need no key.
    fn signed(&self, now: SystemTime) -> Result<Signed> {
        let (request_id, user_id) = (self.header(0)?, self.header(1)?);
        let (timestamp, signature) = (self.header(2)?, self.header(3)?);
        let malformed =
            || format!("{SIGNATURE} is not a signature of 64 bytes in hexadecimal digits");
        let signature = signature_of(signature).ok_or_else(|| invalid(malformed()))?;
        time::check(timestamp, now)?;
        let body = hex(digest(&SHA256, &self.body).as_ref());
        let message = [request_id, user_id, timestamp, &body].join("\n").into();
        Ok(Signed { message, signature })
    }

    fn header(&self, place: usize) -> Result<&str> {
        let name = &HEADERS[place];
        let wrong = match self.values[place].as_slice() {
            // Line breaks separate the signed values. A line break in a value would make one
            // signature valid for other values too.
            [value] if value.chars().any(char::is_control) => "has a control character",
            [value] if !value.is_empty() => return Ok(value),
            [] | [_] => "is missing",
            _ => "is present more than once",
        };
        Err(invalid(format!("the header {name} {wrong}")))
    }

    fn verified(&self) -> Result<Response> {
        let mut headers = HeaderMap::new();
        for (place, name) in HEADERS.into_iter().enumerate() {
            let value = HeaderValue::from_str(self.header(place)?)
                .map_err(|_| invalid(format!("the header {name} has a control character")))?;
            headers.insert(name, value);
        }
        Ok(Response::new(200, headers, self.body.clone()))
    }
}

impl Client {
    /// Starts to verify a delivery with fal's keys. The client fetches them from `rest.fal.ai`
    /// without a credential and keeps them for at most 24 hours. If none of them made the
    /// signature, it fetches them again, at most once a minute and for at most 10 seconds.
    /// Deliveries that known keys verify do not wait for a fetch. If fetching again fails, the
    /// delivery is invalid, and the cause is the error's [source](std::error::Error::source).
    ///
    /// A delivery that fails a check that needs no key causes no request. The response is that of
    /// [`Webhook::verify`].
    pub fn verify_webhook_start(&self, webhook: Webhook) -> Result<Op> {
        self.start_exchange(|exchange| async move {
            with_fals_keys(&exchange, exchange.slot(), &webhook).await
        })
    }

    /// Verifies a delivery and returns the response of
    /// [`verify_webhook_start`](Self::verify_webhook_start). Works on any async runtime.
    pub async fn verify_webhook(&self, webhook: Webhook) -> Result<Response> {
        self.verify_webhook_start(webhook)?.outcome().await
    }
}

async fn with_fals_keys(exchange: &Exchange, cache: &Cache, webhook: &Webhook) -> Result<Response> {
    let signed = webhook.signed(SystemTime::now())?;
    let keys = cache.keys(exchange).await?;
    if keys.signed(&signed) {
        return webhook.verified();
    }
    match cache.newer(exchange, &keys).await {
        Ok(Some(newer)) if newer.signed(&signed) => webhook.verified(),
        Ok(_) => Err(unsigned()),
        // Anyone can send a forged delivery. It must not become a network error, after which a host
        // would respond with 5xx.
        Err(error) => {
            let message = format!("{}; cannot fetch newer keys: {error}", unsigned().message());
            Err(unsigned().with_message(message).with_source(error))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shows only the size of the body, because outputs may be private.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("request_id", &self.values[0])
            .field("body_len", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
