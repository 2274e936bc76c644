//! Failed attempts, and whether to retry them.

use super::incoming::Cut;
use super::pool::HttpError;
use super::progress::Progress;
use super::stall::Stalled;
use crate::error::retry_rules::{Idempotency, Situation, rule_of};
use crate::error::{Code, Error};
use crate::service_error::PROXY;
use crate::system::descriptors;

const REMEDY: &str = "Check the network. Raise the stall timeout if transfers pause for longer than this and then continue. \
    See whether the request may have been executed before you send it again.";

/// An attempt that did not succeed.
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether the call may be retried.
    pub(super) again: bool,
}

impl Failure {
    /// A failure that is not retried.
    pub(super) fn last(error: Error) -> Self {
        Failure {
            error,
            again: false,
        }
    }

    /// A failure that is retried as the table of retry rules says.
    fn by_rule(error: Error, situation: Situation, idempotency: Idempotency) -> Self {
        let decision = rule_of(situation).decide(idempotency, None);
        Failure {
            error: error.with_retryable(decision.retryable),
            again: decision.again,
        }
    }

    /// The failure of a call that was executed, and whose outcome was lost.
    pub(super) fn after_execution(self) -> Self {
        Failure::last(self.error.with_retryable(false).with_outcome_unknown(true))
    }
}

/// The failure of a response from `from` whose body did not arrive completely.
pub(super) fn cut(cut: Cut, from: &str, idempotency: Idempotency, progress: &Progress) -> Failure {
    let (code, what) = match cut {
        Cut::Broken(error) => return broken(error, from, idempotency, progress),
        Cut::Stalled(stalled) => return stuck(&stalled, from, idempotency, progress),
        Cut::Unended => (Code::ConnectionLost, "the stream was reset"),
        Cut::Unproven => (
            Code::ConnectionLost,
            "the connection closed without a mark of the end of the response",
        ),
        Cut::Undecodable(_) => (Code::Protocol, "the response is not valid gzip"),
    };
    let error = progress.cut_short(code, what).with_source(cut);
    Failure::by_rule(error, situation(code), idempotency)
}

fn situation(code: Code) -> Situation {
    match code {
        Code::Protocol => Situation::NotHttp,
        _ => Situation::ConnectionLost,
    }
}

/// The failure of an exchange with `from` that returned no whole response.
pub(super) fn broken(
    error: HttpError,
    from: &str,
    idempotency: Idempotency,
    progress: &Progress,
) -> Failure {
    if let Some(error) = progress.take_body_failure() {
        // No server executes an incomplete request.
        progress.pausing();
        return Failure::last(error);
    }
    let reason = innermost(&error);
    if progress.withdraw() || error.is_connect() {
        progress.unsent();
        let message = match error.failed_proxy() {
            Some(proxy) => format!("cannot connect to {from} through the proxy {proxy}: {reason}"),
            None => format!("cannot connect to {from}: {reason}"),
        };
        if has_cause(&error, descriptors::are_used_up) {
            // Another attempt a moment later takes time only. What has to be done for a job is
            // asked again (services/queue).
            let error = Error::new(Code::Io, message).with_source(error);
            return Failure::last(error.with_remedy(descriptors::REMEDY).with_retryable(true));
        }
        let error = Error::new(Code::Connect, message).with_source(error);
        // hyper-util has no error type for this case.
        return match reason.ends_with("proxy authorization required") {
            true => Failure::last(error.with_remedy(PROXY)),
            false => Failure::by_rule(error, Situation::NotConnected, idempotency),
        };
    }
    let unprocessed = is_unprocessed(&error);
    if unprocessed && !progress.answered() {
        progress.pausing();
        let message = format!("the request was not processed by {from}: {reason}");
        let error = Error::new(Code::ConnectionLost, message)
            .with_source(error)
            .with_remedy("Send the request again.");
        return Failure::by_rule(error, Situation::NotProcessed, idempotency);
    }
    let (code, what) = match has_cause(&error, hyper::Error::is_parse) {
        true => (Code::Protocol, "the response is not HTTP"),
        false => (Code::ConnectionLost, "the connection broke"),
    };
    let reason = match unprocessed {
        true => "it was refused after the response had begun".to_owned(),
        false => reason,
    };
    let cut = progress.cut_short(code, what);
    let error = Error::new(code, format!("{}: {reason}", cut.message()))
        .with_source(error)
        .with_outcome_unknown(cut.may_have_executed());
    Failure::by_rule(error, situation(code), idempotency)
}

/// The failure of an exchange that moved no byte for too long, which counts as a lost connection.
pub(super) fn stuck(
    stalled: &Stalled,
    from: &str,
    idempotency: Idempotency,
    progress: &Progress,
) -> Failure {
    let seconds = stalled.time.as_secs_f64();
    let error = match stalled.taken {
        Some(taken) => {
            let unknown = progress.may_have_executed();
            let rest = match unknown {
                true => "; whether the request was executed is unknown",
                false => "",
            };
            let message =
                format!("{from} took no byte for {seconds} s, after {taken} of the body{rest}");
            Error::new(Code::ConnectionLost, message).with_outcome_unknown(unknown)
        }
        None => progress.cut_short(
            Code::ConnectionLost,
            &format!("no byte came from {from} for {seconds} s"),
        ),
    };
    Failure::by_rule(
        error.with_remedy(REMEDY),
        Situation::ConnectionLost,
        idempotency,
    )
}

/// The last error of the chain, which names the cause.
fn innermost(error: &HttpError) -> String {
    let last = error.chain().last();
    last.map_or_else(String::new, ToString::to_string)
}

/// Whether the server says in HTTP/2 that it has not processed the request (RFC 9113 §8.7): it
/// refused the stream, or sent a GOAWAY with a lower last stream id. h2 reports a GOAWAY only to
/// the streams above that id.
fn is_unprocessed(error: &HttpError) -> bool {
    has_cause(error, |error: &h2::Error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (error.is_go_away() || refused)
    })
}

/// Whether an error of type `T` in the chain of `error` matches.
fn has_cause<T: std::error::Error + 'static>(
    error: &HttpError,
    matches: impl Fn(&T) -> bool,
) -> bool {
    error
        .chain()
        .any(|error| error.downcast_ref().is_some_and(&matches))
}
