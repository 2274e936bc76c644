//! Detects in bounded memory that the cursors of a list repeat.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// The number of cursors whose hashes are stored: at most 1 MiB.
const KNOWN: usize = 1 << 16;

/// The cursors of a list so far.
///
/// The repetition of one of the first cursors is detected at once. A later cycle is detected by
/// Brent's algorithm: the mark moves to the current cursor after 1, 2, 4, … cursors, so it
/// eventually lies on the cycle and stays there for a whole round.
pub(super) struct CursorCycle {
    random: RandomState,
    first: HashSet<u64>,
    known: usize,
    mark: Option<String>,
    since: u64,
    moves: u64,
}

impl Default for CursorCycle {
    fn default() -> Self {
        CursorCycle::of(KNOWN)
    }
}

impl CursorCycle {
    #[allow(
        clippy::disallowed_methods,
        reason = "a random hash, so that a server cannot choose cursors that collide"
    )]
    fn of(known: usize) -> Self {
        CursorCycle {
            random: RandomState::new(),
            first: HashSet::new(),
            known,
            mark: None,
            since: 0,
            moves: 1,
        }
    }

    /// Adds a cursor. Returns whether it repeats.
    pub(super) fn closes(&mut self, cursor: &str) -> bool {
        let hash = self.random.hash_one(cursor);
        let seen = match self.first.len() < self.known {
            true => !self.first.insert(hash),
            false => self.first.contains(&hash),
        };
        if seen || self.mark.as_deref() == Some(cursor) {
            return true;
        }
        self.since += 1;
        if self.since == self.moves {
            self.mark = Some(cursor.to_owned());
            self.since = 0;
            self.moves = self.moves.saturating_mul(2);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::CursorCycle;

    /// Returns after how many cursors a cycle of length `round` after `before` other cursors is
    /// detected.
    fn noticed(known: usize, before: u64, round: u64) -> u64 {
        let mut circle = CursorCycle::of(known);
        let cursor = |step: u64| {
            if step < before {
                step
            } else {
                before + (step - before) % round
            }
        };
        (0..)
            .find(|step| circle.closes(&cursor(*step).to_string()))
            .unwrap()
    }

    #[test]
    fn what_comes_back_to_one_of_the_first_is_noticed_at_once() {
        for (before, round) in [(0, 1), (0, 2), (7, 1), (3, 90), (0, 100)] {
            assert_eq!(
                noticed(100, before, round),
                before + round,
                "{before} {round}"
            );
        }
    }

    #[test]
    fn any_other_circle_is_noticed_within_a_few_rounds() {
        for (before, round) in [(0, 11), (11, 1), (100, 7), (1000, 1000), (12_345, 6_789)] {
            let steps = noticed(10, before, round);
            assert!(
                (before + round..=3 * (before + round)).contains(&steps),
                "{before} {round}: {steps}"
            );
        }
    }

    #[test]
    fn a_list_without_end_takes_no_more_memory() {
        let mut circle = CursorCycle::default();
        assert!((0..300_000).all(|cursor| !circle.closes(&cursor.to_string())));
        assert!(circle.first.len() == super::KNOWN && circle.first.capacity() <= 2 * super::KNOWN);
    }
}
