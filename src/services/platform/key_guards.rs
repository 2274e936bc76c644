//! What is asked before a key is revoked.

use super::arguments::{Arguments, wrong};
use crate::client::Exchange;
use crate::credentials::Credential;
use crate::error::Result;
use crate::openapi::Operation;

pub(super) const CREATE: &str = "keys.create";
pub(super) const REVOKE: &str = "keys.revoke";

/// Refuses to revoke the key in use, unless that is what the caller wants.
pub(super) async fn confirm(
    operation: &Operation,
    arguments: &Arguments,
    exchange: &Exchange,
) -> Result<()> {
    if operation.name != REVOKE || arguments.flag("allow_own") {
        return Ok(());
    }
    match &exchange.active().await?.credential {
        Credential::Key(key) if Some(key.id()) == arguments.str("key_id") => {
            let told = format!(
                "{} is the key that this client uses; nothing was sent",
                key.printable_id()
            );
            Err(wrong(operation, &told).with_remedy("If you mean it, set the option allow_own."))
        }
        _ => Ok(()),
    }
}
