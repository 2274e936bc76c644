//! The table of all operations of the Platform API (docs/protocol.md §14.3).

use std::future::Future;
use std::pin::Pin;

use percent_encoding::percent_decode_str;

use super::visit::Visit;
use super::{
    account, analytics, assets, billing, compute, keys, models, not_found, organization, pricing,
    requests, serverless, storage, usage, workflows, wrong_method,
};
use crate::answer::Answer;

/// The key that an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// The operation uses no key. An invalid key is refused all the same.
    Nothing,
    /// A key is optional.
    Optional,
    Api,
    Admin,
}

type Outcome = Result<Answer, Answer>;
type Waiting<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// The function that handles an operation.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Now(fn(&Visit<'_>) -> Outcome),
    /// A function that waits for something outside of the emulator's state.
    Waiting(for<'a> fn(&'a Visit<'a>) -> Waiting<'a>),
}

/// One operation.
pub(super) struct Route {
    method: &'static str,
    /// The path after `/v1`.
    template: &'static str,
    pub(super) needs: Needs,
    /// The names of the query parameters.
    pub(super) query: &'static [&'static str],
    /// Whether the operation accepts `Idempotency-Key`.
    pub(super) idempotent: bool,
    pub(super) run: Run,
}

const fn route(
    method: &'static str,
    template: &'static str,
    needs: Needs,
    query: &'static [&'static str],
    run: fn(&Visit<'_>) -> Outcome,
) -> Route {
    Route {
        method,
        template,
        needs,
        query,
        idempotent: false,
        run: Run::Now(run),
    }
}

