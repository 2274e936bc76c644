//! Functions of the host's, on threads made for them: none runs on a thread that carries out calls,
//! so that one which is slow, blocks or panics holds up no call, no limit, no cancellation and no
//! fork.
//!
//! The threads are made when there is something to do, a few for each kind, so that no kind waits
//! for another. They block no signal that the host does not block itself: programs that it starts
//! there would inherit that. They count as the runtime's: its hooks are called on them, and a
//! shutdown ends them. A forked child has its own, and nothing of what waits here in its parent.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

use crate::error::{Code, Error, Result};
use crate::runtime::{self, Hooks, Threads, left_until};
use crate::system::signals::Mask;

/// What the host is called for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To take lines of the log.
    Log,
    /// To deliver a credential.
    Questions,
    /// To give content.
    Readers,
    /// To hear that a dispatcher has something to run.
    Wakes,
    /// To take back what it lent.
    Releases,
}

const KINDS: usize = 5;

/// The most threads of each kind. A question may wait for a person, and others are not to wait for
/// that.
const MOST: [usize; KINDS] = [4, 32, 2, 4, 2];

/// A thread that has nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one life of the runtime.
pub(crate) struct Host {
    pools: [Arc<Pool>; KINDS],
    threads: Arc<Threads>,
    hooks: Hooks,
    mask: Mask,
    /// Nothing more is done: the time to end was over.
    given_up: AtomicBool,
}

/// The threads of one kind, and what waits for them.
struct Pool {
    state: Mutex<State>,
    work: Condvar,
    /// A thread has nothing to do, or ends.
    rested: Condvar,
    /// For calls that can wait for a thread without keeping anything meanwhile.
    share: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Threads end once nothing waits.
    closed: bool,
}

impl Host {
    pub(crate) fn new(threads: Arc<Threads>, hooks: Hooks) -> Self {
        let pools = MOST.map(|most| Arc::new(Pool::new(most)));
        Host {
            pools,
            threads,
            hooks,
            mask: Mask::of_this_thread(),
            given_up: AtomicBool::new(false),
        }
    }

    fn pool(&self, kind: Kind) -> &Arc<Pool> {
        &self.pools[kind as usize]
    }

    /// Has `job` done on a thread of this kind. Gives it back if there is none and none can be
    /// made.
    pub(crate) fn post(
        &self,
        kind: Kind,
        job: impl FnOnce() + Send + 'static,
    ) -> std::result::Result<(), Job> {
        let pool = self.pool(kind);
        let mut state = pool.lock();
        let job: Job = Box::new(job);
        let lacking =
            state.jobs.len() >= state.idle && state.threads < MOST[kind as usize] && !state.closed;
        if lacking && self.start(kind).is_ok() {
            state.threads += 1;
        }
        if state.threads == 0 || self.has_given_up() {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        pool.work.notify_one();
        Ok(())
    }

    fn start(&self, kind: Kind) -> std::io::Result<()> {
        let (pool, hooks, mask) = (self.pool(kind).clone(), self.hooks.clone(), self.mask);
        self.threads.start("fal-host", move || {
            runtime::on_host_thread(kind);
            mask.restore();
            hooks.start();
            while let Some(job) = pool.next() {
                // Its panic is its own, and was reported by its hook.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
            hooks.stop();
        })
    }

    /// Waits until nothing of this kind waits or is being done; says whether that is so.
    pub(crate) fn rest(&self, kind: Kind, deadline: Option<Instant>) -> bool {
        self.pool(kind).wait_until(deadline, |state| {
            state.jobs.is_empty() && state.idle == state.threads
        })
    }

    /// Ends the threads once they have done what waits. What has not been begun by the deadline is
    /// left to those that are late: dropping it here would run the host's code.
    pub(crate) fn end(&self, deadline: Option<Instant>) {
        for pool in &self.pools {
            pool.lock().closed = true;
            pool.work.notify_all();
        }
        for pool in &self.pools {
            pool.wait_until(deadline, |state| state.threads == 0);
        }
        self.given_up.store(true, Ordering::Release);
    }

    /// Whether what waits need not be done any more.
    pub(crate) fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

impl Pool {
    fn new(most: usize) -> Self {
        let (state, work, rested) = Default::default();
        Pool {
            state,
            work,
            rested,
            share: Arc::new(Semaphore::new(most)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to do; `None` ends the thread.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let mut waited = false;
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if waited || state.closed {
                state.threads -= 1;
                self.rested.notify_all();
                return None;
            }
            state.idle += 1;
            self.rested.notify_all();
            let (after, timeout) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            (state, waited) = (after, timeout.timed_out());
            state.idle -= 1;
        }
    }

    fn wait_until(&self, deadline: Option<Instant>, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            let left = left_until(deadline);
            if is_so(&state) || left.is_zero() {
                return is_so(&state);
            }
            state = self
                .rested
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
