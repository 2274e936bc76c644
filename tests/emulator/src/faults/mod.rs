//! The faults that tests have added.

mod echo;
mod fault;
mod glob;
mod part;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use serde_json::{Value, json};

pub use echo::EchoPlace;
pub use fault::{Action, Fault, ResetPoint, RetryAfter, RetryAfterForm};
pub(crate) use fault::{malformed_json, truncated};
pub(crate) use glob::matches;
pub use part::OddPart;

struct Injected {
    id: u64,
    fault: Fault,
    struck: u64,
    /// The number of requests that it could have applied to.
    met: u64,
    draws: Rng,
}

impl Injected {
    /// Whether the fault applies to a request that it matches.
    fn draw(&mut self) -> bool {
        self.met += 1;
        // Each request has its draw, also where the probability is 1.
        let drawn = self.draws.f64();
        self.fault
            .probability
            .is_none_or(|probability| drawn < probability)
    }
}

#[derive(Default)]
struct Board {
    injected: Vec<Injected>,
    last_id: u64,
}

/// The faults that are present, oldest first.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Board>);

impl Faults {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inject(&self, mut fault: Fault) -> u64 {
        // Up to 32 bits, which every JSON parser reads exactly.
        let seed = fault.seed.unwrap_or_else(|| fastrand::u32(..).into());
        fault.seed = fault.probability.map(|_| seed);
        let mut board = self.board();
        board.last_id += 1;
        let id = board.last_id;
        board.injected.push(Injected {
            id,
            fault,
            struck: 0,
            met: 0,
            draws: Rng::with_seed(seed),
        });
        id
    }

    pub(crate) fn clear(&self) {
        self.board().injected.clear();
    }

    /// The first fault that matches this request, with its count raised.
    pub(crate) fn take(&self, method: &str, host: &str, path: &str) -> Option<Fault> {
        let mut board = self.board();
        for injected in &mut board.injected {
            let fault = &mut injected.fault;
            let spent = fault.times.is_some_and(|times| injected.struck >= times);
            if spent || !fault.strikes(method, host, path) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if !injected.draw() {
                continue;
            }
            injected.struck += 1;
            return Some(injected.fault.clone());
        }
        None
    }

    /// How often each kind of fault has applied, by the name of its action.
    pub(crate) fn struck(&self) -> BTreeMap<String, u64> {
        let mut kinds = BTreeMap::new();
        for injected in self
            .board()
            .injected
            .iter()
            .filter(|injected| injected.struck > 0)
        {
            let action = serde_json::to_value(&injected.fault.action).unwrap_or_default();
            let kind = action["type"].as_str().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += injected.struck;
        }
        kinds
    }

    /// Every fault with its id and how often it has applied.
    pub(crate) fn list(&self) -> Value {
        self.board()
            .injected
            .iter()
            .map(|one| {
                json!({ "id": one.id, "struck": one.struck, "met": one.met, "fault": one.fault })
            })
            .collect()
    }
}
