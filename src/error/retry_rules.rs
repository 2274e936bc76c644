//! Which requests are sent again, which are not, and why.

/// The effect of a second copy of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// None, or the same effect again.
    Safe,
    /// None: fal recognizes the copy by its idempotency key. The next call has another key, so an
    /// error must say whether this call may have been executed.
    Keyed,
    /// The effect of the first request, again: a second job, a second bill.
    NonIdempotent,
}

impl Idempotency {
    /// Whether an unknown outcome matters.
    pub(crate) fn leaves_doubt(self) -> bool {
        self != Idempotency::Safe
    }
}

/// The rule for a situation.
#[derive(Debug)]
pub(crate) struct Rule {
    situation: Situation,
    /// Whether a POST is sent again.
    pub(crate) post: bool,
    /// Whether a GET or HEAD is sent again.
    pub(crate) get: bool,
    /// Whether the error says that the same request may succeed later.
    pub(crate) retryable: bool,
    /// Whether a POST may have been executed with an unknown outcome.
    pub(crate) unknown: bool,
    /// The reason, for the log.
    pub(crate) why: &'static str,
    /// The section of docs/protocol.md or of another standard.
    pub(crate) source: &'static str,
}

const YES: bool = true;
const NO: bool = false;

macro_rules! situations {
    ($($situation:ident [$post:ident $get:ident $retryable:ident $unknown:ident], $source:literal, $why:literal;)+) => {
        /// What happened to a request, as far as the client can know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Situation {
            $($situation,)+
        }

        /// One rule for each situation, in the order of the enum.
        static RULES: &[Rule] = &[$(Rule {
            situation: Situation::$situation,
            post: $post,
            get: $get,
            retryable: $retryable,
            unknown: $unknown,
            why: $why,
            source: $source,
        }),+];
    };
}

// The columns: POST again, GET again, retryable, outcome of a POST unknown.
situations! {
    NotConnected [YES YES YES NO], "§13.1", "no byte of the request was sent";
    ConnectionLost [NO YES NO YES], "§13.5", "the request was sent, and fal does not recognize a duplicate";
    NotHttp [NO NO NO YES], "§13.5", "the peer does not speak HTTP, and a retry does not change that";
    TooMany [YES YES YES NO], "§12.4", "429: the request was refused before it was accepted";
    NotProcessed [YES YES YES NO], "RFC 9113 §8.7", "HTTP/2 says that the request was not processed";
    NotReached [YES YES YES NO], "§12.3", "the gateway says that no runner was reached";
    Contradiction [NO YES YES YES], "§5.8, §12.3", "the response says that no runner was reached, but may be from an app";
    StartDeadline [NO NO NO NO], "§5.7, §12.3", "the caller's limit for the start passed before a runner had the request";
    TimedOut [NO YES YES YES], "§13.1", "408: whether the request was accepted is unknown";
    RunnerLost [NO YES YES YES], "§12.3", "a runner may have had the request";
    PlatformFailed [NO NO NO YES], "§12.3", "a runner may have had the request, and a retry does not help";
    GaveUp [NO YES YES YES], "§12.4", "the gateway gave up, which says nothing about the run";
    Ingress [NO YES YES YES], "§13.1", "the ingress may have forwarded the request";
    NotTheGateway [NO NO NO YES], "§13.1", "a failure without fal's request id may have come after the request was forwarded";
    Unavailable [NO YES YES NO], "§12.4", "the gateway or the app reported a failure, so the outcome is known";
    AppBusy [NO YES YES YES], "§5.8", "429 that may be from an app, which may have run before";
    AppRefused [NO NO NO YES], "§2.5, §5.8", "401 that may be from an app, which may have run before";
    Failed [NO NO NO NO], "§12.2, §12.5", "the app ran and failed";
    Refused [NO NO NO NO], "§12.4", "the request was refused, and a retry would be refused too";
}

/// Returns the rule for a situation.
pub(crate) fn rule_of(situation: Situation) -> &'static Rule {
    &RULES[situation as usize]
}

/// What a rule decides for one request.
pub(crate) struct Decision {
    /// Whether the request is sent again.
    pub(crate) again: bool,
    pub(crate) retryable: bool,
    pub(crate) unknown: bool,
}

impl Rule {
    /// Applies the rule. `hint` is what the response says about a retry (§16.13). It overrides the
    /// rule, with one exception: an app may ask for a retry after it has run (§5.8), so a hint
    /// never sends a POST again.
    pub(crate) fn decide(&self, idempotency: Idempotency, hint: Option<bool>) -> Decision {
        let safe = idempotency != Idempotency::NonIdempotent;
        let may_retry = self.situation != Situation::StartDeadline;
        let again = match safe {
            true => may_retry && (self.get || hint == Some(true)),
            false => self.post,
        };
        Decision {
            again: again && hint != Some(false),
            retryable: may_retry && hint.unwrap_or(self.retryable || (safe && self.get)),
            unknown: self.unknown && idempotency.leaves_doubt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_has_one_row_with_a_reason_and_a_source() {
        for rule in RULES {
            assert!(std::ptr::eq(rule_of(rule.situation), rule));
            assert!(
                !rule.why.is_empty() && rule.source.contains('§'),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn what_may_have_been_executed_is_never_sent_twice() {
        for rule in RULES {
            assert!(!(rule.post && rule.unknown), "{rule:?}");
            for hint in [None, Some(false), Some(true)] {
                let decision = rule.decide(Idempotency::NonIdempotent, hint);
                assert!(!(decision.again && decision.unknown), "{rule:?} {hint:?}");
                assert!(
                    !decision.again || rule.post,
                    "{rule:?}: no hint makes a POST go out again"
                );
                assert!(
                    hint != Some(false) || !rule.decide(Idempotency::Safe, hint).again,
                    "{rule:?}"
                );
                assert!(!decision.again || decision.retryable, "{rule:?} {hint:?}");
                let recognized = rule.decide(Idempotency::Keyed, hint);
                assert_eq!(
                    recognized.again,
                    rule.decide(Idempotency::Safe, hint).again,
                    "{rule:?} {hint:?}"
                );
                assert_eq!(recognized.unknown, decision.unknown, "{rule:?} {hint:?}");
            }
        }
    }
}
