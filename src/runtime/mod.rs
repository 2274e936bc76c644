//! The global runtime: made on first use, one per process, fork-aware, stoppable.
//!
//! No lock is taken on the way to a running instance, and a fork is noticed before anything of the
//! parent's is touched: a lock that another thread held at the fork would never be released.
//! What is kept for the whole process, and what a forked child does about it:
//!
//! - `CURRENT`: an atomic pointer; the parent's instance is seen to be the parent's, left alone and
//!   never freed.
//! - `LIVES`, with the lock of starts and shutdowns: the child has its own.
//! - `CONFIG`: an atomic pointer; the child inherits what was configured.
//! - `GENERATION`: a counter; the child counts on from the parent's number, so no number comes
//!   twice in its line.
//! - `BUSY`, `GUEST`: the forking thread's own, and true of the child's only thread as well.

pub(crate) mod blocking;
pub(crate) mod fork;
pub(crate) mod host_functions;
pub(crate) mod per_runtime;
mod threads;

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use once_cell::race::OnceBox;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::threads::{Threads, left_until};
use crate::error::{Code, Error, Result};
use crate::runtime::blocking::Helpers;
use crate::runtime::fork::PerProcess;
use crate::runtime::host_functions::Host;
use crate::system::module::{self, Reference};
use crate::system::signals;

/// The way to the running instance that takes no lock.
static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();
static LIVES: PerProcess<Lives> = PerProcess::new();
// `race`, because a blocking cell could be left half-made by a fork.
static CONFIG: OnceBox<ArcSwap<Config>> = OnceBox::new();
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// A function that the host wants called on each of the runtime's threads.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// How the runtime is made. It counts from the next start: the first use, or the first after
/// [`shutdown`].
#[derive(Clone, Default)]
pub struct Config {
    worker_threads: Option<usize>,
    on_thread_start: Option<ThreadHook>,
    on_thread_stop: Option<ThreadHook>,
}

impl Config {
    /// Worker threads, 1 to 64. By default two, or one on a machine with one core: calls wait for
    /// the network, not for the processor.
    pub fn worker_threads(mut self, count: usize) -> Result<Self> {
        if !(1..=64).contains(&count) {
            return Err(Error::invalid(format!(
                "{count} worker threads: 1 to 64 are possible"
            )));
        }
        self.worker_threads = Some(count);
        Ok(self)
    }

