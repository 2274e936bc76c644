//! What an error that ends the waiting for a job means for the job.

use std::time::Duration;

use super::job::{Ask, Job};
use super::readiness;
use super::status::{Phase, Status};
use crate::codec::json;
use crate::error::{Answer, Code, Error, RefusalReason, Result};
use crate::response::Response;
use crate::secrets::Secrets;
use crate::service_error;

const FETCH: &str =
    "Fetch the result again later, by the request id. Sending the input again runs it twice.";

/// The error of asking for the result of a job that has ended (docs/protocol.md §5.5).
pub(super) fn of_result(error: Error, job: &Job) -> Error {
    match is_the_jobs(&error) {
        true => of_asking(error, job, Ask::Result),
        false => in_between(error, job),
    }
}

/// Whether an error of asking for a status may be gone the next time.
pub(super) fn may_pass(error: &Error) -> bool {
    error.is_retryable() || error.code() == Code::Protocol
}

/// The error of a job whose status says that it failed or why, where fal answers this instead of a
/// result.
pub(super) fn told(
    job: &Job,
    status: &Status,
    http_status: u16,
    secrets: &Secrets,
) -> Option<Error> {
    let named = || {
        (status.phase == Phase::Failed).then(|| (format!("its state is {}", status.state()), None))
    };
    let (text, kind) = status.failure().or_else(named)?;
    let answer =
        Answer::new(secrets, http_status, Default::default(), status.body()).with_error_type(kind);
    Some(service_error::told(&text, kind, answer).with_request_id(&job.id))
}

/// The error of a job that has ended, as its status says, while the question for its result was
/// answered like this, for so long if it may have succeeded.
pub(super) fn of_contradiction(
    answer: Result<Response>,
    job: &Job,
    status: &Status,
    waited: Duration,
    secrets: &Secrets,
) -> Error {
    let (id, early) = (&job.id, readiness::is_early(&answer));
    let (http_status, error) = match answer {
        Ok(answer) => (answer.status(), None),
        Err(error) => (error.http_status().unwrap_or_default(), Some(error)),
    };
    let speaks = status.phase == Phase::Failed && status.failure().is_some();
    if (early || error.is_none() || http_status == 404 || speaks)
        && let Some(failed) = told(job, status, http_status, secrets)
    {
        return failed;
    }
    let has_run = format!(
        "request {id} has ended and has run, but its result was not handed out within {} s",
        waited.as_secs_f64().round()
    );
    let error = match error {
        // What an app itself says of its input looks the same as what fal may say of a result that
        // it does not hand out. A caller who reads of a refusal corrects the input; one who is told
        // that nothing ran might send the same again, and pay twice.
        Some(error) if !early && http_status != 404 => {
            return of_result(error, job).with_outcome_unknown(status.phase != Phase::Failed);
        }
        Some(error) => {
            let told = format!("{has_run}: {}", error.message());
            of_asking(error.with_message(told), job, Ask::Result)
        }
        None => no_result(http_status, job, &format!("{has_run}: ")),
    };
    let error = if early {
        error.with_code(Code::ServiceUnavailable).with_remedy(FETCH)
    } else {
        error
    };
    error.with_outcome_unknown(true)
}

/// The error of a success that holds no result.
pub(super) fn no_result(http_status: u16, job: &Job, told: &str) -> Error {
    Error::new(
        Code::ServiceUnavailable,
        format!("{told}fal answered {http_status}, which is no result"),
    )
    .with_request_id(&job.id)
    .with_retryable(true)
    .with_outcome_unknown(true)
}

/// Whether the answer is the app's or the platform's about the job, and not about our asking for
/// it.
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
        Code::NotFound if error.about() != Some(RefusalReason::Path) => {
            format!("{UNKNOWN} {}", error.remedy())
        }
        _ if what == Ask::Cancel
            && (error.http_status() == Some(400) || error.code() == Code::InvalidInput) =>
        {
            LATE.to_owned()
        }
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
    error
        .with_remedy(remedy)
        .with_request_id(id)
        .with_outcome_unknown(true)
}

/// What an answer to a cancellation says: a 2xx alone is no proof that it was accepted (§5.6,
/// §16.8).
pub(super) fn cancelled(answer: Response, secrets: &Secrets) -> Result<Response> {
    let [state, success] = json::members(answer.body(), ["status", "success"]).unwrap_or_default();
    let state = state.and_then(json::text).unwrap_or_default();
    let refused = success.is_some_and(|success| success.get() == "false");
    let (code, text) = match state.as_str() {
        "ALREADY_COMPLETED" => (Code::InvalidInput, state.as_str()),
        "NOT_FOUND" => (Code::NotFound, state.as_str()),
        _ if refused => (Code::InvalidInput, "success is false"),
        _ => return Ok(answer),
    };
    let message = format!(
        "fal answered {} and did not cancel the request: {text}",
        answer.status()
    );
    let answer = Answer::new(
        secrets,
        answer.status(),
        Default::default(),
        answer.body().clone(),
    );
    Err(Error::new(code, message).with_answer(answer))
}

/// The error of asking too early for a result.
pub(super) fn not_ready(job: &Job) -> Error {
    Error::new(
        Code::NotReady,
        format!("request {} has not finished yet", job.id),
    )
    .with_request_id(&job.id)
    .with_retryable(true)
}
