//! The handles of an operation, and its start.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::event_queue::Notice;
use super::shared::{PENDING, Shared, State, TAKEN};
use super::task::Task;
use crate::error::{Code, Error, Result};
use crate::response::Response;
use crate::runtime;
use crate::secrets::Secrets;
use crate::transport::Progress;

/// A handle to an operation. Clones are handles to the same one.
///
/// Dropping a handle neither cancels nor waits: the operation goes on. Every operation ends exactly
/// once: with its answer, an error, [`Code::Cancelled`] or [`Code::ShutDown`].
#[derive(Clone)]
pub struct Op {
    shared: Arc<Shared>,
    _readers: Arc<Readers>,
}

/// The handles of an operation. Once they are gone nobody can read its events, so it need not wait
/// for that.
struct Readers {
    shared: Arc<Shared>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        // In a forked child a lock may be held by a thread that does not exist, here and wherever
        // the rest is dropped.
        if self.shared.pid != std::process::id() {
            std::mem::forget(self.shared.clone());
            return;
        }
        let mut state = self.shared.lock();
        state.readers -= 1;
        // Callbacks get a handle of their own.
        if state.readers == 0 && !state.events.has_notice() {
            state.events.discard();
            drop(state);
            self.shared.space_available.notify_waiters();
        }
    }
}

/// The next event of an operation, if there is one.
#[derive(Debug)]
pub enum NextEvent {
    /// Something happened.
    Event(Event),
    /// Nothing yet.
    Pending,
    /// The operation has ended and every event was read.
    End,
}

