//! # Queue options
//!
//! These settings of a request are for the platform's queue, and take effect with
//! fal_client_submit() and fal_client_subscribe(). Those marked "Also for runs" take effect with
//! fal_client_run(), too. Other headers of fal are set with fal_request_set_header().

use super::boundary::no_constant;
use super::request::{fal_request, parse};
use super::times;
use crate::error::{Error, Result};
use crate::request::{Priority, Retries};

/// The priority of a request in the queue of its endpoint: see fal_request_set_priority().
pub type fal_priority = i32;

/// Normal priority.
pub const FAL_PRIORITY_NORMAL: fal_priority = 0;
/// The request runs after all requests of normal priority to the same endpoint.
pub const FAL_PRIORITY_LOW: fal_priority = 1;

fallible! {
    /// Sets the priority of the request in the queue of its endpoint; by default
    /// FAL_PRIORITY_NORMAL.
    fn fal_request_set_priority(request: &mut fal_request, priority: fal_priority) {
        request.inner.set_priority(known(priority)?);
    }

    /// Sets within how many milliseconds of its submission the request has to start running; more
    /// than 1000. If it does not, it fails with HTTP 504 and is not repeated. The time that it runs
    /// is not limited by this. Also for runs.
    fn fal_request_set_start_timeout_ms(request: &mut fal_request, timeout_ms: i64) {
        request.inner.set_start_timeout(times::limit(timeout_ms, "timeout_ms")?)?;
    }

    /// Makes the platform prefer the runner that served an earlier request with this hint, if that
    /// runner is free. Also for runs.
    fn fal_request_set_runner_hint(request: &mut fal_request, hint: text[hint_len]) {
        request.inner.set_runner_hint(hint)?;
    }

    /// Sets the URL to which fal posts the result when the job has ended. It must be https, or http
    /// to this machine for the emulator.
    fn fal_request_set_webhook(request: &mut fal_request, url: text[url_len]) {
        request.inner.set_webhook(url)?;
    }

    /// Makes the submission fail with FAL_E_RATE_LIMITED if more than this many requests, of all
    /// callers, wait at the endpoint. The job was then not accepted, so libfal retries up to the
    /// limit of fal_options_set_max_attempts() first.
    fn fal_request_set_max_queue_length(request: &mut fal_request, most: u32) {
        request.inner.set_max_queue_length(most);
    }

    /// Sets the lifetime and access of the files that the request creates, as a JSON object with
    /// expiration_duration_seconds (a positive number, or null for no expiry), initial_acl (an
    /// object), or both. Also for runs.
    fn fal_request_set_object_lifecycle(request: &mut fal_request, json: text[json_len]) {
        request.inner.set_object_lifecycle(&parse(json)?)?;
    }

    /// Sets whether fal keeps the input and the output for 30 days; by default true. It does not
    /// concern files. Also for runs.
    fn fal_request_set_store_io(request: &mut fal_request, store: bool) {
        request.inner.set_store_io(store);
    }

    /// Sets whether the platform is told not to repeat failed attempts; by default false.
    fn fal_request_set_no_retry(request: &mut fal_request, no_retry: bool) {
        request.inner.set_no_retry(no_retry);
    }

    /// Sets how many times the platform repeats an attempt after the app failed with 503 or 504
    /// (server_error), after the app's own timeout (timeout), and after the connection to the
    /// runner broke (connection_error): 0 to 9 each, or -1 for the platform's default. The platform
    /// respects this only for the caller's own apps.
    fn fal_request_set_retries(
        request: &mut fal_request,
        server_error: i32,
        timeout: i32,
        connection_error: i32,
    ) {
        request.inner.set_retries(Retries {
            server_error: count(server_error)?,
            timeout: count(timeout)?,
            connection_error: count(connection_error)?,
        })?;
    }

    /// Sets whether the platform is told not to forward the request to an equivalent endpoint if this
    /// one fails; by default false. Also for runs.
    fn fal_request_set_no_fallback(request: &mut fal_request, no_fallback: bool) {
        request.inner.set_no_fallback(no_fallback);
    }

    /// Adds a tag, or replaces its value. A request has at most ten tags with 1024 bytes in all. A
    /// name has up to 64 of the characters a-z 0-9 . _ - and does not begin with "fal."; a value
    /// has up to 256 printable ASCII characters except the comma. Also for runs.
    fn fal_request_set_tag(
        request: &mut fal_request,
        name: text[name_len],
        value: text[value_len],
    ) {
        request.inner.set_tag(name, value)?;
    }

    /// Sets whether fal_client_subscribe_start() requests the job's log; by default true.
    fn fal_request_set_logs(request: &mut fal_request, logs: bool) {
        request.inner.set_logs(logs);
    }

    /// Sets whether the job continues at fal when fal_client_subscribe_start(), or
    /// fal_client_submit_start() before its response, is cancelled, reaches its timeout, or is
    /// ended by fal_shutdown(). By default false: the job is cancelled.
    fn fal_request_set_keep_running(request: &mut fal_request, keep: bool) {
        request.inner.set_keep_running(keep);
    }
}

fn known(priority: fal_priority) -> Result<Priority> {
    match priority {
        FAL_PRIORITY_NORMAL => Ok(Priority::Normal),
        FAL_PRIORITY_LOW => Ok(Priority::Low),
        other => Err(no_constant("priority", "FAL_PRIORITY_", other)),
    }
}

/// A number of retries; `None` for -1.
fn count(count: i32) -> Result<Option<u32>> {
    match count {
        -1 => Ok(None),
        count => u32::try_from(count)
            .map(Some)
            .map_err(|_| Error::invalid(format!("retries must be 0 to 9, or -1, not {count}"))),
    }
}
