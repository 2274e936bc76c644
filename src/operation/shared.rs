//! The state that the handles of an operation share with its task.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::event_queue::{Bell, EventQueue, Listener};
use super::request_id::RequestId;
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

/// Publishes the end of an operation, under its lock.
pub(super) type Hook = Box<dyn FnMut() -> Option<Arc<dyn Bell>> + Send>;

#[derive(Default)]
pub(super) struct State {
    /// Set when the operation ends, until the host takes it.
    pub(super) outcome: Option<Result<Response>>,
    /// The id of the request, once it is known.
    pub(super) request_id: Option<RequestId>,
    pub(super) hooks: Vec<Hook>,
    /// Those who wait for the first of several operations.
    pub(super) bells: Vec<Arc<dyn Bell>>,
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

    /// Adds an event by `push`, publishes it, and wakes its readers without holding the lock.
    pub(super) fn queue(&self, push: impl FnOnce(&mut EventQueue) -> Option<Arc<dyn Listener>>) {
        let mut state = self.lock();
        // Nothing is queued then, so there is nothing to wake for. The end is the last news.
        if state.events.is_discarding() || !self.is_pending() {
            return;
        }
        let listener = push(&mut state.events);
        let bell = listener
            .as_ref()
            .and_then(|listener| state.publish(&**listener));
        let discarded = state.events.is_discarding();
        self.wake(state);
        if discarded {
            self.space_available.notify_waiters();
        }
        bell.into_iter().for_each(|bell| bell.ring());
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.changed.notify_all();
        }
        self.changed_for_tasks.notify_waiters();
    }

    /// Sets the outcome, unless there is one, and publishes the end. Who sees the end without the
    /// lock finds it published in every dispatcher; who finds it published sees the end with the
    /// lock.
    pub(super) fn complete(&self, outcome: Result<Response>) {
        let outcome = outcome.map_err(|error| error.without(&self.secrets));
        let mut state = self.lock();
        if !self.is_pending() {
            return;
        }
        let id = match &outcome {
            Ok(response) => response.request_id(),
            Err(error) => error.request_id(),
        };
        id.into_iter().for_each(|id| state.identify(id));
        state.outcome = Some(outcome);
        let mut hooks = std::mem::take(&mut state.hooks);
        let watch = state
            .events
            .listener()
            .and_then(|listener| listener.publish_end());
        let mut bells = std::mem::take(&mut state.bells);
        bells.extend(watch);
        bells.extend(hooks.iter_mut().filter_map(|publish| publish()));
        self.ended.store(true, Ordering::Release);
        let callback = state.events.take_callback();
        self.wake(state);
        drop(callback);
        bells.into_iter().for_each(|bell| bell.ring());
    }
}

impl State {
    /// Keeps the first id of the request.
    pub(super) fn identify(&mut self, id: &str) {
        self.request_id.get_or_insert_with(|| RequestId::new(id));
    }

    /// Publishes queued events. If neither a dispatcher nor a handle is left to read them, they are
    /// discarded.
    pub(super) fn publish(&mut self, listener: &dyn Listener) -> Option<Arc<dyn Bell>> {
        let bell = listener.publish(&mut self.readers);
        if bell.is_none() && self.readers == 0 {
            self.events.discard();
        }
        bell
    }
}
