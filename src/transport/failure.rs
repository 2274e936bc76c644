//! Attempts that failed, and what is to be done about it.

use super::incoming::Cut;
use super::progress::Progress;
use super::stall::Stalled;
use crate::error::retry_rules::{Idempotency, Situation, rule_of};
use crate::error::{Code, Error};
use crate::service_error::PROXY;

const REMEDY: &str = "Check the network. Where transfers are silent for longer than this and go on, raise the stall timeout. \
    See whether the request may have been executed before you send it again.";

/// An attempt that did not succeed.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) again: bool,
}

impl Failure {
    pub(super) fn last(error: Error) -> Self {
        Failure {
            error,
            again: false,
        }
    }

    /// The same where the call was executed before, and its outcome got lost with this.
    pub(super) fn after_execution(self) -> Self {
        Failure::last(self.error.with_retryable(false).with_outcome_unknown(true))
    }
}

/// The failure of an answer of `from` whose body did not come to its end.
pub(super) fn cut(cut: Cut, from: &str, idempotency: Idempotency, progress: &Progress) -> Failure {
    let (code, what, situation) = match cut {
        Cut::Broken(error) => return broken(error, from, idempotency, progress),
        Cut::Stalled(stalled) => return stuck(&stalled, from, idempotency, progress),
        Cut::Unended => (
            Code::ConnectionLost,
            "the stream was reset",
            Situation::ConnectionLost,
        ),
        Cut::Unproven => (
            Code::ConnectionLost,
            "the answer has no end but that of its connection, which may have been cut,",
            Situation::ConnectionLost,
        ),
        Cut::Undecodable(_) => (
            Code::Protocol,
            "the answer is not gzip to its end",
            Situation::NotHttp,
        ),
    };
    let decision = rule_of(situation).decide(idempotency, None);
    let error = progress.cut_short(code, what).with_source(cut);
    Failure {
        error: error.with_retryable(decision.retryable),
        again: decision.again,
    }
}

/// The failure of an exchange with `from` that brought no whole answer.
pub(super) fn broken(
    error: reqwest::Error,
    from: &str,
    idempotency: Idempotency,
    progress: &Progress,
) -> Failure {
    if let Some(error) = progress.take_body_failure() {
        // Half a request is none.
        progress.pausing();
        return Failure::last(error);
    }
    let reason = innermost(&error);
    let error = error.without_url();
    if progress.withdraw() || error.is_connect() {
        progress.unsent();
        let message = format!("no connection to {from}: {reason}");
        let error = Error::new(Code::Connect, message).with_source(error);
        let decision = rule_of(Situation::NotConnected).decide(idempotency, None);
        // The HTTP stack has no type for it that one could ask.
        return match reason.ends_with("proxy authorization required") {
            true => Failure::last(error.with_remedy(PROXY)),
            false => Failure {
                error: error.with_retryable(decision.retryable),
                again: decision.again,
            },
        };
    }
    let unprocessed = is_unprocessed(&error);
    if unprocessed && !progress.answered() {
        progress.pausing();
        let decision = rule_of(Situation::NotProcessed).decide(idempotency, None);
        let message = format!("the request was not processed by {from}: {reason}");
        let error = Error::new(Code::ConnectionLost, message)
            .with_source(error)
            .with_remedy("Send the request again.");
        return Failure {
            error: error.with_retryable(decision.retryable),
            again: decision.again,
        };
    }
    let (code, what, situation) = match is_malformed(&error) {
        true => (Code::Protocol, "the answer is not HTTP", Situation::NotHttp),
        false => (
            Code::ConnectionLost,
            "the connection broke",
            Situation::ConnectionLost,
        ),
    };
    let reason = if unprocessed {
        "it was refused after its answer had begun".to_owned()
    } else {
        reason
    };
    let decision = rule_of(situation).decide(idempotency, None);
    let cut = progress.cut_short(code, what);
    let told = Error::new(code, format!("{}: {reason}", cut.message()));
    let error = told
        .with_source(error)
        .with_outcome_unknown(cut.may_have_executed());
    Failure {
        error: error.with_retryable(decision.retryable),
        again: decision.again,
    }
}

/// The failure of an exchange in which nothing moved any more: it is given up, and is then like a
/// connection that broke.
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
            let rest = if unknown {
                "; whether the request was executed is unknown"
            } else {
                ""
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
    let decision = rule_of(Situation::ConnectionLost).decide(idempotency, None);
    let error = error.with_retryable(decision.retryable).with_remedy(REMEDY);
    Failure {
        error,
        again: decision.again,
    }
}

/// The root of an error's chain: the part that says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn is_malformed(error: &reqwest::Error) -> bool {
    causes(error).any(|error| {
        error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
    })
}

/// Whether the other side says in HTTP/2 that it has not processed the request (RFC 9113 §8.7): it
/// refused the stream, or its GOAWAY does not let it in, which the HTTP stack tells those streams
/// alone.
fn is_unprocessed(error: &reqwest::Error) -> bool {
    let refused =
        |error: &h2::Error| error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let left_out = |error: &h2::Error| error.is_remote() && (error.is_go_away() || refused(error));
    causes(error).any(|error| error.downcast_ref::<h2::Error>().is_some_and(left_out))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
}
