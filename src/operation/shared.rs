//! The state that the handles of an operation share with its task.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::event_queue::{EventQueue, Listener};
use crate::error::Result;
use crate::response::Response;
use crate::secrets::Secrets;
use crate::system::process;

pub(super) struct Shared {
    pub(super) pid: u32,
    /// The secrets of the work, which no event, error or log line may contain.
    pub(super) secrets: Arc<Secrets>,
    pub(super) ended: AtomicBool,
    pub(super) cancel: CancellationToken,
    pub(super) state: Mutex<State>,
    /// The operation has ended or an event is queued: wakes threads …
    changed: Condvar,
    /// … and tasks.
    changed_for_tasks: Notify,
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
    /// The number of threads that wait. To wake none of them costs a system call all the same.
    waiting: usize,
    pub(super) events: EventQueue,
}

impl Shared {
    pub(super) fn new(secrets: Arc<Secrets>) -> Self {
        Shared {
            pid: process::id(),
            secrets,
            ended: AtomicBool::new(false),
            cancel: CancellationToken::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
            changed_for_tasks: Notify::new(),
            space_available: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.ended.load(Ordering::Acquire)
    }

    /// Waits for a change. Returns `None` once the deadline has passed.
    pub(super) fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        deadline: Option<Instant>,
    ) -> Option<MutexGuard<'a, State>> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        state.waiting += 1;
        let mut state = match left {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.waiting -= 1;
        Some(state)
    }

    /// Waits, on any async runtime, until `look` returns a value. Looks again after each change.
    /// Returns `None` in a child process, where a lock of this state may be held for ever.
    pub(super) async fn until<T>(&self, look: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            if self.pid != process::id() {
                return None;
            }
            let mut changed = pin!(self.changed_for_tasks.notified());
            changed.as_mut().enable();
            let found = look();
            if found.is_some() {
                return found;
            }
            changed.await;
        }
    }

    /// Adds an event by `push`, and wakes its readers without holding the lock.
    pub(super) fn queue(&self, push: impl FnOnce(&mut EventQueue) -> Option<Arc<dyn Listener>>) {
        let mut state = self.lock();
        // Nothing is queued then, so there is nothing to wake for.
        if state.events.is_discarding() {
            return;
        }
        let listener = push(&mut state.events);
        self.wake(state);
        listener.into_iter().for_each(|listener| listener.notify());
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.changed.notify_all();
        }
        self.changed_for_tasks.notify_waiters();
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
        self.wake(state);
        hooks.into_iter().for_each(|hook| hook());
    }
}
