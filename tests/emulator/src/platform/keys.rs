//! `/v1/keys` (docs/protocol.md §14.11): manages keys of scope API, for callers with keys of scope
//! ADMIN.

use serde_json::{Value, json};

use super::fields::Fields;
use super::paging::{self, USUAL};
use super::visit::Visit;
use super::{created, done, ok};
use crate::answer::Answer;
use crate::clock;
use crate::keys::{Listed, Scope};

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = visit.choices("expand", &["creator_info"])?;
    let creator = (!expand.is_empty()).then_some(visit.account());
    let keys = visit.state.keys.listed(visit.account());
    let keys = keys
        .into_iter()
        .filter(|key| key.scope == Scope::Api)
        .map(|key| (key.ordinal, key));
    ok(&paging::page(visit, "keys", USUAL, keys, |key| {
        row(&key, creator)
    })?)
}

fn row(key: &Listed, creator: Option<&str>) -> Value {
    let mut row = json!({
        "key_id": key.id,
        "alias": key.alias,
        "scope": key.scope,
        "created_at": clock::rfc3339(key.created),
    });
    if let Some(creator) = creator {
        row["creator_nickname"] = json!(creator);
        row["creator_email"] = json!(format!("{creator}@example.com"));
    }
    row
}

pub(super) fn create(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let alias = Fields::read(visit.request)?.text("alias", 1..=255)?;
    let key = visit
        .state
        .keys
        .create(Scope::Api, visit.account(), &alias, visit.now());
    created(&json!({ "key_id": key.id, "key_secret": key.secret, "key": key.full() }))
}

/// 204, even if the key does not exist.
pub(super) fn revoke(visit: &Visit<'_>) -> Result<Answer, Answer> {
    visit
        .state
        .keys
        .revoke_listed(visit.part("key_id"), visit.account());
    done()
}
