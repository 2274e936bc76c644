//! How many requests of a client are on their way at once: each has a socket, and a process has
//! only so many.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{Code, Error, Result};
use crate::runtime::per_runtime::{Life, PerRuntime};

/// The most requests at once in each lane.
pub(super) const WIDTH: usize = 128;

/// Runs have a lane of their own, because they may take an hour: nothing else waits behind them,
/// above all no cancellation.
///
/// Streams and sockets are not counted: each belongs to an operation that the host started to have
/// it.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: PerRuntime<Pair>,
}

struct Pair {
    runs: Semaphore,
    others: Semaphore,
}

/// A place in a lane, given back when it is dropped.
pub(super) struct Permit {
    lane: Arc<Life<Pair>>,
    run: bool,
}

impl Lanes {
    /// Waits, in the order of arrival, until there is room.
    pub(super) async fn enter(&self, run: bool) -> Result<Permit> {
        let lane = self.lanes.get(|| {
            Ok(Pair {
                runs: Semaphore::new(WIDTH),
                others: Semaphore::new(WIDTH),
            })
        })?;
        let place = lane.semaphore(run).acquire().await;
        place
            .map(SemaphorePermit::forget)
            .map_err(|_| Error::new(Code::ShutDown, "libfal is shutting down"))?;
        Ok(Permit { lane, run })
    }
}

impl Pair {
    fn semaphore(&self, run: bool) -> &Semaphore {
        if run { &self.runs } else { &self.others }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lane.semaphore(self.run).add_permits(1);
    }
}
