//! The result of a job, and the proof that it is one (docs/protocol.md §5.5).
//!
//! Different parts of fal report that a job has ended and return its result, at different times. A
//! result that contradicts the status is requested again before it counts.

use std::time::{Duration, Instant};

use super::ask::ask;
use super::failure;
use super::job::{Ask, Job};
use super::readiness::{is_doubtful, is_early, is_empty, lacks_descriptors};
use super::status::{Phase, Status};
use crate::client::Exchange;
use crate::codec::json;
use crate::error::Result;
use crate::response::{Response, lacking};

/// How long requests are repeated while fal contradicts itself.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// The first pause between two of these requests. It doubles each time, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// The growing pauses between requests while fal contradicts itself.
pub(super) struct Patience {
    began: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Patience {
            began: Instant::now(),
            pause: PAUSE,
        }
    }

    /// Pauses before the next request. Returns false, at once, if time is up.
    pub(super) async fn pause(&mut self, exchange: &Exchange) -> bool {
        let has_time = self.began.elapsed() < PATIENCE && exchange.has_time_for(self.pause);
        if has_time {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST);
        }
        has_time
    }
}

/// Requests the result of a job whose status is unknown.
pub(super) async fn now(exchange: &Exchange, job: &mut Job) -> Result<Response> {
    let mut patience = Patience::new();
    loop {
        let response = ask(exchange, job, Ask::Result).await;
        if !is_doubtful(&response) && !response.as_ref().is_ok_and(is_empty) {
            return finished(exchange, response, job, None).await;
        }
        // The job may end between the two requests.
        let status = Status::read(ask(exchange, job, Ask::Status).await).await;
        let failure = match status {
            Ok(status) => match status.phase {
                Phase::Waiting(_) | Phase::Running => return Err(failure::not_ready(job)),
                Phase::Completed | Phase::Failed if is_doubtful(&response) => {
                    return of_ended(exchange, job, &status).await;
                }
                Phase::Completed | Phase::Failed => {
                    return finished(exchange, response, job, Some(&status)).await;
                }
                Phase::Unknown => None,
            },
            Err(error) if failure::may_pass(&error) => Some(error),
            // Without a status nothing contradicts the response.
            Err(_) if !is_early(&response) => {
                return finished(exchange, response, job, None).await;
            }
            Err(_) => return Err(failure::not_ready(job)),
        };
        if is_early(&response) {
            return Err(failure::not_ready(job));
        }
        if patience.pause(exchange).await {
            continue;
        }
        return match failure {
            Some(error) => Err(failure::in_between(error, job)),
            None => finished(exchange, in_doubt(response), job, None).await,
        };
    }
}

/// Fetches the result of a job that has ended.
pub(super) async fn of_ended(
    exchange: &Exchange,
    job: &mut Job,
    status: &Status,
) -> Result<Response> {
    let mut patience = Patience::new();
    loop {
        let response = ask(exchange, job, Ask::Result).await;
        if lacks_descriptors(&response) && patience.pause(exchange).await {
            continue;
        }
        if !is_doubtful(&response) {
            return finished(exchange, response, job, Some(status)).await;
        }
        // A missing result does not contradict a failed job.
        if status.phase == Phase::Failed || !patience.pause(exchange).await {
            let length = status.body().len();
            let waited = patience.began.elapsed();
            let (job, status, secrets) =
                (job.clone(), status.clone(), exchange.task.secrets().clone());
            let error =
                move || failure::of_contradiction(response, &job, &status, waited, &secrets);
            return Err(json::beside(length, error).await?);
        }
    }
}

/// Marks the outcome of a doubtful response as unknown.
pub(super) fn in_doubt(response: Result<Response>) -> Result<Response> {
    let is_doubtful = is_doubtful(&response);
    response.map_err(|error| match is_doubtful {
        true => error.with_outcome_unknown(true),
        false => error,
    })
}

/// Returns the outcome of a job whose request for the result got this response. The result decides,
/// not the status (§16.6).
pub(super) async fn finished(
    exchange: &Exchange,
    response: Result<Response>,
    job: &Job,
    status: Option<&Status>,
) -> Result<Response> {
    let response = response.map_err(|error| failure::of_result(error, job))?;
    let is_lacking = lacking(response.status()).is_some();
    if let Some(status) = status.filter(|_| is_lacking || is_empty(&response)) {
        let (length, secrets) = (status.body().len(), exchange.task.secrets().clone());
        let (of_job, status, http_status) = (job.clone(), status.clone(), response.status());
        let failed = move || failure::of_status(&of_job, &status, http_status, &secrets);
        if let Some(failed) = json::beside(length, failed).await? {
            return Err(failed);
        }
    }
    match is_lacking {
        true => Err(failure::no_result(response.status(), job, "")),
        false => Ok(response.with_request_id(&job.id)),
    }
}
