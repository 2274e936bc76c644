//! Cancels a job at fal when the operation that waits for it ends early.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::ask::ask;
use super::job::{Ask, Job};
use super::readiness::lacks_descriptors;
use super::result::Patience;
use crate::client::Exchange;
use crate::error::{Error, Result};
use crate::log::{Level, Target};
use crate::response::Response;
use crate::runtime::{self, Instance};
use crate::transport::JobState;

/// How long, after the end of an operation, the answer to its submission is waited for, and the
/// answer to a cancellation.
pub(super) const TIME: Duration = Duration::from_secs(30);

/// Cancels the job when dropped before [`ended`](Self::ended) or [`release`](Self::release): the
/// operation was cancelled or timed out, or the library shuts down.
pub(super) struct Guard {
    exchange: Exchange,
    job: Job,
    /// Obtained while the runtime runs: it cannot be obtained during a shutdown.
    runtime: Arc<Instance>,
    armed: bool,
    /// Whether fal returned the job's id in this operation, so that the job exists.
    is_known: bool,
}

impl Guard {
    pub(super) fn new(exchange: &Exchange, job: &Job, is_known: bool) -> Result<Self> {
        exchange.task.progress.submitted(&job.id);
        exchange.task.identify(&job.id);
        let armed = !job.options.keep_running;
        Ok(Guard {
            exchange: exchange.clone(),
            job: job.clone(),
            runtime: runtime::current_or_closing()?,
            armed,
            is_known,
        })
    }

    /// Disarms the guard, because the job has ended.
    pub(super) fn ended(&mut self) {
        self.armed = false;
        self.exchange.task.progress.set_job_state(JobState::Ended);
    }

    /// Disarms the guard, because the operation returns: its error says how to attach to the job.
    pub(super) fn release(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let progress = &self.exchange.task.progress;
        progress.set_job_state(JobState::CancelRequested);
        let cancelled = cancel_in_time(self.exchange.clone(), self.job.clone(), self.is_known);
        self.runtime.spawn(cancelled.boxed());
    }
}

/// Cancels a job whose operation has ended. `is_known`: fal returned the job's id in the operation.
pub(super) async fn cancel_in_time(ended: Exchange, mut job: Job, is_known: bool) {
    let cancelled = async {
        let exchange = ended.detached(TIME)?;
        cancel(&exchange, &mut job, is_known).await
    };
    let cause = match tokio::time::timeout(TIME, cancelled).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => silent(),
    };
    let line = format_args!("cannot cancel request {}: {cause}", job.id);
    ended.log(Level::Warn, Target::Queue, line);
}

/// Says that the time is over.
pub(super) fn silent() -> String {
    format!("fal sent no response within {} s", TIME.as_secs())
}

/// Cancels a job. It would run, and cost money, if the cancellation were not retried while fal does
/// not know a job that was just submitted, and while the process may open no more files.
async fn cancel(exchange: &Exchange, job: &mut Job, is_known: bool) -> Result<Response> {
    let mut patience = Patience::new();
    loop {
        let outcome = ask(exchange, job, Ask::Cancel).await;
        let is_unknown = |error: &Error| is_known && error.http_status() == Some(404);
        let may_pass = outcome.as_ref().is_err_and(is_unknown) || lacks_descriptors(&outcome);
        if !may_pass || !patience.pause(exchange).await {
            return outcome;
        }
    }
}
