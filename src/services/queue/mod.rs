//! The queue (docs/protocol.md §5): submitting a request, and asking, waiting for and cancelling
//! what was submitted.

mod ask;
mod cancel_on_drop;
mod failure;
mod job;
mod logs;
mod poll_schedule;
mod readiness;
mod result;
mod status;
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
use self::watch::{End, Watch};
use crate::client::{Client, Exchange, TIMEOUT};
use crate::codec::json;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;
use crate::services::storage::resolve_files;

/// The queue has no limit of its own, and an app may run for an hour (docs/protocol.md §4, §5.1).
const WAIT: Duration = Duration::from_secs(24 * 3600);

impl Client {
    /// Starts a submission: one POST to the endpoint's queue. The answer is fal's, with
    /// `request_id` (§5.2); the job goes on by itself. [`Job::of_answer`] makes of it what the
    /// other calls need.
    ///
    /// It is never sent a second time once the request may have been taken.
    pub fn submit_start(&self, request: Request) -> Result<Op> {
        let submission = request.submission(self.hosts())?;
        let timeout = self.timeout_of(&request, TIMEOUT);
        self.start_exchange_within(timeout, |exchange| async move {
            Ok(submit(&exchange, submission).await?.1)
        })
    }

    /// Submits an input and waits until fal has taken it, on any async runtime.
    pub async fn submit(&self, endpoint: &str, input: Value) -> Result<Job> {
        let mut request = Request::run(endpoint)?;
        request.set_json(input);
        let answer = self.submit_start(request)?.outcome().await?;
        Job::of_answer(endpoint, &answer)
    }

    /// Starts a submission that waits for the job's result, which is the answer. Meanwhile the
    /// operation tells of the job's [status](crate::EventKind::Status), the first time with its
    /// request id at once, and of its [log](crate::EventKind::Log).
    ///
    /// By default it waits for up to 24 hours. If it is cancelled, its time is over or the library
    /// is shut down, the job is cancelled at fal in the background (see
    /// [`Request::set_keep_running`]); dropping the handle does nothing. An error that comes after
    /// the submission carries the request id, so that one can [attach](Self::attach_start) to the
    /// job. One that comes while the answer to the submission is on its way cannot: the request may
    /// have been taken ([`Error::may_have_executed`](crate::Error::may_have_executed)), and nobody
    /// knows its id to cancel it.
    pub fn subscribe_start(&self, request: Request) -> Result<Op> {
        let submission = request.submission(self.hosts())?;
        let timeout = self.timeout_of(&request, WAIT);
        self.start_exchange_within(timeout, move |exchange| async move {
            let (mut job, answer) = submit(&exchange, submission).await?;
            job.options = request.queue.watch;
            wait(&exchange, job, Some(&answer)).await
        })
    }

    /// Submits an input and waits for the result, on any async runtime. If the future is dropped,
    /// the job is cancelled.
    pub async fn subscribe(&self, endpoint: &str, input: Value) -> Result<Response> {
        let mut request = Request::run(endpoint)?;
        request.set_json(input);
        self.subscribe_start(request)?.outcome().await
    }

    /// Starts waiting for a job that was submitted before, perhaps by another process: the same as
    /// [`subscribe_start`](Self::subscribe_start) after its submission.
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

    /// Starts asking for a job's status (§5.3): `status`, `queue_position` while it waits, `logs`
    /// if they are asked for.
    pub fn status_start(&self, job: &Job) -> Result<Op> {
        self.start_asking(job, Ask::Status)
    }

    /// Asks for a job's status, on any async runtime.
    pub async fn status(&self, job: &Job) -> Result<Response> {
        self.status_start(job)?.outcome().await
    }

    /// Starts fetching a job's result: the output, or the error that the job failed with.
    ///
    /// [`Code::NotReady`](crate::Code::NotReady) if the job has not finished. If its status says
    /// that it has and no result is handed out, it is asked for again for some seconds; the error
    /// then says that the job has run.
    pub fn result_start(&self, job: &Job) -> Result<Op> {
        let (mut job, timeout) = (job.clone(), self.timeout_of_job(job, TIMEOUT));
        self.start_exchange_within(timeout, |exchange| async move {
            result::now(&exchange, &mut job).await
        })
    }

    /// Fetches a job's result, on any async runtime.
    pub async fn result(&self, job: &Job) -> Result<Response> {
        self.result_start(job)?.outcome().await
    }

    /// Starts cancelling a job (§5.6): one that waits never runs, one that runs is told to stop and
    /// may still finish.
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
            let answer = ask(&exchange, &mut job, what).await;
            let answer = match answer {
                Ok(answer) if what == Ask::Status => status::whole(answer).await,
                answer => answer,
            };
            answer.map_err(|error| failure::of_asking(error, &job, what))
        })
    }

    fn timeout_of_job(&self, job: &Job, usual: Duration) -> Duration {
        job.options
            .timeout
            .unwrap_or_else(|| self.timeout_or(usual))
    }
}

async fn submit(exchange: &Exchange, submission: Request) -> Result<(Job, Response)> {
    let endpoint = submission.endpoint()?.clone();
    let submission = resolve_files(exchange, submission).await?;
    let answer = exchange.send(submission).await?;
    // Whatever it says, it was taken.
    let job = json::look(answer.body().clone(), move |text| {
        Job::submitted(endpoint, &text)
    })
    .await;
    let job = job
        .flatten()
        .map_err(|error| error.with_outcome_unknown(true))?;
    Ok((job, answer))
}

/// Waits for a job and fetches its result. `answer` is that to its submission, if it comes from
/// here.
async fn wait(exchange: &Exchange, mut job: Job, answer: Option<&Response>) -> Result<Response> {
    let exchange = &exchange.with_pauses_up_to(watch::LONGEST_PAUSE);
    let mut guard = Guard::new(exchange, &job, answer.is_some())?;
    let end = {
        let mut watch = Watch::new(exchange, &mut job);
        if let Some(answer) = answer {
            watch.notice(&first(answer).await?).await;
        }
        watch.end().await
    };
    let outcome = match end {
        Ok(End::Completed(status)) => {
            guard.ended();
            result::of_ended(exchange, &mut job, &status).await
        }
        Ok(End::Answered(answer)) => {
            guard.ended();
            result::finished(exchange, answer, &job, None).await
        }
        Err(error) => Err(failure::in_between(error, &job)),
    };
    guard.release();
    outcome
}

/// The status that the answer to a submission is. It may lack the state (§16.3).
async fn first(answer: &Response) -> Result<Status> {
    json::look(answer.body().clone(), |text| {
        Status::parse_or(text, Some("IN_QUEUE"))
    })
    .await?
}
