//! The failures of the platform, by `error_type` in the body or by the header `X-Fal-Error-Type`
//! (docs/protocol.md §12.3).

use super::table::{Again, Execution, Named};

const fn row(
    name: &'static str,
    status: u16,
    again: Again,
    reached: Execution,
    remedy: &'static str,
) -> Named {
    Named {
        name,
        status,
        again,
        reached,
        context: &[],
        remedy,
        source: "§12.3",
    }
}

const LATER: &str = "Try again later.";
pub(crate) const SEE_FIRST: &str =
    "The app may have run: check whether it did before you send the request again.";
const REPORT: &str = "Report the request id to the app's owner, or to support@fal.ai.";
const CLIENT_LEFT: &str = "Send the request again if it is still needed.";

/// fal documents for each row whether a retry makes sense. The names of the first four imply that
/// no app was reached.
#[rustfmt::skip]
pub(super) static PLATFORM: &[Named] = &[
    row("runner_scheduling_failure", 503, Again::Yes, Execution::NotStarted, LATER),
    row("runner_connection_refused", 503, Again::Yes, Execution::NotStarted, LATER),
    row("runner_connection_timeout", 503, Again::Yes, Execution::NotStarted, LATER),
    row("startup_timeout", 504, Again::Yes, Execution::NotStarted, LATER),
    row("request_timeout", 504, Again::Yes, Execution::Unknown, SEE_FIRST),
    row("runner_disconnected", 503, Again::Yes, Execution::Unknown, SEE_FIRST),
    row("runner_connection_error", 503, Again::Yes, Execution::Unknown, SEE_FIRST),
    row("runner_incomplete_response", 502, Again::Yes, Execution::Unknown, SEE_FIRST),
    row("runner_server_error", 500, Again::Depends, Execution::Unknown, REPORT),
    row("client_disconnected", 499, Again::No, Execution::Unknown, CLIENT_LEFT),
    row("client_cancelled", 499, Again::No, Execution::Unknown, CLIENT_LEFT),
    row("bad_request", 400, Again::No, Execution::NotStarted, "Correct the request: the message says what is wrong, such as a timeout header."),
    row("internal_error", 500, Again::Depends, Execution::Unknown, REPORT),
];
