//! What a response to a request for a result reveals about the job (docs/protocol.md §5.5).

use crate::error::{Code, Error, RefusalReason, Result};
use crate::response::{Response, lacking};
use crate::service_error;

/// Whether a response may mean that there is no result yet: a success without content (§16.4), or a
/// 400 or 404 that is not recognizably the job's own error.
pub(super) fn is_doubtful(response: &Result<Response>) -> bool {
    match response {
        Ok(response) => lacking(response.status()).is_some(),
        Err(error) => matches!(error.http_status(), Some(400 | 404)) && !is_the_jobs_own(error),
    }
}

/// Whether the request was not sent because the process may open no more files for a while.
pub(super) fn lacks_descriptors(response: &Result<Response>) -> bool {
    let is_passing = |error: &Error| error.code() == Code::Io && error.is_retryable();
    response.as_ref().is_err_and(is_passing)
}

/// Whether a response says that there is no result yet.
pub(super) fn is_early(response: &Result<Response>) -> bool {
    match response {
        Ok(response) => response.status() == 202,
        Err(error) => {
            error.http_status() == Some(400) && !is_the_jobs_own(error) && speaks_of_progress(error)
        }
    }
}

/// Whether the body says that the job is not done. Only third parties report fal's text: "Request
/// is still in progress".
fn speaks_of_progress(error: &Error) -> bool {
    const WORDS: [&str; 5] = [
        "progress",
        "in queue",
        "not ready",
        "not finished",
        "not completed",
    ];
    let beginning = &error.body()[..error.body().len().min(1000)];
    let text = String::from_utf8_lossy(beginning).to_ascii_lowercase();
    text.trim().is_empty() || WORDS.iter().any(|word| text.contains(word))
}

/// Whether only the app or the platform sends this error of a run: it names a field or a path, or
/// has one of fal's error types.
fn is_the_jobs_own(error: &Error) -> bool {
    let named = error.error_type().is_some_and(service_error::is_known);
    !error.fields().is_empty() || named || error.about() == Some(RefusalReason::Path)
}

/// Whether a response contains no output.
pub(super) fn is_empty(response: &Response) -> bool {
    matches!(response.body().trim_ascii(), b"" | b"null")
}
