//! # Queue
//!
//! A request in fal's queue waits there until a runner takes it, survives this program, and can be
//! asked for from anywhere by its endpoint and its request id. fal_client_subscribe() is the usual
//! way: it submits, waits, and fetches the result. One client may wait for thousands of jobs at
//! once, on the library's few threads: 64 of them by a status stream each, the others by asking now
//! and then, the less often the more there are; at most 128 requests are under way at once, and
//! more wait for their turn.

use super::client::fal_client;
use super::request::fal_request;
use super::response::fal_response;
use super::texts::Texts;
use super::times;
use crate::services::queue::Job;

/// A queued request, to ask for. Unique; freed with fal_job_free(). Operations keep what they need
/// of it.
pub struct fal_job {
    inner: Job,
    texts: Texts,
}

impl fal_job {
    fn new(inner: Job) -> Self {
        fal_job {
            inner,
            texts: Texts::default(),
        }
    }
}

fallible! {
    /// The request of this id that was submitted to this endpoint, by whom and when ever. It sends
    /// nothing.
    ///
    /// FAL_E_INVALID_ARGUMENT if one of them is malformed.
    fn fal_job_new(endpoint: text[endpoint_len], request_id: text[request_id_len]) -> fal_job {
        fal_job::new(Job::new(endpoint, request_id)?)
    }

    /// The request that was submitted to this endpoint by fal_client_submit() with this answer. The
    /// addresses in the answer are followed if they are the queue's own; others are ignored.
    ///
    /// FAL_E_PROTOCOL if the answer holds no request id.
    fn fal_job_of_answer(endpoint: text[endpoint_len], answer: &fal_response) -> fal_job {
        fal_job::new(Job::of_answer(endpoint, &answer.inner)?)
    }
}

frees! {
    /// Frees a job, which does nothing to it at fal. NULL does nothing.
    fn fal_job_free(job: *mut fal_job);
}

strings! {
    /// fal's id of the request, to keep and to come back with. Borrowed from the job; NULL for
    /// NULL.
    fn fal_job_request_id(job: &fal_job) {
        Some(job.inner.request_id().to_owned())
    }
}

fallible! {
    /// Whether the job's log is asked for; by default it is. It comes with each status.
    fn fal_job_set_logs(job: &mut fal_job, logs: bool) {
        job.inner.set_logs(logs);
    }

    /// Whether the job goes on at fal when a fal_client_attach_start() is cancelled, its time is
    /// over or the library is shut down. By default it is cancelled then.
    fn fal_job_set_keep_running(job: &mut fal_job, keep: bool) {
        job.inner.set_keep_running(keep);
    }

    /// The time in milliseconds for each operation on the job. By default 24 hours to attach to it,
    /// and the client's time for the others.
    fn fal_job_set_timeout_ms(job: &mut fal_job, timeout_ms: i64) {
        job.inner.set_timeout(times::longest(timeout_ms)?);
    }
}

operations! {
    /// Starts a submission that waits for the job's result, which is the response. Meanwhile the
    /// operation has events: the job's status, the first time with its request id at once, and the
    /// lines of its log. By default it waits for up to 24 hours.
    ///
    /// If it is cancelled, its time is over or the library is shut down, the job is cancelled at
    /// fal in the background, unless fal_request_set_keep_running() says otherwise; releasing the
    /// operation does nothing to it. An error that comes after the submission carries the request
    /// id, to attach to the job with fal_job_new() and fal_client_attach(). While the answer to the
    /// submission is on its way nobody knows the id, so that the job cannot be cancelled: see
    /// fal_error_may_have_executed().
    fn fal_client_subscribe_start(client: &fal_client, request: &fal_request) {
        client.inner.subscribe_start(request.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_subscribe;

    /// Starts a submission: one POST to the endpoint's queue. The response is JSON: /request_id,
    /// and what else fal says. The job goes on by itself; fal_job_of_answer() makes of the response
    /// what the other functions need.
    ///
    /// It is never sent a second time once the request may have been taken.
    fn fal_client_submit_start(client: &fal_client, request: &fal_request) {
        client.inner.submit_start(request.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_submit;

    /// Starts waiting for a job that was submitted before, perhaps by another process: the same as
    /// fal_client_subscribe_start() after its submission, events and cancellation included.
    fn fal_client_attach_start(client: &fal_client, job: &fal_job) {
        client.inner.attach_start(&job.inner)?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_attach;

    /// Starts asking for a job's status. The response is JSON: /status ("IN_QUEUE", "IN_PROGRESS",
    /// "COMPLETED", the last for failed jobs too), /queue_position while it waits, /logs.
    fn fal_client_status_start(client: &fal_client, job: &fal_job) {
        client.inner.status_start(&job.inner)?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_status;

    /// Starts fetching a job's result: the output, or the error that the job failed with.
    /// FAL_E_NOT_READY if the job has not finished. If its status says that it has and no result is
    /// handed out, it is asked for again for some seconds; the error then says that it has run.
    fn fal_client_result_start(client: &fal_client, job: &fal_job) {
        client.inner.result_start(&job.inner)?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_result;

    /// Starts cancelling a job: one that waits never runs, one that runs is told to stop and may
    /// still finish. FAL_E_INVALID_INPUT if it has ended.
    fn fal_client_cancel_start(client: &fal_client, job: &fal_job) {
        client.inner.cancel_start(&job.inner)?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_cancel;
}
