//! The queue (docs/protocol.md §5): submits a request, asks for its status and result, waits for
//! it, and cancels it.

mod ask;
mod cancel_on_drop;
mod failure;
mod job;
mod logs;
mod poll_schedule;
mod readiness;
mod result;
mod status;
mod submission;
mod watch;

use std::time::Duration;

use serde_json::Value;

pub use job::Job;
#[cfg(any(test, fuzzing))]
pub(crate) use status::fuzz;

use self::ask::ask;
use self::cancel_on_drop::Guard;
use self::job::Ask;
use self::status::Status;
use self::submission::{Accepted, Submission};
use self::watch::{End, Watch};
use crate::client::{Client, Exchange, TIMEOUT};
use crate::error::{Code, Result};
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;
use crate::services::run::run_request;
use crate::services::storage::resolve_files;
use crate::transport::late;

/// The default timeout of a wait. The queue has no time limit of its own, and an app may run for an
/// hour (docs/protocol.md §4, §5.1).
const WAIT: Duration = Duration::from_secs(24 * 3600);

impl Client {
    /// Starts a submission: one POST to the endpoint's queue. The outcome is fal's response, with
    /// `request_id` (§5.2), from which [`Job::of_response`] makes the job. The job runs whether or
    /// not anything waits for it.
    ///
    /// The request is not retried once fal may have accepted it. If the operation is cancelled or
    /// times out before the response arrives, or the library is shut down, no caller knows the id of
    /// the job. libfal then waits for the response for up to 30 seconds, in the background, and
    /// cancels the job, unless [`Request::set_keep_running`] is set.
    pub fn submit_start(&self, request: Request) -> Result<Op> {
        let submission = request.submission(self.hosts())?;
        let timeout = self.timeout_of(&request, TIMEOUT);
        self.start_exchange_within(timeout, |exchange| async move {
            Ok(submit(&exchange, submission).await?.1)
        })
    }

    /// Submits an input and waits until fal has accepted it, on any async runtime.
    pub async fn submit(&self, endpoint: &str, input: Value) -> Result<Job> {
        let request = run_request(endpoint, input)?;
        let answer = self.submit_start(request)?.outcome().await?;
        Job::of_response(endpoint, &answer)
    }

    /// Starts a submission that waits for the job's result, which is the outcome. Meanwhile the
    /// operation delivers the job's [status](crate::EventKind::Status) as events, the first with
    /// the request id directly after the submission, and its [log](crate::EventKind::Log).
    ///
    /// The default timeout is 24 hours. When the operation is cancelled or times out, or the
    /// library is shut down, the job is cancelled at fal in the background, unless
    /// [`Request::set_keep_running`] is set. Dropping the handle has no effect. An error after the
    /// submission carries the request id, so that a caller can [attach](Self::attach_start) to the
    /// job. An error during the submission carries no id: fal may have accepted the request
    /// ([`Error::may_have_executed`](crate::Error::may_have_executed)). libfal then waits for the
    /// response for up to 30 seconds, in the background, and cancels the job.
    pub fn subscribe_start(&self, request: Request) -> Result<Op> {
        let submission = request.submission(self.hosts())?;
        let timeout = self.timeout_of(&request, WAIT);
        let options = request.queue.watch;
        self.start_exchange_within(timeout, move |exchange| async move {
            // Boxed, because the wait is long: it does not keep what only the submission needs.
            let (mut job, answer) = Box::pin(submit(&exchange, submission)).await?;
            job.options = options;
            wait(&exchange, job, Some(answer)).await
        })
    }

    /// Submits an input and waits for the result, on any async runtime. If the future is dropped,
    /// the job is cancelled.
    pub async fn subscribe(&self, endpoint: &str, input: Value) -> Result<Response> {
        let request = run_request(endpoint, input)?;
        self.subscribe_start(request)?.outcome().await
    }

    /// Starts waiting for a job that this or another process has submitted, as
    /// [`subscribe_start`](Self::subscribe_start) does after its submission.
    pub fn attach_start(&self, job: &Job) -> Result<Op> {
        let (job, timeout) = (job.clone(), self.timeout_of_job(job, WAIT));
        self.start_exchange_within(timeout, |exchange| async move {
            wait(&exchange, job, None).await
        })
    }

