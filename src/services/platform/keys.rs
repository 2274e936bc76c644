//! Making, listing and revoking keys (docs/protocol.md §2.3, §14.11). All of it needs a key of
//! scope ADMIN.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde_json::json;
use zeroize::{Zeroize, Zeroizing};

use super::arguments::Arguments;
use super::fields::{self, Fields};
use super::key_guards::{CREATE, REVOKE};
use super::list::List;
use super::request;
use crate::client::{Client, TIMEOUT};
use crate::codec::json;
use crate::error::{Code, Error, Idempotency, Result};
use crate::key::Key;
use crate::operation::Op;
use crate::response::Response;
use crate::service_error::with_content;

/// A key as the list shows it. Keys of scope API only are listed, and never with their secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The public half.
    pub id: String,
    /// What it was called when it was made.
    pub alias: String,
    /// `API`.
    pub scope: String,
    /// When it was made, as fal wrote it.
    pub created_at: String,
    /// Who made it, if that was asked for and is known.
    pub creator_nickname: Option<String>,
    /// The same person's address.
    pub creator_email: Option<String>,
}

/// A key that is being made: an operation, and in the end the key.
#[derive(Clone, Debug)]
pub struct CreatingKey {
    op: Op,
    key: Slot,
}

type Slot = Arc<ArcSwapOption<Key>>;

impl CreatingKey {
    /// The operation, to poll, to wait for, to cancel. Its response has the `key_id` and no secret.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// The key, once: `None` before the operation has ended well, and after the first time.
    pub fn take_key(&self) -> Option<Key> {
        self.key.swap(None).map(owned)
    }

    /// The same, and leaves it there.
    #[cfg(feature = "capi")]
    pub(crate) fn key(&self) -> Option<Arc<Key>> {
        self.key.load_full()
    }
}

impl Client {
    /// Starts making a key of scope API with this name of 1 to 255 characters. It works at once.
    ///
    /// The secret comes only this time, in the [`Key`] and nowhere else: neither the response nor
    /// an error nor the log has it, and it is overwritten when the key is dropped. Keep it with
    /// [`Store::store_key`](crate::credentials::store::Store::store_key) or
    /// [`store_in_keyring`](crate::credentials::store_in_keyring).
    ///
    /// fal takes no idempotency key here (docs/protocol.md §16.21), so it is never repeated once it
    /// may have been executed.
    pub fn create_key_start(&self, alias: &str) -> Result<CreatingKey> {
        let operation = request::find(CREATE)?;
        let alias = alias.to_owned();
        let arguments = Arguments::check(operation, &json!({ "alias": alias }))?;
        let request = request::request(operation, &arguments, self.timeout_or(TIMEOUT))?;
        let key = Slot::default();
        let slot = key.clone();
        let op = self.start_exchange(|exchange| async move {
            let response = exchange.send(request).await;
            let secrets = exchange.task.secrets();
            let made = response.and_then(|response| {
                with_content(response, "a key", secrets, Idempotency::NonIdempotent)
            });
            let made = match made {
                // An answer was there, whatever is in it.
                Ok(response) => json::look(response.into_body(), read)
                    .await
                    .flatten()
                    .map_err(|error| error.with_outcome_unknown(true)),
                Err(error) => Err(error),
            };
            let made = made.map_err(|error| maybe_made(error, &alias))?;
            let answer = Response::made(&json!({ "key_id": made.id(), "alias": alias }));
            slot.store(Some(Arc::new(made)));
            Ok(answer)
        })?;
        Ok(CreatingKey { op, key })
    }

    /// Makes a key and waits for it, on any async runtime.
    pub async fn create_key(&self, alias: &str) -> Result<Key> {
        let CreatingKey { op, key } = self.create_key_start(alias)?;
        op.outcome().await?;
        key.swap(None).map(owned).ok_or_else(no_key)
    }

    /// The account's keys of scope API, page by page.
    pub fn keys(&self) -> Result<List<KeyInfo>> {
        List::start(self, "keys.list", json!({ "expand": "creator_info" }), info)
    }

    /// Starts revoking a key of scope API. It stops at once; that there is none of this id is no
    /// error.
    ///
    /// The key that the client itself uses is revoked only if `allow_own`.
    pub fn revoke_key_start(&self, id: &str, allow_own: bool) -> Result<Op> {
        self.platform_start(REVOKE, json!({ "key_id": id, "allow_own": allow_own }))
    }

    /// Revokes a key and waits, on any async runtime.
    pub async fn revoke_key(&self, id: &str, allow_own: bool) -> Result<()> {
        self.revoke_key_start(id, allow_own)?
            .outcome()
            .await
            .map(drop)
    }
}

fn owned(key: Arc<Key>) -> Key {
    Arc::try_unwrap(key).unwrap_or_else(|shared| Key::clone(&shared))
}

/// The key in the answer, of which no copy of ours stays behind.
fn read(body: Bytes) -> Result<Key> {
    let made = Fields::read(&body, CREATE).and_then(|fields| {
        let (id, secret) = (
            fields.text("key_id")?,
            Zeroizing::new(fields.text("key_secret")?),
        );
        Key::from_halves(&id, &secret)
            .map(|(key, _)| key)
            .map_err(|(_, problem)| fields::wrong(CREATE, &problem))
    });
    // The HTTP stack may hold the piece in which it came; what is ours alone is overwritten.
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
    made
}

fn no_key() -> Error {
    Error::new(Code::Protocol, "the operation ended without a key")
}

/// What to do about a key that may be there without anybody knowing its secret.
fn maybe_made(error: Error, alias: &str) -> Error {
    if !error.may_have_executed() {
        return error;
    }
    error.with_remedy(format!(
        "A key may have been made whose secret is lost. List the keys and revoke the newest one of the name {alias:?}."
    ))
}

fn info(fields: &Fields<'_>) -> Result<KeyInfo> {
    Ok(KeyInfo {
        id: fields.text("key_id")?,
        alias: fields.text("alias")?,
        scope: fields.text("scope")?,
        created_at: fields.text("created_at")?,
        creator_nickname: fields.maybe_text("creator_nickname")?,
        creator_email: fields.maybe_text("creator_email")?,
    })
}
