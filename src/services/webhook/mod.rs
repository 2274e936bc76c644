//! Webhooks: whether a delivery is fal's own, and what it says (docs/protocol.md §10).
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
use self::error::{invalid, nobodys};
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
/// All four are needed, in the order in which they are signed.
const HEADERS: [HeaderName; 4] = [REQUEST_ID, USER_ID, TIMESTAMP, SIGNATURE];

/// A delivery as it arrived: the raw body, and those of its headers that matter. Nothing of it is
/// to be believed yet.
#[derive(Clone)]
pub struct Webhook {
    body: Bytes,
    /// The values of each of [`HEADERS`]: exactly one is right.
    values: [Vec<String>; 4],
}

impl Webhook {
    /// A delivery with this body, exactly as it arrived: not parsed and written anew.
    pub fn new(body: Bytes) -> Self {
        Webhook {
            body,
            values: Default::default(),
        }
    }

    /// Takes note of a header of the delivery. The name's case does not matter; headers that play
    /// no part are ignored, so all of them can be given.
    pub fn set_header(&mut self, name: &str, value: &str) {
        let is_it = |header: &HeaderName| header.as_str().eq_ignore_ascii_case(name);
        if let Some(place) = HEADERS.iter().position(is_it) {
            self.values[place].push(value.trim_matches([' ', '\t']).to_owned());
        }
    }

    /// Whether one of `keys` signed this delivery, not more than [`TOLERANCE`] before or after
    /// `now`. Uses no network.
    ///
    /// The response holds what was delivered and the headers that were signed with it.
    ///
    /// # Errors
    /// [`Code::WebhookInvalid`](crate::Code::WebhookInvalid); the message says which check failed.
    pub fn verify(&self, keys: &KeySet, now: SystemTime) -> Result<Response> {
        match keys.signed(&self.signed(now)?) {
            true => self.verified(),
            false => Err(nobodys()),
        }
    }

    /// Checks all that can be checked without a key.
    fn signed(&self, now: SystemTime) -> Result<Signed> {
        let (request_id, user_id) = (self.header(0)?, self.header(1)?);
        let (timestamp, signature) = (self.header(2)?, self.header(3)?);
        let malformed =
            || format!("{SIGNATURE} is not a signature: 64 bytes, in hexadecimal digits");
        let signature = signature_of(signature).ok_or_else(|| invalid(malformed()))?;
        time::check(timestamp, now)?;
        let body = hex(digest(&SHA256, &self.body).as_ref());
        let message = [request_id, user_id, timestamp, &body].join("\n").into();
        Ok(Signed { message, signature })
    }

    fn header(&self, place: usize) -> Result<&str> {
        let name = &HEADERS[place];
        let wrong = match self.values[place].as_slice() {
            // A line break would let one signature stand for two ways to read the headers.
            [value] if value.chars().any(char::is_control) => "has a control character",
            [value] if !value.is_empty() => return Ok(value),
            [] | [_] => "is missing",
            _ => "is there more than once",
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
    /// Starts to verify a delivery with fal's own keys. They are fetched from `rest.fal.ai` without
    /// a credential and kept for 24 hours at the most; a signature that none of them made has them
    /// fetched anew, at most once a minute and for 10 seconds at the most. Deliveries that known
    /// keys verify do not wait for that. If they cannot be fetched anew, the delivery is invalid,
    /// and the reason is the error's [source](std::error::Error::source).
    ///
    /// What can be refused without a key is refused without a request. The response is that of
    /// [`Webhook::verify`].
    pub fn verify_webhook_start(&self, webhook: Webhook) -> Result<Op> {
        self.start_exchange(|exchange| async move {
            with_fals_keys(&exchange, exchange.slot(), &webhook).await
        })
    }

    /// Verifies a delivery, on any async runtime.
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
        Ok(_) => Err(nobodys()),
        // What anybody may have sent must not look like a failure of ours.
        Err(error) => {
            let unasked = format!(
                "{}. Whether fal has newer keys could not be asked: {error}",
                nobodys().message()
            );
            Err(nobodys().with_message(unasked).with_source(error))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Outputs may be private: a body shows its size only.
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
