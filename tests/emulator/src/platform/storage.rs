//! `/v1/storage`: files and an account's defaults (fal-protocol.md §14.8), for every key.

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{error, invalid, one};
use crate::answer::Answer;
use crate::keys::Caller;
use crate::server::Request;
use crate::state::State;
use crate::storage::{self, Acl, Defaults, Denied};

pub(super) fn acl(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    answer(storage::file_acl(state, &caller.account, &url(request)?))
}

pub(super) fn set_acl(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let acl: Acl = body(request)?;
    check(Some(&acl))?;
    answer(storage::set_file_acl(state, &caller.account, &url(request)?, acl))
}

#[derive(Deserialize)]
struct Wanted {
    expiration_seconds: u64,
}

pub(super) fn sign(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let wanted: Wanted = body(request)?;
    if !(1..=storage::LONGEST_SIGNATURE).contains(&wanted.expiration_seconds) {
        return Err(invalid("expiration_seconds: 1 to 604800"));
    }
    let signed = storage::sign(state, &caller.account, &url(request)?, wanted.expiration_seconds);
    answer(signed.map(|url| json!({ "signed_url": url })))
}

pub(super) fn settings(state: &State, caller: &Caller) -> Answer {
    Answer::json(StatusCode::OK, &json!(state.storage.defaults(&caller.account)))
}

pub(super) fn set_settings(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let mut wanted: Defaults = body(request)?;
    if wanted.expiration_duration_seconds == Some(0) {
        return Err(invalid("expiration_duration_seconds: at least 1"));
    }
    check(wanted.initial_acl.as_ref())?;
    wanted.initial_acl = wanted.initial_acl.map(|acl| storage::with_known_users(state, acl));
    state.storage.set_defaults(&caller.account, wanted);
    Ok(settings(state, caller))
}

fn check(acl: Option<&Acl>) -> Result<(), Answer> {
    let nameless = acl.is_some_and(|acl| acl.rules.iter().any(|rule| rule.user.is_empty()));
    if nameless { Err(invalid("rules.user: at least 1 character")) } else { Ok(()) }
}

fn url(request: &Request) -> Result<String, Answer> {
    one(request, "url").ok_or_else(|| invalid("url: required"))
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    // Serde would take an array for a struct, field by field.
    let object: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|why| invalid(&why.to_string()))?;
    T::deserialize(Value::Object(object)).map_err(|why| invalid(&why.to_string()))
}

fn answer(outcome: Result<impl serde::Serialize, Denied>) -> Result<Answer, Answer> {
    match outcome {
        Ok(body) => Ok(Answer::json(StatusCode::OK, &json!(body))),
        Err(Denied::BadUrl) => Err(invalid("url: the plain URL of a CDN file")),
        Err(Denied::NotFound) => Err(error(StatusCode::NOT_FOUND, "not_found", "File not found")),
        Err(Denied::NotOwner) => Err(error(StatusCode::FORBIDDEN, "authorization_error", "Access denied")),
    }
}
