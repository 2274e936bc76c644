//! The state that the handles of an operation share with its task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::event_queue::{EventQueue, Listener};
use crate::error::Result;
use crate::response::Response;
use crate::secrets::Secrets;

#[derive(Default)]
pub(super) struct Shared {
    pub(super) pid: u32,
    /// The secrets of the work, which no event, error or log line may contain.
    pub(super) secrets: Arc<Secrets>,
    pub(super) ended: AtomicBool,
    pub(super) cancel: CancellationToken,
    pub(super) done: CancellationToken,
    pub(super) state: Mutex<State>,
    /// The operation has ended or an event is queued: wakes threads …
    pub(super) changed: Condvar,
    /// … and tasks.
    pub(super) event_ready: Notify,
    /// The host has read an event.
    pub(super) space_available: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// Set when the operation ends, until the host takes it.
    pub(super) outcome: Option<Result<Response>>,
    pub(super) hooks: Vec<Box<dyn FnOnce() + Send>>,
    /// The number of handles that can read events.
    pub(super) readers: usize,
    pub(super) events: EventQueue,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    /// Waits for a change. Returns `None` once the deadline has passed.
    pub(super) fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let Some(deadline) = deadline else {
            let waited = self.changed.wait(state);
            return Some(waited.unwrap_or_else(PoisonError::into_inner));
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let waited = self.changed.wait_timeout(state, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Adds an event by `push`, and wakes its readers without holding the lock.
    pub(super) fn queue(&self, push: impl FnOnce(&mut EventQueue) -> Option<Arc<dyn Listener>>) {
        let listener = push(&mut self.lock().events);
        self.wake();
        listener.into_iter().for_each(|listener| listener.notify());
    }

    fn wake(&self) {
        self.changed.notify_all();
        self.event_ready.notify_waiters();
    }

    /// Sets the outcome, unless there is one, and calls the hooks.
    pub(super) fn complete(&self, outcome: Result<Response>) {
        let outcome = outcome.map_err(|error| error.without(&self.secrets));
        let mut state = self.lock();
        if !self.is_pending() {
            return;
        }
        state.outcome = Some(outcome);
        self.ended.store(true, Ordering::Release);
        let hooks = std::mem::take(&mut state.hooks);
        drop(state);
        self.wake();
        self.done.cancel();
        hooks.into_iter().for_each(|hook| hook());
    }
}
