//! One instance of the runtime: from a start to a shutdown, in one process.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::Config;
use super::failure::{cannot_start_threads, cut_short, stop_panicked};
use super::hooks::Hooks;
use super::host_threads::{HostThreads, Kind};
use super::shares::{self, Shares};
use super::thread_role::{self, Role};
use super::threads::{Threads, left_until};
use crate::error::Result;
use crate::system::process;
use crate::system::signals;

static GENERATION: AtomicU64 = AtomicU64::new(1);

/// Tokio looks at the clock and the sockets after this many polls of tasks. One poll that reads a
/// hostile response may take milliseconds, and with tokio's default a deadline would wait for
/// sixty of them.
const EVENT_INTERVAL: u32 = 4;

/// How much longer than its limit the stop of a runtime may take.
const JOINING: Duration = Duration::from_millis(200);

pub(crate) struct Instance {
    pid: u32,
    generation: u64,
    handle: Handle,
    runtime: Arc<Mutex<Option<Runtime>>>,
    closing: CancellationToken,
    tasks: TaskTracker,
    helper_polls: TaskTracker,
    shares: Shares,
    host: Arc<HostThreads>,
    threads: Arc<Threads>,
}

impl Instance {
    pub(super) fn start(config: &Config, threads: &Arc<Threads>) -> Result<Self> {
        let hooks = config.hooks();
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.workers())
            .max_blocking_threads(shares::MOST)
            .event_interval(EVENT_INTERVAL)
            .thread_name("fal-runtime")
            .on_thread_start(thread_started(threads.clone(), hooks.clone()))
            .on_thread_stop(thread_stopped(threads.clone(), hooks.clone()))
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| cannot_start_threads(&e))?;
        Ok(Instance {
            pid: process::id(),
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            handle: runtime.handle().clone(),
            runtime: Arc::new(Mutex::new(Some(runtime))),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            helper_polls: TaskTracker::new(),
            shares: Shares::default(),
            host: Arc::new(HostThreads::new(threads.clone(), hooks.clone())),
            threads: threads.clone(),
        })
    }

    /// Returns a number that no other instance in this family of processes has.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this process started the instance.
    pub(crate) fn is_ours(&self) -> bool {
        self.pid == process::id()
    }

    /// Is cancelled when a shutdown begins.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    pub(crate) fn host(&self) -> &Arc<HostThreads> {
        &self.host
    }

    #[cfg(all(feature = "keyring", target_os = "macos"))]
    pub(super) fn threads(&self) -> &Arc<Threads> {
        &self.threads
    }

    /// Runs a task. If the runtime has just stopped, the task is dropped without a poll.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn_on(task, &self.handle)
    }

    /// Returns the right to poll futures of the runtime on its helper threads.
    pub(crate) fn helper_poll(&self) -> HelperPoll {
        HelperPoll(self.helper_polls.clone())
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.runtime().is_none()
    }

    fn runtime(&self) -> MutexGuard<'_, Option<Runtime>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every line of the log has reached its function. Returns whether that is so.
    pub(super) fn flush_log(&self, deadline: Option<Instant>) -> bool {
        self.host.rest(Kind::Log, deadline)
    }

    pub(super) fn stop(&self, deadline: Option<Instant>) -> Result<()> {
        self.closing.cancel();
        self.tasks.close();
        let finished = drained(&self.handle, &self.tasks, left_until(deadline));
        self.helper_polls.close();
        drained(
            &self.handle,
            &self.helper_polls,
            left_until(deadline).max(JOINING),
        );
        self.join(deadline)?;
        // The host's threads end last: the runtime queues jobs for them up to its own end. A thread
        // that does not end still counts in `threads`.
        self.host.end(deadline);
        if finished { Ok(()) } else { Err(cut_short()) }
    }

    /// Stops the runtime and joins its threads.
    ///
    /// A thread of its own waits for them without a limit, because tokio forgets the threads that
    /// it does not wait for, and those still run code of the library while they start and end.
    /// Besides, tokio refuses to stop a runtime from inside another.
    fn join(&self, deadline: Option<Instant>) -> Result<()> {
        let runtime = self.runtime.clone();
        let (done, stopped) = mpsc::channel();
        let started = self.threads.start("fal-shutdown", move || {
            signals::block();
            let taken = runtime
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            // The role sends drops of the host's values to the host's threads.
            thread_role::in_role(Role::Runtime, || drop(taken));
            let _ = done.send(());
        });
        started.map_err(|e| cannot_start_threads(&e))?;
        match stopped.recv_timeout(left_until(deadline) + JOINING) {
            Ok(()) => Ok(()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(stop_panicked()),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.threads.unended()),
        }
    }
}

/// Waits for tasks of a runtime. Returns whether all have ended.
fn drained(runtime: &Handle, tasks: &TaskTracker, limit: Duration) -> bool {
    let (done, drained) = mpsc::channel::<()>();
    let tasks = tasks.clone();
    runtime.spawn(async move {
        tasks.wait().await;
        drop(done);
    });
    drained.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Disconnected)
}

/// The right to poll futures of the runtime on a thread that the runtime does not stop by itself.
#[derive(Clone)]
pub(crate) struct HelperPoll(TaskTracker);

impl HelperPoll {
    /// Polls, unless the runtime is stopping. The stop waits for polls under way, because the
    /// runtime's clock panics after it.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce() -> T) -> Option<T> {
        let _under_way = self.0.token();
        (!self.0.is_closed()).then(poll)
    }
}

fn thread_started(threads: Arc<Threads>, hooks: Hooks) -> impl Fn() + Send + Sync {
    move || {
        threads.enter();
        thread_role::enter(Role::Runtime);
        signals::block();
        hooks.start();
    }
}

fn thread_stopped(threads: Arc<Threads>, hooks: Hooks) -> impl Fn() + Send + Sync {
    move || {
        hooks.stop();
        threads.leave();
    }
}
