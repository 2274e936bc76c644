//! # Credential requests
//!
//! The host's answers to a fal_credential_callback. Each function here ends the request: it is
//! freed and must not be used again. A request that is never answered fails after two minutes, and
//! its memory is lost.

use std::ffi::c_char;

use super::boundary::{self, status};
use super::error::fal_error;
use super::status::fal_status;
use super::times;
use crate::credentials::Answer;
use crate::error::{Code, Error, Result};

/// A question for a credential. Owned by the callback that received it, until it is answered.
pub struct fal_credential_request {
    answer: Answer,
}

impl fal_credential_request {
    pub(super) fn new(answer: Answer) -> Self {
        fal_credential_request { answer }
    }
}

/// Takes a request over from the caller.
///
/// # Safety
/// `request` is NULL or a live request, which is not used again.
unsafe fn take(request: *mut fal_credential_request) -> Result<Answer> {
    match request.is_null() {
        true => Err(boundary::null("request")),
        // SAFETY: by this function's own contract.
        false => Ok(unsafe { Box::from_raw(request) }.answer),
    }
}

/// Ends a request with a credential.
///
/// # Safety
/// As for [`take`]; `text` is NULL or a string.
unsafe fn give(
    request: *mut fal_credential_request,
    text: (*const c_char, usize, &str),
    err: *mut *mut fal_error,
    give: impl FnOnce(Answer, &str) -> std::result::Result<(), String>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let answer = unsafe { take(request) }?;
        // SAFETY: by this function's own contract.
        let text = unsafe { boundary::text(text.0, text.1, text.2) }?;
        give(answer, text).map_err(|reason| Error::new(Code::MalformedCredentials, reason))
    })
}

/// Answers with a key, "id:secret", that is good for so many milliseconds.
/// FAL_E_MALFORMED_CREDENTIALS if it is not a key; the calls that wait for it then fail for the
/// same reason.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credential_request_give_key(
    request: *mut fal_credential_request,
    key: *const c_char,
    key_len: usize,
    expires_in_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        give(request, (key, key_len, "key"), err, |answer, key| {
            answer.key(key, times::wait(expires_in_ms))
        })
    }
}

/// Answers with a short-lived token, as a server of the host's maker mints it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credential_request_give_app_token(
    request: *mut fal_credential_request,
    token: *const c_char,
    token_len: usize,
    expires_in_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    let ended = |answer: Answer, token: &str| answer.app_token(token, times::wait(expires_in_ms));
    // SAFETY: as the header says of each pointer.
    unsafe { give(request, (token, token_len, "token"), err, ended) }
}

/// Answers that there is none, and why. The reason becomes part of an error: it must hold no
/// secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credential_request_refuse(
    request: *mut fal_credential_request,
    reason: *const c_char,
    reason_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        give(
            request,
            (reason, reason_len, "reason"),
            err,
            |answer, reason| {
                answer.fail(reason);
                Ok(())
            },
        )
    }
}
