//! The errors of requests about a job, and what they mean for the job.

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

/// The error of a request for the result of a job that has ended (docs/protocol.md §5.5).
pub(super) fn of_result(error: Error, job: &Job) -> Error {
    match is_the_jobs(&error) {
        true => of_asking(error, job, Ask::Result),
        false => in_between(error, job),
    }
}

/// Whether a later request for the status may succeed after this error.
pub(super) fn may_pass(error: &Error) -> bool {
    error.is_retryable() || error.code() == Code::Protocol
}

/// The error of a job whose status states a failure. `http_status` is that of the response to the
/// request for the result.
pub(super) fn of_status(
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

/// The error of a job that has ended according to its status, but whose result fal did not return
/// within `waited`. `response` is the last one to a request for the result.
pub(super) fn of_contradiction(
    response: Result<Response>,
    job: &Job,
    status: &Status,
    waited: Duration,
    secrets: &Secrets,
) -> Error {
    let early = readiness::is_early(&response);
    let (http_status, error) = match response {
        Ok(response) => (response.status(), None),
        Err(error) => (error.http_status().unwrap_or_default(), Some(error)),
    };
    let is_explained = status.phase == Phase::Failed && status.failure().is_some();
    if (early || error.is_none() || http_status == 404 || is_explained)
        && let Some(failed) = of_status(job, status, http_status, secrets)
    {
        return failed;
    }
    let has_run = format!(
        "request {} has ended and has run, but fal did not return its result within {} s",
        job.id,
        waited.as_secs_f64().round()
    );
    let error = match error {
        // The app's error about its input and fal's error about a missing result look alike. The
        // caller gets the error, to correct the input, but with an unknown outcome: a caller who
        // believes that the app did not run sends, and pays for, the input again.
        Some(error) if !early && http_status != 404 => {
            return of_result(error, job).with_outcome_unknown(status.phase != Phase::Failed);
        }
        Some(error) => {
            let message = format!("{has_run}: {}", error.message());
            of_asking(error.with_message(message), job, Ask::Result)
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

/// The error of a success without a result.
pub(super) fn no_result(http_status: u16, job: &Job, before: &str) -> Error {
    Error::new(
        Code::ServiceUnavailable,
        format!("{before}fal answered {http_status}, which is not a result"),
    )
    .with_request_id(&job.id)
    .with_retryable(true)
    .with_outcome_unknown(true)
}

/// Whether the app or the platform sent the error about the job, rather than about the request for
/// its result.
fn is_the_jobs(error: &Error) -> bool {
    match error.http_status() {
        // A server between the client and fal sent a page.
        _ if error.code() == Code::Protocol => false,
        None | Some(401 | 403 | 408 | 429) => false,
        Some(status) => status < 500 || error.header("x-fal-request-id").is_some(),
    }
}

/// The error of a request about a job. What fal says about the endpoint may be about the job.
pub(super) fn of_asking(error: Error, job: &Job, what: Ask) -> Error {
    const UNKNOWN: &str = "Check the request id and the app; fal keeps a result for about an hour, a large one for minutes.";
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

/// The error of an operation that failed while its job may still run.
pub(super) fn in_between(error: Error, job: &Job) -> Error {
    let id = &job.id;
    if error.code() == Code::NotFound {
        return of_asking(error, job, Ask::Status).with_outcome_unknown(true);
    }
    let remedy = format!(
        "Request {id} was submitted and may still run: attach to it by its id. Sending the input again may run it twice. {}",
        error.remedy()
    );
    error
        .with_remedy(remedy)
        .with_request_id(id)
        .with_outcome_unknown(true)
}

/// Returns the response to a cancellation, or the error that it states: a 2xx alone does not prove
/// that fal accepted the cancellation (§5.6, §16.8).
pub(super) fn cancelled(response: Response, secrets: &Secrets) -> Result<Response> {
    let members = json::members(response.body(), ["status", "success"]);
    let [state, success] = members.unwrap_or_default();
    let state = state.and_then(json::text).unwrap_or_default();
    let refused = success.is_some_and(|success| success.get() == "false");
    let (code, text) = match state.as_str() {
        "ALREADY_COMPLETED" => (Code::InvalidInput, state.as_str()),
        "NOT_FOUND" => (Code::NotFound, state.as_str()),
        _ if refused => (Code::InvalidInput, "success is false"),
        _ => return Ok(response),
    };
    let (status, body) = (response.status(), response.body().clone());
    let message = format!("fal answered {status} and did not cancel the request: {text}");
    let answer = Answer::new(secrets, status, Default::default(), body);
    Err(Error::new(code, message).with_answer(answer))
}

/// The error of a request for the result of a job that has not ended.
pub(super) fn not_ready(job: &Job) -> Error {
    let message = format!("request {} has not finished yet", job.id);
    Error::new(Code::NotReady, message)
        .with_request_id(&job.id)
        .with_retryable(true)
}
