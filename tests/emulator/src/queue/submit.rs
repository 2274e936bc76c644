//! `POST queue.fal.run/ID[/P]` (docs/protocol.md §5.2).

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use url::Url;

use super::Visit;
use super::controls::{Controls, bad_request};
use super::status::Addresses;
use crate::answer::Answer;
use crate::apps::App;
use crate::arrivals::Entry;
use crate::cassettes::{Chosen, Way};
use crate::gateway;
use crate::keys::Caller;
use crate::server::Request;

/// A job before it has a place in a line.
pub(super) struct Wanted {
    pub(super) app: Arc<App>,
    pub(super) caller: Option<Caller>,
    pub(super) controls: Controls,
    pub(super) webhook: Option<Url>,
    pub(super) submitted: SystemTime,
    pub(super) entry: Entry,
    pub(super) request: Arc<Request>,
    pub(super) tape: Option<Chosen>,
}

pub(super) fn submit(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let controls = Controls::read(&visit.request.headers)?;
    let parameters = Parameters::read(visit.request)?;
    let tape = gateway::tape(visit.state, visit.request, Way::Queue, &visit.app)?;
    if let Some(refusal) = tape.as_ref().and_then(Chosen::refused) {
        return Ok(refusal);
    }
    let id = gateway::new_id(visit.state, tape.as_ref());
    let wanted = Wanted {
        app: Arc::clone(&visit.app),
        caller: visit.caller.clone(),
        controls,
        webhook: parameters.webhook,
        submitted: visit.state.clock.now(),
        entry: visit.entry.for_later(),
        tape,
        request: Arc::new(seen_by_the_app(visit, &id, parameters.query)),
    };
    let endpoint = visit.app.id.clone();
    let (job, position) = visit
        .state
        .queue
        .enter(wanted, id, endpoint, parameters.longest_line)
        .map_err(|waiting| {
            Answer::detail(
                StatusCode::TOO_MANY_REQUESTS,
                format!("Queue is too long: {waiting} requests wait"),
            )
        })?;
    visit.entry.made();
    let addresses = Addresses::of(&job, &visit.settings.queue);
    let mut body = json!({
        "status": "IN_QUEUE",
        "request_id": job.id,
        "gateway_request_id": job.gateway_request_id(),
        "response_url": addresses.response,
        "status_url": addresses.status,
        "cancel_url": addresses.cancel,
        "queue_position": position,
    });
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !visit.settings.queue.submit_omits.contains(name));
    }
    Ok(Answer::json(StatusCode::OK, &body).header("x-fal-request-id", text(&job.id)))
}

/// The queue's own parameters, and the rest of the query, which the app receives.
struct Parameters {
    webhook: Option<Url>,
    longest_line: Option<u32>,
    query: Option<String>,
}

impl Parameters {
    fn read(request: &Request) -> Result<Self, Answer> {
        let (mut webhook, mut longest_line) = (None, None);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in request.query_pairs() {
            match &*name {
                "fal_webhook" => {
                    let url = Url::parse(&value)
                        .ok()
                        .filter(|url| matches!(url.scheme(), "http" | "https"));
                    webhook = Some(url.ok_or_else(|| bad_request("fal_webhook is not a URL"))?);
                }
                "fal_max_queue_length" => {
                    let length = value
                        .parse()
                        .map_err(|_| bad_request("fal_max_queue_length is not an integer"))?;
                    longest_line = Some(length);
                }
                _ => {
                    query.append_pair(&name, &value);
                }
            }
        }
        let query = Some(query.finish()).filter(|query| !query.is_empty());
        Ok(Self {
            webhook,
            longest_line,
            query,
        })
    }
}

/// The request as the app receives it: without the key, and with the gateway's headers (§5.7).
fn seen_by_the_app(visit: &Visit<'_>, id: &str, query: Option<String>) -> Request {
    let mut headers: HeaderMap = visit.request.headers.clone();
    headers.remove(AUTHORIZATION);
    let account = visit
        .caller
        .as_ref()
        .map_or("", |caller| caller.account.as_str());
    for (name, value) in [
        ("x-fal-request-id", id),
        ("x-fal-caller-user-id", account),
        ("x-fal-endpoint", &visit.app.id),
    ] {
        headers.insert(HeaderName::from_static(name), text(value));
    }
    Request {
        method: visit.request.method.clone(),
        path: visit.request.path.clone(),
        query,
        headers,
        body: visit.request.body.clone(),
        upload: None,
    }
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}
