//! # Credential requests
//!
//! The host's answers to a fal_credential_callback. Each function here ends the request: it is
//! freed and must not be used again. A request that is never answered fails after two minutes, and
//! its memory is lost.

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

fallible! {
    /// Answers with a key, "id:secret", that is good for so many milliseconds.
    /// FAL_E_MALFORMED_CREDENTIALS if it is not a key; the calls that wait for it then fail for the
    /// same reason.
    fn fal_credential_request_give_key(
        request: Box<fal_credential_request>,
        key: text[key_len],
        expires_in_ms: i64,
    ) {
        malformed(request.answer.key(key, times::wait(expires_in_ms)))?;
    }

    /// Answers with a short-lived token, as a server of the host's maker mints it.
    fn fal_credential_request_give_app_token(
        request: Box<fal_credential_request>,
        token: text[token_len],
        expires_in_ms: i64,
    ) {
        malformed(request.answer.app_token(token, times::wait(expires_in_ms)))?;
    }

    /// Answers that there is none, and why. The reason becomes part of an error: it must hold no
    /// secret.
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
