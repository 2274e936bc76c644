//! # Credential requests
//!
//! The host completes a fal_credential_request with one of these functions. Each frees the request,
//! on failure too; it must not be used again. A request that is never completed fails after two
//! minutes, and its memory leaks.

use super::times;
use crate::credentials::Answer;
use crate::error::{Code, Error, Result};

/// A request for a credential. Unique: the callback that received it owns it, until it is completed.
/// Any thread may complete it.
pub struct fal_credential_request {
    answer: Answer,
}

impl fal_credential_request {
    pub(super) fn new(answer: Answer) -> Self {
        fal_credential_request { answer }
    }
}

fallible! {
    /// Completes the request with a key, "id:secret", that is valid for expires_in_ms milliseconds.
    /// A negative number means that it does not expire. FAL_E_MALFORMED_CREDENTIALS if key is not a
    /// key; the calls that wait for it then fail with FAL_E_CREDENTIALS_FAILED, for the same
    /// reason.
    fn fal_credential_request_give_key(
        request: Box<fal_credential_request>,
        key: text[key_len],
        expires_in_ms: i64,
    ) {
        malformed(request.answer.key(key, times::wait(expires_in_ms)))?;
    }

    /// Completes the request with a short-lived token, created by fal_client_mint_token() or a
    /// server, that is valid for expires_in_ms milliseconds. A negative number means that it does
    /// not expire. FAL_E_MALFORMED_CREDENTIALS if token is not a token.
    fn fal_credential_request_give_app_token(
        request: Box<fal_credential_request>,
        token: text[token_len],
        expires_in_ms: i64,
    ) {
        malformed(request.answer.app_token(token, times::wait(expires_in_ms)))?;
    }

    /// Completes the request without a credential. The calls that wait for it fail, and their error
    /// contains reason, which must not contain a secret.
    fn fal_credential_request_refuse(
        request: Box<fal_credential_request>,
        reason: text[reason_len],
    ) {
        request.answer.fail(reason);
    }
}

fn malformed(given: std::result::Result<(), String>) -> Result<()> {
    given.map_err(|reason| Error::new(Code::MalformedCredentials, reason))
}
