//! `fal.run`: the caller, the app, and the gateway's headers (docs/protocol.md §2.5, §4, §5.8).

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use uuid::Uuid;

use crate::answer::Answer;
use crate::apps::{self, Access, App, Call};
use crate::arrivals::Entry;
use crate::cassettes::{Chosen, Way};
use crate::history::{Begun, History};
use crate::keys::{Caller, Refusal, Scope};
use crate::platform;
use crate::queue::{self, Controls};
use crate::server::Request;
use crate::settings::{BadKeyText, RealtimeRefusal, Settings};
use crate::sockets;
use crate::state::State;
use crate::tokens::{self, Grant};
use crate::{clock, failures};

/// Runs a request. Every response except the ingress's has `x-fal-request-id`.
pub(crate) async fn handle(state: &Arc<State>, request: &Request, entry: &Entry) -> Answer {
    let answer = route(state, request, entry)
        .await
        .unwrap_or_else(|refusal| refusal);
    if answer.from_ingress {
        return answer;
    }
    with_request_id(answer, entry).0
}

/// The response with its request id, a new one if it has none, and that id.
pub(crate) fn with_request_id(answer: Answer, entry: &Entry) -> (Answer, String) {
    let given = answer
        .headers
        .get("x-fal-request-id")
        .and_then(|id| id.to_str().ok());
    let id = given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    entry.request_id(&id);
    let answer = match HeaderValue::from_str(&id) {
        Ok(value) => answer.header("x-fal-request-id", value),
        Err(_) => answer,
    };
    (answer, id)
}

async fn route(state: &Arc<State>, request: &Request, entry: &Entry) -> Result<Answer, Answer> {
    let by_message = state.settings().realtime_refusal == RealtimeRefusal::Message
        && sockets::is_handshake(request);
    let admitted = match authorize(state, request) {
        Err(refusal)
            if by_message && refusal.status == StatusCode::UNAUTHORIZED && has_token(request) =>
        {
            return Ok(sockets::unauthorized(request));
        }
        admitted => admitted?,
    };
    run(state, request, admitted, entry).await
}

/// An app and the caller that may use it.
#[derive(Clone)]
pub(crate) struct Admitted {
    pub(crate) app: Arc<App>,
    pub(crate) caller: Option<Caller>,
}

/// The app that a request names, if the key or token of the request may call it.
pub(crate) fn authorize(state: &State, request: &Request) -> Result<Admitted, Answer> {
    let settings = state.settings();
    let caller = caller(state, request, &settings)?;
    let grant = if caller.is_some() {
        None
    } else {
        grant(state, request)?
    };
    let app = find_app(state, &request.path, &request.headers)?;
    if grant
        .as_ref()
        .is_some_and(|grant| !grant.allows(app.alias(), &request.path))
    {
        return Err(no_access(&app, StatusCode::FORBIDDEN));
    }
    let caller = caller.or(grant.map(|grant| grant.caller));
    admit(&app, caller.as_ref(), &settings)?;
    not_blocked(&app, &settings)?;
    Ok(Admitted { app, caller })
}

fn has_token(request: &Request) -> bool {
    request.query.as_deref().is_some_and(tokens::present)
}

/// Runs an app that `authorize` has admitted, as soon as a runner is free.
pub(crate) async fn run(
    state: &Arc<State>,
    request: &Request,
    admitted: Admitted,
    entry: &Entry,
) -> Result<Answer, Answer> {
    let (Admitted { app, caller }, settings) = (admitted, state.settings());
    let controls = Controls::read(&request.headers)?;
    let limit = settings
        .queue
        .concurrent_requests
        .filter(|_| settings.queue.refuse_runs);
    let slot = state
        .queue
        .slots
        .take(caller.as_ref(), &app, limit)
        .ok_or_else(over_the_limit)?;
    let tape = tape(state, request, Way::Run, &app)?;
    let startup = queue::startup(&app, tape.as_ref(), request, &settings.queue);
    let (now, within) = (state.clock.now(), controls.start_within.unwrap_or(startup));
    if !startup.is_zero() {
        state
            .clock
            .sleep_until(clock::later(now, startup.min(within)))
            .await;
    }
    if startup > within {
        return Err(queue::missed_start(settings.queue.missed_start));
    }
    let id = new_id(state, tape.as_ref());
    let mut running = History::begin(
        state,
        Begun {
            request_id: &id,
            app: &app,
            caller: caller.as_ref(),
            method: request.method.as_str(),
            sent: now,
            input: &request.body,
            store: controls.store,
            startup,
        },
    );
    let call = Call {
        state,
        request,
        request_id: &id,
        app: &app,
        caller,
        entry,
        job: None,
        tape,
    };
    let mut answer = visible(call.run().await);
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        running.forget();
        return Ok(answer);
    }
    running.answered(&answer);
    answer.payload = answer.payload.held_by((slot, running));
    // Replaces an id that the app wrote. The ingress's responses have none.
    match HeaderValue::from_str(&id) {
        Ok(id) if !answer.from_ingress => Ok(answer.header("x-fal-request-id", id)),
        _ => Ok(answer),
    }
}