    /// Functions called on each runtime thread when it starts (to name it, pin it or register it
    /// with an engine) and before it ends.
    pub fn thread_hooks(
        mut self,
        on_start: Option<ThreadHook>,
        on_stop: Option<ThreadHook>,
    ) -> Self {
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
        let lives = LIVES.get();
        let life = lives.lock();
        if !matches!(*life, Life::None) {
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
    runtime: Arc<Mutex<Option<Runtime>>>,
    closing: CancellationToken,
    tasks: TaskTracker,
    helper_polls: TaskTracker,
    helpers: Helpers,
    host: Arc<Host>,
    threads: Arc<Threads>,
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
    /// On a thread of ours on which the host may take its time: only the end of that thread cannot
    /// be waited for.
    Question,
}

/// What a thread for functions of the host's may do.
pub(crate) fn on_host_thread(kind: host_functions::Kind) {
    BUSY.set(if kind == host_functions::Kind::Questions {
        Busy::Question
    } else {
        Busy::Callback
    });
}

/// Whether this thread carries out calls, so that nothing of the host's may run on it.
pub(crate) fn carries_calls() -> bool {
    BUSY.get() == Busy::RuntimeThread
}

/// Runs a callback of the host, in which waiting is refused.
pub(crate) fn in_callback<T>(call: impl FnOnce() -> T) -> T {
    busy(Busy::Callback, call)
}

fn busy<T>(with: Busy, call: impl FnOnce() -> T) -> T {
    struct Restore(Busy);
    impl Drop for Restore {
        fn drop(&mut self) {
            BUSY.set(self.0);
        }
    }
    let _restore = Restore(BUSY.replace(with));
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

/// Fails with [`Code::WouldDeadlock`] where waiting would stop the thread that has to make the
/// progress: inside a callback and on a thread of the runtime.
pub fn may_wait() -> Result<()> {
    match BUSY.get() {
        Busy::No | Busy::Question => Ok(()),
        Busy::RuntimeThread => Err(Error::new(
            Code::WouldDeadlock,
            "waiting on a thread of libfal's runtime",
        )),
        Busy::Callback => Err(Error::new(
            Code::WouldDeadlock,
            "waiting inside a callback of libfal",
        )),
    }
}

/// The lives of the runtime in one process. Whoever begins or ends one holds the lock.
#[derive(Default)]
struct Lives {
    life: Mutex<Life>,
    ended: Condvar,
    /// Those of each life, until a shutdown has seen them end: a life that was cut short leaves
    /// some.
    threads: Mutex<Vec<Arc<Threads>>>,
    /// From the first start on until a shutdown has ended all threads.
    module: Mutex<Option<Reference>>,
}

#[derive(Default)]
enum Life {
    #[default]
    None,
    Running(Arc<Instance>),
    Stopping(Arc<Instance>),
}

/// What a shutdown has to end.
struct Ending {
    /// None if there is none any more.
    instance: Option<Arc<Instance>>,
    /// None of a life that somebody begins meanwhile.
    threads: Vec<Arc<Threads>>,
}

impl Lives {
    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<Arc<Threads>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn module(&self) -> MutexGuard<'_, Option<Reference>> {
        self.module.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance of this life; one that is begun, if there is none.
    fn instance(&self) -> Result<Arc<Instance>> {
        let mut life = self.lock();
        if let Life::Running(instance) | Life::Stopping(instance) = &*life {
            return Ok(instance.clone());
        }
        let threads = Arc::new(Threads::default());
        let fresh = Arc::new(Instance::start(&config().load(), &threads)?);
        self.threads().push(threads);
        let mut module = self.module();
        *module = module.take().or_else(Reference::new);
        drop(module);
        leak(CURRENT.swap(Some(fresh.clone())));
        *life = Life::Running(fresh.clone());
        Ok(fresh)
    }

    /// Takes it on to stop the instance. Who comes second waits for the first.
    fn take_on(&self, deadline: Option<Instant>) -> Result<Ending> {
        let mut life = self.lock();
        loop {
            match &*life {
                Life::None => {
                    return Ok(Ending {
                        instance: None,
                        threads: self.threads().clone(),
                    });
                }
                Life::Running(instance) => {
                    let instance = instance.clone();
                    *life = Life::Stopping(instance.clone());
                    return Ok(Ending {
                        instance: Some(instance),
                        threads: self.threads().clone(),
                    });
                }
                Life::Stopping(_) => {}
            }
            let left = left_until(deadline);
            if left.is_zero() {
                return Err(Error::new(
                    Code::Deadline,
                    "another shutdown is still under way",
                ));
            }
            life = self
                .ended
                .wait_timeout(life, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Stops the instance, and says what has become of it.
    fn stop(&self, instance: &Arc<Instance>, deadline: Option<Instant>) -> Result<()> {
        let stopped = catch_unwind(AssertUnwindSafe(|| instance.stop(deadline)));
        let mut life = self.lock();
        *life = match instance.runtime().is_some() {
            // Nothing can be begun with it any more, and a later shutdown tries again.
            true => Life::Running(instance.clone()),
            false => {
                CURRENT.compare_and_swap(&Some(instance.clone()), None);
                Life::None
            }
        };
        drop(life);
        self.ended.notify_all();
        stopped.unwrap_or_else(|_| {
            Err(Error::new(
                Code::Panic,
                "the runtime panicked while it stopped",
            ))
        })
    }

    /// Waits until these have ended.
    fn wait(&self, ending: &[Arc<Threads>], deadline: Option<Instant>) -> Result<()> {
        ending
            .iter()
            .try_for_each(|threads| threads.wait(deadline))?;
        self.threads()
            .retain(|known| !ending.iter().any(|ended| Arc::ptr_eq(known, ended)));
        Ok(())
    }

    /// Lets the library be unloaded, unless another life has begun.
    fn let_go(&self) {
        let life = self.lock();
        let _unused = if matches!(*life, Life::None) {
            self.module().take()
        } else {
            None
        };
        // The system takes its own lock to end the reference.
        drop(life);
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
    match CURRENT.load_full().filter(|instance| instance.is_ours()) {
        Some(instance) => Ok(instance),
        // What was cut short on one of our own threads begins no new life, which nobody would end.
        None if BUSY.get() == Busy::RuntimeThread => Err(shut_down()),
        None => LIVES.get().instance(),
    }
}

/// Carries work that was begun to its end, whether or not anybody still waits for it: a shutdown
/// waits, within its limit.
pub(crate) async fn finish<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    living()?
        .spawn(work)
        .await
        .map_err(|end| undone("work that has to be finished", &end))
}

/// Why what was given to the runtime did not come to its end.
pub(crate) fn undone(what: &str, end: &JoinError) -> Error {
    match end.is_panic() {
        // What a panic says may be a part of what was worked on.
        true => Error::new(Code::Panic, format!("{what} panicked")),
        false => shut_down(),
    }
}

/// Stops the runtime: refuses new work, ends every operation with [`Code::ShutDown`], and joins
/// every thread. What has to be carried to its end once it was begun is waited for: the renewal of
/// a login, the cancellation of a job, and the program's own functions that libfal calls. Without a
/// limit it waits for one that never returns for ever.
///
/// Afterwards the library can be used again. Fails with [`Code::Deadline`] if that, or a thread,
/// would not end within `timeout` (`None`: no limit), and with [`Code::WouldDeadlock`] inside a
/// callback or on a runtime thread. Without a running runtime it does nothing.
pub fn shutdown(timeout: impl Into<Option<Duration>>) -> Result<()> {
    if module::process_ends() {
        // No thread is left to be waited for, and what they locked stays so.
        return Ok(());
    }
    let Some(lives) = LIVES.made() else {
        return Ok(());
    };
    may_shut_down()?;
    let deadline = timeout
        .into()
        .and_then(|timeout| Instant::now().checked_add(timeout));
    let Ending { instance, threads } = lives.take_on(deadline)?;
    if let Some(instance) = instance {
        lives.stop(&instance, deadline)?;
    }
    lives.wait(&threads, deadline)?;
    lives.let_go();
    Ok(())
}

fn may_shut_down() -> Result<()> {
    match BUSY.get() {
        Busy::Question => Err(Error::new(
            Code::WouldDeadlock,
            "shutting down inside a callback of libfal",
        )),
        _ => may_wait(),
    }
}

/// Waits until every line of the log that was written has been given to its function, at most
/// `timeout` (`None`: no limit, so for ever if the function never returns). Lines that are written
/// meanwhile count too. [`shutdown`] does the same; a program that ends without one would lose its
/// last lines.
///
/// Fails with [`Code::Deadline`] if there are lines left then, and with [`Code::WouldDeadlock`]
/// inside a callback. Without a running runtime it does nothing.
pub fn flush_log(timeout: impl Into<Option<Duration>>) -> Result<()> {
    let Some(instance) = CURRENT.load_full().filter(|instance| instance.is_ours()) else {
        return Ok(());
    };
    may_wait()?;
    let deadline = timeout
        .into()
        .and_then(|timeout| Instant::now().checked_add(timeout));
    match instance.host.rest(host_functions::Kind::Log, deadline) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Deadline,
            "lines of the log still wait for the function that takes them",
        )
        .with_remedy("Allow more time, or have the function take less.")),
    }
}

/// A thread beside those of the runtime, which a shutdown waits for as for them.
#[cfg(all(feature = "keyring", target_os = "macos"))]
pub(crate) fn counted() -> Option<threads::Counted> {
    living().ok().map(|instance| instance.threads.counted())
}

/// After so many turns of tasks the clock and the sockets are looked at. What a hostile answer
/// costs is done in turns, of which one may take milliseconds: with tokio's own number a deadline
/// would wait for sixty of them.
const TURNS: u32 = 4;

/// How much longer than its limit the stopping of a runtime may take, which keeps to it.
const JOINING: Duration = Duration::from_millis(200);

fn unfinished() -> Error {
    Error::new(Code::Deadline, "work that has to be finished once it is begun did not end in time, and was cut short")
        .with_remedy(
            "Allow the shutdown more time: 30 s are enough for a login to be renewed or a job to be cancelled.",
        )
}

pub(crate) fn shut_down() -> Error {
    Error::new(Code::ShutDown, "libfal is shutting down")
}

/// A place among those who share something, once there is one: given back when it is dropped. No
/// share is ever closed.
pub(crate) async fn place(share: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let place = share.clone().acquire_owned().await;
    place.map_err(|_| shut_down())
}

/// A parent's instance is never dropped in the child: its threads do not exist here, and would be
/// joined.
fn leak(instance: Option<Arc<Instance>>) {
    if instance
        .as_deref()
        .is_some_and(|instance| !instance.is_ours())
    {
        std::mem::forget(instance);
    }
}

fn thread_error(error: &std::io::Error) -> Error {
    Error::new(
        Code::Io,
        format!("the runtime's threads could not be started: {error}"),
    )
}

impl Instance {
    fn start(config: &Config, threads: &Arc<Threads>) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let hooks = Hooks {
            start: config.on_thread_start.clone(),
            stop: config.on_thread_stop.clone(),
        };
        let host = Host::new(threads.clone(), hooks.clone());
        let started = thread_started(threads.clone(), hooks.clone());
        let stopped = thread_stopped(threads.clone(), hooks);
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.worker_threads.unwrap_or(cores.min(2)))
            .max_blocking_threads(blocking::MOST)
            .event_interval(TURNS)
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
            runtime: Arc::new(Mutex::new(Some(runtime))),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            helper_polls: TaskTracker::new(),
            helpers: Helpers::default(),
            host: Arc::new(host),
            threads: threads.clone(),
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

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Runs a task. If the runtime has just stopped, the task is dropped without being run.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn_on(task, &self.handle)
    }

    /// A place for what polls futures of the runtime on another of its threads than its workers,
    /// which it does not stop by itself.
    pub(crate) fn helper_poll(&self) -> HelperPoll {
        HelperPoll(self.helper_polls.clone())
    }

    fn runtime(&self) -> MutexGuard<'_, Option<Runtime>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, deadline: Option<Instant>) -> Result<()> {
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
        // When nothing is left that could call the host: what it was to be told is told first. Who
        // does not end is counted.
        self.host.end(deadline);
        if finished { Ok(()) } else { Err(unfinished()) }
    }

