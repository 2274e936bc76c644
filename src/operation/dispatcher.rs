//! Callbacks that run on the host's own threads: queued by operations, run by
//! [`Dispatcher::run`].

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::event_queue::Listener;
use super::op::{Op, WeakOp, panicked};
use crate::error::{Code, Error, Result};
use crate::runtime;
use crate::runtime::host_functions::{HostOwned, Kind};
use crate::system::process;

/// A queue of callbacks that the host runs, for instance once per frame. Clones share the queue.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

type Callback = HostOwned<Box<dyn FnOnce() + Send>>;
type Wake = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    pid: u32,
    queue: Mutex<Queue>,
    outstanding: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Callback>,
    wake: Option<Arc<HostOwned<Wake>>>,
    /// Whether a callback has become ready since the waking thread last called `wake`.
    due: bool,
    /// Whether there is a waking thread.
    waking: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues a callback when an operation has events. Does not keep the dispatcher alive.
struct EventCallback<F> {
    dispatcher: Weak<Shared>,
    op: WeakOp,
    callback: Arc<F>,
}

impl<F: Fn(Op) + Send + Sync + 'static> Listener for EventCallback<F> {
    fn notify(&self) {
        // If the dispatcher is gone, dropping this handle discards the events.
        let Some(op) = self.op.op() else { return };
        let Some(shared) = self.dispatcher.upgrade() else {
            return;
        };
        let callback = self.callback.clone();
        shared.outstanding.fetch_add(1, Ordering::AcqRel);
        Dispatcher { shared }.enqueue(move || {
            op.rearm();
            callback(op);
        });
    }

    fn is_alive(&self) -> bool {
        self.dispatcher.strong_count() > 0
    }
}

impl Default for Dispatcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Dispatcher {
    /// An empty dispatcher.
    pub fn new() -> Self {
        let pid = process::id();
        let shared = Arc::new(Shared {
            pid,
            ..Shared::default()
        });
        Dispatcher { shared }
    }

    /// Makes [`run`](Self::run) call `callback` once after `op` has ended in any way.
    pub fn when_done(&self, op: &Op, callback: impl FnOnce(Op) + Send + 'static) -> Result<()> {
        self.check_process()?;
        self.shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let (dispatcher, ended) = (self.clone(), op.clone());
        let callback = HostOwned::new(callback);
        let accepted = op.on_end(move || {
            dispatcher.enqueue(move || {
                if let Some(callback) = callback.take() {
                    callback(ended);
                }
            });
        });
        if accepted.is_err() {
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
        }
        accepted
    }

    /// Makes [`run`](Self::run) call `callback` when events of `op` are queued. It is called once
    /// for all events that are queued by then, so it should read all of them ([`Op::wait_event`]
    /// with zero). It replaces an earlier callback. The end of `op` is not an event.
    pub fn when_event(&self, op: &Op, callback: impl Fn(Op) + Send + Sync + 'static) -> Result<()> {
        self.check_process()?;
        let listener = EventCallback {
            dispatcher: Arc::downgrade(&self.shared),
            op: op.weak(),
            callback: Arc::new(callback),
        };
        op.on_event(Arc::new(listener))
    }

    /// Runs ready callbacks on this thread, at most `max` of them. Starts no callback after
    /// `budget` has passed (`None`: no limit), but runs at least one if one is ready. Returns how
    /// many ran.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback.
    pub fn run(&self, max: usize, budget: Option<Duration>) -> Result<usize> {
        self.check_process()?;
        runtime::may_wait()?;
        let started = Instant::now();
        let mut ran = 0;
        while ran < max && (ran == 0 || budget.is_none_or(|budget| started.elapsed() < budget)) {
            let Some(callback) = self.shared.lock().ready.pop_front() else {
                break;
            };
            let Some(callback) = callback.take() else {
                continue;
            };
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
            ran += 1;
            runtime::in_callback(|| catch_unwind(AssertUnwindSafe(callback)))
                .map_err(|payload| panicked(&*payload))?;
        }
        Ok(ran)
    }

    /// Returns how many callbacks have not run yet, ready or not.
    pub fn outstanding(&self) -> usize {
        self.shared.outstanding.load(Ordering::Acquire)
    }

