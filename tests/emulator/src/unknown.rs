//! Requests that nothing here can answer, for those who want to know that there was none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The header of a response that says so, and why.
pub(crate) const UNKNOWN: &str = "x-fal-emulator-unknown";

/// The number of different requests that are kept.
const MOST: usize = 1000;

/// A request that the emulator has nothing for: an endpoint, a path or a host that it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownRequest {
    /// The method, in upper case.
    pub method: String,
    /// The host, without a port.
    pub host: String,
    /// The path as sent; empty for `CONNECT`.
    pub path: String,
    /// What is missing.
    pub why: String,
    /// Whether the request was strict, by the settings or by its header.
    pub strict: bool,
    /// How often it was sent.
    pub times: u64,
}

/// All unknown requests of all sessions. A reset keeps them.
#[derive(Default)]
pub(crate) struct Unknowns(Mutex<Vec<UnknownRequest>>);

impl Unknowns {
    fn list(&self) -> MutexGuard<'_, Vec<UnknownRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, request: UnknownRequest) {
        let mut list = self.list();
        let same = |known: &&mut UnknownRequest| {
            let times = known.times;
            **known
                == UnknownRequest {
                    times,
                    ..request.clone()
                }
        };
        if let Some(known) = list.iter_mut().find(same) {
            known.times += 1;
        } else if list.len() < MOST {
            list.push(request);
        }
    }

    pub(crate) fn all(&self) -> Vec<UnknownRequest> {
        self.list().clone()
    }

    pub(crate) fn clear(&self) {
        self.list().clear();
    }
}
