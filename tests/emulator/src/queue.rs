//! `queue.fal.run`: so far without requests, but with the check of a key that costs nothing (fal-protocol.md §2.5, §5.3).

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::gateway;
use crate::server::Request;
use crate::state::State;

pub(crate) fn handle(state: &State, request: &Request) -> Answer {
    route(state, request).unwrap_or_else(|refusal| refusal)
}

fn route(state: &State, request: &Request) -> Result<Answer, Answer> {
    let settings = state.settings();
    let caller = gateway::caller(state, request, &settings)?;
    let (name, path) = gateway::split(&request.path);
    let app = gateway::find_app(name, &request.path)?;
    gateway::admit(app, caller.as_ref(), &settings)?;
    let segments: Vec<&str> = path.split('/').collect();
    match (segments.as_slice(), &request.method) {
        (["requests", "", ..], _) => Err(not_built(request)),
        (["requests", _, "status"], &Method::GET) => Ok(no_such_request()),
        (["requests", _, "status"], _) => Err(wrong_method("GET")),
        (["requests", ..], _) => Err(not_built(request)),
        // Anything else is a path of the app, to submit to: also the tail of a URL with the full endpoint id (§3.2).
        (_, &Method::POST) => Err(not_built(request)),
        _ => Err(wrong_method("POST")),
    }
}

fn no_such_request() -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({ "status": "NOT_FOUND" }))
}

fn not_built(request: &Request) -> Answer {
    Answer::detail(StatusCode::NOT_FOUND, format!("Path {} not found", request.path))
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer.headers.insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}
