//! `/v1/storage`: files and an account's defaults (docs/protocol.md §14.8), for keys of any scope.

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::visit::Visit;
use super::{denied, invalid, not_found};
use crate::answer::Answer;
use crate::server::Request;
use crate::storage::{self, Acl, Defaults, Denied};

pub(super) fn acl(visit: &Visit<'_>) -> Result<Answer, Answer> {
    answer(storage::file_acl(
        visit.state,
        visit.account(),
        &url(visit)?,
    ))
}

pub(super) fn set_acl(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let acl: Acl = body(visit.request)?;
    check(Some(&acl))?;
    answer(storage::set_file_acl(
        visit.state,
        visit.account(),
        &url(visit)?,
        acl,
    ))
}

#[derive(Deserialize)]
struct Wanted {
    expiration_seconds: u64,
}

pub(super) fn sign(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted: Wanted = body(visit.request)?;
    if !(1..=storage::LONGEST_SIGNATURE).contains(&wanted.expiration_seconds) {
        return Err(invalid("expiration_seconds: 1 to 604800"));
    }
    let signed = storage::sign(
        visit.state,
        visit.account(),
        &url(visit)?,
        wanted.expiration_seconds,
    );
    answer(signed.map(|url| json!({ "signed_url": url })))
}

pub(super) fn settings(visit: &Visit<'_>) -> Result<Answer, Answer> {
    Ok(Answer::json(
        StatusCode::OK,
        &json!(visit.state.storage.defaults(visit.account())),
    ))
}

pub(super) fn set_settings(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let mut wanted: Defaults = body(visit.request)?;
    if wanted.expiration_duration_seconds == Some(0) {
        return Err(invalid("expiration_duration_seconds: must be at least 1"));
    }
    check(wanted.initial_acl.as_ref())?;
    wanted.initial_acl = wanted
        .initial_acl
        .map(|acl| storage::with_known_users(visit.state, acl));
    visit.state.storage.set_defaults(visit.account(), wanted);
    settings(visit)
}

fn check(acl: Option<&Acl>) -> Result<(), Answer> {
    let nameless = acl.is_some_and(|acl| acl.rules.iter().any(|rule| rule.user.is_empty()));
    if nameless {
        Err(invalid("rules.user: must have at least 1 character"))
    } else {
        Ok(())
    }
}

fn url(visit: &Visit<'_>) -> Result<String, Answer> {
    visit.one("url").ok_or_else(|| invalid("url: required"))
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    // Serde would also accept an array for a struct, field by field.
    let object: Map<String, Value> =
        serde_json::from_slice(&request.body).map_err(|why| invalid(&why.to_string()))?;
    T::deserialize(Value::Object(object)).map_err(|why| invalid(&why.to_string()))
}

fn answer(outcome: Result<impl serde::Serialize, Denied>) -> Result<Answer, Answer> {
    match outcome {
        Ok(body) => Ok(Answer::json(StatusCode::OK, &json!(body))),
        Err(Denied::BadUrl) => Err(invalid(
            "url: must be the URL of a CDN file without a query",
        )),
        Err(Denied::NotFound) => Err(not_found("File not found")),
        Err(Denied::NotOwner) => Err(denied("Access denied")),
    }
}
