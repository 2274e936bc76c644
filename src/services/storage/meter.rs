//! How far a transfer has come, told to the host.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::operation::Task;
use crate::operation::event::{Event, EventKind};

/// The progress of all transfers of one operation together.
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

    /// What one transfer adds.
    pub(super) fn share(self: &Arc<Self>) -> Arc<Share> {
        Arc::new(Share {
            meter: self.clone(),
            reached: Mutex::new(0),
        })
    }

    /// How many bytes there are was found out on the way.
    pub(super) fn set_total(&self, total: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.total = Some(total);
    }

    fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done += bytes;
        let told = match state.total {
            Some(total) => json!({"transferred": state.done, "total": total}),
            None => json!({"transferred": state.done}),
        };
        // Told under the lock, so that the figures never go back.
        self.task.emit(Event::json(EventKind::Progress, &told));
    }
}

/// One transfer: what is sent a second time counts once.
pub(super) struct Share {
    meter: Arc<Meter>,
    reached: Mutex<u64>,
}

impl Share {
    /// The transfer has come so far.
    pub(super) fn reach(&self, bytes: u64) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes > *reached {
            self.meter.add(bytes - *reached);
            *reached = bytes;
        }
    }
}