impl Op {
    /// Starts `work` on the runtime. Nothing of it runs on the calling thread.
    /// What its requests carry is noted in `secrets`.
    pub(crate) fn start<W, F>(secrets: Arc<Secrets>, work: W) -> Result<Op>
    where
        W: FnOnce(Task) -> F,
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let instance = runtime::current()?;
        let progress = Arc::new(Progress::of(&secrets));
        let shared = Arc::new(Shared {
            pid: std::process::id(),
            secrets,
            phase: AtomicU8::new(PENDING),
            cancel: CancellationToken::new(),
            done: CancellationToken::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
            event_ready: Notify::new(),
            space_available: Notify::new(),
        });
        let unfinished = Unfinished {
            shared: shared.clone(),
            progress: progress.clone(),
        };
        let closing = instance.closing().clone();
        let work = caught(work(Task {
            progress,
            shared: shared.clone(),
        }));
        instance.spawn(async move {
            let outcome = tokio::select! {
                biased;
                () = unfinished.shared.cancel.cancelled() => Err(unfinished.cut_short(Code::Cancelled, "the call was cancelled")),
                () = closing.cancelled() => Err(unfinished.shut_down()),
                // What a part of it says that ends with the runtime is not why it ended.
                outcome = work => outcome.map_err(|error| match closing.is_cancelled() && error.http_status().is_none() {
                    true => unfinished.shut_down(),
                    false => error,
                }),
            };
            let outcome = outcome.map_err(|error| unfinished.progress.judged(error));
            unfinished.shared.complete(outcome);
        });
        Ok(Op::of(shared))
    }

    fn of(shared: Arc<Shared>) -> Self {
        shared.lock().readers += 1;
        let readers = Arc::new(Readers {
            shared: shared.clone(),
        });
        Op {
            shared,
            _readers: readers,
        }
    }

    /// Whether the operation has ended, or `None` in a child process, where it never will.
    ///
    /// Never blocks, takes no lock and allocates nothing.
    pub fn ended(&self) -> Option<bool> {
        (self.shared.pid == std::process::id())
            .then(|| self.shared.phase.load(Ordering::Acquire) != PENDING)
    }

    /// Whether the operation has ended. Never blocks.
    ///
    /// Fails with [`Code::Forked`] in a child process.
    pub fn poll(&self) -> Result<bool> {
        self.ended().ok_or_else(forked)
    }

    /// Waits until the operation has ended, at most `timeout` (`None`: for ever), and returns
    /// whether it has.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback and on a runtime thread, unless it has
    /// ended already.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        if self.poll()? || timeout == Some(Duration::ZERO) {
            return self.poll();
        }
        runtime::may_wait()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.lock();
        while self.shared.phase.load(Ordering::Acquire) == PENDING {
            let Some(changed) = self.shared.wait(state, deadline) else {
                return Ok(false);
            };
            state = changed;
        }
        Ok(true)
    }

    /// The next event, waited for at most `timeout` (`None`: for ever; zero: not at all). Several
    /// threads may read; each event goes to one of them.
    ///
    /// An operation that streams pauses while too many events wait to be read, so whoever waits for
    /// its end should read them or [discard](Self::discard_events) them. Of other events the oldest
    /// go, and are [counted](Self::dropped_events).
    ///
    /// Fails with [`Code::WouldDeadlock`] like [`wait`](Self::wait), if it would have to wait.
    pub fn wait_event(&self, timeout: Option<Duration>) -> Result<NextEvent> {
        self.check_process()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.lock();
        loop {
            match self.next(&mut state) {
                NextEvent::Pending if timeout == Some(Duration::ZERO) => {
                    return Ok(NextEvent::Pending);
                }
                NextEvent::Pending => {}
                found => return Ok(found),
            }
            runtime::may_wait()?;
            let Some(changed) = self.shared.wait(state, deadline) else {
                return Ok(NextEvent::Pending);
            };
            state = changed;
        }
    }

    /// The next event, without blocking the thread, on any async runtime; `None` once the operation
    /// has ended and every event was read.
    pub async fn next_event(&self) -> Option<Event> {
        loop {
            let mut event_ready = pin!(self.shared.event_ready.notified());
            event_ready.as_mut().enable();
            self.check_process().ok()?;
            match self.next(&mut self.shared.lock()) {
                NextEvent::Event(event) => return Some(event),
                NextEvent::End => return None,
                NextEvent::Pending => {}
            }
            event_ready.await;
        }
    }

    /// Throws away the events that wait, and keeps none from now on.
    pub fn discard_events(&self) {
        if self.check_process().is_ok() {
            self.shared.lock().events.discard();
            self.shared.space_available.notify_waiters();
        }
    }

    /// How many events were lost because nobody read them.
    pub fn dropped_events(&self) -> u64 {
        if self.check_process().is_ok() {
            self.shared.lock().events.dropped()
        } else {
            0
        }
    }

    fn next(&self, state: &mut State) -> NextEvent {
        match state.events.pop() {
            Some(event) => {
                self.shared.space_available.notify_waiters();
                NextEvent::Event(event)
            }
            None if self.shared.phase.load(Ordering::Acquire) == PENDING => NextEvent::Pending,
            None => NextEvent::End,
        }
    }

    /// Has `notice` called when events begin to wait, once until the host has looked.
    pub(crate) fn on_event(&self, notice: Notice) -> Result<()> {
        self.check_process()?;
        let due = self.shared.lock().events.set_notice(notice);
        due.into_iter().for_each(|notice| notice.give());
        Ok(())
    }

    /// The host is about to look, so the next event is news again.
    pub(crate) fn looks(&self) {
        if self.check_process().is_ok() {
            self.shared.lock().events.looked();
        }
    }

    /// Starts an operation, waits for its end and takes its outcome: the synchronous form of every
    /// call.
    ///
    /// Where waiting is refused nothing is started.
    pub fn finish(start: impl FnOnce() -> Result<Op>) -> Result<Response> {
        runtime::may_wait()?;
        let op = start()?;
        op.discard_events();
        op.wait(None)?;
        op.take().unwrap_or_else(|| {
            Err(Error::new(
                Code::Panic,
                "an operation ended without an outcome",
            ))
        })
    }

    /// Asks the operation to end with [`Code::Cancelled`]. Any thread, any number of times; does
    /// nothing once it has ended.
    pub fn cancel(&self) {
        if self.check_process().is_ok() {
            self.shared.cancel.cancel();
        }
    }

    /// The outcome, once: `None` while the operation is pending, [`Code::Taken`] after the first
    /// time.
    pub fn take(&self) -> Option<Result<Response>> {
        if let Err(forked) = self.check_process() {
            return Some(Err(forked));
        }
        if self.shared.phase.load(Ordering::Acquire) == PENDING {
            return None;
        }
        let outcome = self.shared.lock().outcome.take();
        self.shared.phase.store(TAKEN, Ordering::Release);
        Some(
            outcome.unwrap_or_else(|| Err(Error::new(Code::Taken, "the outcome was taken before"))),
        )
    }

    /// Waits without blocking the thread, on any async runtime, and takes the outcome.
    ///
    /// Events that were not read are discarded. If the future is dropped before it ends, the
    /// operation is cancelled, as Rust programs expect.
    pub async fn outcome(self) -> Result<Response> {
        let cancel = self.shared.cancel.clone().drop_guard();
        self.check_process()?;
        self.discard_events();
        self.shared.done.cancelled().await;
        cancel.disarm();
        self.take().unwrap_or_else(|| {
            Err(Error::new(
                Code::Panic,
                "an operation ended without an outcome",
            ))
        })
    }

    /// Calls `hook` when the operation ends, on the thread that ends it; at once if it has ended.
    pub(crate) fn on_end(&self, hook: impl FnOnce() + Send + 'static) -> Result<()> {
        self.check_process()?;
        let mut state = self.shared.lock();
        if self.shared.phase.load(Ordering::Acquire) == PENDING {
            state.hooks.push(Box::new(hook));
            return Ok(());
        }
        drop(state);
        hook();
        Ok(())
    }

    pub(crate) fn weak(&self) -> WeakOp {
        WeakOp {
            shared: Arc::downgrade(&self.shared),
        }
    }

    fn check_process(&self) -> Result<()> {
        self.poll().map(|_| ())
    }
}

/// A handle that does not keep the operation's events and outcome.
pub(crate) struct WeakOp {
    shared: Weak<Shared>,
}

impl WeakOp {
    pub(crate) fn op(&self) -> Option<Op> {
        Some(Op::of(self.shared.upgrade()?))
    }
}

fn forked() -> Error {
    Error::new(
        Code::Forked,
        "the operation belongs to the process that this one was forked from",
    )
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Op")
            .field("done", &self.poll())
            .finish_non_exhaustive()
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

    fn shut_down(&self) -> Error {
        self.cut_short(Code::ShutDown, "libfal was shut down during the call")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.shared.phase.load(Ordering::Acquire) == PENDING {
            self.shared.complete(Err(self.shut_down()));
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
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::new(
        Code::Panic,
        format!("a panic was caught: {}", text.unwrap_or("no message")),
    )
}