/// An operation that accepts `Idempotency-Key`. No such operation has a query.
const fn once(
    method: &'static str,
    template: &'static str,
    needs: Needs,
    run: fn(&Visit<'_>) -> Outcome,
) -> Route {
    Route {
        method,
        template,
        needs,
        query: &[],
        idempotent: true,
        run: Run::Now(run),
    }
}

const PAGED: &[&str] = &["limit", "cursor"];
const OFFSET: &[&str] = &["limit", "offset"];
const URL: &[&str] = &["url"];
#[rustfmt::skip]
const USAGE: &[&str] = &["limit", "cursor", "start", "end", "timezone", "timeframe", "bound_to_timeframe", "endpoint_id", "api_key_id", "login_username", "expand"];
#[rustfmt::skip]
const ANALYTICS: &[&str] = &["limit", "cursor", "start", "end", "timezone", "timeframe", "bound_to_timeframe", "endpoint_id", "expand"];
#[rustfmt::skip]
const BILLING: &[&str] = &["limit", "cursor", "start", "end", "endpoint_id", "request_id", "api_key_id", "login_username", "expand"];
#[rustfmt::skip]
const REQUESTS: &[&str] = &["limit", "cursor", "endpoint_id", "start", "end", "status", "request_id", "expand", "sort_by"];
#[rustfmt::skip]
const SEARCH: &[&str] = &["limit", "cursor", "query", "image_url", "video_url", "endpoint_id", "endpoint", "exclude_api_requests", "only_api_requests", "min_similarity"];
#[rustfmt::skip]
const ASSETS: &[&str] = &["limit", "cursor", "q", "search_image_url", "search_video_url", "media_type", "source", "section", "collection_id", "character_identifier", "tag_id", "tag_mode"];
#[rustfmt::skip]
const SHELF: &[&str] = &["limit", "cursor", "q", "search_image_url", "search_video_url", "media_type", "source", "section", "character_identifier", "tag_id", "tag_mode"];
#[rustfmt::skip]
const LOGS: &[&str] = &["limit", "cursor", "start", "end", "app_id", "revision", "run_source", "traceback", "search", "level", "job_id", "request_id"];
#[rustfmt::skip]
const LIVE: &[&str] = &["start", "end", "app_id", "revision", "run_source", "traceback", "search", "level", "job_id", "request_id"];
#[rustfmt::skip]
const OWN_USAGE: &[&str] = &["limit", "cursor", "start", "end", "timezone", "timeframe", "bound_to_timeframe", "app", "search", "expand"];
#[rustfmt::skip]
const FOCUS: &[&str] = &["source", "billing_month", "charge_month", "expand", "start", "end", "timezone", "timeframe", "bound_to_timeframe"];
#[rustfmt::skip]
const ORG_FOCUS: &[&str] = &["source", "billing_month", "charge_month", "team_username", "start", "end", "timezone", "timeframe", "bound_to_timeframe"];
#[rustfmt::skip]
const ORG_BILLING: &[&str] = &["limit", "cursor", "start", "end", "endpoint_id", "request_id", "api_key_id", "team_username", "expand"];
#[rustfmt::skip]
const ORG_USAGE: &[&str] = &["limit", "cursor", "start", "end", "timezone", "timeframe", "bound_to_timeframe", "endpoint_id", "api_key_id", "team_username", "product", "expand"];

use Needs::{Admin, Api};

/// If two templates match, the first applies.
#[rustfmt::skip]
static ROUTES: &[Route] = &[
    route("GET", "/models", Needs::Optional, &["limit", "cursor", "endpoint_id", "q", "category", "status", "expand"], models::list),
    route("GET", "/models/pricing", Api, &["endpoint_id"], pricing::list),
    route("POST", "/models/pricing/estimate", Api, &[], pricing::estimate),
    route("GET", "/models/usage", Admin, USAGE, usage::models),
    route("GET", "/models/analytics", Api, ANALYTICS, analytics::models),
    route("GET", "/models/billing-events", Admin, BILLING, billing::models),
    once("DELETE", "/models/requests/{request_id}/payloads", Admin, requests::erase),
    route("GET", "/models/requests/by-endpoint", Api, REQUESTS, requests::models),
    route("GET", "/models/requests/search", Api, SEARCH, requests::search),
    route("GET", "/workflows", Api, &["limit", "cursor", "search", "used_endpoint_ids"], workflows::list),
    route("POST", "/workflows", Api, &[], workflows::create),
    route("GET", "/workflows/{username}/{workflow_name}", Api, &[], workflows::read),
    route("GET", "/assets", Api, ASSETS, assets::list),
    route("GET", "/assets/collections", Api, OFFSET, assets::collections),
    once("POST", "/assets/collections", Api, assets::create_collection),
    route("GET", "/assets/collections/{collection_id}", Api, &[], assets::collection),
    once("PATCH", "/assets/collections/{collection_id}", Api, assets::change_collection),
    once("DELETE", "/assets/collections/{collection_id}", Api, assets::delete_collection),
    route("GET", "/assets/collections/{collection_id}/hierarchy", Api, &[], assets::hierarchy),
    once("POST", "/assets/collections/{collection_id}/favorite", Api, assets::favorite_collection),
    once("POST", "/assets/collections/{collection_id}/unfavorite", Api, assets::unfavorite_collection),
    once("POST", "/assets/collections/{collection_id}/move", Api, assets::move_collection),
    route("GET", "/assets/collections/{collection_id}/assets", Api, SHELF, assets::collected),
    once("POST", "/assets/collections/{collection_id}/assets", Api, assets::collect),
    once("DELETE", "/assets/collections/{collection_id}/assets", Api, assets::take_out),
    route("GET", "/assets/characters", Api, OFFSET, assets::characters),
    once("POST", "/assets/characters", Api, assets::create_character),
    once("PATCH", "/assets/characters/{character_id}", Api, assets::change_character),
    route("GET", "/assets/characters/{character_id}", Api, &[], assets::character),
    once("DELETE", "/assets/characters/{character_id}", Api, assets::delete_character),
    once("POST", "/assets/characters/{character_id}/favorite", Api, assets::favorite_character),
    once("POST", "/assets/characters/{character_id}/unfavorite", Api, assets::unfavorite_character),
    route("GET", "/assets/tags", Api, &[], assets::tags),
    once("POST", "/assets/tags", Api, assets::create_tag),
    once("PUT", "/assets/tags", Api, assets::replace_tags),
    once("PATCH", "/assets/tags/{tag_id}", Api, assets::rename_tag),
    once("DELETE", "/assets/tags/{tag_id}", Api, assets::delete_tag),
    once("POST", "/assets/uploads", Api, assets::register),
    once("POST", "/assets/favorite", Api, assets::favorite),
    once("POST", "/assets/unfavorite", Api, assets::unfavorite),
    route("GET", "/assets/{asset_id}", Api, &[], assets::read),
    route("GET", "/assets/{asset_id}/lineage", Api, &["depth"], assets::lineage),
    route("GET", "/assets/{asset_id}/tags", Api, &[], assets::tags_of),
    once("POST", "/assets/tags/{tag_id}/assign", Api, assets::assign_tag),
    once("DELETE", "/assets/tags/{tag_id}/assign", Api, assets::unassign_tag),
    route("GET", "/storage/files/acl", Api, URL, storage::acl),
    route("PUT", "/storage/files/acl", Api, URL, storage::set_acl),
    route("POST", "/storage/files/sign", Api, URL, storage::sign),
    route("GET", "/storage/settings", Api, &[], storage::settings),
    route("PUT", "/storage/settings", Api, &[], storage::set_settings),
    route("GET", "/serverless/analytics", Api, ANALYTICS, analytics::serverless),
    route("GET", "/serverless/apps", Api, &["environment", "search", "expand"], serverless::apps),
    route("GET", "/serverless/apps/{owner}/{name}/queue", Api, &[], serverless::queue),
    once("DELETE", "/serverless/apps/{owner}/{name}/queue", Api, serverless::flush),
    route("GET", "/serverless/apps/{owner}/{name}/runners/history", Api, &["start", "end", "timeframe", "aggregation"], serverless::runners),
    route("GET", "/serverless/apps/{owner}/{name}/events", Api, &["start", "end", "category", "limit", "cursor"], serverless::events),
    route("GET", "/serverless/apps/{owner}/{name}/revisions", Api, PAGED, serverless::revisions),
    route("GET", "/serverless/files/list", Api, &[], serverless::list_root),
    route("GET", "/serverless/files/list/{dir}", Api, &[], serverless::list),
    route("GET", "/serverless/files/file/{file}", Api, &[], serverless::download),
    Route { method: "POST", template: "/serverless/files/file/url/{file}", needs: Api, query: &[], idempotent: false, run: Run::Waiting(serverless::store_url) },
    route("POST", "/serverless/files/file/local/{target_path}", Api, &["unzip"], serverless::store_local),
    route("GET", "/serverless/metrics", Api, &[], serverless::metrics),
    route("POST", "/serverless/logs/history", Api, LOGS, serverless::logs),
    route("POST", "/serverless/logs/stream", Api, LIVE, serverless::live_logs),
    route("GET", "/serverless/requests/by-endpoint", Api, REQUESTS, requests::serverless),
    route("GET", "/serverless/usage", Admin, OWN_USAGE, usage::serverless),
    route("GET", "/compute/instances", Admin, PAGED, compute::list),
    once("POST", "/compute/instances", Admin, compute::create),
    route("GET", "/compute/instances/{id}", Admin, &[], compute::read),
    route("DELETE", "/compute/instances/{id}", Admin, &[], compute::delete),
    route("GET", "/keys", Admin, &["limit", "cursor", "expand"], keys::list),
    route("POST", "/keys", Admin, &[], keys::create),
    once("DELETE", "/keys/{key_id}", Admin, keys::revoke),
    route("GET", "/account/billing", Admin, &["expand"], account::billing),
    route("GET", "/account/focus", Admin, FOCUS, account::focus),
    route("GET", "/account/model-access-controls", Api, &[], account::model_access),
    route("GET", "/organization/billing-events", Admin, ORG_BILLING, organization::billing_events),
    route("GET", "/organization/focus", Admin, ORG_FOCUS, organization::focus),
    route("GET", "/organization/teams", Admin, &[], organization::teams),
    route("GET", "/organization/usage", Admin, ORG_USAGE, organization::usage),
    route("GET", "/meta", Needs::Nothing, &[], account::meta),
];

/// An operation, for tests that iterate over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The path after `https://api.fal.ai/v1`, with `{name}` for each parameter.
    pub template: &'static str,
    /// `ADMIN`, `API` or `none`.
    pub scope: &'static str,
    /// Whether the operation accepts `Idempotency-Key`.
    pub idempotent: bool,
}

