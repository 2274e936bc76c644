//! Cancels a job at fal when nobody waits for it any more.

use std::sync::Arc;
use std::time::Duration;

use super::ask::ask;
use super::job::{Ask, Job};
use super::result::Patience;
use crate::client::Exchange;
use crate::error::Result;
use crate::log::Level;
use crate::response::Response;
use crate::runtime::{self, Instance};
use crate::transport::JobState;

/// How long the cancellation may take, in the background.
const TIME: Duration = Duration::from_secs(30);

/// Held while an operation waits for a job. If it is dropped before the job is known to have ended,
/// the operation was cancelled, its time is over or the library shuts down.
pub(super) struct Guard {
    exchange: Exchange,
    job: Job,
    /// Taken while it certainly runs: during a shutdown there is no other way to it.
    runtime: Arc<Instance>,
    armed: bool,
    /// Whether fal has named the job to us.
    told: bool,
}

impl Guard {
    pub(super) fn new(exchange: &Exchange, job: &Job, told: bool) -> Result<Self> {
        exchange.task.progress.submitted(&job.id);
        let armed = !job.options.keep_running;
        Ok(Guard {
            exchange: exchange.clone(),
            job: job.clone(),
            runtime: runtime::current_or_closing()?,
            armed,
            told,
        })
    }

    /// The job has ended.
    pub(super) fn ended(&mut self) {
        self.armed = false;
        self.exchange.task.progress.set_job_state(JobState::Ended);
    }

    /// The operation ends by itself, so its error tells what to do about the job.
    pub(super) fn release(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Ok(exchange) = self.exchange.detached(TIME) else {
            return;
        };
        if !self.armed {
            return;
        }
        self.exchange
            .task
            .progress
            .set_job_state(JobState::CancelRequested);
        let (mut job, told) = (self.job.clone(), self.told);
        self.runtime.spawn(async move {
            let cancelled = tokio::time::timeout(TIME, cancel(&exchange, &mut job, told)).await;
            match cancelled {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    exchange.log(Level::Warn, format_args!("cancelling {}: {error}", job.id))
                }
                Err(_) => exchange.log(
                    Level::Warn,
                    format_args!("cancelling {}: no answer in time", job.id),
                ),
            }
        });
    }
}

/// Fal may not know yet what it has named: a job that is not cancelled goes on and costs.
async fn cancel(exchange: &Exchange, job: &mut Job, told: bool) -> Result<Response> {
    let mut patience = Patience::new();
    loop {
        match ask(exchange, job, Ask::Cancel).await {
            Err(error)
                if told && error.http_status() == Some(404) && patience.pause(exchange).await => {}
            outcome => return outcome,
        }
    }
}
