//! One run of the runtime.

/// After so many turns of tasks the clock and the sockets are looked at. What a hostile answer
/// costs is done in turns, of which one may take milliseconds: with tokio's own number a deadline
/// would wait for sixty of them.
const TURNS: u32 = 4;

/// How much longer than its limit the stopping of a runtime may take, which keeps to it.
const JOINING: Duration = Duration::from_millis(200);

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
