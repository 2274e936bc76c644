//! The result of a job, and what is proof that it is one (docs/protocol.md §5.5).
//!
//! That a job has ended, and its result, come from different parts of fal at different times. What
//! contradicts the status is asked for again before it is judged.

use std::time::{Duration, Instant};

use super::ask::ask;
use super::failure;
use super::job::{Ask, Job};
use super::readiness::{is_doubtful, is_early, is_empty, is_nothing};
use super::status::{Phase, Status};
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Error, Result};
use crate::response::{Response, lacking};

/// A contradiction is waited out for so long …
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// … with this pause at first, and then twice the one before, up to …
const PAUSE: Duration = Duration::from_millis(50);
/// … this one.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a contradiction is waited out.
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

    /// Pauses before the next look; false if there is none.
    pub(super) async fn pause(&mut self, exchange: &Exchange) -> bool {
        let has_time = self.began.elapsed() < PATIENCE && exchange.has_time_for(self.pause);
        if has_time {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST);
        }
        has_time
    }
}

/// Asks for the result of a job of which nothing is known yet.
pub(super) async fn now(exchange: &Exchange, job: &mut Job) -> Result<Response> {
    let mut patience = Patience::new();
    loop {
        let answer = ask(exchange, job, Ask::Result).await;
        if !is_doubtful(&answer) && !is_nothing(&answer) {
            return finished(exchange, answer, job, None).await;
        }
        // It may have ended since.
        let status = Status::read(ask(exchange, job, Ask::Status).await).await;
        let unasked = match status {
            Ok(status) => match status.phase {
                Phase::Waiting(_) | Phase::Running => return Err(failure::not_ready(job)),
                Phase::Completed | Phase::Failed if is_doubtful(&answer) => {
                    return of_ended(exchange, job, &status).await;
                }
                Phase::Completed | Phase::Failed => {
                    return finished(exchange, answer, job, Some(&status)).await;
                }
                Phase::Unknown => None,
            },
            Err(error) if failure::may_pass(&error) => Some(error),
            // Whoever does not tell of the job does not contradict either.
            Err(_) if !is_early(&answer) => return finished(exchange, answer, job, None).await,
            Err(_) => return Err(failure::not_ready(job)),
        };
        if is_early(&answer) {
            return Err(failure::not_ready(job));
        }
        if patience.pause(exchange).await {
            continue;
        }
        return match unasked {
            Some(error) => Err(failure::in_between(error, job)),
            None => finished(exchange, in_doubt(answer), job, None).await,
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
        let answer = ask(exchange, job, Ask::Result).await;
        if !is_doubtful(&answer) {
            return finished(exchange, answer, job, Some(status)).await;
        }
        // Where the state itself is a failure nothing contradicts it.
        if status.phase == Phase::Failed || !patience.pause(exchange).await {
            let length = status.body().len();
            let waited = patience.began.elapsed();
            let (job, status, secrets) =
                (job.clone(), status.clone(), exchange.task.secrets().clone());
            let error = move || failure::of_contradiction(answer, &job, &status, waited, &secrets);
            return Err(json::beside(length, error).await?);
        }
    }
}

/// The same answer, of which nobody knows whether it is the job's end.
pub(super) fn in_doubt(answer: Result<Response>) -> Result<Response> {
    let is_doubtful = is_doubtful(&answer);
    answer.map_err(|error| match is_doubtful {
        true => error.with_outcome_unknown(true),
        false => error,
    })
}

/// What a result comes to; the result decides, and not the status (§16.6).
pub(super) async fn finished(
    exchange: &Exchange,
    answer: Result<Response>,
    job: &Job,
    status: Option<&Status>,
) -> Result<Response> {
    match answer {
        Ok(answer) => {
            let instead = lacking(answer.status());
            let failed = match status.filter(|_| instead.is_some() || is_empty(&answer)) {
                Some(status) => told(exchange, job, status, answer.status()).await?,
                None => None,
            };
            match (failed, instead) {
                (Some(failed), _) => Err(failed),
                (None, Some(_)) => Err(failure::no_result(answer.status(), job, "")),
                (None, None) => Ok(answer.with_request_id(&job.id)),
            }
        }
        Err(error) => Err(failure::of_result(error, job)),
    }
}

async fn told(
    exchange: &Exchange,
    job: &Job,
    status: &Status,
    http_status: u16,
) -> Result<Option<Error>> {
    let (length, secrets) = (status.body().len(), exchange.task.secrets().clone());
    let (job, status) = (job.clone(), status.clone());
    json::beside(length, move || {
        failure::told(&job, &status, http_status, &secrets)
    })
    .await
}
