//! What an error that ends the waiting for a job means for the job.

use super::job::{Ask, Job};
use super::status::{Phase, Status};
use crate::error::service;
use crate::error::{About, Answer, Code, Error};
use crate::secrets::Secrets;

/// The error of asking for the result of a job that has ended (fal-protocol.md §5.5).
pub(super) fn of_result(error: Error, job: &Job, status: Option<&Status>, secrets: &Secrets) -> Error {
    let http = error.http_status().unwrap_or_default();
    match status {
        // The status says that it failed or why, but no answer was kept.
        Some(status)
            if error.code() == Code::NotFound && (status.failure().is_some() || status.phase == Phase::Failed) =>
        {
            told(http, job, status, secrets)
        }
        // Fal says so of a job that has not ended (§16.4), and this one has.
        Some(status) if http == 400 && status.phase == Phase::Failed && status.failure().is_some() => {
            told(http, job, status, secrets)
        }
        _ if is_the_jobs(&error) => of_asking(error, job, Ask::Result),
        _ => in_between(error, job),
    }
}

/// The error of a job of which nothing is left but its status. `http` is what its result was answered with.
pub(super) fn told(http: u16, job: &Job, status: &Status, secrets: &Secrets) -> Error {
    let (text, kind) = status.failure().unwrap_or_else(|| (format!("its state is {}", status.state()), None));
    let answer = Answer::new(secrets, http, Default::default(), status.body()).with_error_type(kind);
    service::told(&text, kind, answer).with_request_id(&job.id)
}

/// Whether the answer is the app's or the platform's about the job, and not about our asking for it.
fn is_the_jobs(error: &Error) -> bool {
    match error.http_status() {
        // A page of somebody on the way.
        _ if error.code() == Code::Protocol => false,
        None | Some(401 | 403 | 408 | 429) => false,
        Some(status) => status < 500 || error.header("x-fal-request-id").is_some(),
    }
}

/// The error of asking something of a job: what it says of the endpoint may be true of the request.
pub(super) fn of_asking(error: Error, job: &Job, what: Ask) -> Error {
    const UNKNOWN: &str = "If fal knows no such request, check the request id and the app; it keeps a result for about an hour, a large \
                           one for minutes.";
    const LATE: &str = "If the request has ended, nothing is left to cancel: fetch its result.";
    let remedy = match error.code() {
        Code::NotFound if error.about() != Some(About::Path) => format!("{UNKNOWN} {}", error.remedy()),
        _ if what == Ask::Cancel && error.http_status() == Some(400) => LATE.to_owned(),
        _ => return error.with_request_id(&job.id),
    };
    error.with_remedy(remedy).with_request_id(&job.id)
}

/// The error of an operation that failed while its job went on.
pub(super) fn in_between(error: Error, job: &Job) -> Error {
    let id = &job.id;
    if error.code() == Code::NotFound {
        return of_asking(error, job, Ask::Status).with_outcome_unknown(true);
    }
    let remedy = format!(
        "Request {id} was submitted and may go on: attach to it by its id. Sending the input again may run it twice. {}",
        error.remedy()
    );
    error.with_remedy(remedy).with_request_id(id).with_outcome_unknown(true)
}

/// The error of asking too early for a result.
pub(super) fn not_ready(job: &Job) -> Error {
    Error::new(Code::NotReady, format!("request {} has not finished yet", job.id))
        .with_request_id(&job.id)
        .with_retryable(true)
}
