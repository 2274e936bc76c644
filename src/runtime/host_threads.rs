//! Threads for functions of the host. None of them runs calls, so a function that is slow, blocks
//! or panics delays no call, no deadline, no cancellation and no fork.
//!
//! The threads start on demand, a few for each kind of function, so that no kind waits for another.
//! They block only the signals that the host itself blocks, because programs that the host starts
//! there inherit the mask. They count as threads of the runtime: its hooks run on them, and a
//! shutdown ends them. A forked child starts its own, without the jobs that wait in its parent.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::hooks::Hooks;
use super::thread_role::{self, Role};
use super::threads::{Threads, left_until};
use crate::system::signals::Mask;

/// A kind of function of the host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Takes lines of the log.
    Log,
    /// Returns a credential. It may wait for a person.
    Credentials,
    /// Reads content.
    Readers,
    /// Learns that a dispatcher has callbacks to run.
    Wakes,
    /// Takes back memory or an object of the host.
    Releases,
}

const KINDS: usize = 5;

/// The most threads of each kind. Many credential functions may wait for a person at once.
const MOST: [usize; KINDS] = [4, 32, 2, 4, 2];

/// A thread without work for this long ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The threads of one instance of the runtime.
pub(crate) struct HostThreads {
    pools: [Arc<Pool>; KINDS],
    threads: Arc<Threads>,
    hooks: Hooks,
    mask: Mask,
    /// The deadline of the shutdown has passed, and jobs are no longer accepted.
    given_up: AtomicBool,
}

/// The threads of one kind, and their jobs.
struct Pool {
    state: Mutex<State>,
    work: Condvar,
    /// Signalled when a thread becomes idle or ends.
    rested: Condvar,
    /// For calls that can wait for a thread without holding anything meanwhile.
    share: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    /// Threads end when no job waits.
    closed: bool,
}

impl HostThreads {
    pub(super) fn new(threads: Arc<Threads>, hooks: Hooks) -> Self {
        let pools = MOST.map(|most| Arc::new(Pool::new(most)));
        HostThreads {
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

    pub(super) fn share(&self, kind: Kind) -> &Arc<Semaphore> {
        &self.pool(kind).share
    }

    /// Queues `job` for a thread of its kind. Returns the job if there is no thread and none can be
    /// started.
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
            thread_role::enter(match kind {
                Kind::Credentials => Role::CredentialFunction,
                _ => Role::Callback,
            });
            mask.restore();
            hooks.start();
            while let Some(job) = pool.next() {
                // The host's panic hook has reported a panic already.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
            hooks.stop();
        })
    }

    /// Waits until no job of this kind is queued or running. Returns whether that is so.
    pub(super) fn rest(&self, kind: Kind, deadline: Option<Instant>) -> bool {
        self.pool(kind).wait_until(deadline, |state| {
            state.jobs.is_empty() && state.idle == state.threads
        })
    }

    /// Ends the threads once they have done the queued jobs. Jobs that are still queued at the
    /// deadline stay with the threads that are late: dropping them here would run code of the host.
    pub(super) fn end(&self, deadline: Option<Instant>) {
        for pool in &self.pools {
            pool.lock().closed = true;
            pool.work.notify_all();
        }
        for pool in &self.pools {
            pool.wait_until(deadline, |state| state.threads == 0);
        }
        self.given_up.store(true, Ordering::Release);
    }

    /// Whether queued jobs no longer need to run.
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

    /// Waits for the next job. `None` ends the thread.
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
