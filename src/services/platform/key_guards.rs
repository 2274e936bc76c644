//! The operations on keys that need more than the table says.

use super::arguments::{Arguments, wrong};
use crate::client::Exchange;
use crate::credentials::Credential;
use crate::error::Result;
use crate::openapi::Operation;

pub(super) const CREATE: &str = "keys.create";
pub(super) const REVOKE: &str = "keys.revoke";

/// Refuses to revoke the key that the client uses, unless the caller sets `allow_own`.
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
            let problem = format!(
                "{} is the key that this client uses; nothing was sent",
                key.printable_id()
            );
            Err(wrong(operation, &problem)
                .with_remedy("Set the option allow_own to revoke this key anyway."))
        }
        _ => Ok(()),
    }
}
