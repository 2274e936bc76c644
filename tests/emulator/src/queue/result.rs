//! `GET …/requests/RID` (docs/protocol.md §5.5).

use std::time::{Duration, SystemTime};

use hyper::StatusCode;

use super::Visit;
use super::job::Job;
use super::settings::{LateResult, QueueSettings};
use crate::answer::Answer;
use crate::clock;

/// The time from which a result is available.
fn handed_out(completed: SystemTime, settings: &QueueSettings) -> SystemTime {
    clock::later(completed, Duration::from_millis(settings.late_result_ms))
}

fn unfinished(code: StatusCode) -> Answer {
    Answer::detail(code, "Request is still in progress")
}

pub(super) fn answer(visit: &Visit<'_>, job: Option<&Job>) -> Answer {
    let settings = &visit.settings.queue;
    let not_found = || Answer::detail(StatusCode::NOT_FOUND, "Request not found");
    let Some(job) = job else {
        return not_found();
    };
    let progress = job.progress();
    match &progress.outcome {
        Some(_) if progress.expired && settings.expired_is_gone => {
            Answer::detail(StatusCode::GONE, "Request has expired")
        }
        Some(_) if progress.expired => not_found(),
        Some(outcome) if visit.state.clock.now() < handed_out(outcome.completed, settings) => {
            match settings.late_result {
                LateResult::BadRequest => unfinished(StatusCode::BAD_REQUEST),
                LateResult::Accepted => unfinished(StatusCode::ACCEPTED),
                LateResult::NotFound => not_found(),
            }
        }
        Some(outcome) => outcome.answer(),
        None if settings.unfinished_result_202 => unfinished(StatusCode::ACCEPTED),
        None => unfinished(StatusCode::BAD_REQUEST),
    }
}
