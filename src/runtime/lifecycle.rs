//! Starts and shutdowns of the runtime.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::config::Config;
use super::failure::{shut_down, stop_panicked, task_error};
use super::fork::PerProcess;
use super::instance::Instance;
use super::thread_role::{carries_calls, may_shut_down, may_wait};
use super::threads::{Threads, left_until};
use crate::error::{Code, Error, Result};
use crate::system::module::{self, Reference};

/// The running instance, reached without a lock.
static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();
static LIFECYCLE: PerProcess<Lifecycle> = PerProcess::new();

/// The starts and shutdowns of one process.
#[derive(Default)]
struct Lifecycle {
    /// Held during a start, and whenever a shutdown changes the state.
    state: Mutex<State>,
    ended: Condvar,
    /// The threads of each instance, until a shutdown has seen them end. A shutdown that reaches
    /// its deadline leaves some.
    threads: Mutex<Vec<Arc<Threads>>>,
    /// Keeps the library loaded from the first start until a shutdown has ended all threads.
    module: Mutex<Option<Reference>>,
}

#[derive(Default)]
enum State {
    #[default]
    Stopped,
    Running(Arc<Instance>),
    Stopping(Arc<Instance>),
}

/// What a shutdown has to end.
struct Ending {
    instance: Option<Arc<Instance>>,
    /// Without the threads of an instance that starts during the shutdown.
    threads: Vec<Arc<Threads>>,
}

impl Lifecycle {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<Arc<Threads>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn module(&self) -> MutexGuard<'_, Option<Reference>> {
        self.module.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the instance, and starts one if there is none.
    fn instance(&self) -> Result<Arc<Instance>> {
        // Before the state is locked: this takes the loader's lock, under which constructors run
        // that may call the library.
        let known = self.module().is_some();
        let reference = (!known).then(Reference::new).flatten();
        let mut state = self.lock();
        if let State::Running(instance) | State::Stopping(instance) = &*state {
            return Ok(instance.clone());
        }
        let threads = Arc::new(Threads::default());
        let fresh = Arc::new(Instance::start(&Config::installed(), &threads)?);
        self.threads().push(threads);
        let mut module = self.module();
        *module = module.take().or(reference);
        drop(module);
        forget_of_parent(CURRENT.swap(Some(fresh.clone())));
        *state = State::Running(fresh.clone());
        Ok(fresh)
    }

    /// Begins a shutdown. A second one waits for the first.
    fn begin_shutdown(&self, deadline: Option<Instant>) -> Result<Ending> {
        let mut state = self.lock();
        loop {
            let instance = match &*state {
                State::Stopped => None,
                State::Running(instance) => Some(instance.clone()),
                State::Stopping(_) => {
                    let left = left_until(deadline);
                    if left.is_zero() {
                        return Err(Error::new(
                            Code::Deadline,
                            "another shutdown is still under way",
                        ));
                    }
                    state = self
                        .ended
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    continue;
                }
            };
            if let Some(instance) = &instance {
                *state = State::Stopping(instance.clone());
            }
            return Ok(Ending {
                instance,
                threads: self.threads().clone(),
            });
        }
    }

    fn stop(&self, instance: &Arc<Instance>, deadline: Option<Instant>) -> Result<()> {
        let stopped = catch_unwind(AssertUnwindSafe(|| instance.stop(deadline)));
        let mut state = self.lock();
        *state = if instance.has_stopped() {
            CURRENT.compare_and_swap(&Some(instance.clone()), None);
            State::Stopped
        } else {
            // It refuses new work, and a later shutdown tries again.
            State::Running(instance.clone())
        };
        drop(state);
        self.ended.notify_all();
        stopped.unwrap_or_else(|_| Err(stop_panicked()))
    }

    /// Waits until these threads have ended.
    fn wait(&self, ending: &[Arc<Threads>], deadline: Option<Instant>) -> Result<()> {
        ending
            .iter()
            .try_for_each(|threads| threads.wait(deadline))?;
        self.threads()
            .retain(|known| !ending.iter().any(|ended| Arc::ptr_eq(known, ended)));
        Ok(())
    }

    /// Whether there is no thread. Never blocks: at the end of a process a lock may stay locked.
    #[allow(dead_code, reason = "only the shared library is unloaded")]
    fn has_ended(&self) -> bool {
        let is_stopped = self
            .state
            .try_lock()
            .is_ok_and(|state| matches!(*state, State::Stopped));
        is_stopped && self.threads.try_lock().is_ok_and(|all| all.is_empty())
    }