    /// Sets a function that is called when callbacks become ready, so that an event loop can sleep.
    /// `None` removes it. One call may stand for several callbacks. libfal calls `wake` on a thread
    /// made for that, or on the host's thread that made a callback ready.
    ///
    /// `wake` should only send a signal: a slow one delays the next call. Blocking calls of libfal
    /// fail inside it.
    pub fn set_wake(&self, wake: Option<Wake>) -> Result<()> {
        self.check_process()?;
        let wake = wake.map(|wake| Arc::new(HostOwned::new(wake)));
        let before = std::mem::replace(&mut self.shared.lock().wake, wake);
        drop(before);
        Ok(())
    }

    fn enqueue(&self, callback: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.lock();
        queue.ready.push_back(HostOwned::new(Box::new(callback)));
        if queue.wake.is_none() {
            return;
        }
        let here = !runtime::carries_calls();
        queue.due = queue.due || !here;
        let later = !here && !std::mem::replace(&mut queue.waking, true);
        let wake = queue.wake.clone().filter(|_| here);
        drop(queue);
        wake.into_iter().for_each(|wake| call(&wake));
        if later {
            self.wake_later();
        }
    }

    /// Starts the waking thread, which calls `wake` for as long as callbacks become ready.
    fn wake_later(&self) {
        let mut waker = Waker(Arc::downgrade(&self.shared));
        let job = move || std::iter::from_fn(|| waker.next()).for_each(|wake| call(&wake));
        let posted =
            runtime::current_or_closing().map(|instance| instance.host().post(Kind::Wakes, job));
        if let Ok(Err(job)) = posted {
            job();
        }
    }

    fn check_process(&self) -> Result<()> {
        match self.shared.pid == process::id() {
            true => Ok(()),
            false => Err(Error::new(
                Code::Forked,
                "the dispatcher belongs to the process that this one was forked from",
            )),
        }
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

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use serde_json::json;

    use super::*;
    use crate::operation::NextEvent;
    use crate::operation::event::{Event, EventKind};
    use crate::response::Response;

    /// More than the event queue can store.
    const ITEMS: usize = 3000;
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Starts an operation that sends items. The flag says whether it has sent all of them.
    fn streaming() -> (Op, Arc<AtomicBool>) {
        let delivered = Arc::new(AtomicBool::new(false));
        let all = delivered.clone();
        let op = Op::start(Arc::default(), |task| async move {
            for n in 0..ITEMS {
                task.emit_when_room(Event::json(EventKind::Item, &json!(n)))
                    .await;
            }
            all.store(true, Ordering::Release);
            Ok(Response::made(&json!(null)))
        });
        (op.unwrap(), delivered)
    }

    fn within(what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nobody_waits_for_a_dispatcher_that_is_gone() {
        for (queued, op_goes_first) in [(false, false), (true, false), (true, true)] {
            let dispatcher = Dispatcher::new();
            let (op, delivered) = streaming();
            dispatcher.when_event(&op, |_| {}).unwrap();
            if queued {
                within("no event comes", || dispatcher.outstanding() > 0);
            }
            if op_goes_first {
                drop(op);
                drop(dispatcher);
            } else {
                drop(dispatcher);
                drop(op);
            }
            within("the stream waits for a reader that is gone", || {
                delivered.load(Ordering::Acquire)
            });
        }
    }

    #[test]
    fn who_reads_by_himself_loses_nothing_with_the_dispatcher() {
        let dispatcher = Dispatcher::new();
        let (op, _) = streaming();
        dispatcher.when_event(&op, |_| {}).unwrap();
        within("no event comes", || dispatcher.outstanding() > 0);
        drop(dispatcher);
        let next = || op.wait_event(Some(PATIENCE)).unwrap();
        let items =
            std::iter::from_fn(|| matches!(next(), NextEvent::Event(_)).then_some(())).count();
        assert_eq!(items, ITEMS);
    }

    #[test]
    fn a_dispatcher_reads_for_a_host_that_let_the_operation_go() {
        let dispatcher = Dispatcher::new();
        let (op, delivered) = streaming();
        let read = Arc::new(AtomicUsize::new(0));
        let count = read.clone();
        let read_all = move |op: Op| {
            while let Ok(NextEvent::Event(_)) = op.wait_event(Some(Duration::ZERO)) {
                count.fetch_add(1, Ordering::AcqRel);
            }
        };
        dispatcher.when_event(&op, read_all).unwrap();
        drop(op);
        within("the dispatcher reads nothing", || {
            dispatcher.run(10, None).unwrap();
            read.load(Ordering::Acquire) == ITEMS && delivered.load(Ordering::Acquire)
        });
    }
}