fn over_the_limit() -> Answer {
    let refusal = failures::platform_error("concurrent_requests_limit");
    refusal.map_or_else(
        || Answer::empty(StatusCode::TOO_MANY_REQUESTS),
        |failure| failure.answer,
    )
}

/// The response of an app as its caller sees it (§5.8).
pub(crate) fn visible(mut answer: Answer) -> Answer {
    answer.headers.remove("x-fal-stop-runner");
    if !queue::may_need_retry(answer.status) {
        answer.headers.remove("x-fal-needs-retry");
    }
    answer
}

/// The caller that the `Authorization` header names; `None` without the header.
pub(crate) fn caller(
    state: &State,
    request: &Request,
    settings: &Settings,
) -> Result<Option<Caller>, Answer> {
    let logins = Some(Scope::Admin);
    state
        .authenticate(&request.headers, logins)
        .map_err(|refusal| bad_credential(refusal, settings))
}

/// The permissions of the token in the query; `None` without a token.
fn grant(state: &State, request: &Request) -> Result<Option<Grant>, Answer> {
    let Some((_, token)) = request
        .query_pairs()
        .find(|(name, _)| name == tokens::PARAMETER)
    else {
        return Ok(None);
    };
    let refused = || Answer::detail(StatusCode::UNAUTHORIZED, "bearer: invalid or expired token");
    state
        .tokens
        .find(&token, state.clock.now())
        .ok_or_else(refused)
        .map(Some)
}

/// The app and the endpoint that `path` names. What the user has defined precedes the recordings,
/// so that its access counts.
pub(crate) fn find_app(state: &State, path: &str, headers: &HeaderMap) -> Result<Arc<App>, Answer> {
    let Some(replay) = &state.cassettes.replay else {
        let app = state.apps.resolve(path);
        let app = app.or_else(|| platform::find_app(state, path));
        let is_known = app.as_ref().is_some_and(App::answers);
        let invents = state.settings().any_endpoint && !state.strict(headers);
        let made_up = (!is_known && invents).then(|| apps::made_up(path));
        return made_up
            .flatten()
            .or(app)
            .map(Arc::new)
            .ok_or_else(|| unknown_app(path));
    };
    let defined = state.apps.resolve(path).filter(App::has_endpoint);
    let (name, _) = split(path);
    let recorded = || replay.knows(name).then(|| App::of_recordings(name, path));
    let app = defined
        .or_else(recorded)
        .or_else(|| platform::find_app(state, path));
    app.map(Arc::new).ok_or_else(|| replay.unknown(path))
}

/// The recording that answers a request; `None` if `app` answers.
pub(crate) fn tape(
    state: &State,
    request: &Request,
    way: Way,
    app: &App,
) -> Result<Option<Chosen>, Answer> {
    let replay = state.cassettes.replay.as_ref();
    // A WebSocket has no recording.
    let Some(replay) = replay.filter(|_| !sockets::is_handshake(request)) else {
        return Ok(None);
    };
    match replay.choose(state, request, way) {
        Err(miss) if !app.has_endpoint() => Err(miss),
        chosen => Ok(chosen.ok()),
    }
}

