//! Executes an attempt of a job, and ends jobs (docs/protocol.md §5.5, §5.7, §5.9).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::board::Due;
use super::job::{Job, Outcome, Phase};
use super::retry;
use super::settings::{MissedStart, QueueSettings};
use super::slots::Slot;
use crate::answer::Answer;
use crate::apps::{App, Call};
use crate::body::Payload;
use crate::cassettes::Chosen;
use crate::history::{Begun, History};
use crate::state::State;
use crate::{clock, failures, gateway, webhooks};

/// The size in bytes from which a result is kept only for [`SHORT`]: 10 KB.
const LARGE: u64 = 10_000;

/// The size in bytes above which a result is not stored beyond that: 1 MB.
const HUGE: u64 = 1_000_000;

/// How long a large result is kept: 6 minutes.
const SHORT: Duration = Duration::from_secs(360);

/// How long other results are kept: an hour.
const LONG: Duration = Duration::from_secs(3600);

/// The time in which the runner starts.
pub(crate) fn startup(
    app: &App,
    tape: Option<&Chosen>,
    request: &crate::server::Request,
    settings: &QueueSettings,
) -> Duration {
    if let Some(tape) = tape {
        return tape.startup();
    }
    app.startup(request)
        .unwrap_or(Duration::from_millis(settings.startup_ms))
}

/// Runs a job that has left its line.
pub(super) async fn work(state: Arc<State>, job: Arc<Job>, slot: Slot) {
    let Some(request) = job.start() else {
        return;
    };
    let startup = startup(
        &job.app,
        job.tape.as_ref(),
        &request,
        &state.settings().queue,
    );
    if !startup.is_zero() {
        let ready = clock::later(state.clock.now(), startup);
        tokio::select! {
            () = state.clock.sleep_until(ready) => {}
            () = job.ended() => return,
        }
    }
    if !job.begin(state.clock.now()) {
        return;
    }
    let mut running = History::begin(
        &state,
        Begun {
            request_id: &job.id,
            app: &job.app,
            caller: job.caller.as_ref(),
            method: request.method.as_str(),
            sent: job.submitted,
            input: &request.body,
            store: job.controls.store,
            startup,
        },
    );
    let call = Call {
        state: &state,
        request: &request,
        request_id: &job.id,
        app: &job.app,
        caller: job.caller.clone(),
        entry: &job.entry,
        job: Some(&job),
        tape: job.tape.clone(),
    };
    let answer = whole(call.run().await).await;
    running.answered(&answer);
    // Released before the status can report the completion.
    drop((slot, running));
    let own_app = job.account() == Some(job.app.account.as_str());
    // A recording has the last attempt only.
    let again = job.tape.is_none() && {
        let mut progress = job.progress();
        let attempts = progress.attempts;
        retry::again(
            &answer,
            &job.controls,
            own_app,
            attempts,
            &mut progress.spent,
        )
    };
    let now = state.clock.now();
    if !again {
        end(&state, &job, &[Phase::Running], gateway::visible(answer));
    } else if job.deadline().is_some_and(|deadline| deadline <= now) {
        end(
            &state,
            &job,
            &[Phase::Running],
            missed_start(state.settings().queue.missed_start),
        );
    } else {
        let pause = Duration::from_millis(state.settings().queue.retry_pause_ms);
        state.queue.retry(&job, clock::later(now, pause));
        if let Some(deadline) = job.deadline() {
            state.queue.schedule(&job, deadline, Due::Start);
        }
    }
}

/// Reads a response to its end. A response that breaks off becomes a failure of the runner.
async fn whole(mut answer: Answer) -> Answer {
    if matches!(answer.payload, Payload::Broken(_))
        && let Some(failure) = failures::platform_error("runner_incomplete_response")
    {
        return failure.answer;
    }
    answer.payload = answer.payload.kept().await;
    answer
}

/// Ends a job that is in one of the phases `from`. Returns false if it is in another phase.
pub(super) fn end(state: &Arc<State>, job: &Arc<Job>, from: &[Phase], answer: Answer) -> bool {
    let now = state.clock.now();
    let size = answer.payload.size().unwrap_or_default();
    let began = job.progress().began;
    // A job that is cancelled does not play to its end.
    let tape = job.tape.as_ref().filter(|_| answer.status.as_u16() != 499);
    let outcome = Arc::new(Outcome {
        error: tape.map_or_else(|| platform_failure(&answer), Chosen::failure),
        status: answer.status,
        headers: *answer.headers,
        payload: answer.payload,
        inference_time: tape.and_then(Chosen::inference_time).or_else(|| {
            let time = now.duration_since(began?).ok()?;
            Some(time.as_secs_f64())
        }),
        completed: now,
    });
    if !job.end(from, &outcome) {
        return false;
    }
    webhooks::tell(state, job, &outcome);
    note(state, job, &outcome);
    job.entry.touch();
    state.queue.leave(job);
    let settings = state.settings();
    if size > HUGE || !job.controls.store || settings.queue.all_results_expire {
        state
            .queue
            .schedule(job, clock::later(now, kept_for(size)), Due::Expire);
    }
    true
}

/// Adds a request to the history that never ran or whose last attempt did not determine its result.
fn note(state: &Arc<State>, job: &Arc<Job>, outcome: &Outcome) {
    let known = state.history.find(&job.id).and_then(|record| record.status);
    if known == Some(outcome.status.as_u16()) {
        return;
    }
    let mut running = History::begin(
        state,
        Begun {
            request_id: &job.id,
            app: &job.app,
            caller: job.caller.as_ref(),
            method: "POST",
            sent: job.submitted,
            input: &Bytes::new(),
            store: false,
            startup: Duration::ZERO,
        },
    );
    running.answered(&outcome.answer());
}

/// How long a result of this size is kept at least.
pub(crate) fn kept_for(size: u64) -> Duration {
    if size < LARGE { LONG } else { SHORT }
}

/// The message and the type of a failure that the platform reports, not the app.
fn platform_failure(answer: &Answer) -> Option<(String, Option<String>)> {
    let kind = retry::error_type(answer).map(str::to_owned);
    if kind.is_none() && !answer.headers.contains_key(TIMEOUT_TYPE) {
        return None;
    }
    let Payload::Bytes(bytes) = &answer.payload else {
        return None;
    };
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    Some((body["detail"].as_str().unwrap_or_default().to_owned(), kind))
}

const TIMEOUT_TYPE: &str = "x-fal-request-timeout-type";

/// Ends a job whose start deadline has passed.
pub(super) fn miss_start(state: &Arc<State>, job: &Arc<Job>) {
    end(
        state,
        job,
        &[Phase::Waiting, Phase::Starting],
        missed_start(state.settings().queue.missed_start),
    );
}

/// The 504 for a missed start deadline of the caller (§5.5).
pub(crate) fn missed_start(kind: MissedStart) -> Answer {
    let mut body = json!({ "detail": "Request timed out" });
    if let Some(name) = kind.name() {
        body["error_type"] = json!(name);
    }
    let answer = Answer::json(StatusCode::GATEWAY_TIMEOUT, &body)
        .header(TIMEOUT_TYPE, HeaderValue::from_static("user"));
    match kind.name() {
        Some(name) => answer.header("x-fal-error-type", HeaderValue::from_static(name)),
        None => answer,
    }
}
