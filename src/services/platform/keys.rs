//! Creates, lists and revokes keys (docs/protocol.md §2.3, §14.11). Each operation needs a key with
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

/// A key in the list of keys. The list has only keys with scope API, and no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The public id.
    pub id: String,
    /// The name.
    pub alias: String,
    /// The scope: `API`.
    pub scope: String,
    /// When the key was created, as fal wrote it.
    pub created_at: String,
    /// The name of its creator, if fal knows it.
    pub creator_nickname: Option<String>,
    /// The e-mail address of its creator.
    pub creator_email: Option<String>,
}

/// A key that is being created: an operation and, after its success, the key.
#[derive(Clone, Debug)]
pub struct CreatingKey {
    op: Op,
    key: Slot,
}

type Slot = Arc<ArcSwapOption<Key>>;

impl CreatingKey {
    /// The operation. Its response has the `key_id` and no secret.
    pub fn op(&self) -> &Op {
        &self.op
    }

    /// Takes the key. `None` before the operation has succeeded, and after the first call.
    pub fn take_key(&self) -> Option<Key> {
        self.key.swap(None).map(owned)
    }

    /// Returns the key without taking it.
    #[cfg(feature = "capi")]
    pub(crate) fn key(&self) -> Option<Arc<Key>> {
        self.key.load_full()
    }
}

impl Client {
    /// Starts to create a key with scope API. `alias` is its name, 1 to 255 characters. The key is
    /// valid immediately.
    ///
    /// Only the [`Key`] has the secret, which cannot be requested again. No response, error or log
    /// has it, and dropping the key overwrites it. Store it with
    /// [`Store::store_key`](crate::credentials::store::Store::store_key) or
    /// [`store_in_keyring`](crate::credentials::store_in_keyring).
    ///
    /// fal accepts no idempotency key for this operation (docs/protocol.md §16.21), so it is not
    /// sent again once it may have been executed.
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
                // fal responded, so the key may exist even if the response is not valid.
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

    /// Creates a key. It works on any async runtime.
    pub async fn create_key(&self, alias: &str) -> Result<Key> {
        let CreatingKey { op, key } = self.create_key_start(alias)?;
        op.outcome().await?;
        key.swap(None).map(owned).ok_or_else(no_key)
    }

    /// Lists the keys of the account that have scope API.
    pub fn keys(&self) -> Result<List<KeyInfo>> {
        List::start(self, "keys.list", json!({ "expand": "creator_info" }), info)
    }

    /// Starts to revoke a key with scope API. The key becomes invalid immediately. An unknown id is
    /// not an error.
    ///
    /// The key that the client uses is revoked only if `allow_own` is set.
    pub fn revoke_key_start(&self, id: &str, allow_own: bool) -> Result<Op> {
        self.platform_start(REVOKE, json!({ "key_id": id, "allow_own": allow_own }))
    }

    /// Revokes a key. It works on any async runtime.
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

/// Reads the key in the response, and overwrites the body.
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
    // The body can be overwritten only if the HTTP stack does not share its buffer.
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
    made
}

fn no_key() -> Error {
    Error::new(Code::Protocol, "the operation ended without a key")
}

/// Adds the remedy for a key that may exist although its secret is lost.
fn maybe_made(error: Error, alias: &str) -> Error {
    if !error.may_have_executed() {
        return error;
    }
    error.with_remedy(format!(
        "List the keys and revoke the newest one with the name {alias:?}: fal may have created it, but its secret is lost."
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
