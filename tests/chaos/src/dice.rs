//! Random decisions that depend on a seed only.

use std::ops::Range;

/// A sequence of decisions. The decisions at one place of the plan are independent of those at
/// another.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// Returns the sequence of this place.
    pub(crate) fn of(seed: u64, place: &[u64]) -> Self {
        Self(fastrand::Rng::with_seed(
            place
                .iter()
                .fold(mixed(seed), |seed, step| mixed(seed ^ mixed(*step))),
        ))
    }

    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.0.u64(0..100) < chance
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.0.usize(0..all.len())].clone()
    }

    /// Picks a value with a probability proportional to its weight.
    pub(crate) fn weighed<T: Clone>(&mut self, all: &[(u64, T)]) -> T {
        let mut at = self.0.u64(0..all.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in all {
            if at < *weight {
                return one.clone();
            }
            at -= weight;
        }
        all[0].1.clone()
    }

    /// Returns a number of at most `most_bits` bits. Each number of bits is equally likely.
    pub(crate) fn scaled(&mut self, most_bits: u64) -> u64 {
        let bits = self.within(0..most_bits + 1);
        self.within(0..1 << bits)
    }
}

fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
