//! Limits the concurrent requests of a client: each uses a socket, and a process has a limited
//! number of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Result;
use crate::runtime;
use crate::runtime::per_runtime::PerRuntime;

/// The maximum number of concurrent requests in each of the two groups.
pub(super) const WIDTH: usize = 128;

/// Runs have a limit of their own: a run may take an hour, and no other request, such as a
/// cancellation, must wait for it.
///
/// Streams and sockets are not limited, because the host starts each of them by an operation.
#[derive(Default)]
pub(super) struct ConcurrencyLimits {
    limits: PerRuntime<Limits>,
}

struct Limits {
    runs: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl ConcurrencyLimits {
    /// Waits, in order of arrival, for a permit. Dropping the permit releases it.
    pub(super) async fn enter(&self, run: bool) -> Result<OwnedSemaphorePermit> {
        let limits = self.limits.get(|| {
            Ok(Limits {
                runs: Arc::new(Semaphore::new(WIDTH)),
                others: Arc::new(Semaphore::new(WIDTH)),
            })
        })?;
        runtime::permit(if run { &limits.runs } else { &limits.others }).await
    }
}
