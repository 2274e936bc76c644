//! Reports the progress of transfers to the host.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::operation::Task;
use crate::operation::event::{Event, EventKind};

/// The sum of the progress of all transfers of an operation.
pub(super) struct Meter {
    task: Task,
    state: Mutex<State>,
}

struct State {
    done: u64,
    total: Option<u64>,
}

impl Meter {
    pub(super) fn new(task: &Task, total: Option<u64>) -> Arc<Self> {
        Arc::new(Meter {
            task: task.clone(),
            state: Mutex::new(State { done: 0, total }),
        })
    }

    /// A counter for one more transfer.
    pub(super) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share {
            meter: self.clone(),
            reached: AtomicU64::new(0),
        })
    }

    /// Sets the size of all transfers, in bytes, when it becomes known later.
    pub(super) fn set_total(&self, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total = Some(total);
    }

    fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += bytes;
        let progress = match state.total {
            Some(total) => json!({"transferred": state.done, "total": total}),
            None => json!({"transferred": state.done}),
        };
        // The event is sent under the lock, so that the numbers in the events never decrease.
        self.task.emit(Event::json(EventKind::Progress, &progress));
    }
}

/// The progress of one transfer. Bytes that are sent again count once.
pub(super) struct Share {
    meter: Arc<Meter>,
    reached: AtomicU64,
}

impl Share {
    /// Reports that the transfer has reached this number of bytes.
    pub(super) fn reach(&self, bytes: u64) {
        let before = self.reached.fetch_max(bytes, Ordering::Relaxed);
        if bytes > before {
            self.meter.add(bytes - before);
        }
    }
}
