//! # Webhooks
//!
//! A webhook is a request of fal to the host's own server that delivers the result of a job. Trust
//! it only after it is verified: pass the raw body and the headers as they arrived, and use what
//! the verified response has. It is read by JSON Pointer: "/request_id", "/status" ("OK" or
//! "ERROR"), "/payload/…", "/error" and "/payload_error". fal_webhook_outcome() returns why the job
//! failed. fal may deliver a webhook more than once; "/request_id" identifies the job.

use std::time::{Duration, SystemTime};

use super::boundary::copy;
use super::client::fal_client;
use super::response::fal_response;
use crate::error::Error;
use crate::services::webhook::{Delivery, KeySet, Webhook};

/// A webhook as it arrived, not verified. Unique; freed with fal_webhook_free(). Only one thread at a
/// time may change it; several may verify it.
pub struct fal_webhook {
    inner: Webhook,
}

fallible! {
    /// Creates a webhook with this body, which is copied. It must be the raw bytes as they arrived,
    /// before any parsing. Free it with fal_webhook_free().
    fn fal_webhook_new(body: bytes[body_len]) -> fal_webhook {
        fal_webhook { inner: Webhook::new(copy(body)?) }
    }
}

frees! {
    /// Frees a webhook. NULL is ignored.
    fn fal_webhook_free(webhook: *mut fal_webhook);
}

fallible! {
    /// Adds a header of the webhook. Upper and lower case of the name do not matter.
    /// X-Fal-Webhook-Request-Id, -User-Id, -Timestamp and -Signature are needed, each once; all
    /// others are ignored.
    fn fal_webhook_set_header(
        webhook: &mut fal_webhook,
        name: text[name_len],
        value: text[value_len],
    ) {
        webhook.inner.set_header(name, value);
    }

    /// Verifies a webhook with a JSON Web Key Set, the text of
    /// https://rest.fal.ai/.well-known/jwks.json, which the caller may cache for 24 hours. Uses no
    /// network. now is the time in seconds since 1970 (Unix time), or negative for the system's
    /// clock.
    ///
    /// On success *out has the body of the webhook and its signed headers; free it with
    /// fal_response_free(). FAL_E_WEBHOOK_INVALID if the webhook was not sent by fal, was changed,
    /// or is more than 300 seconds in the past or future; the message says which.
    /// FAL_E_INVALID_ARGUMENT if jwks is not a key set or has no Ed25519 key.
    fn fal_webhook_verify(
        webhook: &fal_webhook,
        jwks: text[jwks_len],
        now: i64,
    ) -> fal_response {
        let now = match u64::try_from(now) {
            Ok(now) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now)),
            Err(_) => Some(SystemTime::now()),
        };
        let now = now.ok_or_else(|| Error::invalid("now is not a time of the system's clock"))?;
        let keys = KeySet::from_jwks(jwks.as_bytes())?;
        fal_response::new(webhook.inner.verify(&keys, now)?)
    }

    /// Returns how the job of a verified webhook ended: FAL_OK if it succeeded, else the error with
    /// which it failed, the same as fetching its result would return, with code, rejected fields,
    /// body and remedy. The HTTP status is that of the app if fal sent it. FAL_E_PROTOCOL, without
    /// an HTTP status, if the body does not have the documented form.
    fn fal_webhook_outcome(verified: &fal_response) {
        Delivery::of(&verified.inner)?.failure().map_or(Ok(()), Err)?;
    }
}

operations! {
    /// Starts verifying a webhook, which is copied, with fal's keys. These are fetched without a
    /// credential and cached for at most 24 hours. A signature that matches no cached key makes
    /// libfal fetch them again, at most once per minute and for at most 10 seconds; webhooks that
    /// match a cached key do not wait for this. A webhook that is invalid whatever the keys are is
    /// rejected without a request.
    ///
    /// The outcome is as in fal_webhook_verify(). If no keys are available, it is the error of the
    /// request for them; if only newer keys cannot be fetched, it is FAL_E_WEBHOOK_INVALID.
    fn fal_client_verify_webhook_start(client: &fal_client, webhook: &fal_webhook) {
        client.inner.verify_webhook_start(webhook.inner.clone())?
    }

    /// Calls fal_client_verify_webhook_start() and blocks until the webhook is verified. Free the
    /// response with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_verify_webhook;
}
