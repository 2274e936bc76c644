//! `api.fal.ai/v1`: the Platform API (fal-protocol.md §14).

mod account;
mod keys;
mod models;
mod paging;
mod storage;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue};
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::keys::{Caller, Scope};
use crate::server::Request;
use crate::state::State;

pub use account::Balance;

pub(crate) fn handle(state: &State, request: &Request) -> Answer {
    route(state, request).unwrap_or_else(|refusal| refusal)
}

fn route(state: &State, request: &Request) -> Result<Answer, Answer> {
    let path = request.path.trim_end_matches('/');
    let method = request.method.as_str();
    let key_id = path.strip_prefix("/v1/keys/").filter(|id| !id.is_empty() && !id.contains('/'));
    match (method, path, key_id) {
        ("GET", "/v1/keys", _) => keys::list(state, &administrator(state, request)?, request),
        ("POST", "/v1/keys", _) => keys::create(state, &administrator(state, request)?, request),
        ("DELETE", _, Some(id)) => Ok(keys::revoke(state, &administrator(state, request)?, id)),
        ("GET", "/v1/account/billing", _) => account::billing(state, &administrator(state, request)?, request),
        ("GET", "/v1/storage/files/acl", _) => storage::acl(state, &any_key(state, request)?, request),
        ("PUT", "/v1/storage/files/acl", _) => storage::set_acl(state, &any_key(state, request)?, request),
        ("POST", "/v1/storage/files/sign", _) => storage::sign(state, &any_key(state, request)?, request),
        ("GET", "/v1/storage/settings", _) => Ok(storage::settings(state, &any_key(state, request)?)),
        ("PUT", "/v1/storage/settings", _) => storage::set_settings(state, &any_key(state, request)?, request),
        ("GET", "/v1/models", _) => models::list(caller(state, request)?.is_some(), request),
        (_, "/v1/keys", _) => Err(wrong_method("GET, POST")),
        (_, "/v1/storage/files/acl" | "/v1/storage/settings", _) => Err(wrong_method("GET, PUT")),
        (_, "/v1/storage/files/sign", _) => Err(wrong_method("POST")),
        (_, "/v1/models" | "/v1/account/billing", _) => Err(wrong_method("GET")),
        (_, _, Some(_)) => Err(wrong_method("DELETE")),
        _ => Err(error(StatusCode::NOT_FOUND, "not_found", "Resource not found")),
    }
}

/// The one error shape of the Platform API (§14.2).
fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    let request_id = Uuid::new_v4().to_string();
    let error = json!({ "type": kind, "message": message, "request_id": request_id });
    Answer::json(status, &json!({ "error": error }))
}

fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "validation_error", message)
}

fn wrong_method(allowed: &'static str) -> Answer {
    let message = "Method not allowed";
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "validation_error", message);
    answer.headers.insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The caller, if there is one; a bad key is refused even where none is needed.
fn caller(state: &State, request: &Request) -> Result<Option<Caller>, Answer> {
    let logins = state.settings().platform_login_scope.scope();
    state.authenticate(&request.headers, logins).map_err(|_| unauthenticated())
}

fn unauthenticated() -> Answer {
    let message = "Authentication required";
    error(StatusCode::UNAUTHORIZED, "authorization_error", message)
}

/// The caller of an operation for every key.
fn any_key(state: &State, request: &Request) -> Result<Caller, Answer> {
    caller(state, request)?.ok_or_else(unauthenticated)
}

/// The caller of an ADMIN operation.
fn administrator(state: &State, request: &Request) -> Result<Caller, Answer> {
    let caller = any_key(state, request)?;
    match caller.scope {
        Scope::Admin => Ok(caller),
        Scope::Api => {
            Err(error(state.settings().admin_refusal_status.status(), "authorization_error", "Access denied"))
        }
    }
}

/// The values of a `OneOrMany` parameter: repeated or separated by commas (§14.1).
fn many(request: &Request, name: &str) -> Result<Vec<String>, Answer> {
    let values: Vec<String> = request
        .query_pairs()
        .filter(|(key, _)| key == name)
        .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
        .filter(|value| !value.is_empty())
        .collect();
    if values.len() > 50 {
        return Err(invalid(&format!("{name}: at most 50 values")));
    }
    Ok(values)
}

fn one(request: &Request, name: &str) -> Option<String> {
    request.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