/// Returns all operations that the emulator supports.
pub fn operations() -> Vec<Operation> {
    let operation = |route: &Route| Operation {
        method: route.method,
        template: route.template,
        scope: match route.needs {
            Needs::Nothing => "none",
            Needs::Optional | Needs::Api => "API",
            Needs::Admin => "ADMIN",
        },
        idempotent: route.idempotent,
    };
    ROUTES.iter().map(operation).collect()
}

/// The parameters of a path with their values.
pub(super) type Parts = Vec<(&'static str, String)>;

/// The operation of a request, and the parameters of its path.
pub(super) fn find(method: &str, path: &str) -> Result<(&'static Route, Parts), Answer> {
    let path = path
        .strip_prefix("/v1")
        .unwrap_or_default()
        .trim_end_matches('/');
    let fitting: Vec<_> = ROUTES
        .iter()
        .filter_map(|route| Some((route, fit(route.template, path)?)))
        .collect();
    let mut allowed: Vec<&str> = fitting.iter().map(|(route, _)| route.method).collect();
    allowed.sort_unstable();
    allowed.dedup();
    if allowed.is_empty() {
        return Err(
            not_found("Resource not found").unknown("no such operation of the Platform API")
        );
    }
    let allowed = allowed.join(", ");
    fitting
        .into_iter()
        .find(|(route, _)| route.method == method)
        .ok_or_else(|| wrong_method(&allowed))
}

/// The parameters of a path that matches a template. A parameter of files takes the rest of the
/// path.
fn fit(template: &'static str, path: &str) -> Option<Parts> {
    let mut parameters = Vec::new();
    let mut rest = path;
    for expected in template.split('/').skip(1) {
        rest = rest.strip_prefix('/')?;
        let name = expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        let takes_rest = matches!(name, Some("file" | "dir" | "target_path"));
        let end = if takes_rest {
            rest.len()
        } else {
            rest.find('/').unwrap_or(rest.len())
        };
        let (segment, behind) = rest.split_at(end);
        match name {
            Some(name) if !segment.is_empty() => {
                parameters.push((
                    name,
                    percent_decode_str(segment).decode_utf8().ok()?.into_owned(),
                ));
            }
            Some(_) => return None,
            None if segment != expected => return None,
            None => {}
        }
        rest = behind;
    }
    rest.is_empty().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_templates() {
        let template = "/serverless/files/file/url/{file}";
        assert_eq!(
            fit(template, "/serverless/files/file/url/a/b%20c"),
            Some(vec![("file", "a/b c".into())])
        );
        assert_eq!(fit(template, "/serverless/files/file/url/"), None);
        assert_eq!(fit("/keys/{key_id}", "/keys/a/b"), None);
        assert_eq!(
            fit("/keys/{key_id}", "/keys/a"),
            Some(vec![("key_id", "a".into())])
        );
        assert_eq!(fit("/keys", "/keys"), Some(vec![]));
        assert_eq!(fit("/keys", "/keyso"), None);
    }
}
