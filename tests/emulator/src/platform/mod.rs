//! `api.fal.ai/v1`: the Platform API (docs/protocol.md §14).

mod account;
mod analytics;
mod assets;
mod billing;
mod compute;
mod fields;
mod focus;
mod idempotency;
mod keys;
mod models;
mod openapi;
mod organization;
mod paging;
mod player;
mod pricing;
mod rates;
mod requests;
mod routes;
mod seed;
mod serverless;
mod settings;
mod storage;
mod usage;
mod visit;
mod window;
mod workflows;

use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::arrivals::Entry;
use crate::keys::{Caller, Scope};
use crate::server::Request;
use crate::state::State;

pub use account::Balance;
pub(crate) use assets::remember;
pub(crate) use openapi::handle as openapi;
pub(crate) use player::play;
pub use routes::{Operation, operations};
pub use seed::Seed;
pub(crate) use seed::sow;
pub use settings::{OddPages, Organization, PlatformSettings, UnknownParameters};
pub(crate) use workflows::find_app;

use routes::{Needs, Route, Run};
use visit::Visit;

/// The state that only the Platform API uses.
#[derive(Default)]
pub(crate) struct Platform {
    answered: idempotency::Answered,
    rates: rates::Rates,
    library: assets::Library,
    workflows: workflows::Workflows,
    volumes: serverless::Volumes,
    instances: compute::Instances,
}

pub(crate) async fn handle(state: &Arc<State>, request: &Request, entry: &Entry) -> Answer {
    route(state, request, entry)
        .await
        .unwrap_or_else(|refusal| refusal)
}

async fn route(state: &Arc<State>, request: &Request, entry: &Entry) -> Result<Answer, Answer> {
    let (route, path) = routes::find(request.method.as_str(), &request.path)?;
    let caller = caller(state, request)?;
    let settings = state.settings();
    state
        .platform
        .rates
        .count(caller.as_ref(), &settings.platform, state.clock.now())?;
    admit(
        route,
        caller.as_ref(),
        settings.admin_refusal_status.status(),
    )?;
    let visit = Visit {
        state,
        request,
        caller,
        path,
        settings,
    };
    visit.known_parameters(route.query)?;
    let repeat = route.idempotent.then(|| idempotency::key(&visit)).flatten();
    let noted = |outcome: Result<Answer, Answer>| {
        if outcome.is_ok() && request.method != Method::GET {
            entry.made();
        }
        outcome
    };
    match (route.run, repeat) {
        (Run::Now(run), Some(key)) => state
            .platform
            .answered
            .once(key, state.clock.now(), || noted(run(&visit))),
        (Run::Now(run), None) => noted(run(&visit)),
        (Run::Waiting(run), _) => noted(run(&visit).await),
    }
}

/// Whether the scope of the caller's key is sufficient.
fn admit(route: &Route, caller: Option<&Caller>, refusal: StatusCode) -> Result<(), Answer> {
    match (route.needs, caller.map(|caller| caller.scope)) {
        (Needs::Nothing | Needs::Optional, _)
        | (Needs::Api, Some(_))
        | (Needs::Admin, Some(Scope::Admin)) => Ok(()),
        (Needs::Admin, Some(Scope::Api)) => {
            Err(error(refusal, "authorization_error", "Access denied"))
        }
        (Needs::Api | Needs::Admin, None) => Err(unauthenticated()),
    }
}

/// The error format of the Platform API (§14.2).
fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    let request_id = Uuid::new_v4().to_string();
    let error = json!({ "type": kind, "message": message, "request_id": request_id });
    Answer::json(status, &json!({ "error": error }))
}

fn invalid(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "validation_error", message)
}

fn conflict(message: &str) -> Answer {
    error(StatusCode::CONFLICT, "validation_error", message)
}

fn not_found(message: &str) -> Answer {
    error(StatusCode::NOT_FOUND, "not_found", message)
}

fn denied(message: &str) -> Answer {
    error(StatusCode::FORBIDDEN, "authorization_error", message)
}

fn wrong_method(allowed: &str) -> Answer {
    let mut answer = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "validation_error",
        "Method not allowed",
    );
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers.insert(ALLOW, allowed);
    }
    answer
}

/// The caller, if any. An invalid key is refused even by operations that need none.
fn caller(state: &State, request: &Request) -> Result<Option<Caller>, Answer> {
    let logins = state.settings().platform_login_scope.scope();
    state
        .authenticate(&request.headers, logins)
        .map_err(|_| unauthenticated())
}

fn unauthenticated() -> Answer {
    let message = "Authentication required";
    error(StatusCode::UNAUTHORIZED, "authorization_error", message)
}

fn ok(body: &serde_json::Value) -> Result<Answer, Answer> {
    Ok(Answer::json(StatusCode::OK, body))
}

fn created(body: &serde_json::Value) -> Result<Answer, Answer> {
    Ok(Answer::json(StatusCode::CREATED, body))
}

fn done() -> Result<Answer, Answer> {
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn csv(text: String) -> Result<Answer, Answer> {
    let payload = crate::body::Payload::Bytes(text.into());
    Ok(Answer::payload(
        StatusCode::OK,
        HeaderValue::from_static("text/csv; charset=utf-8"),
        payload,
    ))
}
