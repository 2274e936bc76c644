//! The control API, `/_emulator/…` on the loopback address: the API of the library for tests in
//! other languages.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::DEFAULT_ACCOUNT;
use crate::answer::Answer;
use crate::apps;
use crate::arrivals::{Arrival, Filter, Page};
use crate::clock;
use crate::current::Current;
use crate::dashboard;
use crate::faults::Fault;
use crate::keys::Scope;
use crate::platform;
use crate::server::Request;
use crate::settings::Settings;
use crate::state::State;
use crate::storage;
use crate::webhooks::WebhookDelivery;

pub(crate) async fn handle(current: &Arc<Current>, state: &State, request: &Request) -> Answer {
    route(current, state, request)
        .await
        .unwrap_or_else(|refusal| refusal)
}

async fn route(current: &Arc<Current>, state: &State, request: &Request) -> Result<Answer, Answer> {
    if let Some(answer) = dashboard::inspect(current, request).await {
        return Ok(answer);
    }
    if let Some(answer) = dashboard::handle(state, request) {
        return Ok(answer);
    }
    let Some(path) = request.path.strip_prefix("/_emulator/") else {
        let detail = "This is fal-emulator: send requests with the Host header of a fal host";
        return Err(Answer::detail(StatusCode::NOT_FOUND, detail));
    };
    let key_id = path.strip_prefix("keys/").filter(|id| !id.is_empty());
    match (request.method.as_str(), path, key_id) {
        ("GET", "health", _) => Ok(ok(&json!({ "status": "ok" }))),
        ("GET", "requests" | "arrivals", _) => Query::read(request)?.answer(state).await,
        ("DELETE", "requests" | "arrivals", _) => {
            state.arrivals.clear();
            Ok(done())
        }
        ("GET", "faults", _) => Ok(ok(&json!({ "faults": state.faults.list() }))),
        ("POST", "faults", _) => inject(state, request),
        ("DELETE", "faults", _) => {
            state.faults.clear();
            Ok(done())
        }
        ("POST", "reset", _) => {
            current.reset(&request.headers);
            Ok(done())
        }
        ("GET", "sessions", _) => Ok(ok(&sessions(current))),
        ("DELETE", _, _) if path.starts_with("sessions/") => end_session(current, path),
        ("GET", "unknown", _) => Ok(ok(&json!({ "requests": state.unknowns.all() }))),
        ("DELETE", "unknown", _) => {
            state.unknowns.clear();
            Ok(done())
        }
        ("POST", "seed", _) => {
            platform::sow(state, &body(request)?);
            Ok(done())
        }
        ("POST", "keys", _) => create_key(state, request),
        ("DELETE", _, Some(id)) => Ok(revoke_key(state, id)),
        ("GET", "files", _) => Ok(ok(&json!({ "files": storage::file_records(state) }))),
        ("GET", "uploads", _) => Ok(ok(&json!({ "uploads": storage::upload_records(state) }))),
        ("POST", "logins", _) => create_login(state, request),
        ("GET", "apps", _) => Ok(ok(&json!({ "apps": state.apps.to_json() }))),
        ("POST", "apps", _) => define(state, request),
        ("DELETE", "apps", _) => {
            state.apps.clear();
            Ok(done())
        }
        ("GET", "settings", _) => Ok(ok(&json!(state.settings()))),
        ("PUT", "settings", _) => {
            state.set(body::<Settings>(request)?);
            Ok(ok(&json!(state.settings())))
        }
        ("GET", "webhooks", _) => Ok(ok(&webhooks(state))),
        ("POST", "webhooks/keys", _) => rotate(state, request),
        ("GET", "clock", _) => Ok(ok(&clock(state))),
        ("POST", "clock", _) => advance(state, request),
        ("GET", "stats", _) => Ok(ok(&json!({
            "open_connections": state.connections.count(),
            "executions": state.executions.all(),
            "connects": state.connects.to_json(),
            "open_websockets": state.sockets.count(),
            "websocket_messages": state.sockets.messages(),
        }))),
        ("DELETE", "websockets", _) => Ok(ok(&json!({ "cut": state.sockets.cut() }))),
        (_, "unknown", _) => Err(wrong_method("GET, DELETE")),
        (_, "sessions", _) => Err(wrong_method("GET")),
        (_, "websockets", _) => Err(wrong_method("DELETE")),
        (_, "health" | "stats" | "files" | "uploads", _) => Err(wrong_method("GET")),
        (_, "requests" | "arrivals", _) => Err(wrong_method("GET, DELETE")),
        (_, "apps" | "faults", _) => Err(wrong_method("GET, POST, DELETE")),
        (_, "keys" | "logins" | "seed" | "reset", _) => Err(wrong_method("POST")),
        (_, "settings", _) => Err(wrong_method("GET, PUT")),
        (_, "webhooks", _) => Err(wrong_method("GET")),
        (_, "webhooks/keys", _) => Err(wrong_method("POST")),
        (_, "clock", _) => Err(wrong_method("GET, POST")),
        (_, _, Some(_)) => Err(wrong_method("DELETE")),
        _ => Err(Answer::detail(
            StatusCode::NOT_FOUND,
            format!("Path {} not found", request.path),
        )),
    }
}

fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

fn bad(detail: impl std::fmt::Display) -> Answer {
    Answer::detail(StatusCode::BAD_REQUEST, detail.to_string())
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer
        .headers
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    // Serde would also accept an array for a struct, field by field.
    let object: Map<String, Value> = serde_json::from_slice(&request.body).map_err(bad)?;
    T::deserialize(Value::Object(object)).map_err(bad)
}

fn inject(state: &State, request: &Request) -> Result<Answer, Answer> {
    let fault: Fault = body(request)?;
    fault.check().map_err(bad)?;
    let id = state.faults.inject(fault);
    Ok(Answer::json(StatusCode::CREATED, &json!({ "id": id })))
}

/// Defines endpoints by TOML, by the same as JSON, or by OpenAPI.
fn define(state: &State, request: &Request) -> Result<Answer, Answer> {
    let text = str::from_utf8(&request.body).map_err(bad)?;
    // A text in TOML does not begin so.
    let endpoints = if text.trim_start().starts_with('{') {
        apps::read_json(text).map_err(bad)?
    } else {
        apps::read(text).map_err(bad)?
    };
    let ids: Vec<String> = endpoints.iter().map(|known| known.id.clone()).collect();
    state.apps.define(endpoints);
    Ok(Answer::json(
        StatusCode::CREATED,
        &json!({ "defined": ids }),
    ))
}

/// The sessions, each with the number of its arrivals.
fn sessions(current: &Current) -> Value {
    let sessions = current.sessions().into_iter().map(|(name, state)| {
        let arrivals = state.arrivals.look(|arrivals, _| arrivals.len());
        json!({ "name": name, "requests": arrivals })
    });
    json!({ "sessions": sessions.collect::<Vec<_>>() })
}

fn end_session(current: &Current, path: &str) -> Result<Answer, Answer> {
    let name = path.strip_prefix("sessions/").unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    if current.end(&name) {
        Ok(done())
    } else {
        Err(Answer::detail(StatusCode::NOT_FOUND, "No such session"))
    }
}

