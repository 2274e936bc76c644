//! # Queue
//!
//! A request in fal's queue, a job, waits until a runner executes it. It continues if this program
//! ends, and any program can query it by its endpoint and request id. The usual function is
//! fal_client_subscribe(): it submits a job, waits for it and fetches the result.
//!
//! One client can wait for thousands of jobs at once, on the library's few threads. It follows 64
//! of them by a status stream each and polls the others, less often the more there are. At most 128
//! requests of this kind are in flight at once; further ones wait for their turn.

use super::client::fal_client;
use super::request::fal_request;
use super::response::fal_response;
use super::texts::Texts;
use super::times;
use crate::services::queue::Job;

/// The identity of a submitted request. Unique; freed with fal_job_free(). Only one thread at a time
/// may change it; several may start operations with it, which copy what they need of it.
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
    /// Creates the job for a request id of an endpoint, no matter which program submitted it and
    /// when. It sends nothing. Free it with fal_job_free().
    ///
    /// FAL_E_INVALID_ARGUMENT if endpoint or request_id is malformed.
    fn fal_job_new(endpoint: text[endpoint_len], request_id: text[request_id_len]) -> fal_job {
        fal_job::new(Job::new(endpoint, request_id)?)
    }

    /// Creates the job for a request that was submitted to endpoint, from the response of
    /// fal_client_submit(). URLs in the response are used if they are those of the queue, and are
    /// ignored otherwise. Free it with fal_job_free().
    ///
    /// FAL_E_PROTOCOL if the response has no request id.
    fn fal_job_of_response(endpoint: text[endpoint_len], response: &fal_response) -> fal_job {
        fal_job::new(Job::of_response(endpoint, &response.inner)?)
    }
}

frees! {
    /// Frees a job. It has no effect on the job at fal. NULL is ignored.
    fn fal_job_free(job: *mut fal_job);
}

strings! {
    /// Returns fal's id of the request, with which a later program can create the job again.
    /// Borrowed from the job; NULL for NULL.
    fn fal_job_request_id(job: &fal_job) {
        Some(job.inner.request_id().to_owned())
    }
}

fallible! {
    /// Sets whether the job's log is requested, which comes with each status; by default true.
    fn fal_job_set_logs(job: &mut fal_job, logs: bool) {
        job.inner.set_logs(logs);
    }

    /// Sets whether the job continues at fal when fal_client_attach_start() is cancelled, reaches
    /// its timeout, or is ended by fal_shutdown(). By default false: the job is cancelled.
    fn fal_job_set_keep_running(job: &mut fal_job, keep: bool) {
        job.inner.set_keep_running(keep);
    }

    /// Sets the timeout of each operation on the job in milliseconds. By default 24 hours for
    /// fal_client_attach_start(), and the client's timeout for the others.
    fn fal_job_set_timeout_ms(job: &mut fal_job, timeout_ms: i64) {
        job.inner.set_timeout(times::longest(timeout_ms)?);
    }
}

operations! {
    /// Starts submitting a job and waiting for its result, which is the response. The operation has
    /// events: the progress of files in the input, then the status of the job, beginning with one
    /// that has its request id, and the lines of its log. The default timeout is 24 hours.
    ///
    /// If the operation is cancelled, reaches its timeout, or is ended by fal_shutdown(), the job
    /// is cancelled at fal in the background, unless fal_request_set_keep_running() is set.
    /// Releasing the operation does not cancel the job. An error after the submission carries the
    /// request id, with which fal_job_new() and fal_client_attach() continue to wait. Until the
    /// response to the submission arrives, the id is unknown: see fal_error_may_have_executed(). If
    /// the operation ends before, libfal waits for the response for up to 30 seconds, in the
    /// background, and then cancels the job.
    fn fal_client_subscribe_start(client: &fal_client, request: &fal_request) {
        client.inner.subscribe_start(request.inner.clone())?
    }

    /// Calls fal_client_subscribe_start() and blocks until the result arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_subscribe;

    /// Starts submitting a job: one POST to the endpoint's queue. The response is JSON with
    /// /request_id and what else fal sends; fal_job_of_response() turns it into a job for the other
    /// functions. The job runs without further requests.
    ///
    /// The POST is not sent again if it may have been accepted. If the operation is cancelled,
    /// reaches its timeout, or is ended by fal_shutdown() before the response arrives, no caller knows
    /// the id of the job: it is cancelled as in fal_client_subscribe_start(), unless
    /// fal_request_set_keep_running() is set.
    fn fal_client_submit_start(client: &fal_client, request: &fal_request) {
        client.inner.submit_start(request.inner.clone())?
    }

    /// Calls fal_client_submit_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_submit;

    /// Starts waiting for the result of a job that was submitted before, perhaps by another
    /// process. Events and response are as in fal_client_subscribe_start(), and so is
    /// cancellation, with fal_job_set_keep_running() in place of fal_request_set_keep_running().
    fn fal_client_attach_start(client: &fal_client, job: &fal_job) {
        client.inner.attach_start(&job.inner)?
    }

    /// Calls fal_client_attach_start() and blocks until the result arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_attach;

    /// Starts a request for a job's status. The response is JSON: /status ("IN_QUEUE",
    /// "IN_PROGRESS" or "COMPLETED", which includes failed jobs), /queue_position while it is
    /// queued, and /logs.
    fn fal_client_status_start(client: &fal_client, job: &fal_job) {
        client.inner.status_start(&job.inner)?
    }

    /// Calls fal_client_status_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_status;

    /// Starts a request for a job's result: its output, or the error with which it failed.
    /// FAL_E_NOT_READY if the job has not finished. If the job has finished but fal has no result
    /// yet, the request is repeated for some seconds; after that, the error says that the job has
    /// run.
    fn fal_client_result_start(client: &fal_client, job: &fal_job) {
        client.inner.result_start(&job.inner)?
    }

    /// Calls fal_client_result_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_result;

    /// Starts cancelling a job. A queued job never runs. A running job is told to stop, and may
    /// still finish. FAL_E_INVALID_INPUT if the job has ended.
    fn fal_client_cancel_start(client: &fal_client, job: &fal_job) {
        client.inner.cancel_start(&job.inner)?
    }

    /// Calls fal_client_cancel_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_cancel;
}