    /// Stops the runtime and joins its threads.
    ///
    /// A thread of its own waits for them, without a limit: those that tokio does not wait for it
    /// forgets, and they still run code of the library while they begin and end. This one is known.
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
            // What is dropped with it may be the host's.
            busy(Busy::RuntimeThread, || drop(taken));
            let _ = done.send(());
        });
        started.map_err(|e| thread_error(&e))?;
        match stopped.recv_timeout(left_until(deadline) + JOINING) {
            Ok(()) => Ok(()),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::new(
                Code::Panic,
                "the runtime panicked while it stopped",
            )),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.threads.unended()),
        }
    }
}

/// Waits for tasks of a runtime, and says whether all have ended.
fn drained(runtime: &Handle, tasks: &TaskTracker, limit: Duration) -> bool {
    let (done, drained) = mpsc::channel::<()>();
    let tasks = tasks.clone();
    runtime.spawn(async move {
        tasks.wait().await;
        drop(done);
    });
    drained.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Disconnected)
}

/// See [`Instance::aside`].
#[derive(Clone)]
pub(crate) struct HelperPoll(TaskTracker);

impl HelperPoll {
    /// Polls, unless the runtime stops: its clock panics once it has stopped, so it waits for what
    /// is being polled.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce() -> T) -> Option<T> {
        let _under_way = self.0.token();
        (!self.0.is_closed()).then(poll)
    }
}

/// What the host wants called on each thread.
#[derive(Clone)]
pub(crate) struct Hooks {
    start: Option<ThreadHook>,
    stop: Option<ThreadHook>,
}

impl Hooks {
    pub(crate) fn start(&self) {
        call_hook(self.start.as_ref());
    }

    pub(crate) fn stop(&self) {
        call_hook(self.stop.as_ref());
    }
}

fn thread_started(threads: Arc<Threads>, hooks: Hooks) -> impl Fn() + Send + Sync {
    move || {
        threads.enter();
        BUSY.set(Busy::RuntimeThread);
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

/// A panic in a hook must not take the thread, and with it the runtime, down.
fn call_hook(hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        let _ = catch_unwind(AssertUnwindSafe(|| hook()));
    }
}
