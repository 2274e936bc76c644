//! `/v1/keys` (fal-protocol.md §14.11): keys of scope API, for keys of scope ADMIN.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{invalid, many, paging};
use crate::answer::Answer;
use crate::clock;
use crate::keys::{Caller, Listed, Scope};
use crate::server::Request;
use crate::state::State;

pub(super) fn list(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let expand = many(request, "expand")?;
    if expand.iter().any(|value| value != "creator_info") {
        return Err(invalid("expand: only creator_info is known"));
    }
    let creator = (!expand.is_empty()).then_some(caller.account.as_str());
    let keys = state.keys.listed(&caller.account);
    let rows = keys.iter().map(|key| (key.ordinal, row(key, creator)));
    let page = paging::page(request, "keys", rows)?;
    Ok(Answer::json(StatusCode::OK, &page))
}

fn row(key: &Listed, creator: Option<&str>) -> Value {
    let mut row = json!({
        "key_id": key.id,
        "alias": key.alias,
        "scope": Scope::Api,
        "created_at": clock::rfc3339(key.created),
    });
    if let Some(creator) = creator {
        row["creator_nickname"] = json!(creator);
        row["creator_email"] = json!(format!("{creator}@example.com"));
    }
    row
}

pub(super) fn create(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| invalid("Invalid request parameters: the body is not JSON"))?;
    let alias = body["alias"]
        .as_str()
        .filter(|alias| (1..=255).contains(&alias.chars().count()))
        .ok_or_else(|| invalid("Invalid request parameters: alias, 1 to 255 characters"))?;
    let key = state.keys.create(Scope::Api, &caller.account, alias, state.clock.now());
    let body = json!({ "key_id": key.id, "key_secret": key.secret, "key": key.full() });
    Ok(Answer::json(StatusCode::CREATED, &body))
}

/// 204, also for a key that does not exist.
pub(super) fn revoke(state: &State, caller: &Caller, id: &str) -> Answer {
    state.keys.revoke_listed(id, &caller.account);
    Answer::empty(StatusCode::NO_CONTENT)
}
