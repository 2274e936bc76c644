//! Fuzzes endpoint ids and URLs from callers, servers and redirects: only fal's own services
//! receive the key.

use std::net::SocketAddr;

use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};

use super::authorize::{Authorization, Route, route};
use super::redirect;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts, https_or_local};
use crate::fuzz::input::Input;
use crate::key::Key;
use crate::request::Request;
use crate::response::Response;
use crate::secrets::Secrets;
use crate::services::queue::Job;
use reqwest::Method;
use url::Url;

/// A second list, to compare with: the hosts that may receive a key.
const FALS: [&str; 6] = [
    "fal.run",
    "queue.fal.run",
    "ws.fal.run",
    "rest.fal.ai",
    "rest.alpha.fal.ai",
    "api.fal.ai",
];

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (id, address, location, path) = (input.text(), input.text(), input.text(), input.text());
    let hosts = Hosts::default();
    endpoint(&hosts, &id, &path);
    if let Ok(url) = Url::parse(&address) {
        carried(&hosts, &url);
        redirected(&hosts, &url, &location);
    }
    job(&id, &address);
    if let Ok(proxy) = https_or_local(&address) {
        let local =
            proxy.scheme() == "http" && matches!(proxy.host_str(), Some("localhost" | "[::1]"));
        let loopback = proxy.scheme() == "http"
            && proxy
                .host_str()
                .is_some_and(|host| host.starts_with("127."));
        assert!(proxy.scheme() == "https" || local || loopback, "{proxy}");
    }
}

fn key() -> Credential {
    let key = Key::parse("fake-id:fake-secret-for-fuzzing").map(|(key, _)| Credential::Key(key));
    key.unwrap_or(Credential::Anonymous)
}

/// Checks that the key goes only to fal's services, over https, to the default port.
fn carried(hosts: &Hosts, url: &Url) {
    for authorization in [Authorization::Credential, Authorization::Nothing] {
        let Ok(route) = route(hosts, url, &key(), &authorization, &Secrets::default()) else {
            continue;
        };
        let bears = route.headers.iter().any(|(name, _)| name == AUTHORIZATION);
        assert!(!bears || authorization == Authorization::Credential);
        let fals = route
            .url
            .host_str()
            .is_some_and(|host| FALS.contains(&host));
        let plain = route.url.username().is_empty()
            && route.url.password().is_none()
            && route.url.port().is_none();
        assert!(
            !bears || (fals && plain && route.url.scheme() == "https"),
            "the key would go to {}",
            route.url
        );
        assert_eq!(route.url.scheme(), "https");
        written(route);
    }
}

/// Checks that the URL that is written for the HTTP client is that of the route, or the same path
/// of the emulator.
fn written(mut route: Route<'_>) {
    let emulator = SocketAddr::from(([127, 0, 0, 1], 8080));
    for origin in [None, Some(emulator)] {
        route.emulator = origin;
        // Too long.
        let Ok(uri) = route.uri() else { continue };
        let mut expected = Url::clone(&route.url);
        expected.set_fragment(None);
        if origin.is_some() {
            let moved = expected.set_scheme("http").is_ok()
                && expected.set_ip_host(emulator.ip()).is_ok()
                && expected.set_port(Some(emulator.port())).is_ok()
                && expected.set_username("").is_ok()
                && expected.set_password(None).is_ok();
            assert!(moved, "{expected}");
        }
        let read = Url::parse(&uri.to_string());
        assert_eq!(read.as_ref(), Ok(&expected), "{uri}");
    }
}

fn redirected(hosts: &Hosts, from: &Url, location: &str) {
    let Ok(value) = HeaderValue::from_str(location) else {
        return;
    };
    let headers = HeaderMap::from_iter([(LOCATION, value)]);
    for status in [
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::PERMANENT_REDIRECT,
    ] {
        let Some(to) = redirect::target(status, &headers, from) else {
            continue;
        };
        for (method, authorization) in METHODS.into_iter().flat_map(|method| {
            [
                (method, Authorization::Credential),
                (method, Authorization::Nothing),
            ]
        }) {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
            let carries = redirect::Carries {
                authorization: &authorization,
                content: method != Method::GET,
            };
            let Some(followed) = redirect::method(hosts, &carries, status, &method, from, &to)
            else {
                continue;
            };
            // A redirect may only read, fetch the output of an app, or move the upload of a file.
            let of_app = method == Method::POST
                && status == StatusCode::SEE_OTHER
                && from.host_str() == Some("fal.run");
            let of_file = method == Method::PUT
                && status == StatusCode::PERMANENT_REDIRECT
                && authorization == Authorization::Nothing;
            let safe = followed == Method::GET && (method == Method::GET || of_app);
            assert!(
                safe || (of_file && followed == Method::PUT),
                "{method} {from}, {status} to {to}: {followed}"
            );
            if authorization == Authorization::Credential {
                carried(hosts, &to);
            }
        }
    }
}

/// Checks that an id and a path of the caller do not change the host of a URL.
fn endpoint(hosts: &Hosts, id: &str, path: &str) {
    let Ok(id) = id.parse::<EndpointId>() else {
        return;
    };
    assert!(id.as_str().starts_with(id.app()) && !id.owner().is_empty() && !id.alias().is_empty());
    assert_eq!(
        id.as_str().parse::<EndpointId>().ok().as_ref(),
        Some(&id),
        "it reads what it writes"
    );
    let whole = hosts.run_host().map(|mut url| {
        url.set_path(id.as_str());
        url
    });
    assert_eq!(whole.ok(), hosts.run_url(&id).ok());
    for url in [
        hosts.run_url(&id),
        hosts.queue_url(id.app()),
        hosts.ws_url(&id),
    ] {
        let host = url
            .as_ref()
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        assert!(FALS.contains(&host.as_str()));
        assert!(url.is_ok_and(|url| url.query().is_none()
            && url.fragment().is_none()
            && url.path() != "/"));
    }
    let (Ok(base), Ok(mut request)) = (hosts.run_url(&id), Request::run(id.as_str())) else {
        return;
    };
    if request.set_path(path).is_ok() {
        let url = request.url(base.clone(), "stream");
        assert!(
            url.origin() == base.origin() && url.path().starts_with(base.path()),
            "{url}"
        );
        assert!(url.query().is_none() && url.fragment().is_none());
    }
}

/// Checks that the URLs of a job belong to the queue, whatever URLs the response contains.
fn job(id: &str, address: &str) {
    let answer = serde_json::json!({"request_id": id, "status_url": address, "response_url": address, "cancel_url": address});
    let Ok(job) = Job::of_response("a/b/c", &Response::made(&answer)) else {
        return;
    };
    for url in job.all_urls() {
        assert!(
            url.host_str() == Some("queue.fal.run")
                && url.scheme() == "https"
                && url.port().is_none(),
            "{url}"
        );
        assert!(url.username().is_empty() && url.password().is_none());
    }
}
