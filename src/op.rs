//! An operation under way: started once, ended once, and looked at from any thread.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error, Result};
use crate::response::Response;
use crate::runtime;
use crate::transport::Progress;

const PENDING: u8 = 0;
const DONE: u8 = 1;
const TAKEN: u8 = 2;

/// A handle to an operation. Clones are handles to the same one.
///
/// Dropping a handle neither cancels nor waits: the operation goes on. Every operation ends exactly once:
/// with its answer, an error, [`Code::Cancelled`] or [`Code::ShutDown`].
#[derive(Clone)]
pub struct Op {
    shared: Arc<Shared>,
}

struct Shared {
    pid: u32,
    state: AtomicU8,
    cancel: CancellationToken,
    done: CancellationToken,
    ending: Mutex<Ending>,
    ended: Condvar,
}

#[derive(Default)]
struct Ending {
    outcome: Option<Result<Response>>,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
}

impl Op {
    /// Starts `work` on the runtime. Nothing of it runs on the calling thread.
    pub(crate) fn start<W, F>(work: W) -> Result<Op>
    where
        W: FnOnce(Arc<Progress>) -> F,
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let instance = runtime::current()?;
        let shared = Arc::new(Shared {
            pid: std::process::id(),
            state: AtomicU8::new(PENDING),
            cancel: CancellationToken::new(),
            done: CancellationToken::new(),
            ending: Mutex::default(),
            ended: Condvar::new(),
        });
        let progress = Arc::new(Progress::default());
        let unfinished = Unfinished { shared: shared.clone(), progress: progress.clone() };
        let closing = instance.closing().clone();
        let work = caught(work(progress));
        instance.spawn(async move {
            let outcome = tokio::select! {
                biased;
                () = unfinished.shared.cancel.cancelled() => Err(unfinished.cut_short(Code::Cancelled, "the call was cancelled")),
                () = closing.cancelled() => Err(unfinished.cut_short(Code::ShutDown, "libfal was shut down during the call")),
                outcome = work => outcome,
            };
            unfinished.shared.complete(outcome);
        });
        Ok(Op { shared })
    }

    /// Whether the operation has ended, or `None` in a child process, where it never will.
    ///
    /// Never blocks, takes no lock and allocates nothing.
    pub fn ended(&self) -> Option<bool> {
        (self.shared.pid == std::process::id()).then(|| self.shared.state.load(Ordering::Acquire) != PENDING)
    }

    /// Whether the operation has ended. Never blocks.
    ///
    /// Fails with [`Code::Forked`] in a child process.
    pub fn poll(&self) -> Result<bool> {
        self.ended().ok_or_else(forked)
    }

    /// Waits until the operation has ended, at most `timeout` (`None`: for ever), and returns whether it has.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback and on a runtime thread, unless it has ended already.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        if self.poll()? || timeout == Some(Duration::ZERO) {
            return self.poll();
        }
        runtime::may_wait()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut ending = self.shared.lock();
        while self.shared.state.load(Ordering::Acquire) == PENDING {
            ending = match deadline {
                None => self.shared.ended.wait(ending).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(false);
                    }
                    self.shared.ended.wait_timeout(ending, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(true)
    }

    /// Starts an operation, waits for its end and takes its outcome: the synchronous form of every call.
    ///
    /// Where waiting is refused nothing is started.
    pub fn finish(start: impl FnOnce() -> Result<Op>) -> Result<Response> {
        runtime::may_wait()?;
        let op = start()?;
        op.wait(None)?;
        op.take().unwrap_or_else(|| Err(Error::new(Code::Panic, "an operation ended without an outcome")))
    }

    /// Asks the operation to end with [`Code::Cancelled`]. Any thread, any number of times; does nothing once it has ended.
    pub fn cancel(&self) {
        if self.check_process().is_ok() {
            self.shared.cancel.cancel();
        }
    }

    /// The outcome, once: `None` while the operation is pending, [`Code::Taken`] after the first time.
    pub fn take(&self) -> Option<Result<Response>> {
        if let Err(forked) = self.check_process() {
            return Some(Err(forked));
        }
        if self.shared.state.load(Ordering::Acquire) == PENDING {
            return None;
        }
        let outcome = self.shared.lock().outcome.take();
        self.shared.state.store(TAKEN, Ordering::Release);
        Some(outcome.unwrap_or_else(|| Err(Error::new(Code::Taken, "the outcome was taken before"))))
    }

    /// Waits without blocking the thread, on any async runtime, and takes the outcome.
    ///
    /// If the future is dropped before it ends, the operation is cancelled, as Rust programs expect.
    pub async fn outcome(self) -> Result<Response> {
        let cancel = self.shared.cancel.clone().drop_guard();
        self.check_process()?;
        self.shared.done.cancelled().await;
        cancel.disarm();
        self.take().unwrap_or_else(|| Err(Error::new(Code::Panic, "an operation ended without an outcome")))
    }

    /// Calls `hook` when the operation ends, on the thread that ends it; at once if it has ended.
    pub(crate) fn on_end(&self, hook: impl FnOnce() + Send + 'static) -> Result<()> {
        self.check_process()?;
        let mut ending = self.shared.lock();
        if self.shared.state.load(Ordering::Acquire) == PENDING {
            ending.hooks.push(Box::new(hook));
            return Ok(());
        }
        drop(ending);
        hook();
        Ok(())
    }

    fn check_process(&self) -> Result<()> {
        self.poll().map(|_| ())
    }
}

fn forked() -> Error {
    Error::new(Code::Forked, "the operation belongs to the process that this one was forked from")
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Op").field("done", &self.poll()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Ending> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, outcome: Result<Response>) {
        let mut ending = self.lock();
        if self.state.load(Ordering::Acquire) != PENDING {
            return;
        }
        ending.outcome = Some(outcome);
        self.state.store(DONE, Ordering::Release);
        let hooks = std::mem::take(&mut ending.hooks);
        drop(ending);
        self.ended.notify_all();
        self.done.cancel();
        hooks.into_iter().for_each(|hook| hook());
    }
}

/// Ends the operation even if its task is dropped without having run to its end.
struct Unfinished {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
}

impl Unfinished {
    fn cut_short(&self, code: Code, what: &str) -> Error {
        self.progress.cut_short(code, what)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.shared.state.load(Ordering::Acquire) == PENDING {
            self.shared.complete(Err(self.cut_short(Code::ShutDown, "libfal was shut down during the call")));
        }
    }
}

/// Turns a panic of `work` into an error.
async fn caught(work: impl Future<Output = Result<Response>>) -> Result<Response> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|payload| Poll::Ready(Err(panicked(&*payload))))
    })
    .await
}

/// The error of a caught panic.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::new(Code::Panic, format!("a panic was caught: {}", text.unwrap_or("no message")))
}