fn webhooks(state: &State) -> Value {
    let deliveries: Vec<Value> = state
        .webhooks
        .all()
        .iter()
        .map(WebhookDelivery::to_json)
        .collect();
    json!({ "deliveries": deliveries })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateRequest {
    #[serde(default = "yes")]
    keep_old: bool,
}

fn yes() -> bool {
    true
}

fn rotate(state: &State, request: &Request) -> Result<Answer, Answer> {
    let wanted: RotateRequest = body(request)?;
    let keys = state.webhooks.signer.rotate(wanted.keep_old);
    Ok(Answer::json(StatusCode::CREATED, &json!({ "keys": keys })))
}

fn clock(state: &State) -> Value {
    json!({
        "now": clock::rfc3339_millis(state.clock.now()),
        "advanced_ms": u64::try_from(state.clock.added().as_millis()).unwrap_or(u64::MAX),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceRequest {
    advance_ms: u64,
}

fn advance(state: &State, request: &Request) -> Result<Answer, Answer> {
    let wanted: AdvanceRequest = body(request)?;
    state
        .clock
        .advance(Duration::from_millis(wanted.advance_ms));
    Ok(ok(&clock(state)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    #[serde(default = "api")]
    scope: Scope,
    #[serde(default = "default_account")]
    account: String,
    #[serde(default)]
    alias: String,
}

fn api() -> Scope {
    Scope::Api
}

fn default_account() -> String {
    DEFAULT_ACCOUNT.into()
}

fn create_key(state: &State, request: &Request) -> Result<Answer, Answer> {
    let wanted: KeyRequest = body(request)?;
    let key = state.keys.create(
        wanted.scope,
        &wanted.account,
        &wanted.alias,
        state.clock.now(),
    );
    let body = json!({ "key_id": key.id, "key_secret": key.secret, "key": key.full() });
    Ok(Answer::json(StatusCode::CREATED, &body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    #[serde(default = "default_account")]
    account: String,
    #[serde(default = "a_day")]
    access_token_seconds: u64,
}

fn a_day() -> u64 {
    86_400
}

fn create_login(state: &State, request: &Request) -> Result<Answer, Answer> {
    let wanted: LoginRequest = body(request)?;
    let login = state.logins.create(
        &wanted.account,
        wanted.access_token_seconds,
        state.clock.now(),
    );
    let body = json!({ "refresh_token": login.refresh_token, "access_token": login.access_token });
    Ok(Answer::json(StatusCode::CREATED, &body))
}

fn revoke_key(state: &State, id: &str) -> Answer {
    if state.keys.revoke(id) {
        done()
    } else {
        Answer::detail(StatusCode::NOT_FOUND, "No such key")
    }
}

/// Which arrivals to return, and how many to wait for.
#[derive(Default)]
struct Query {
    filter: Filter,
    page: Page,
    wait_for: usize,
    timeout: Duration,
}

impl Query {
    fn read(request: &Request) -> Result<Self, Answer> {
        let mut query = Self {
            timeout: Duration::from_secs(5),
            ..Self::default()
        };
        for (name, value) in request.query_pairs() {
            match &*name {
                "wait_for" => query.wait_for = value.parse().map_err(bad)?,
                "timeout_ms" => {
                    query.timeout = Duration::from_millis(value.parse().map_err(bad)?);
                }
                _ if query.filter.take(&name, &value).map_err(bad)? => {}
                _ if query.page.take(&name, &value).map_err(bad)? => {}
                _ => return Err(bad(format!("{name}: unknown filter"))),
            }
        }
        Ok(query)
    }

    async fn answer(&self, state: &State) -> Result<Answer, Answer> {
        let matching = |arrivals: &[Arrival]| {
            arrivals
                .iter()
                .filter(|arrival| self.filter.shows(arrival))
                .count()
        };
        let enough =
            |arrivals: &[Arrival]| self.wait_for == 0 || matching(arrivals) >= self.wait_for;
        state.arrivals.settled_when(self.timeout, enough).await;
        // They are masked without the lock, since that takes its time.
        let (page, next, count, tally) = state.arrivals.look(|arrivals, tally| {
            let (page, next) = self.page.of(arrivals, &self.filter);
            let page: Vec<Arrival> = page.into_iter().cloned().collect();
            (page, next, matching(arrivals), tally)
        });
        Ok(ok(&json!({
            "count": count,
            "requests": page.iter().map(Arrival::to_json).collect::<Vec<_>>(),
            "next": next,
            "dropped": tally.dropped,
            "dropped_bodies": tally.dropped_bodies,
        })))
    }
}
