//! Decisions that depend on a seed, and on nothing else.

use std::ops::Range;

/// Decisions in an order. Those of one place in the plan do not depend on how many were made in
/// another.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// The decisions of this place.
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

    /// One of these, as often as its weight says.
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

    /// Small ones as often as large ones of twice the size.
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
