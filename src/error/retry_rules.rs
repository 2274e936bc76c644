//! What is sent again, what is not, and why.

/// What a second copy of a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Nothing, or the same once more.
    Safe,
    /// Nothing, because fal knows it from the first by its idempotency key. The caller's next call
    /// has another key, so he has to be told if this one may have been executed.
    Keyed,
    /// What the first did, once more.
    NonIdempotent,
}

impl Idempotency {
    /// Whether it matters that nobody knows if it was executed.
    pub(crate) fn leaves_doubt(self) -> bool {
        self != Idempotency::Safe
    }
}

/// What became of a request, as far as one can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    NotConnected,
    ConnectionLost,
    NotHttp,
    TooMany,
    NotProcessed,
    NotReached,
    Contradiction,
    StartDeadline,
    TimedOut,
    RunnerLost,
    PlatformFailed,
    GaveUp,
    Ingress,
    NotTheGateway,
    Unavailable,
    AppBusy,
    AppRefused,
    Failed,
    Refused,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Rule {
    situation: Situation,
    /// Whether a POST is sent again.
    pub(crate) post: bool,
    /// Whether a GET or HEAD is.
    pub(crate) get: bool,
    /// Whether the caller is told that the same request may succeed later.
    pub(crate) retryable: bool,
    /// Whether a POST may have been executed without anybody knowing its outcome.
    pub(crate) unknown: bool,
    /// Why.
    pub(crate) why: &'static str,
    /// Where docs/protocol.md, or the standard that is named, has it.
    pub(crate) source: &'static str,
}

const YES: bool = true;
const NO: bool = false;

/// In this order: POST again, GET again, retryable, outcome of a POST unknown.
const fn rule(
    situation: Situation,
    answers: [bool; 4],
    source: &'static str,
    why: &'static str,
) -> Rule {
    let [post, get, retryable, unknown] = answers;
    Rule {
        situation,
        post,
        get,
        retryable,
        unknown,
        why,
        source,
    }
}

#[rustfmt::skip]
static RULES: &[Rule] = &[
    rule(Situation::NotConnected, [YES, YES, YES, NO], "§13.1", "no byte of it left"),
    rule(Situation::ConnectionLost, [NO, YES, NO, YES], "§13.5", "it left, and fal knows no second copy from the first"),
    rule(Situation::NotHttp, [NO, NO, NO, YES], "§13.5", "whoever answered will not answer otherwise"),
    rule(Situation::TooMany, [YES, YES, YES, NO], "§12.4", "429: it was refused before it was taken"),
    rule(Situation::NotProcessed, [YES, YES, YES, NO], "RFC 9113 §8.7", "HTTP/2 says that it was not processed"),
    rule(Situation::NotReached, [YES, YES, YES, NO], "§12.3", "no runner was reached, as the gateway itself says"),
    rule(Situation::Contradiction, [NO, YES, YES, YES], "§5.8, §12.3", "it says that no runner was reached, but the gateway does not: an app may have said so"),
    rule(Situation::StartDeadline, [NO, NO, NO, NO], "§5.7, §12.3", "the caller's own limit was over before any runner had it"),
    rule(Situation::TimedOut, [NO, YES, YES, YES], "§13.1", "408: nobody says whether it was taken"),
    rule(Situation::RunnerLost, [NO, YES, YES, YES], "§12.3", "a runner may have had it"),
    rule(Situation::PlatformFailed, [NO, NO, NO, YES], "§12.3", "a runner may have had it, and a retry makes no sense by itself"),
    rule(Situation::GaveUp, [NO, YES, YES, YES], "§12.4", "a gateway that gave up says nothing of the run"),
    rule(Situation::Ingress, [NO, YES, YES, YES], "§13.1", "the ingress may have passed it on"),
    rule(Situation::NotTheGateway, [NO, NO, NO, YES], "§13.1", "a failure without fal's request id says nothing about what was passed on"),
    rule(Situation::Unavailable, [NO, YES, YES, NO], "§12.4", "the gateway or the app answered, so that the outcome is known: a failure"),
    rule(Situation::AppBusy, [NO, YES, YES, YES], "§5.8", "429, and not provably the gateway's: an app may have run before"),
    rule(Situation::AppRefused, [NO, NO, NO, YES], "§2.5, §5.8", "401, and not provably the gateway's: an app may have run before"),
    rule(Situation::Failed, [NO, NO, NO, NO], "§12.2, §12.5", "the app ran and failed"),
    rule(Situation::Refused, [NO, NO, NO, NO], "§12.4", "it was refused, and will be again"),
];

/// The row of a situation.
pub(crate) fn rule_of(situation: Situation) -> &'static Rule {
    // Every situation has its row; the test holds it to that.
    RULES
        .iter()
        .find(|rule| rule.situation == situation)
        .unwrap_or(&RULES[RULES.len() - 1])
}

/// What the answer itself says of a retry (§16.13) is stronger, but for one thing: an app may ask
/// for a retry after it has run (§5.8), so that a POST is not sent again for its sake.
pub(crate) struct Decision {
    /// Whether the request is sent again.
    pub(crate) again: bool,
    pub(crate) retryable: bool,
    pub(crate) unknown: bool,
}

impl Rule {
    /// `hint` is what the answer says of a retry.
    pub(crate) fn decide(&self, idempotency: Idempotency, hint: Option<bool>) -> Decision {
        let safe = idempotency != Idempotency::NonIdempotent;
        let (sent_again, allowed) = match safe {
            true => (
                self.get || hint == Some(true),
                self.situation != Situation::StartDeadline,
            ),
            false => (self.post, true),
        };
        let retryable = match self.situation {
            Situation::StartDeadline => false,
            _ => hint.unwrap_or(self.retryable || (safe && self.get)),
        };
        let again = sent_again && allowed && hint != Some(false);
        Decision {
            again,
            retryable,
            unknown: self.unknown && idempotency.leaves_doubt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Situation; 19] = [
        Situation::NotConnected,
        Situation::ConnectionLost,
        Situation::NotHttp,
        Situation::TooMany,
        Situation::NotProcessed,
        Situation::NotReached,
        Situation::Contradiction,
        Situation::StartDeadline,
        Situation::TimedOut,
        Situation::RunnerLost,
        Situation::PlatformFailed,
        Situation::GaveUp,
        Situation::Ingress,
        Situation::NotTheGateway,
        Situation::Unavailable,
        Situation::AppBusy,
        Situation::AppRefused,
        Situation::Failed,
        Situation::Refused,
    ];

    #[test]
    fn every_situation_has_one_row_with_a_reason_and_a_source() {
        assert_eq!(RULES.len(), ALL.len());
        for situation in ALL {
            let rule = rule_of(situation);
            assert_eq!(rule.situation, situation);
            assert!(
                !rule.why.is_empty() && rule.source.contains('§'),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn what_may_have_been_executed_is_never_sent_twice() {
        for situation in ALL {
            let rule = rule_of(situation);
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
