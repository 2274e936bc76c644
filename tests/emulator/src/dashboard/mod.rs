//! The pages of the emulator. `https://fal.ai/dashboard/keys`: the page where users create keys of both scopes
//! (docs/protocol.md §2.3). The emulator also serves it at its own address, and requires no login.

mod curl;
mod requests;
mod row;

use hyper::header::{ALLOW, CACHE_CONTROL, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::DEFAULT_ACCOUNT;
use crate::answer::Answer;
use crate::body::Payload;
use crate::clock;
use crate::keys::Scope;
use crate::server::Request;
use crate::state::State;

pub(crate) use requests::inspect;

const PAGE: &str = "/dashboard/keys";

/// The page loads nothing from other origins and cannot be framed.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Serves the page, its files and its requests; `None` for other paths.
pub(crate) fn handle(state: &State, request: &Request) -> Option<Answer> {
    let rest = request.path.strip_prefix(PAGE)?;
    let get = request.method == Method::GET;
    Some(match rest {
        "" | "/" if get => file(
            POLICY,
            "text/html; charset=utf-8",
            include_str!("keys.html"),
        ),
        ".css" if get => file(POLICY, "text/css; charset=utf-8", include_str!("keys.css")),
        ".js" if get => file(
            POLICY,
            "text/javascript; charset=utf-8",
            include_str!("keys.js"),
        ),
        ".json" if get => safe(list(state)),
        "" | "/" if request.method == Method::POST => {
            safe(same_origin(request).unwrap_or_else(|| create(state, request)))
        }
        "" | "/" | ".css" | ".js" | ".json" => {
            wrong_method(if rest.len() > 1 { "GET" } else { "GET, POST" })
        }
        _ => match rest.strip_prefix('/').filter(|id| !id.contains('/')) {
            Some(id) if request.method == Method::DELETE => {
                safe(same_origin(request).unwrap_or_else(|| revoke(state, id)))
            }
            Some(_) => wrong_method("DELETE"),
            None => return None,
        },
    })
}

fn file(policy: &'static str, content_type: &'static str, text: &'static str) -> Answer {
    let payload = Payload::Bytes(text.into());
    let answer = Answer::payload(
        StatusCode::OK,
        HeaderValue::from_static(content_type),
        payload,
    );
    safe(answer.header("content-security-policy", HeaderValue::from_static(policy)))
}

fn safe(mut answer: Answer) -> Answer {
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ] {
        answer.headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer
        .headers
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// 403 unless the page itself sent the request: browsers send `Origin` with each request that
/// changes something.
fn same_origin(request: &Request) -> Option<Answer> {
    let text = |name| {
        request
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    let same = origin.is_some_and(|(scheme, host)| {
        matches!(scheme, "http" | "https") && text(HOST) == Some(host)
    });
    (!same).then(|| Answer::detail(StatusCode::FORBIDDEN, "Only this page may change keys"))
}

/// The keys of both scopes, newest first, without secrets.
fn list(state: &State) -> Answer {
    let mut keys = state.keys.listed(DEFAULT_ACCOUNT);
    keys.reverse();
    let row = |key: &crate::keys::Listed| -> Value {
        json!({
            "key_id": key.id,
            "alias": key.alias,
            "scope": key.scope,
            "created_at": clock::rfc3339(key.created),
        })
    };
    let keys: Vec<Value> = keys.iter().map(row).collect();
    Answer::json(
        StatusCode::OK,
        &json!({ "account": DEFAULT_ACCOUNT, "keys": keys }),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    alias: String,
    scope: Scope,
}

fn create(state: &State, request: &Request) -> Answer {
    let wanted = serde_json::from_slice(&request.body).ok();
    let wanted = wanted.filter(|wanted: &Wanted| (1..=255).contains(&wanted.alias.chars().count()));
    let Some(Wanted { alias, scope }) = wanted else {
        return Answer::detail(
            StatusCode::BAD_REQUEST,
            "name must have 1 to 255 characters, and scope must be API or ADMIN",
        );
    };
    let key = state
        .keys
        .create(scope, DEFAULT_ACCOUNT, &alias, state.clock.now());
    Answer::json(
        StatusCode::CREATED,
        &json!({ "key_id": key.id, "key": key.full() }),
    )
}

fn revoke(state: &State, id: &str) -> Answer {
    let own = state
        .keys
        .listed(DEFAULT_ACCOUNT)
        .iter()
        .any(|key| key.id == id);
    if own && state.keys.revoke(id) {
        Answer::empty(StatusCode::NO_CONTENT)
    } else {
        Answer::detail(StatusCode::NOT_FOUND, "No such key")
    }
}
