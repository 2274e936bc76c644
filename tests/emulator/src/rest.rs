//! `rest.fal.ai`: short-lived tokens (docs/protocol.md §7.1), the caller's account (§1.4), the key
//! set of webhooks, and the requests that `storage` handles.

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::arrivals::Entry;
use crate::gateway;
use crate::input::{self, Fields};
use crate::keys::Caller;
use crate::server::Request;
use crate::settings::Settings;
use crate::state::State;
use crate::storage;
use crate::tokens::TokenAnswer;
use crate::webhooks;

/// The default lifetime of a token in seconds.
const DEFAULT_LIFE: u64 = 120;

/// The longest lifetime of a token in seconds: a year. The service's own maximum is unknown
/// (§16.22).
const LONGEST_LIFE: u64 = 365 * 86_400;

pub(crate) async fn handle(state: &State, request: &Request, entry: &Entry) -> Answer {
    if request.path == "/.well-known/jwks.json" {
        return webhooks::jwks(state, request);
    }
    let caller = || {
        let settings = state.settings();
        let caller = caller(state, request, &settings)?;
        gateway::not_locked(&caller, &settings)?;
        Ok(caller)
    };
    let answer = match storage::rest(state, request, caller).await {
        Some(answer) => answer,
        None => route(state, request, entry),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn route(state: &State, request: &Request, entry: &Entry) -> Result<Answer, Answer> {
    let settings = state.settings();
    let path = request.path.strip_suffix('/').unwrap_or(&request.path);
    let (life, form) = match path {
        "/tokens" => ("token_expiration", settings.token_answer),
        "/tokens/realtime" => ("duration", TokenAnswer::Token),
        "/users/current" => return current(state, request, &settings),
        _ => {
            return Err(Answer::detail(
                StatusCode::NOT_FOUND,
                format!("Path {} not found", request.path),
            )
            .unknown("no such path of the REST API"));
        }
    };
    only(&Method::POST, "POST", request)?;
    let caller = caller(state, request, &settings)?;
    gateway::not_locked(&caller, &settings)?;
    let (apps, seconds) = wanted(request, life).map_err(unbilled)?;
    entry.made();
    let token = state.tokens.issue(caller, apps, seconds, state.clock.now());
    Ok(Answer::json(
        settings.token_status.status(),
        &json!(form.wrap(token)),
    ))
}

fn only(method: &Method, name: &'static str, request: &Request) -> Result<(), Answer> {
    if request.method == method {
        return Ok(());
    }
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer.headers.insert(ALLOW, HeaderValue::from_static(name));
    Err(answer)
}

/// The caller's account. A locked account is reported too, as locked.
fn current(state: &State, request: &Request, settings: &Settings) -> Result<Answer, Answer> {
    only(&Method::GET, "GET", request)?;
    let account = caller(state, request, settings)?.account;
    let mut found = json!({
        "full_name": format!("Account {account}"),
        "nickname": account,
        "user_id": format!("fake-user-{account}"),
        "is_personal": false,
        "is_locked": false,
        "is_paying": true,
    });
    if let Some(reason) = settings.locked_accounts.get(&account) {
        found["is_locked"] = json!(true);
        found["lock_reason"] = json!(reason);
    }
    Ok(Answer::json(StatusCode::OK, &found))
}

fn caller(state: &State, request: &Request, settings: &Settings) -> Result<Caller, Answer> {
    let missing = || Answer::detail(StatusCode::UNAUTHORIZED, "Authorization header is required");
    gateway::caller(state, request, settings)?.ok_or_else(missing)
}

/// The apps that a token covers, and its lifetime in seconds from the field `life`.
fn wanted(request: &Request, life: &str) -> Result<(Vec<String>, u64), Answer> {
    let object = input::object(request)?;
    let mut fields = Fields::new(&object);
    let apps = fields.required_strings("allowed_apps");
    let seconds = fields.integer_between(life, DEFAULT_LIFE, 1, LONGEST_LIFE);
    fields.finish()?;
    Ok((apps, seconds))
}

/// Removes the header with billed units: no app ran, so this host does not send it.
fn unbilled(mut answer: Answer) -> Answer {
    answer.headers.remove("x-fal-billable-units");
    answer
}
