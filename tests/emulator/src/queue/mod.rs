//! `queue.fal.run`: submission, status, result and cancellation of queued requests
//! (docs/protocol.md §5).

mod board;
mod cancel;
mod controls;
mod events;
mod job;
mod ranks;
mod result;
mod retry;
mod settings;
mod slots;
mod status;
mod submit;
mod work;

use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

pub(crate) use board::{Queue, dispatch};
pub(crate) use controls::Controls;
pub(crate) use job::{Job, Outcome};
pub(crate) use retry::may_need_retry;
pub use settings::{
    CancelAnswer, Heartbeat, LateResult, LogWindow, MissedStart, QueueSettings, UnaskedLogs,
};
pub(crate) use work::{kept_for, missed_start, startup};

use crate::answer::Answer;
use crate::apps::App;
use crate::arrivals::Entry;
use crate::gateway;
use crate::keys::Caller;
use crate::server::Request;
use crate::settings::Settings;
use crate::state::State;

/// Handles a request. Every response has `x-fal-request-id`: the id of the queued request if there
/// is one.
pub(crate) fn handle(state: &Arc<State>, request: &Request, entry: &Entry) -> Answer {
    let mut answer = route(state, request, entry).unwrap_or_else(|refusal| refusal);
    let fresh = Uuid::new_v4().to_string();
    if let Ok(fresh) = HeaderValue::from_str(&fresh) {
        answer.headers.entry("x-fal-request-id").or_insert(fresh);
    }
    let id = answer
        .headers
        .get("x-fal-request-id")
        .and_then(|id| id.to_str().ok());
    entry.request_id(id.unwrap_or_default());
    answer
}

/// A request to the queue whose caller may use the app.
pub(crate) struct Visit<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) settings: Settings,
    pub(super) request: &'a Request,
    pub(super) entry: &'a Entry,
    pub(super) app: Arc<App>,
    pub(super) caller: Option<Caller>,
}

fn route(state: &Arc<State>, request: &Request, entry: &Entry) -> Result<Answer, Answer> {
    let settings = state.settings();
    let caller = gateway::caller(state, request, &settings)?;
    let (name, path) = gateway::split(&request.path);
    let app = match path
        .strip_prefix("requests/")
        .and_then(|rest| job_of(state, name, rest))
    {
        // Its definition may have changed since.
        Some(job) => Arc::clone(&job.app),
        None => gateway::find_app(state, &request.path, &request.headers)?,
    };
    gateway::admit(&app, caller.as_ref(), &settings)?;
    let visit = Visit {
        state,
        settings,
        request,
        entry,
        app,
        caller,
    };
    let segments: Vec<&str> = path.split('/').collect();
    match segments.iter().position(|segment| *segment == "requests") {
        Some(0) => visit.about(&segments[1..]),
        Some(at) if visit.settings.queue.full_id_urls && request.method != Method::POST => {
            visit.about(&segments[at + 1..])
        }
        // Any other path belongs to the app and submits a request, even the end of a URL with the
        // full endpoint id (§3.2).
        _ if request.method == Method::POST => {
            gateway::not_blocked(&visit.app, &visit.settings)?;
            submit::submit(&visit)
        }
        _ => Err(wrong_method("POST")),
    }
}

/// The request of the app `name` whose id begins `path`.
fn job_of(state: &State, name: &str, path: &str) -> Option<Arc<Job>> {
    let id = path.split('/').next()?;
    state.queue.find(id).filter(|job| job.app.name == name)
}

impl Visit<'_> {
    /// Handles the path after `requests/`.
    fn about(&self, segments: &[&str]) -> Result<Answer, Answer> {
        let (id, action) = match segments.split_first() {
            Some((id, action)) if !id.is_empty() => (*id, action),
            _ => return Err(self.no_such_path()),
        };
        let (allowed, method) = match action {
            ["cancel"] => ("PUT", Method::PUT),
            [] | ["response" | "status"] | ["status", "stream"] => ("GET", Method::GET),
            _ => return Err(self.no_such_path()),
        };
        if self.request.method != method {
            return Err(wrong_method(allowed));
        }
        let job = self.find(id);
        let answer = match action {
            ["cancel"] => cancel::cancel(self, &job.ok_or_else(no_such_request)?),
            ["status"] => status::answer(self, &*job.ok_or_else(no_such_request)?),
            ["status", _] => events::answer(self, &job.ok_or_else(no_such_request)?),
            _ => result::answer(self, job.as_deref()),
        };
        Ok(match HeaderValue::from_str(id) {
            Ok(id) => answer.header("x-fal-request-id", id),
            Err(_) => answer,
        })
    }

    /// The caller's own request. Requests of other accounts appear not to exist (404).
    fn find(&self, id: &str) -> Option<Arc<Job>> {
        let account = self.caller.as_ref().map(|caller| caller.account.as_str());
        self.state
            .queue
            .find(id)
            .filter(|job| job.app.name == self.app.name && job.account() == account)
    }

    fn no_such_path(&self) -> Answer {
        Answer::detail(
            StatusCode::NOT_FOUND,
            format!("Path {} not found", self.request.path),
        )
    }
}

/// Cancels all waiting requests of an app (§14.9).
pub(crate) fn flush(state: &Arc<State>, app: &str) {
    for job in state.queue.pending(app) {
        cancel::end(state, &job);
    }
}

fn no_such_request() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({ "status": "NOT_FOUND" }))
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer
        .headers
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}
