//! Whether a failed attempt is repeated (docs/protocol.md §5.9).

use hyper::StatusCode;

use super::controls::{Budget, Controls};
use crate::answer::Answer;

/// The total number of attempts, including the first.
const MOST_ATTEMPTS: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    ServerError,
    Timeout,
    ConnectionError,
    /// The platform's own 429: the job waits and is tried again.
    Limited,
}

impl Condition {
    fn of(answer: &Answer) -> Option<Self> {
        match error_type(answer) {
            Some("concurrent_requests_limit") => Some(Self::Limited),
            Some("request_timeout") => Some(Self::Timeout),
            Some(
                "runner_connection_timeout"
                | "runner_connection_refused"
                | "runner_connection_error",
            ) => Some(Self::ConnectionError),
            Some("runner_disconnected" | "runner_incomplete_response") => Some(Self::ServerError),
            // A missed start deadline is not repeated: an app that reports this failure would never
            // run.
            Some("startup_timeout") => None,
            _ => match answer.status {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                    Some(Self::ServerError)
                }
                _ => None,
            },
        }
    }
}

/// The number of retries so far for each condition.
#[derive(Debug, Default)]
pub(super) struct Spent {
    server_error: u32,
    timeout: u32,
    connection_error: u32,
}

/// Whether the attempt that ended with `answer`, the last of `attempts`, is to be repeated.
pub(super) fn again(
    answer: &Answer,
    controls: &Controls,
    own_app: bool,
    attempts: u32,
    spent: &mut Spent,
) -> bool {
    if attempts >= MOST_ATTEMPTS {
        return false;
    }
    if let Some(wanted) = asked_for(answer) {
        return wanted;
    }
    let Some(condition) = Condition::of(answer) else {
        return false;
    };
    let config = &controls.retry_config;
    let (budget, spent) = match condition {
        Condition::Limited => return true,
        Condition::ServerError => (config.server_error, &mut spent.server_error),
        Condition::Timeout => (config.timeout, &mut spent.timeout),
        Condition::ConnectionError => (config.connection_error, &mut spent.connection_error),
    };
    if controls.no_retry {
        return false;
    }
    let left = budget
        .filter(|_| own_app)
        .is_none_or(|Budget { retries }| *spent < retries);
    *spent += 1;
    left
}

/// The value of `X-Fal-Needs-Retry`, which only a 5xx or 429 may have.
fn asked_for(answer: &Answer) -> Option<bool> {
    if !may_need_retry(answer.status) || error_type(answer).is_some() {
        return None;
    }
    let value = answer.headers.get("x-fal-needs-retry")?.to_str().ok()?;
    Some(matches!(value, "1" | "true"))
}

/// Whether a response with this status keeps `X-Fal-Needs-Retry` (§5.8).
pub(crate) fn may_need_retry(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// The error type of a failure that the platform reports, not the app.
pub(super) fn error_type(answer: &Answer) -> Option<&str> {
    answer.headers.get("x-fal-error-type")?.to_str().ok()
}
