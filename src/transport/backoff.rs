//! The number of attempts of a call, and the pauses between them. A retry crate would not help: the
//! pause depends on `Retry-After`, and whether to retry depends on what the last attempt sent.

use std::time::Duration;

use crate::system::random;

/// The upper limit of the first pause. Each pause doubles it, …
const BASE: Duration = Duration::from_millis(500);
/// … up to this one.
const MOST: Duration = Duration::from_secs(20);

/// The maximum number of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) most: u32,
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts { most: 5 }
    }
}

impl Attempts {
    /// Returns the pause after attempt number `made` (from 1), or `None` if that was the last.
    ///
    /// The pause has full jitter, so that calls that failed at the same time do not retry at the
    /// same time. It is not shorter than `asked`, the service's `Retry-After`.
    pub(crate) fn pause(&self, made: u32, asked: Option<Duration>) -> Option<Duration> {
        if made >= self.most {
            return None;
        }
        let ceiling = BASE
            .saturating_mul(1 << made.saturating_sub(1).min(16))
            .min(MOST);
        let jittered = random::jittered(ceiling, 0.0, 1.0);
        Some(match asked {
            Some(asked) => asked.saturating_add(jittered.min(BASE)),
            None => jittered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_stay_bounded_and_end() {
        let attempts = Attempts { most: 50 };
        for made in 1..50 {
            let pause = attempts.pause(made, None).unwrap();
            assert!(pause <= MOST && pause <= BASE * 2u32.pow(made.min(10) - 1).max(1));
            let asked = attempts.pause(made, Some(Duration::from_secs(3))).unwrap();
            assert!((Duration::from_secs(3)..=Duration::from_secs(3) + BASE).contains(&asked));
        }
        assert_eq!(attempts.pause(50, None), None);
        assert_eq!(Attempts { most: 1 }.pause(1, Some(Duration::ZERO)), None);
    }
}
