//! The global runtime: made on first use, one per process, fork-aware, stoppable.
//!
//! No lock is taken on the way to a running instance, and a fork is noticed before anything of the
//! parent's is touched: a lock that another thread held at the fork would never be released.

use std::cell::Cell;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use once_cell::race::OnceBox;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::{Code, Error, Result};
use crate::helpers::{self, Helpers};
use crate::signals;

static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();
// `race`, because a blocking cell could be left half-made by a fork.
static CONFIG: OnceBox<ArcSwap<Config>> = OnceBox::new();
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// A function that the host wants called on each of the runtime's threads.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// How the runtime is made. It counts from the next start: the first use, or the first after [`shutdown`].
#[derive(Clone, Default)]
pub struct Config {
    worker_threads: Option<usize>,
    on_thread_start: Option<ThreadHook>,
    on_thread_stop: Option<ThreadHook>,
}

impl Config {
    /// Worker threads, 1 to 64. By default two, or one on a machine with one core: calls wait for the
    /// network, not for the processor.
    pub fn worker_threads(mut self, count: usize) -> Result<Self> {
        if !(1..=64).contains(&count) {
            return Err(Error::invalid(format!("{count} worker threads: 1 to 64 are possible")));
        }
        self.worker_threads = Some(count);
        Ok(self)
    }

    /// Functions called on each runtime thread when it starts (to name it, pin it or register it with an engine) and before it ends.
    pub fn thread_hooks(mut self, on_start: Option<ThreadHook>, on_stop: Option<ThreadHook>) -> Self {
        self.on_thread_start = on_start;
        self.on_thread_stop = on_stop;
        self
    }

    /// What [`install`](Self::install) set last, to change one thing of it.
    pub fn installed() -> Self {
        config().load().as_ref().clone()
    }

    /// Makes this the configuration of the next start.
    ///
    /// Fails with [`Code::InvalidArgument`] while the runtime is running.
    pub fn install(self) -> Result<()> {
        let running = CURRENT.load();
        if running.as_deref().is_some_and(Instance::is_ours) {
            return Err(Error::invalid("the runtime is already running")
                .with_remedy("Configure the runtime before the first call, or after a shutdown."));
        }
        config().store(Arc::new(self));
        Ok(())
    }
}

fn config() -> &'static ArcSwap<Config> {
    CONFIG.get_or_init(Default::default)
}

/// One life of the runtime, in one process.
pub(crate) struct Instance {
    pid: u32,
    generation: u64,
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    closing: CancellationToken,
    tasks: TaskTracker,
    helpers: Helpers,
    threads: Arc<AtomicUsize>,
}

thread_local! {
    static BUSY: Cell<Busy> = const { Cell::new(Busy::No) };
    #[cfg(feature = "capi")]
    static GUEST: Cell<usize> = const { Cell::new(0) };
}

/// Why this thread must not wait for an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Busy {
    No,
    RuntimeThread,
    Callback,
}

/// Runs a callback of the host, in which waiting is refused.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    struct Restore(Busy);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUSY.set(self.0);
        }
    }
    let _restore = Restore(BUSY.replace(Busy::Callback));
    call()
}

/// Runs a call that came in through the C ABI.
#[cfg(feature = "capi")]
pub(crate) fn in_guest<T>(call: impl FnOnce() -> T) -> T {
    GUEST.set(GUEST.get() + 1);
    let outcome = call();
    GUEST.set(GUEST.get() - 1);
    outcome
}

/// Whether this thread is running libfal's code on behalf of a host that is not a Rust program.
#[cfg(feature = "capi")]
pub(crate) fn is_guest() -> bool {
    GUEST.get() > 0 || BUSY.get() == Busy::RuntimeThread
}

/// Fails with [`Code::WouldDeadlock`] where waiting would stop the thread that has to make the progress: inside a
/// callback and on a thread of the runtime.
pub fn may_wait() -> Result<()> {
    match BUSY.get() {
        Busy::No => Ok(()),
        Busy::RuntimeThread => Err(Error::new(Code::WouldDeadlock, "waiting on a thread of libfal's runtime")),
        Busy::Callback => Err(Error::new(Code::WouldDeadlock, "waiting inside a callback of libfal")),
    }
}

/// The running instance, started if there is none in this process. Refused while it shuts down.
pub(crate) fn current() -> Result<Arc<Instance>> {
    let instance = living()?;
    match instance.closing.is_cancelled() {
        false => Ok(instance),
        true => Err(shut_down()),
    }
}

/// The same, but also while it shuts down: what an operation leaves to be done then still needs it.
pub(crate) fn living() -> Result<Arc<Instance>> {
    loop {
        let seen = CURRENT.load_full();
        if let Some(instance) = seen.as_ref().filter(|instance| instance.is_ours()) {
            return Ok(instance.clone());
        }
        let fresh = Arc::new(Instance::start(&config().load())?);
        let before = CURRENT.compare_and_swap(&seen, Some(fresh.clone()));
        let installed = match (before.as_ref(), seen.as_ref()) {
            (None, None) => true,
            (Some(before), Some(seen)) => Arc::ptr_eq(before, seen),
            _ => false,
        };
        if installed {
            leak(seen);
            return Ok(fresh);
        }
        fresh.discard();
    }
}

