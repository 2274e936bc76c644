//! What the handles of an operation and its task share.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::event_queue::{EventQueue, Notice};
use crate::error::Result;
use crate::response::Response;
use crate::secrets::Secrets;

pub(super) const PENDING: u8 = 0;
pub(super) const DONE: u8 = 1;
pub(super) const TAKEN: u8 = 2;

pub(super) struct Shared {
    pub(super) pid: u32,
    /// What the work carried: nothing that is told of it holds that.
    pub(super) secrets: Arc<Secrets>,
    pub(super) phase: AtomicU8,
    pub(super) cancel: CancellationToken,
    pub(super) done: CancellationToken,
    pub(super) state: Mutex<State>,
    /// The operation has ended, or an event waits: for threads …
    pub(super) changed: Condvar,
    /// … and for tasks.
    pub(super) event_ready: Notify,
    /// An event was read.
    pub(super) space_available: Notify,
}

/// How the operation goes on and ends, as seen from outside.
#[derive(Default)]
pub(super) struct State {
    pub(super) outcome: Option<Result<Response>>,
    pub(super) hooks: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) readers: usize,
    pub(super) events: EventQueue,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; `None` if the time is over.
    pub(super) fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let Some(deadline) = deadline else {
            return Some(
                self.changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        Some(
            self.changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0,
        )
    }

    /// Something happened; called without the lock.
    pub(super) fn stir(&self, notice: Option<Notice>) {
        self.changed.notify_all();
        self.event_ready.notify_waiters();
        notice.into_iter().for_each(|notice| notice.give());
    }

    pub(super) fn complete(&self, outcome: Result<Response>) {
        let outcome = outcome.map_err(|error| error.without(&self.secrets));
        let mut state = self.lock();
        if self.phase.load(Ordering::Acquire) != PENDING {
            return;
        }
        state.outcome = Some(outcome);
        self.phase.store(DONE, Ordering::Release);
        let hooks = std::mem::take(&mut state.hooks);
        drop(state);
        self.stir(None);
        self.done.cancel();
        hooks.into_iter().for_each(|hook| hook());
    }
}
