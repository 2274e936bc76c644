//! How many requests of a client are on their way at once: each has a socket, and a process has
//! only so many.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Result;
use crate::runtime;
use crate::runtime::per_runtime::PerRuntime;

/// The most requests at once in each lane.
pub(super) const WIDTH: usize = 128;

/// Runs have a lane of their own, because they may take an hour: nothing else waits behind them,
/// above all no cancellation.
///
/// Streams and sockets are not counted: each belongs to an operation that the host started to have
/// it.
#[derive(Default)]
pub(super) struct ConcurrencyLimits {
    limits: PerRuntime<Pair>,
}

struct Pair {
    runs: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl ConcurrencyLimits {
    /// Waits, in the order of arrival, until there is room. The place is given back when it is
    /// dropped.
    pub(super) async fn enter(&self, run: bool) -> Result<OwnedSemaphorePermit> {
        let lane = self.limits.get(|| {
            Ok(Pair {
                runs: Arc::new(Semaphore::new(WIDTH)),
                others: Arc::new(Semaphore::new(WIDTH)),
            })
        })?;
        runtime::permit(if run { &lane.runs } else { &lane.others }).await
    }
}