/// Stops the runtime: refuses new work, ends every operation with [`Code::ShutDown`], and joins every thread.
///
/// Afterwards the library can be used again. Fails with [`Code::Deadline`] if a thread would not end
/// within `timeout`, and with [`Code::WouldDeadlock`] inside a callback or on a runtime thread.
/// Without a running runtime it does nothing.
pub fn shutdown(timeout: Duration) -> Result<()> {
    let Some(instance) = CURRENT.load_full() else { return Ok(()) };
    if !instance.is_ours() {
        forget_parent(instance);
        return Ok(());
    }
    may_wait()?;
    let deadline = Instant::now() + timeout;
    instance.closing.cancel();
    instance.tasks.close();
    let taken = instance.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(runtime) = taken else { return instance.wait_for_other_shutdown(deadline) };
    instance.drain(deadline);
    join(runtime, deadline)?;
    CURRENT.compare_and_swap(&Some(instance.clone()), None);
    match instance.threads.load(Ordering::Acquire) {
        0 => Ok(()),
        left => Err(Error::new(Code::Deadline, format!("{left} threads of the runtime did not end in time"))
            .with_remedy(
                "Allow the shutdown more time; a name lookup, a slow file or a reader that blocks may hold it.",
            )),
    }
}

fn shut_down() -> Error {
    Error::new(Code::ShutDown, "libfal is shutting down")
}

fn forget_parent(instance: Arc<Instance>) {
    let seen = Some(instance);
    CURRENT.compare_and_swap(&seen, None);
    leak(seen);
}

/// The parent's instance is never dropped in the child: its threads do not exist here, and would be joined.
fn leak(parent: Option<Arc<Instance>>) {
    std::mem::forget(parent);
}

/// Joins on a thread of its own, because tokio refuses to from inside another runtime.
fn join(runtime: Runtime, deadline: Instant) -> Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let joiner = std::thread::Builder::new().name("fal-shutdown".into()).spawn(move || runtime.shutdown_timeout(left));
    let joined = joiner.map_err(|e| thread_error(&e))?.join();
    joined.map_err(|_| Error::new(Code::Panic, "the runtime panicked while it stopped"))
}

fn thread_error(error: &std::io::Error) -> Error {
    Error::new(Code::Io, format!("the runtime's threads could not be started: {error}"))
}

impl Instance {
    fn start(config: &Config) -> Result<Self> {
        let threads = Arc::new(AtomicUsize::new(0));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let started = thread_started(threads.clone(), config.on_thread_start.clone());
        let stopped = thread_stopped(threads.clone(), config.on_thread_stop.clone());
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.worker_threads.unwrap_or(cores.min(2)))
            .max_blocking_threads(helpers::MOST)
            .thread_name("fal-runtime")
            .on_thread_start(started)
            .on_thread_stop(stopped)
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| thread_error(&e))?;
        Ok(Instance {
            pid: std::process::id(),
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            helpers: Helpers::default(),
            threads,
        })
    }

    /// A number that no other instance of any process in this family has.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether this process made the instance.
    pub(crate) fn is_ours(&self) -> bool {
        self.pid == std::process::id()
    }

    /// Ends when the library shuts down.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    pub(crate) fn helpers(&self) -> &Helpers {
        &self.helpers
    }

    /// Runs a task. If the runtime has just stopped, the task is dropped without being run.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.handle);
    }

    fn discard(&self) {
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_background();
        }
    }

    fn drain(&self, deadline: Instant) {
        let (done, drained) = mpsc::channel::<()>();
        let tasks = self.tasks.clone();
        self.handle.spawn(async move {
            tasks.wait().await;
            drop(done);
        });
        let _ = drained.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    fn wait_for_other_shutdown(&self, deadline: Instant) -> Result<()> {
        while self.threads.load(Ordering::Acquire) > 0 {
            if Instant::now() >= deadline {
                return Err(Error::new(Code::Deadline, "another shutdown is still under way"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn thread_started(threads: Arc<AtomicUsize>, hook: Option<ThreadHook>) -> impl Fn() + Send + Sync {
    move || {
        threads.fetch_add(1, Ordering::AcqRel);
        BUSY.set(Busy::RuntimeThread);
        signals::block();
        call_hook(hook.as_ref());
    }
}

fn thread_stopped(threads: Arc<AtomicUsize>, hook: Option<ThreadHook>) -> impl Fn() + Send + Sync {
    move || {
        call_hook(hook.as_ref());
        threads.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A panic in a hook must not take the thread, and with it the runtime, down.
fn call_hook(hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook()));
    }
}
