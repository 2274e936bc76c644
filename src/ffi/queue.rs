//! # Queue
//!
//! A request in fal's queue waits there until a runner takes it, survives this program, and can be
//! asked for from anywhere by its endpoint and its request id. fal_client_subscribe() is the usual
//! way: it submits, waits, and fetches the result. One client may wait for thousands of jobs at
//! once, on the library's few threads: 64 of them by a status stream each, the others by asking now
//! and then, the less often the more there are; at most 128 requests are under way at once, and
//! more wait for their turn.

use std::ffi::c_char;
use std::ptr;

use super::boundary::{self, Out, plain, status};
use super::client::{call, copy, fal_client, start};
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::response::fal_response;
use super::status::fal_status;
use super::texts::{Texts, set_len};
use super::times;
use crate::error::Result;
use crate::services::queue::Job;

/// A queued request, to ask for. Unique; freed with fal_job_free(). Operations keep what they need
/// of it.
pub struct fal_job {
    job: Job,
    texts: Texts,
}

/// The request of this id that was submitted to this endpoint, by whom and when ever. It sends
/// nothing.
///
/// FAL_E_INVALID_ARGUMENT if one of them is malformed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_new(
    endpoint: *const c_char,
    endpoint_len: usize,
    request_id: *const c_char,
    request_id_len: usize,
    out: *mut *mut fal_job,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let endpoint = unsafe { boundary::text(endpoint, endpoint_len, "endpoint") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let request_id = unsafe { boundary::text(request_id, request_id_len, "request_id") }?;
        out.give(fal_job {
            job: Job::new(endpoint, request_id)?,
            texts: Texts::default(),
        });
        Ok(())
    })
}

/// The request that was submitted to this endpoint by fal_client_submit() with this answer. The
/// addresses in the answer are followed if they are the queue's own; others are ignored.
///
/// FAL_E_PROTOCOL if the answer holds no request id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_of_answer(
    endpoint: *const c_char,
    endpoint_len: usize,
    answer: *const fal_response,
    out: *mut *mut fal_job,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let endpoint = unsafe { boundary::text(endpoint, endpoint_len, "endpoint") }?;
        // SAFETY: NULL or live, by the header's contract.
        let answer = unsafe { boundary::borrow(answer, "answer") }?;
        out.give(fal_job {
            job: Job::of_answer(endpoint, answer.get())?,
            texts: Texts::default(),
        });
        Ok(())
    })
}

/// Frees a job, which does nothing to it at fal. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_free(job: *mut fal_job) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(job) }
}

/// fal's id of the request, to keep and to come back with. Borrowed from the job; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_request_id(job: *const fal_job, len: *mut usize) -> *const c_char {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe {
            set_len(len, 0);
            let Some(job) = job.as_ref() else {
                return ptr::null();
            };
            job.texts
                .get("request_id", len, || Some(job.job.request_id().to_owned()))
        }
    })
}

/// Whether the job's log is asked for; by default it is. It comes with each status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_set_logs(
    job: *mut fal_job,
    logs: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(job, err, |job| {
            job.set_logs(logs);
            Ok(())
        })
    }
}

/// Whether the job goes on at fal when a fal_client_attach_start() is cancelled, its time is over
/// or the library is shut down. By default it is cancelled then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_set_keep_running(
    job: *mut fal_job,
    keep: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(job, err, |job| {
            job.set_keep_running(keep);
            Ok(())
        })
    }
}

/// The time in milliseconds for each operation on the job. By default 24 hours to attach to it, and
/// the client's time for the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_job_set_timeout_ms(
    job: *mut fal_job,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(job, err, |job| {
            job.set_timeout(times::longest(timeout_ms)?);
            Ok(())
        })
    }
}

/// Starts a submission that waits for the job's result, which is the response. Meanwhile the
/// operation has events: the job's status, the first time with its request id at once, and the
/// lines of its log. By default it waits for up to 24 hours.
///
/// If it is cancelled, its time is over or the library is shut down, the job is cancelled at fal in
/// the background, unless fal_request_set_keep_running() says otherwise; releasing the operation
/// does nothing to it. An error that comes after the submission carries the request id, to attach
/// to the job with fal_job_new() and fal_client_attach(). While the answer to the submission is on
/// its way nobody knows the id, so that the job cannot be cancelled: see
/// fal_error_may_have_executed().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_subscribe_start(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        start(client, out, err, |client| {
            client.subscribe_start(copy(request)?)
        })
    }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_subscribe(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        call(client, out, err, |client| {
            client.subscribe_start(copy(request)?)
        })
    }
}

/// Starts a submission: one POST to the endpoint's queue. The response is JSON: /request_id, and
/// what else fal says. The job goes on by itself; fal_job_of_answer() makes of the response what
/// the other functions need.
///
/// It is never sent a second time once the request may have been taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_submit_start(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        start(client, out, err, |client| {
            client.submit_start(copy(request)?)
        })
    }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_submit(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        call(client, out, err, |client| {
            client.submit_start(copy(request)?)
        })
    }
}

/// Starts waiting for a job that was submitted before, perhaps by another process: the same as
/// fal_client_subscribe_start() after its submission, events and cancellation included.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_attach_start(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.attach_start(job_of(job)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_attach(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.attach_start(job_of(job)?)) }
}

/// Starts asking for a job's status. The response is JSON: /status ("IN_QUEUE", "IN_PROGRESS",
/// "COMPLETED", the last for failed jobs too), /queue_position while it waits, /logs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_status_start(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.status_start(job_of(job)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_status(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.status_start(job_of(job)?)) }
}

/// Starts fetching a job's result: the output, or the error that the job failed with.
/// FAL_E_NOT_READY if the job has not finished. If its status says that it has and no result is
/// handed out, it is asked for again for some seconds; the error then says that it has run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_result_start(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.result_start(job_of(job)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_result(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.result_start(job_of(job)?)) }
}

/// Starts cancelling a job: one that waits never runs, one that runs is told to stop and may still
/// finish. FAL_E_INVALID_INPUT if it has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_cancel_start(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.cancel_start(job_of(job)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_cancel(
    client: *const fal_client,
    job: *const fal_job,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.cancel_start(job_of(job)?)) }
}

/// Changes a job by a step that may fail.
///
/// # Safety
/// `job` is NULL or live and used by nobody else.
unsafe fn change(
    job: *mut fal_job,
    err: *mut *mut fal_error,
    step: impl FnOnce(&mut Job) -> Result<()>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        step(&mut unsafe { boundary::borrow_mut(job, "job") }?.job)
    })
}

/// # Safety
/// `job` is NULL or live.
unsafe fn job_of<'a>(job: *const fal_job) -> Result<&'a Job> {
    // SAFETY: by this function's own contract.
    Ok(&unsafe { boundary::borrow(job, "job") }?.job)
}