/// The recorded id of a request for the first time, then a new one.
pub(crate) fn new_id(state: &State, tape: Option<&Chosen>) -> String {
    let recorded = tape.and_then(Chosen::request_id);
    let unused =
        recorded.filter(|id| state.history.find(id).is_none() && state.queue.find(id).is_none());
    unused.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Namespaces that precede the owner's name (docs/protocol.md §3.1).
const NAMESPACES: [&str; 2] = ["workflows/", "comfy/"];

/// Splits `/owner/alias/some/path/` into `owner/alias` and `some/path`, with or without a
/// namespace.
pub(crate) fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let slashes = 1 + usize::from(
        NAMESPACES
            .iter()
            .any(|namespace| path.starts_with(namespace)),
    );
    match path.match_indices('/').nth(slashes) {
        Some((at, _)) => (&path[..at], &path[at + 1..]),
        None => (path, ""),
    }
}

fn unknown_app(path: &str) -> Answer {
    let (name, _) = split(path);
    let detail = if name.is_empty() {
        format!("Path {path} not found")
    } else {
        format!("Application \"{name}\" not found")
    };
    Answer::detail(StatusCode::NOT_FOUND, detail).unknown(&format!("no endpoint {path}"))
}

fn bad_credential(refusal: Refusal, settings: &Settings) -> Answer {
    let detail = match (refusal, settings.bad_key_text) {
        (Refusal::Unknown, BadKeyText::Current) => "invalid key credentials",
        (Refusal::Unknown, BadKeyText::Older) => "No user found for Key ID and Secret",
        (Refusal::NoColon, _) => {
            "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."
        }
        (Refusal::NotAToken, _) => "bearer: unable to decode issuer",
    };
    Answer::detail(StatusCode::UNAUTHORIZED, detail)
}

/// Whether `caller` may call `app` (docs/protocol.md §2.2, §2.5, §16.51).
pub(crate) fn admit(app: &App, caller: Option<&Caller>, settings: &Settings) -> Result<(), Answer> {
    let Some(caller) = caller else {
        return match app.access {
            Access::Public => Ok(()),
            _ => Err(no_access(app, StatusCode::UNAUTHORIZED)),
        };
    };
    not_locked(caller, settings)?;
    let allowed = match app.access {
        Access::Public | Access::Shared => true,
        Access::Own => app.account.rsplit('/').next() == Some(caller.account.as_str()),
        Access::Private => {
            caller.account == app.account
                && (caller.scope == Scope::Admin || settings.api_key_may_call_private_apps)
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(no_access(app, settings.private_refusal_status.status()))
    }
}

/// Whether the endpoint is callable under the setting `blocked_models`.
pub(crate) fn not_blocked(app: &App, settings: &Settings) -> Result<(), Answer> {
    let blocked = settings.platform.blocked_models.contains(&app.id);
    if blocked {
        Err(no_access(app, StatusCode::FORBIDDEN))
    } else {
        Ok(())
    }
}

/// Whether the account of `caller` is not locked (§2.5).
pub(crate) fn not_locked(caller: &Caller, settings: &Settings) -> Result<(), Answer> {
    match settings.locked_accounts.get(&caller.account) {
        None => Ok(()),
        Some(reason) => Err(Answer::detail(
            StatusCode::FORBIDDEN,
            format!("User is locked. Reason: {reason}"),
        )),
    }
}

fn no_access(app: &App, status: StatusCode) -> Answer {
    let detail = format!("Cannot access application \"{}\"", app.name);
    Answer::detail(status, detail)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_path_names_an_app_and_the_rest() {
        for (path, app, rest) in [
            ("/fal-ai/flux", "fal-ai/flux", ""),
            ("/fal-ai/flux/", "fal-ai/flux", ""),
            ("/fal-ai/flux/dev", "fal-ai/flux", "dev"),
            ("/fal-ai/flux/dev/", "fal-ai/flux", "dev"),
            ("/emulator/echo/a/b", "emulator/echo", "a/b"),
            ("/workflows/emulator/demo", "workflows/emulator/demo", ""),
            (
                "/workflows/emulator/demo/stream",
                "workflows/emulator/demo",
                "stream",
            ),
            ("/comfy/owner/name/a/b", "comfy/owner/name", "a/b"),
            ("/alone", "alone", ""),
            ("/", "", ""),
        ] {
            assert_eq!(split(path), (app, rest), "{path}");
        }
    }
}