    /// Lets the library be unloaded, unless an instance has started meanwhile.
    fn release_module(&self) {
        let state = self.lock();
        let _unused = if matches!(*state, State::Stopped) {
            self.module().take()
        } else {
            None
        };
        // Releasing the reference takes the loader's lock, so this one is released before.
        drop(state);
    }
}

/// Returns the running instance, and starts one if this process has none. Fails while the library
/// shuts down.
pub(crate) fn current() -> Result<Arc<Instance>> {
    let instance = current_or_closing()?;
    match instance.closing().is_cancelled() {
        false => Ok(instance),
        true => Err(shut_down()),
    }
}

/// Like [`current`], and succeeds during a shutdown too, when operations still clean up.
pub(crate) fn current_or_closing() -> Result<Arc<Instance>> {
    match running() {
        Some(instance) => Ok(instance),
        // Work that was cut short on a runtime thread starts no instance, which nothing would stop.
        None if carries_calls() => Err(shut_down()),
        None => LIFECYCLE.get().instance(),
    }
}

fn running() -> Option<Arc<Instance>> {
    CURRENT.load_full().filter(|instance| instance.is_ours())
}

/// Runs work to completion, even if the returned future is dropped. A shutdown waits for it, within
/// its limit.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    current_or_closing()?
        .spawn(work)
        .await
        .map_err(|end| task_error("work that must complete", &end))
}

/// Frees what otherwise lasts until the process ends, once all threads of the library have ended.
/// The configuration stays: its hooks belong to the host, which is not called any more.
#[allow(dead_code, reason = "only the shared library is unloaded")]
pub(crate) fn free() {
    LIFECYCLE.free();
}

/// Whether no thread of the library runs.
#[allow(dead_code, reason = "only the shared library is unloaded")]
pub(crate) fn has_ended() -> bool {
    LIFECYCLE.made().is_none_or(|made| made.has_ended())
}

/// Leaks an instance of the parent process: a drop would join threads that do not exist here.
fn forget_of_parent(instance: Option<Arc<Instance>>) {
    if instance
        .as_deref()
        .is_some_and(|instance| !instance.is_ours())
    {
        std::mem::forget(instance);
    }
}

/// Stops the runtime: refuses new work, ends every operation with [`Code::ShutDown`], and joins
/// every thread. The shutdown waits for work that must complete once it has begun: the renewal of a
/// login, the response to a submission, the cancellation of a job, and functions of the program that
/// libfal is calling. Without a limit it blocks for ever if such a function never returns.
///
/// The library can be used again afterwards. Fails with [`Code::Deadline`] if that work, or a
/// thread, does not end within `timeout` (`None`: no limit), and with [`Code::WouldDeadlock`]
/// inside a callback or on a runtime thread. Does nothing if the runtime is not running.
pub fn shutdown(timeout: impl Into<Option<Duration>>) -> Result<()> {
    if module::process_ends() {
        // The system has ended the other threads, and the locks that they held stay locked.
        return Ok(());
    }
    let Some(lifecycle) = LIFECYCLE.made() else {
        return Ok(());
    };
    may_shut_down()?;
    let deadline = deadline_in(timeout.into());
    let Ending { instance, threads } = lifecycle.begin_shutdown(deadline)?;
    if let Some(instance) = instance {
        lifecycle.stop(&instance, deadline)?;
    }
    lifecycle.wait(&threads, deadline)?;
    lifecycle.release_module();
    Ok(())
}

/// Blocks until every line of the log has been given to its function, at most `timeout` (`None`: no
/// limit, so for ever if the function never returns). Lines that are written meanwhile count too.
/// [`shutdown`] does the same; a program that ends without one can lose its last lines.
///
/// Fails with [`Code::Deadline`] if lines are left then, and with [`Code::WouldDeadlock`] inside a
/// callback. Does nothing if the runtime is not running.
pub fn flush_log(timeout: impl Into<Option<Duration>>) -> Result<()> {
    let Some(instance) = running() else {
        return Ok(());
    };
    may_wait()?;
    match instance.flush_log(deadline_in(timeout.into())) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Deadline,
            "the log function has not taken all lines in time",
        )
        .with_remedy("Allow more time, or make the log function faster.")),
    }
}

fn deadline_in(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

impl Config {
    /// Stores this as the configuration of the next start.
    ///
    /// Fails with [`Code::InvalidArgument`] while the runtime is running.
    pub fn install(self) -> Result<()> {
        let lifecycle = LIFECYCLE.get();
        let state = lifecycle.lock();
        if !matches!(*state, State::Stopped) {
            return Err(Error::invalid("the runtime is already running")
                .with_remedy("Configure the runtime before the first call, or after a shutdown."));
        }
        let before = self.store();
        drop(state);
        drop(before);
        Ok(())
    }
}
