//! # Webhooks
//!
//! A delivery of fal's to the host's own server is believed only once its signature, its time and
//! its body fit: give the raw body and the headers as they arrived, and act on what the verified
//! response holds. It is read by JSON Pointer: "/request_id", "/status" ("OK" or "ERROR"),
//! "/payload/…", "/error" and "/payload_error". Why a request failed, fal_webhook_outcome() tells.
//! A delivery may arrive more than once: "/request_id" tells.

use std::time::{Duration, SystemTime};

use super::boundary::copy;
use super::client::fal_client;
use super::response::fal_response;
use crate::error::Error;
use crate::services::webhook::{Delivery, KeySet, Webhook};

/// A delivery as it arrived, of which nothing is to be believed yet. Unique; freed with
/// fal_webhook_free().
pub struct fal_webhook {
    inner: Webhook,
}

fallible! {
    /// A delivery with this body, which is copied: the raw bytes as they arrived, before anything
    /// parsed them. Free it with fal_webhook_free().
    fn fal_webhook_new(body: bytes[body_len]) -> fal_webhook {
        fal_webhook { inner: Webhook::new(copy(body)?) }
    }
}

frees! {
    /// Frees a delivery. NULL does nothing.
    fn fal_webhook_free(webhook: *mut fal_webhook);
}

fallible! {
    /// Takes note of a header of the delivery, its name in any case. Those that play no part are
    /// ignored, so that all can be given. What matters: X-Fal-Webhook-Request-Id, -User-Id,
    /// -Timestamp and -Signature, each once.
    fn fal_webhook_set_header(
        webhook: &mut fal_webhook,
        name: text[name_len],
        value: text[value_len],
    ) {
        webhook.inner.set_header(name, value);
    }

    /// Verifies a delivery with a JSON Web Key Set, the text of
    /// https://rest.fal.ai/.well-known/jwks.json, which may be kept for 24 hours. Uses no network.
    /// now is the time in Unix seconds; negative: the system's clock.
    ///
    /// On success *out holds what was delivered and the headers that were signed with it; free it
    /// with fal_response_free(). FAL_E_WEBHOOK_INVALID if it is not fal's, was changed, or is more
    /// than 300 seconds old or early; the message says which. FAL_E_INVALID_ARGUMENT for a text
    /// that is no key set or has no Ed25519 key.
    fn fal_webhook_verify(
        webhook: &fal_webhook,
        jwks: text[jwks_len],
        now: i64,
    ) -> fal_response {
        let now = match u64::try_from(now) {
            Ok(now) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now)),
            Err(_) => Some(SystemTime::now()),
        };
        let now = now.ok_or_else(|| Error::invalid("now is no time that this system knows"))?;
        let keys = KeySet::from_jwks(jwks.as_bytes())?;
        fal_response::new(webhook.inner.verify(&keys, now)?)
    }

    /// How the request of a verified delivery ended: FAL_OK if it succeeded, else what it failed
    /// with, as fetching its result would: the code, the fields that were refused, the body and the
    /// remedy. The HTTP status is the app's where fal tells it. FAL_E_PROTOCOL, without an HTTP
    /// status, if the body is not as fal documents it.
    fn fal_webhook_outcome(verified: &fal_response) {
        Delivery::of(&verified.inner)?.failure().map_or(Ok(()), Err)?;
    }
}

operations! {
    /// Starts to verify a delivery, which is copied, with fal's own keys. They are fetched without
    /// a credential and kept for 24 hours at the most; a signature that none of them made has them
    /// fetched anew, at most once a minute and for 10 seconds at the most. Deliveries that known
    /// keys verify do not wait for that. What can be refused without a key is refused without a
    /// request.
    ///
    /// The operation's outcome is as for fal_webhook_verify(). If no keys can be had, it is the
    /// error of the request for them; if only newer ones cannot, it is FAL_E_WEBHOOK_INVALID.
    fn fal_client_verify_webhook_start(client: &fal_client, webhook: &fal_webhook) {
        client.inner.verify_webhook_start(webhook.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_verify_webhook;
}
