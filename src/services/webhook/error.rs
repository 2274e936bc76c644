//! The errors of verification.

use crate::error::{Code, Error};

/// The error of a signature that fits no key. The text is for developers who verify other bytes
/// than those that arrived, which is the most frequent cause.
pub(super) fn unsigned() -> Error {
    let message = "no key of fal's made the signature for these headers and bytes: the webhook is forged, or its body \
                   differs from what fal signed";
    invalid(message.to_owned()).with_remedy(
        "Do not act on it. If all webhooks fail like this, give the raw body, byte for byte as it arrived: JSON that a framework has \
         parsed and serialized again has other bytes.",
    )
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(Code::WebhookInvalid, message)
}
