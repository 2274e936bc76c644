//! # Queue options
//!
//! What can be asked of the platform with a request, for fal_client_submit() and
//! fal_client_subscribe(). On fal_client_run() only those have an effect that say so. Any other
//! header of fal's is set with fal_request_set_header().

use super::request::{fal_request, parse};
use super::times;
use crate::error::{Error, Result};
use crate::request::{Priority, Retries};

/// As usual.
pub const FAL_PRIORITY_NORMAL: i32 = 0;
/// Behind all normal requests to the same endpoint.
pub const FAL_PRIORITY_LOW: i32 = 1;

fallible! {
    /// The request's place in the line of its endpoint: a FAL_PRIORITY_ constant.
    fn fal_request_set_priority(request: &mut fal_request, priority: i32) {
        request.inner.set_priority(known(priority)?);
    }

    /// The time in milliseconds from the submission within which the work has to start; above 1000.
    /// If it does not, the request fails with 504 and is not repeated; once the work has started
    /// there is no limit. On a run too.
    fn fal_request_set_start_timeout_ms(request: &mut fal_request, timeout_ms: i64) {
        request.inner.set_start_timeout(times::limit(timeout_ms, "timeout_ms")?)?;
    }

    /// Prefers the runner that served this hint before, if it is free. On a run too.
    fn fal_request_set_runner_hint(request: &mut fal_request, hint: text[hint_len]) {
        request.inner.set_runner_hint(hint)?;
    }

    /// The address that fal posts the result to when the job has ended: https, or http on this
    /// machine for the emulator.
    fn fal_request_set_webhook(request: &mut fal_request, url: text[url_len]) {
        request.inner.set_webhook(url)?;
    }

    /// Refuses the request with FAL_E_RATE_LIMITED if more than so many wait at the endpoint, all
    /// callers counted. It was not taken then, so it is tried again as often as
    /// fal_options_set_max_attempts() allows before that is the error.
    fn fal_request_set_max_queue_length(request: &mut fal_request, most: u32) {
        request.inner.set_max_queue_length(most);
    }

    /// How long the files that the request makes live, and who may see them, as JSON:
    /// expiration_duration_seconds (a positive number, or null for ever), initial_acl (an object),
    /// or both. On a run too.
    fn fal_request_set_object_lifecycle(request: &mut fal_request, json: text[json_len]) {
        request.inner.set_object_lifecycle(&parse(json)?)?;
    }

    /// Whether fal keeps the input and the output for 30 days, as it does by default. Files are
    /// another matter. On a run too.
    fn fal_request_set_store_io(request: &mut fal_request, store: bool) {
        request.inner.set_store_io(store);
    }

    /// Whether the platform must not repeat failed attempts; by default it may.
    fn fal_request_set_no_retry(request: &mut fal_request, no_retry: bool) {
        request.inner.set_no_retry(no_retry);
    }

    /// How often the platform repeats attempts after the app failed with 503 or 504, after the
    /// app's own time was over, and after the connection to the runner broke: 0 to 9 each, or -1
    /// for as it likes. It listens to this for the caller's own apps only.
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

    /// Whether the platform must not send the request to an equivalent endpoint when this one
    /// fails; by default it may. On a run too.
    fn fal_request_set_no_fallback(request: &mut fal_request, no_fallback: bool) {
        request.inner.set_no_fallback(no_fallback);
    }

    /// Adds a tag, or gives it another value: at most ten, 1024 bytes in all. A name has up to 64
    /// of a-z 0-9 . _ - and does not begin with "fal."; a value has up to 256 printable ASCII
    /// characters but no comma. On a run too.
    fn fal_request_set_tag(request: &mut fal_request, name: text[name_len], value: text[value_len]) {
        request.inner.set_tag(name, value)?;
    }

    /// Whether fal_client_subscribe_start() asks for the job's log; by default it does.
    fn fal_request_set_logs(request: &mut fal_request, logs: bool) {
        request.inner.set_logs(logs);
    }

    /// Whether the job goes on at fal when a fal_client_subscribe_start() is cancelled, its time is
    /// over or the library is shut down. By default it is cancelled then.
    fn fal_request_set_keep_running(request: &mut fal_request, keep: bool) {
        request.inner.set_keep_running(keep);
    }
}

fn known(priority: i32) -> Result<Priority> {
    match priority {
        FAL_PRIORITY_NORMAL => Ok(Priority::Normal),
        FAL_PRIORITY_LOW => Ok(Priority::Low),
        other => Err(Error::invalid(format!("{other} is not a priority"))),
    }
}

/// A number of retries; -1 is none given.
fn count(count: i32) -> Result<Option<u32>> {
    match count {
        -1 => Ok(None),
        count => u32::try_from(count)
            .map(Some)
            .map_err(|_| Error::invalid(format!("{count} is not a number of retries"))),
    }
}
