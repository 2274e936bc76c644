//! `PUT …/requests/RID/cancel` (docs/protocol.md §5.6).

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::Visit;
use super::job::{Job, Phase};
use super::settings::CancelAnswer;
use super::work;
use crate::answer::Answer;
use crate::failures;
use crate::state::State;

pub(super) fn cancel(visit: &Visit<'_>, job: &Arc<Job>) -> Answer {
    let accepted = stop(visit, job);
    match visit.settings.queue.cancel_answer {
        CancelAnswer::Success => Answer::json(StatusCode::OK, &json!({ "success": accepted })),
        CancelAnswer::Status if accepted => Answer::json(
            StatusCode::ACCEPTED,
            &json!({ "status": "CANCELLATION_REQUESTED" }),
        ),
        CancelAnswer::Status => Answer::json(
            StatusCode::BAD_REQUEST,
            &json!({ "status": "ALREADY_COMPLETED" }),
        ),
    }
}

/// Ends a waiting job, or asks a running one to stop. Returns false if the job has ended.
fn stop(visit: &Visit<'_>, job: &Arc<Job>) -> bool {
    if end(visit.state, job) {
        return true;
    }
    let running = job.progress().phase != Phase::Done;
    if running {
        job.cancel();
    }
    running
}

/// Ends a waiting job. Returns false if it does not wait.
pub(super) fn end(state: &Arc<State>, job: &Arc<Job>) -> bool {
    let cancelled = failures::platform_error("client_cancelled");
    let cancelled = cancelled.map_or_else(
        || Answer::empty(StatusCode::BAD_REQUEST),
        |failure| failure.answer,
    );
    work::end(state, job, &[Phase::Waiting, Phase::Starting], cancelled)
}
