//! Starts and shutdowns.

/// The way to the running instance that takes no lock.
static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();
static LIVES: PerProcess<Lives> = PerProcess::new();
// `race`, because a blocking cell could be left half-made by a fork.
static CONFIG: OnceBox<ArcSwap<Config>> = OnceBox::new();
static GENERATION: AtomicU64 = AtomicU64::new(1);

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

impl super::Config {
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
