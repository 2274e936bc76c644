//! What the response to a request for a result says of whether the job has ended
//! (docs/protocol.md §5.5).

use crate::error::{Error, RefusalReason, Result};
use crate::response::{Response, lacking};
use crate::service_error;

/// Whether an answer may mean that there is no result yet: a success that holds none always
/// (§16.4), a 400 or 404 unless it is visibly the job's own end.
pub(super) fn is_doubtful(answer: &Result<Response>) -> bool {
    match answer {
        Ok(answer) => lacking(answer.status()).is_some(),
        Err(error) => matches!(error.http_status(), Some(400 | 404)) && !is_the_jobs_own(error),
    }
}

/// Whether an answer says that there is no result yet.
pub(super) fn is_early(answer: &Result<Response>) -> bool {
    match answer {
        Ok(answer) => answer.status() == 202,
        Err(error) => {
            error.http_status() == Some(400) && !is_the_jobs_own(error) && speaks_of_progress(error)
        }
    }
}

/// fal's text for it is known from third parties only: "Request is still in progress".
fn speaks_of_progress(error: &Error) -> bool {
    let text =
        String::from_utf8_lossy(&error.body()[..error.body().len().min(1000)]).to_ascii_lowercase();
    text.trim().is_empty()
        || [
            "progress",
            "in queue",
            "not ready",
            "not finished",
            "not completed",
        ]
        .iter()
        .any(|word| text.contains(word))
}

/// What only an app or the platform says of a run: which field is wrong, one of fal's names of an
/// error, which path there is not.
fn is_the_jobs_own(error: &Error) -> bool {
    let named = error.error_type().is_some_and(service_error::is_known);
    !error.fields().is_empty() || named || error.about() == Some(RefusalReason::Path)
}

pub(super) fn is_nothing(answer: &Result<Response>) -> bool {
    answer.as_ref().is_ok_and(is_empty)
}

/// Whether an answer holds no output at all.
pub(super) fn is_empty(answer: &Response) -> bool {
    matches!(answer.body().trim_ascii(), b"" | b"null")
}
