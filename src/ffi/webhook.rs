//! # Webhooks
//!
//! A delivery of fal's to the host's own server is believed only once its signature, its time and
//! its body fit: give the raw body and the headers as they arrived, and act on what the verified
//! response holds. It is read by JSON Pointer: "/request_id", "/status" ("OK" or "ERROR"),
//! "/payload/…", "/error" and "/payload_error". Why a request failed, fal_webhook_outcome() tells.
//! A delivery may arrive more than once: "/request_id" tells.

use std::ffi::{c_char, c_void};
use std::time::{Duration, SystemTime};

use super::boundary::{self, Out, status};
use super::client::{call, fal_client, start};
use super::error::fal_error;
use super::op::fal_op;
use super::response::fal_response;
use super::status::fal_status;
use crate::error::{Error, Result};
use crate::services::webhook::{Delivery, KeySet, Webhook};

/// A delivery as it arrived, of which nothing is to be believed yet. Unique; freed with
/// fal_webhook_free().
pub struct fal_webhook {
    webhook: Webhook,
}

/// A delivery with this body, which is copied: the raw bytes as they arrived, before anything
/// parsed them. Free it with fal_webhook_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_webhook_new(
    body: *const c_void,
    body_len: usize,
    out: *mut *mut fal_webhook,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: readable for its length, by the header's contract.
        let body = unsafe { boundary::copy(body, body_len, "body") }?;
        out.give(fal_webhook {
            webhook: Webhook::new(body),
        });
        Ok(())
    })
}

/// Frees a delivery. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_webhook_free(webhook: *mut fal_webhook) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(webhook) }
}

/// Takes note of a header of the delivery, its name in any case. Those that play no part are
/// ignored, so that all can be given. What matters: X-Fal-Webhook-Request-Id, -User-Id, -Timestamp
/// and -Signature, each once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_webhook_set_header(
    webhook: *mut fal_webhook,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live and used by this thread only, by the header's contract.
        let webhook = unsafe { boundary::borrow_mut(webhook, "webhook") }?;
        // SAFETY: NULL or strings, by the header's contract.
        let (name, value) = unsafe {
            (
                boundary::text(name, name_len, "name")?,
                boundary::text(value, value_len, "value")?,
            )
        };
        webhook.webhook.set_header(name, value);
        Ok(())
    })
}

/// Verifies a delivery with a JSON Web Key Set, the text of
/// https://rest.fal.ai/.well-known/jwks.json, which may be kept for 24 hours. Uses no network. now
/// is the time in Unix seconds; negative: the system's clock.
///
/// On success *out holds what was delivered and the headers that were signed with it; free it with
/// fal_response_free(). FAL_E_WEBHOOK_INVALID if it is not fal's, was changed, or is more than 300
/// seconds old or early; the message says which. FAL_E_INVALID_ARGUMENT for a text that is no key
/// set or has no Ed25519 key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_webhook_verify(
    webhook: *const fal_webhook,
    jwks: *const c_char,
    jwks_len: usize,
    now: i64,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let webhook = unsafe { boundary::borrow(webhook, "webhook") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let jwks = unsafe { boundary::text(jwks, jwks_len, "jwks") }?;
        let now = match u64::try_from(now) {
            Ok(now) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now)),
            Err(_) => Some(SystemTime::now()),
        };
        let now = now.ok_or_else(|| Error::invalid("now is no time that this system knows"))?;
        out.give(fal_response::new(
            webhook
                .webhook
                .verify(&KeySet::from_jwks(jwks.as_bytes())?, now)?,
        ));
        Ok(())
    })
}

/// How the request of a verified delivery ended: FAL_OK if it succeeded, else what it failed with,
/// as fetching its result would: the code, the fields that were refused, the body and the remedy.
/// The HTTP status is the app's where fal tells it. FAL_E_PROTOCOL, without an HTTP status, if the
/// body is not as fal documents it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_webhook_outcome(
    verified: *const fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let verified = unsafe { boundary::borrow(verified, "verified") }?;
        Delivery::of(verified.get())?.failure().map_or(Ok(()), Err)
    })
}

/// Starts to verify a delivery, which is copied, with fal's own keys. They are fetched without a
/// credential and kept for 24 hours at the most; a signature that none of them made has them
/// fetched anew, at most once a minute and for 10 seconds at the most. Deliveries that known keys
/// verify do not wait for that. What can be refused without a key is refused without a request.
///
/// The operation's outcome is as for fal_webhook_verify(). If no keys can be had, it is the error
/// of the request for them; if only newer ones cannot, it is FAL_E_WEBHOOK_INVALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_verify_webhook_start(
    client: *const fal_client,
    webhook: *const fal_webhook,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        start(client, out, err, |client| {
            client.verify_webhook_start(copy(webhook)?)
        })
    }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_verify_webhook(
    client: *const fal_client,
    webhook: *const fal_webhook,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        call(client, out, err, |client| {
            client.verify_webhook_start(copy(webhook)?)
        })
    }
}

/// # Safety
/// `webhook` is NULL or live.
unsafe fn copy(webhook: *const fal_webhook) -> Result<Webhook> {
    // SAFETY: by this function's own contract.
    Ok(unsafe { boundary::borrow(webhook, "webhook") }?
        .webhook
        .clone())
}
