//! The official server proxy of a web app, `/api/fal/proxy` (docs/protocol.md §11.2), on every host
//! that is not fal's.

mod forward;
mod pattern;
mod settings;

use bytes::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;
use url::Url;

pub use settings::{Adapter, ProxySettings};

use crate::answer::Answer;
use crate::body::Payload;
use crate::server::{Request, Service};
use crate::state::State;

const PATH: &str = "/api/fal/proxy";

/// The header with the target URL of a request.
const TARGET: &str = "x-fal-target-url";

const DEFAULT_PATTERNS: &[&str] = &[
    "fal.run/**",
    "queue.fal.run/**",
    "rest.fal.ai/storage/upload/initiate?storage_type=fal-cdn-v3",
    "rest.fal.ai/storage/upload/complete-multipart?storage_type=fal-cdn-v3",
];

const FALS_DOMAINS: &[&str] = &["fal.ai", "fal.run", "fal.media", "falrun.com"];

/// Whether the proxy serves this host and path.
pub(crate) fn serves(host: &str, path: &str) -> bool {
    path == PATH && !host.is_empty() && !FALS_DOMAINS.iter().any(|domain| is_below(host, domain))
}

/// Whether `host` is `domain` or a subdomain of it.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

pub(crate) async fn handle(state: &State, request: &Request) -> Answer {
    let settings = state.settings().proxy;
    match check(state, &settings, request) {
        Ok((target, authorization)) => {
            let client_proxy = HeaderValue::from_static(settings.adapter.client_proxy());
            let outgoing = forward::Outgoing {
                target: &target,
                authorization,
                client_proxy,
                request,
            };
            outgoing
                .send(state.address)
                .await
                .unwrap_or_else(|_| failed())
        }
        Err(refusal) => refusal,
    }
}

/// The target and the credential of a request that passes the checks, which are in the order of
/// §11.2.
fn check(
    state: &State,
    settings: &ProxySettings,
    request: &Request,
) -> Result<(Url, HeaderValue), Answer> {
    if let Some(allowed) = settings.refuses(&request.method) {
        return Err(wrong_method(&allowed));
    }
    let target = request
        .headers
        .get(TARGET)
        .filter(|target| !target.is_empty())
        .ok_or_else(invalid)?;
    // In the package, `new URL()` throws and the framework responds.
    let target = target
        .to_str()
        .ok()
        .and_then(|target| Url::parse(target).ok())
        .ok_or_else(failed)?;
    let host = authority(&target);
    if !is_allowed(settings, &host, &target) {
        return Err(invalid());
    }
    let endpoint = target.path().strip_prefix('/').unwrap_or(target.path());
    let restricted = request.method == Method::POST
        && !is_below(&host, "fal.ai")
        && !settings.allowed_endpoints.is_empty();
    if restricted && !pattern::matches_any(&settings.allowed_endpoints, endpoint) {
        return Err(invalid());
    }
    let incoming = request.headers.get(AUTHORIZATION);
    if !settings.admits(incoming.is_some()) {
        return Err(unauthorized());
    }
    let own = settings
        .has_key
        .then(|| HeaderValue::try_from(format!("Key {}", state.first_keys.api.full())).ok())
        .flatten();
    let mut authorization = incoming.cloned().or(own).ok_or_else(unauthorized)?;
    authorization.set_sensitive(true);
    // Hosts other than fal's do not exist here, so the package's request would fail.
    let reachable = match Service::of(target.host_str().unwrap_or_default(), target.path()) {
        Service::Control | Service::Proxy | Service::Unknown => false,
        _ => matches!(target.scheme(), "http" | "https"),
    };
    if reachable {
        Ok((target, authorization))
    } else {
        Err(failed())
    }
}

/// The host, and the port unless it is the scheme's default.
fn authority(target: &Url) -> String {
    let host = target.host_str().unwrap_or_default();
    match target.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is_allowed(settings: &ProxySettings, host: &str, target: &Url) -> bool {
    let query = target
        .query()
        .filter(|query| !query.is_empty())
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let text = format!("{host}{}{query}", target.path());
    match &settings.allowed_url_patterns {
        Some(chosen) => pattern::matches_any(chosen, &text),
        None => pattern::matches_any(DEFAULT_PATTERNS, &text),
    }
}

/// The adapters respond with the text as a JSON string.
fn invalid() -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!("Invalid request"))
}

fn unauthorized() -> Answer {
    Answer::json(StatusCode::UNAUTHORIZED, &json!("Unauthorized"))
}

/// A framework's response to an exception in the handler.
fn failed() -> Answer {
    let text = Payload::Bytes(Bytes::from_static(b"Internal Server Error"));
    Answer::payload(
        StatusCode::INTERNAL_SERVER_ERROR,
        HeaderValue::from_static("text/plain"),
        text,
    )
}

fn wrong_method(allowed: &str) -> Answer {
    let mut answer = Answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers.insert(ALLOW, allowed);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::serves;

    #[test]
    fn every_host_but_fals_has_a_proxy() {
        for host in [
            "app.example",
            "127.0.0.1",
            "localhost",
            "notfal.run",
            "fal.run.example",
        ] {
            assert!(serves(host, "/api/fal/proxy"), "{host}");
            assert!(!serves(host, "/api/fal/proxy/x"));
        }
        for host in [
            "fal.run",
            "queue.fal.run",
            "fal.ai",
            "auth.fal.ai",
            "v3b.fal.media",
            "queue.falrun.com",
            "",
        ] {
            assert!(!serves(host, "/api/fal/proxy"), "{host}");
        }
    }
}
