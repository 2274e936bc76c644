//! `GET …/requests/RID` (fal-protocol.md §5.5).

use hyper::StatusCode;

use super::Visit;
use super::job::Job;
use crate::answer::Answer;

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
        Some(outcome) => outcome.answer(),
        None => {
            let code = if settings.unfinished_result_202 { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST };
            Answer::detail(code, "Request is still in progress")
        }
    }
}
