//! The result of a job, and what is proof that it is one (fal-protocol.md §5.5).
//!
//! That a job has ended, and its result, come from different parts of fal at different times. What contradicts the status is asked for
//! again before it is judged.

use std::time::{Duration, Instant};

use super::ask;
use super::failure;
use super::job::{Ask, Job};
use super::status::{Phase, Status};
use crate::client::Steps;
use crate::error::{About, Error, Result, service};
use crate::response::Response;

/// A contradiction is waited out for so long …
const PATIENCE: Duration = Duration::from_secs(4);
/// … with this pause at first, and then twice the one before, up to …
const PAUSE: Duration = Duration::from_millis(50);
/// … this one.
const LONGEST: Duration = Duration::from_secs(1);

/// Asks for the result of a job of which nothing is known yet.
pub(super) async fn now(steps: &Steps, job: &mut Job) -> Result<Response> {
    let answer = ask(steps, job, Ask::Result).await;
    if !is_doubtful(&answer) && !is_nothing(&answer) {
        return finished(steps, answer, job, None);
    }
    // It may have ended since.
    let status = ask(steps, job, Ask::Status).await.and_then(|answer| Status::parse(answer.into_body()));
    match status {
        Ok(status) => match status.phase {
            Phase::Waiting(_) | Phase::Running => Err(failure::not_ready(job)),
            Phase::Completed | Phase::Failed if is_doubtful(&answer) => of_ended(steps, job, &status).await,
            Phase::Completed | Phase::Failed => finished(steps, answer, job, Some(&status)),
            Phase::Unknown if is_early(&answer) => Err(failure::not_ready(job)),
            Phase::Unknown => finished(steps, answer, job, None),
        },
        Err(_) if is_early(&answer) => Err(failure::not_ready(job)),
        Err(_) => finished(steps, answer, job, None),
    }
}

/// Fetches the result of a job that has ended.
pub(super) async fn of_ended(steps: &Steps, job: &mut Job, status: &Status) -> Result<Response> {
    let (began, mut pause) = (Instant::now(), PAUSE);
    loop {
        let answer = ask(steps, job, Ask::Result).await;
        if !is_doubtful(&answer) {
            return finished(steps, answer, job, Some(status));
        }
        // Where the state itself is a failure nothing contradicts it.
        let is_settled = status.phase == Phase::Failed || began.elapsed() >= PATIENCE;
        if is_settled || !steps.has_time_for(pause) {
            return Err(failure::of_contradiction(answer, job, status, began.elapsed(), steps.task.secrets()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// What a result comes to; the result decides, and not the status (§16.6).
pub(super) fn finished(
    steps: &Steps,
    answer: Result<Response>,
    job: &Job,
    status: Option<&Status>,
) -> Result<Response> {
    match answer {
        Ok(answer) if is_empty(&answer) => {
            let told = |status| failure::told(job, status, answer.status(), steps.task.secrets());
            match status.and_then(told) {
                Some(failed) => Err(failed),
                None => Ok(answer.with_request_id(&job.id)),
            }
        }
        Ok(answer) => Ok(answer.with_request_id(&job.id)),
        Err(error) => Err(failure::of_result(error, job)),
    }
}

/// Whether an answer may mean that there is no result yet: a 202 always (§16.4), a 400 or 404 unless it is visibly the job's own end.
fn is_doubtful(answer: &Result<Response>) -> bool {
    match answer {
        Ok(answer) => answer.status() == 202,
        Err(error) => matches!(error.http_status(), Some(400 | 404)) && !is_the_jobs_own(error),
    }
}

/// Whether an answer says that there is no result yet.
pub(super) fn is_early(answer: &Result<Response>) -> bool {
    match answer {
        Ok(answer) => answer.status() == 202,
        Err(error) => error.http_status() == Some(400) && !is_the_jobs_own(error) && speaks_of_progress(error),
    }
}

/// fal's text for it is known from third parties only: "Request is still in progress".
fn speaks_of_progress(error: &Error) -> bool {
    let text = String::from_utf8_lossy(&error.body()[..error.body().len().min(1000)]).to_ascii_lowercase();
    text.trim().is_empty()
        || ["progress", "in queue", "not ready", "not finished", "not completed"].iter().any(|word| text.contains(word))
}

/// What only an app or the platform says of a run: which field is wrong, one of fal's names of an error, which path there is not.
fn is_the_jobs_own(error: &Error) -> bool {
    let named = error.error_type().is_some_and(service::is_known);
    !error.fields().is_empty() || named || error.about() == Some(About::Path)
}

fn is_nothing(answer: &Result<Response>) -> bool {
    answer.as_ref().is_ok_and(is_empty)
}

/// Whether an answer holds no output at all.
fn is_empty(answer: &Response) -> bool {
    matches!(answer.body().trim_ascii(), b"" | b"null")
}
