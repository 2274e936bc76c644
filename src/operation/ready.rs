//! What a dispatcher has ready for the host, and how the host learns of it.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::event_queue::Bell;
use super::op::Op;
use crate::error::Result;
use crate::runtime;
use crate::runtime::host_functions::{HostOwned, Kind};
use crate::system::process;

pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;
pub(super) type DoneCallback = HostOwned<Box<dyn FnOnce(Op) + Send>>;

/// What the handles of a dispatcher share with the operations that publish in it.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) pid: u32,
    /// Is taken last: the thread that has it takes no lock of an operation, and drops no value of
    /// the host and no handle.
    queue: Mutex<Queue>,
    changed: Condvar,
    pub(super) outstanding: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) callbacks: VecDeque<Ready>,
    /// The callbacks of operations that have not ended. They go with the dispatcher.
    pub(super) ends: BTreeMap<u64, (Op, DoneCallback)>,
    pub(super) last_end: u64,
    /// The watches that have an event or the end to read, in the order of their turns.
    pub(super) notices: VecDeque<u64>,
    pub(super) watches: BTreeMap<u64, Watch>,
    pub(super) last_watch: u64,
    pub(super) wake: Option<Arc<HostOwned<Wake>>>,
    /// Whether something has become ready since the waking thread last called `wake`.
    due: bool,
    /// Whether there is a waking thread.
    waking: bool,
    /// The number of threads that wait.
    waiting: usize,
}

/// A callback that the host is to run.
pub(super) enum Ready {
    Done(Op, DoneCallback),
    Events(Op, Arc<EventCallback>),
}

pub(super) struct EventCallback {
    pub(super) function: HostOwned<Box<dyn Fn(Op) + Send + Sync>>,
    /// It was taken back or replaced, or its operation's last callback has run.
    pub(super) is_retired: AtomicBool,
}

/// An operation whose events the host reads from the dispatcher.
pub(super) struct Watch {
    pub(super) op: Op,
    pub(super) tag: Arc<dyn Any + Send + Sync>,
    /// Whether it is in `notices`.
    pub(super) is_queued: bool,
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared {
            pid: process::id(),
            ..Shared::default()
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until `look` returns a value or `timeout` has passed (`None`: no limit).
    ///
    /// Fails with [`Code::WouldDeadlock`](crate::Code::WouldDeadlock) where it may not block, if it
    /// would have to.
    pub(super) fn wait<T>(
        &self,
        timeout: Option<Duration>,
        look: impl Fn(&mut Queue) -> Option<T>,
    ) -> Result<Option<T>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queue = self.lock();
        loop {
            let found = look(&mut queue);
            if found.is_some() || timeout == Some(Duration::ZERO) {
                return Ok(found);
            }
            runtime::may_wait()?;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            queue.waiting += 1;
            let woken = self
                .changed
                .wait_timeout(queue, left.unwrap_or(Duration::MAX));
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
            queue.waiting -= 1;
        }
    }

    /// Wakes the threads that wait.
    pub(super) fn rouse(&self, queue: MutexGuard<'_, Queue>) {
        let waiting = queue.waiting;
        drop(queue);
        if waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Starts the waking thread, which calls `wake` for as long as something becomes ready.
    fn wake_later(self: &Arc<Self>) {
        let mut waker = Waker(Arc::downgrade(self));
        let job = move || std::iter::from_fn(|| waker.next()).for_each(|wake| call(&wake));
        // Without a thread for it, this one calls: nothing else would tell the host.
        let left = match runtime::current_or_closing() {
            Ok(instance) => instance.host().post(Kind::Wakes, job).err(),
            Err(_) => Some(Box::new(job) as Box<dyn FnOnce() + Send>),
        };
        if let Some(job) = left {
            job();
        }
    }
}

impl Bell for Shared {
    fn ring(self: Arc<Self>) {
        let mut queue = self.lock();
        let here = !runtime::carries_calls();
        let wake = queue.wake.clone();
        queue.due = wake.is_some() && (queue.due || !here);
        let later = queue.due && !here && !std::mem::replace(&mut queue.waking, true);
        self.rouse(queue);
        if later {
            self.wake_later();
        }
        wake.filter(|_| here)
            .into_iter()
            .for_each(|wake| call(&wake));
    }
}

impl Queue {
    /// Keeps a callback until its operation ends.
    pub(super) fn add_end(&mut self, op: Op, callback: DoneCallback) -> u64 {
        self.last_end += 1;
        self.ends.insert(self.last_end, (op, callback));
        self.last_end
    }

    /// Makes a callback ready, because its operation has ended.
    pub(super) fn publish_end(&mut self, id: u64) {
        if let Some((op, callback)) = self.ends.remove(&id) {
            self.callbacks.push_back(Ready::Done(op, callback));
        }
    }

    /// Gives a watch its next turn. Does nothing if it has one or was removed.
    pub(super) fn give_turn(&mut self, id: u64) {
        if let Some(watch) = self.watches.get_mut(&id)
            && !std::mem::replace(&mut watch.is_queued, true)
        {
            self.notices.push_back(id);
        }
    }

    /// Takes the watch whose turn it is.
    pub(super) fn take_turn(&mut self) -> Option<(u64, Op, Arc<dyn Any + Send + Sync>)> {
        let id = self.notices.pop_front()?;
        let watch = self.watches.get_mut(&id)?;
        watch.is_queued = false;
        Some((id, watch.op.clone(), watch.tag.clone()))
    }

    /// Removes a watch.
    pub(super) fn forget(&mut self, id: u64) -> Option<Watch> {
        let watch = self.watches.remove(&id)?;
        if watch.is_queued {
            self.notices.retain(|turn| *turn != id);
        }
        Some(watch)
    }
}

/// The waking thread of a dispatcher. There is at most one.
struct Waker(Weak<Shared>);

impl Waker {
    fn next(&mut self) -> Option<Arc<HostOwned<Wake>>> {
        let shared = self.0.upgrade()?;
        let mut queue = shared.lock();
        let wake = queue.wake.clone().filter(|_| queue.due);
        (queue.due, queue.waking) = (false, wake.is_some());
        if wake.is_none() {
            // Another waking thread may start before this one ends.
            self.0 = Weak::new();
        }
        wake
    }
}

impl Drop for Waker {
    /// Runs even if the thread never called `next`.
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().waking = false;
        }
    }
}

fn call(wake: &HostOwned<Wake>) {
    if let Some(wake) = wake.get() {
        let _ = runtime::in_callback(|| catch_unwind(AssertUnwindSafe(|| wake())));
    }
}
