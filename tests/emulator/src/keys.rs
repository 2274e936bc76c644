//! API keys, kept in memory and obviously fake.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hyper::header::{AUTHORIZATION, HeaderMap};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::DEFAULT_ACCOUNT;

/// The permissions of a key (docs/protocol.md §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Scope {
    /// Call models.
    Api,
    /// Call models and private apps, and manage keys and the account.
    Admin,
}

/// A caller: a valid key without its secret, or the user of a login.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The id of the key; for a login, its subject.
    pub(crate) key_id: String,
    pub(crate) scope: Scope,
    pub(crate) account: String,
}

/// A key as a listing shows it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) ordinal: u64,
    pub(crate) id: String,
    pub(crate) scope: Scope,
    pub(crate) alias: String,
    pub(crate) created: SystemTime,
}

/// A new key. Its secret is shown only at creation.
#[derive(Clone)]
pub(crate) struct NewKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl NewKey {
    fn generate(scope: Scope) -> Self {
        let kind = match scope {
            Scope::Api => "api",
            Scope::Admin => "admin",
        };
        Self {
            id: format!("fake-{kind}-{}", &hex()[..12]),
            secret: format!("fake-secret-{}", hex()),
        }
    }

    /// Returns `<id>:<secret>`.
    pub(crate) fn full(&self) -> String {
        format!("{}:{}", self.id, self.secret)
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewKey({})", self.id)
    }
}

/// Why a credential is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The id is unknown, the secret is wrong, the key is revoked, or fal does not know the scheme.
    Unknown,
    /// `Key` without `:`.
    NoColon,
    /// `Bearer` with text that is not a token of the emulator.
    NotAToken,
}

/// The keys that exist from the start.
pub(crate) struct FirstKeys {
    pub(crate) api: NewKey,
    pub(crate) admin: NewKey,
}

impl FirstKeys {
    pub(crate) fn generate() -> Self {
        Self {
            api: NewKey::generate(Scope::Api),
            admin: NewKey::generate(Scope::Admin),
        }
    }
}

struct Key {
    ordinal: u64,
    id: String,
    secret: String,
    scope: Scope,
    account: String,
    alias: String,
    created: SystemTime,
}

#[derive(Default)]
struct Ring {
    keys: Vec<Key>,
    last_ordinal: u64,
}

/// All keys of all accounts.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Ring>);

impl Keys {
    /// Keys of which only the first ones exist, for the default account.
    pub(crate) fn new(first: &FirstKeys, now: SystemTime) -> Self {
        let keys = Self::default();
        for (key, scope) in [(&first.api, Scope::Api), (&first.admin, Scope::Admin)] {
            keys.add(key, scope, DEFAULT_ACCOUNT, "default", now);
        }
        keys
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn create(
        &self,
        scope: Scope,
        account: &str,
        alias: &str,
        now: SystemTime,
    ) -> NewKey {
        let new = NewKey::generate(scope);
        self.add(&new, scope, account, alias, now);
        new
    }

    fn add(&self, new: &NewKey, scope: Scope, account: &str, alias: &str, now: SystemTime) {
        let mut ring = self.ring();
        ring.last_ordinal += 1;
        let key = Key {
            ordinal: ring.last_ordinal,
            id: new.id.clone(),
            secret: new.secret.clone(),
            scope,
            account: account.to_owned(),
            alias: alias.to_owned(),
            created: now,
        };
        ring.keys.push(key);
    }

    /// Revokes the key with this id, of any scope and account. Returns false if there is none.
    pub(crate) fn revoke(&self, id: &str) -> bool {
        self.remove(|key| key.id == id)
    }

    /// Revokes a key as the Platform API does: only a key of scope API of the caller's account.
    pub(crate) fn revoke_listed(&self, id: &str, account: &str) -> bool {
        self.remove(|key| key.id == id && key.scope == Scope::Api && key.account == account)
    }

    fn remove(&self, doomed: impl Fn(&Key) -> bool) -> bool {
        let mut ring = self.ring();
        let before = ring.keys.len();
        ring.keys.retain(|key| !doomed(key));
        ring.keys.len() < before
    }

    /// The account's keys of both scopes, oldest first.
    pub(crate) fn listed(&self, account: &str) -> Vec<Listed> {
        self.ring()
            .keys
            .iter()
            .filter(|key| key.account == account)
            .map(|key| Listed {
                ordinal: key.ordinal,
                id: key.id.clone(),
                scope: key.scope,
                alias: key.alias.clone(),
                created: key.created,
            })
            .collect()
    }

    /// Whether an account has a key.
    pub(crate) fn knows(&self, account: &str) -> bool {
        self.ring().keys.iter().any(|key| key.account == account)
    }

    /// Whether there is a key with this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.ring().keys.iter().any(|key| key.id == id)
    }

    pub(crate) fn find(&self, id: &str, secret: &str) -> Option<Caller> {
        self.ring()
            .keys
            .iter()
            .find(|key| key.id == id && key.secret == secret)
            .map(|key| Caller {
                key_id: key.id.clone(),
                scope: key.scope,
                account: key.account.clone(),
            })
    }
}

/// The credential in an `Authorization` header.
pub(crate) enum Credential<'h> {
    Key { id: &'h str, secret: &'h str },
    Token(&'h str),
}

/// The credential in the headers; `None` without one.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Option<Credential<'_>>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two headers mean that the client attaches its key in two places.
    if values.next().is_some() {
        return Err(Refusal::Unknown);
    }
    let value = value.to_str().map_err(|_| Refusal::Unknown)?;
    let (scheme, credential) = value.split_once(' ').ok_or(Refusal::Unknown)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Credential::Token(credential)));
    }
    if !scheme.eq_ignore_ascii_case("key") {
        return Err(Refusal::Unknown);
    }
    let (id, secret) = credential.split_once(':').ok_or(Refusal::NoColon)?;
    Ok(Some(Credential::Key { id, secret }))
}

fn hex() -> String {
    Uuid::new_v4().simple().to_string()
}