    /// Waits for a job's result, on any async runtime. If the future is dropped, the job is
    /// cancelled.
    pub async fn attach(&self, job: &Job) -> Result<Response> {
        self.attach_start(job)?.outcome().await
    }

    /// Starts a request for a job's status (§5.3): `status`, `queue_position` while the job waits,
    /// and `logs` unless [disabled](Job::set_logs).
    pub fn status_start(&self, job: &Job) -> Result<Op> {
        self.start_asking(job, Ask::Status)
    }

    /// Returns a job's status, on any async runtime.
    pub async fn status(&self, job: &Job) -> Result<Response> {
        self.status_start(job)?.outcome().await
    }

    /// Starts a request for a job's result: the output, or the error of the job.
    ///
    /// Fails with [`Code::NotReady`](crate::Code::NotReady) if the job has not finished. If the
    /// status says that the job has finished but fal returns no result, the request is retried for
    /// some seconds; the error then says that the job has run.
    pub fn result_start(&self, job: &Job) -> Result<Op> {
        let (mut job, timeout) = (job.clone(), self.timeout_of_job(job, TIMEOUT));
        self.start_exchange_within(timeout, |exchange| async move {
            result::now(&exchange, &mut job).await
        })
    }

    /// Returns a job's result, on any async runtime.
    pub async fn result(&self, job: &Job) -> Result<Response> {
        self.result_start(job)?.outcome().await
    }

    /// Starts cancelling a job (§5.6). A job that waits never runs. A job that runs receives the
    /// request to stop, but may still finish.
    ///
    /// Fails with [`Code::InvalidInput`](crate::Code::InvalidInput) if the job has ended.
    pub fn cancel_start(&self, job: &Job) -> Result<Op> {
        self.start_asking(job, Ask::Cancel)
    }

    /// Cancels a job, on any async runtime.
    pub async fn cancel(&self, job: &Job) -> Result<Response> {
        self.cancel_start(job)?.outcome().await
    }

    fn start_asking(&self, job: &Job, what: Ask) -> Result<Op> {
        let (mut job, timeout) = (job.clone(), self.timeout_of_job(job, TIMEOUT));
        self.start_exchange_within(timeout, move |exchange| async move {
            let response = match ask(&exchange, &mut job, what).await {
                Ok(response) if what == Ask::Status => status::with_state(response).await,
                response => response,
            };
            response.map_err(|error| failure::of_asking(error, &job, what))
        })
    }

    fn timeout_of_job(&self, job: &Job, usual: Duration) -> Duration {
        job.options
            .timeout
            .unwrap_or_else(|| self.timeout_or(usual))
    }
}

async fn submit(exchange: &Exchange, request: Request) -> Result<Accepted> {
    let request = resolve_files(exchange, request).await?;
    let accepted = Submission::new(exchange, request)?.accepted().await?;
    exchange.task.identify(&accepted.0.id);
    Ok(accepted)
}

/// Waits for a job and fetches its result. `submission` is the response to its submission, if this
/// operation submitted it.
async fn wait(exchange: &Exchange, mut job: Job, submission: Option<Response>) -> Result<Response> {
    let exchange = &exchange.with_pauses_up_to(watch::LONGEST_PAUSE);
    let mut guard = Guard::new(exchange, &job, submission.is_some())?;
    let end = {
        let mut watch = Watch::new(exchange, &mut job);
        if let Some(submission) = submission {
            let status = Status::of_submission(&submission).await?;
            drop(submission);
            watch.notice(&status).await;
        }
        watch.end().await
    };
    let outcome = match end {
        Ok(End::Completed(status)) => {
            guard.ended();
            Box::pin(result::of_ended(exchange, &mut job, &status)).await
        }
        Ok(End::Result(response)) => {
            guard.ended();
            Box::pin(result::finished(exchange, response, &job, None)).await
        }
        // A request that would begin after the deadline notices it before the operation does, for
        // example after the process was stopped.
        Err(error) if error.code() == Code::Deadline => {
            drop(guard);
            return Err(late(&exchange.task.progress));
        }
        Err(error) => Err(failure::in_between(error, &job)),
    };
    guard.release();
    outcome
}
