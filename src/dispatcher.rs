//! Callbacks on the host's own thread: queued when an operation ends, run when the host says so.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};
use crate::op::Op;
use crate::runtime;

/// A queue of callbacks that the host empties, for instance once a frame. Clones share the queue.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

type Callback = Box<dyn FnOnce() + Send>;
type Wake = Arc<dyn Fn() + Send + Sync>;

struct Shared {
    pid: u32,
    queue: Mutex<Queue>,
    outstanding: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Callback>,
    wake: Option<Wake>,
}

impl Default for Dispatcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Dispatcher {
    /// An empty dispatcher.
    pub fn new() -> Self {
        let shared = Shared { pid: std::process::id(), queue: Mutex::default(), outstanding: AtomicUsize::new(0) };
        Dispatcher { shared: Arc::new(shared) }
    }

    /// Has `callback` called once, by [`run`](Self::run), after `op` has ended in any way.
    pub fn when_done(&self, op: &Op, callback: impl FnOnce(Op) + Send + 'static) -> Result<()> {
        self.check_process()?;
        self.shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let (dispatcher, ended) = (self.clone(), op.clone());
        let accepted = op.on_end(move || dispatcher.enqueue(Box::new(move || callback(ended))));
        if accepted.is_err() {
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
        }
        accepted
    }

    /// Has `callback` called, by [`run`](Self::run), when events of `op` begin to wait: once until it has been called, so it
    /// should read all of them ([`Op::wait_event`] with zero). It replaces an earlier one. The end of `op` is no event.
    pub fn when_event(&self, op: &Op, callback: impl Fn(Op) + Send + Sync + 'static) -> Result<()> {
        self.check_process()?;
        let (dispatcher, callback, op_of_notice) = (self.clone(), Arc::new(callback), op.weak());
        op.on_event(Arc::new(move || {
            let Some(op) = op_of_notice.op() else { return };
            let callback = callback.clone();
            dispatcher.shared.outstanding.fetch_add(1, Ordering::AcqRel);
            dispatcher.enqueue(Box::new(move || {
                op.looks();
                callback(op);
            }));
        }))
    }

    /// Runs callbacks that are ready on this thread, at most `max` of them, starting none once `budget` is over (`None`: no limit).
    /// At least one runs if one is ready. Returns how many ran.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback.
    pub fn run(&self, max: usize, budget: Option<Duration>) -> Result<usize> {
        self.check_process()?;
        runtime::may_wait()?;
        let started = Instant::now();
        let mut ran = 0;
        while ran < max && (ran == 0 || budget.is_none_or(|budget| started.elapsed() < budget)) {
            let Some(callback) = self.lock().ready.pop_front() else { break };
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
            ran += 1;
            runtime::in_callback(|| catch_unwind(AssertUnwindSafe(callback)))
                .map_err(|payload| crate::op::panicked(&*payload))?;
        }
        Ok(ran)
    }

    /// Callbacks accepted and not run yet, whether their operations have ended or not.
    pub fn outstanding(&self) -> usize {
        self.shared.outstanding.load(Ordering::Acquire)
    }

    /// Has `wake` called whenever a callback becomes ready, on any thread, so that an event loop can sleep. `None` ends it.
    ///
    /// It should only signal; waiting inside it is refused.
    pub fn set_wake(&self, wake: Option<Wake>) -> Result<()> {
        self.check_process()?;
        self.lock().wake = wake;
        Ok(())
    }

    fn enqueue(&self, callback: Callback) {
        let wake = {
            let mut queue = self.lock();
            queue.ready.push_back(callback);
            queue.wake.clone()
        };
        if let Some(wake) = wake {
            let _ = runtime::in_callback(|| catch_unwind(AssertUnwindSafe(|| wake())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_process(&self) -> Result<()> {
        match self.shared.pid == std::process::id() {
            true => Ok(()),
            false => {
                Err(Error::new(Code::Forked, "the dispatcher belongs to the process that this one was forked from"))
            }
        }
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("outstanding", &self.outstanding()).finish_non_exhaustive()
    }
}
