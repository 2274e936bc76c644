//! The handle to an operation, and its start.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::event_queue::{Bell, Listener, Place};
use super::shared::{Hook, Shared, State};
use super::task::Task;
use crate::error::{Code, Error, Result};
use crate::response::Response;
use crate::runtime;
use crate::secrets::Secrets;
use crate::system::process;
use crate::transport::Progress;

/// A handle to an operation. Clones are handles to the same one.
///
/// Dropping a handle neither cancels the operation nor waits for it. Every operation ends exactly
/// once: with its response, an error, [`Code::Cancelled`] or [`Code::ShutDown`].
#[derive(Clone)]
pub struct Op {
    shared: Arc<Shared>,
    _readers: Arc<Readers>,
}

/// Counts the handles that can read the events of an operation. After the last one is dropped, the
/// operation discards its events instead of waiting for a reader.
struct Readers {
    shared: Arc<Shared>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        // In a forked child, a lock may be held by a thread that does not exist there. The rest of
        // the state takes locks when dropped, so it is leaked.
        if self.shared.pid != process::id() {
            std::mem::forget(self.shared.clone());
            return;
        }
        let mut state = self.shared.lock();
        state.readers -= 1;
        // A listener passes a new handle to each callback.
        if state.readers == 0 && state.events.place().is_none() {
            state.events.discard();
            drop(state);
            self.shared.space_available.notify_waiters();
        }
    }
}

/// What [`Op::wait_event`] returns.
#[derive(Debug)]
pub enum NextEvent {
    /// The next event.
    Event(Event),
    /// The operation has not ended, and no event is queued.
    Pending,
    /// The operation has ended and every event was read.
    End,
}

impl Op {
    /// Starts `work` on the runtime; no part of its future runs on the calling thread. `secrets`
    /// collects the secrets of its requests.
    pub(crate) fn start<W, F>(secrets: Arc<Secrets>, limit: Option<Limit>, work: W) -> Result<Op>
    where
        W: FnOnce(Task) -> F,
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let instance = runtime::current()?;
        let progress = Arc::new(Progress::of(&secrets));
        let shared = Arc::new(Shared::new(secrets));
        let work = Box::pin(work(Task {
            progress: progress.clone(),
            shared: shared.clone(),
        }));
        let unfinished = Unfinished {
            shared: shared.clone(),
            progress,
        };
        let closing = instance.closing().clone();
        instance.spawn(carry(unfinished, closing, limit, work));
        Ok(Op::of(shared))
    }

    fn of(shared: Arc<Shared>) -> Self {
        shared.lock().readers += 1;
        Op::counted(shared)
    }

    /// A handle that is counted already.
    fn counted(shared: Arc<Shared>) -> Self {
        let readers = Arc::new(Readers {
            shared: shared.clone(),
        });
        Op {
            shared,
            _readers: readers,
        }
    }

    /// Whether the operation has ended. Returns `None` in a child process, where it never ends.
    ///
    /// Never blocks, takes no lock and allocates nothing.
    pub fn ended(&self) -> Option<bool> {
        (self.shared.pid == process::id()).then(|| !self.shared.is_pending())
    }

    /// Whether the operation has ended. Never blocks.
    ///
    /// Fails with [`Code::Forked`] in a child process.
    pub fn poll(&self) -> Result<bool> {
        self.ended().ok_or_else(forked)
    }

    /// Blocks until the operation has ended or `timeout` has passed (`None`: no limit). Returns
    /// whether the operation has ended.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback and on a runtime thread, unless the
    /// operation has ended already.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        let ended = || (!self.shared.is_pending()).then_some(());
        // Without a timeout this is a poll, which takes no lock.
        if self.poll()? || timeout == Some(Duration::ZERO) {
            return self.poll();
        }
        Ok(self.block(timeout, |_| ended())?.is_some())
    }

    /// Blocks until `ready` returns a value or `timeout` has passed.
    fn block<T>(
        &self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<Option<T>> {
        self.check_process()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.shared.lock();
        loop {
            let found = ready(&mut state);
            if found.is_some() || timeout == Some(Duration::ZERO) {
                return Ok(found);
            }
            runtime::may_wait()?;
            let Some(changed) = self.shared.wait(state, deadline) else {
                return Ok(None);
            };
            state = changed;
        }
    }

    /// Returns the next event. Blocks for at most `timeout` (`None`: no limit; zero: never).
    /// Several threads may read; each event is returned to one of them.
    ///
    /// An operation that streams pauses while its event queue is full, so a caller that waits for
    /// its end should read the events or [discard](Self::discard_events) them. Other operations
    /// drop the oldest events of a full queue and [count](Self::dropped_events) them.
    ///
    /// Fails with [`Code::WouldDeadlock`] like [`wait`](Self::wait), if it would have to block.
    pub fn wait_event(&self, timeout: Option<Duration>) -> Result<NextEvent> {
        let next = self.block(timeout, |state| match self.next(state) {
            NextEvent::Pending => None,
            found => Some(found),
        })?;
        self.release_callback();
        Ok(next.unwrap_or(NextEvent::Pending))
    }

    /// Returns the next event without blocking the thread, on any async runtime. Returns `None`
    /// once the operation has ended and every event was read.
    pub async fn next_event(&self) -> Option<Event> {
        let next = || match self.next(&mut self.shared.lock()) {
            NextEvent::Event(event) => Some(Some(event)),
            NextEvent::End => Some(None),
            NextEvent::Pending => None,
        };
        let event = self.shared.until(next).await?;
        self.release_callback();
        event
    }

    /// Drops all queued and future events.
    pub fn discard_events(&self) {
        if self.check_process().is_ok() {
            self.shared.lock().events.discard();
            self.shared.space_available.notify_waiters();
            self.release_callback();
        }
    }

    /// Returns how many events were dropped because the queue was full.
    pub fn dropped_events(&self) -> u64 {
        match self.check_process() {
            Ok(()) => self.shared.lock().events.dropped(),
            Err(_) => 0,
        }
    }

    fn next(&self, state: &mut State) -> NextEvent {
        match state.events.pop() {
            Some(event) => {
                self.shared.space_available.notify_waiters();
                NextEvent::Event(event)
            }
            None if self.shared.is_pending() => NextEvent::Pending,
            None => NextEvent::End,
        }
    }

    /// Drops the callback for events if no call of it can follow.
    fn release_callback(&self) {
        if !self.shared.is_pending() {
            let callback = self.shared.lock().events.take_callback();
            drop(callback);
        }
    }

    /// Returns fal's id of the request, as soon as it is known: for a job the id of the submission,
    /// otherwise that of the response.
    pub fn request_id(&self) -> Option<String> {
        self.check_process().ok()?;
        let mut id = self.shared.lock().request_id.as_ref()?.as_str().to_owned();
        self.shared.secrets.hide(&mut id);
        Some(id)
    }

    /// Makes a listener publish the events. It replaces a callback, but no watch, and a watch
    /// replaces nothing.
    pub(super) fn set_listener(&self, listener: Arc<dyn Listener>) -> Result<()> {
        self.check_process()?;
        let mut state = self.shared.lock();
        match (state.events.place(), listener.place().watch) {
            (Some(Place { watch: Some(_), .. }), _) => return Err(watched()),
            (Some(_), Some(_)) => return Err(has_callback()),
            _ => {}
        }
        let before = state.events.take_listener();
        state.events.set_listener(listener.clone());
        let events = match state.events.is_read() {
            true => None,
            false => state.publish(&*listener),
        };
        let end = match self.shared.is_pending() {
            true => None,
            false => listener.publish_end(),
        };
        drop(state);
        drop(before);
        events.into_iter().chain(end).for_each(|bell| bell.ring());
        Ok(())
    }

    /// Removes the listener if `is_it` is true of its place.
    pub(super) fn remove_listener(&self, is_it: impl FnOnce(Place) -> bool) -> Result<()> {
        self.check_process()?;
        let mut state = self.shared.lock();
        let before = match state.events.place().is_some_and(is_it) {
            true => state.events.take_listener(),
            false => None,
        };
        drop(state);
        drop(before);
        Ok(())
    }

    /// Makes the next event be published again, because the host is about to read. Returns whether
    /// there is anything to read.
    pub(super) fn rearm(&self) -> bool {
        let mut state = self.shared.lock();
        state.events.rearm();
        !state.events.is_read()
    }

    /// Returns the next event for a watch. Calls `more`, under the lock, if another event or the
    /// end follows. The end removes the watch.
    pub(super) fn next_watched(&self, place: Place, more: impl FnOnce()) -> NextEvent {
        let mut state = self.shared.lock();
        let next = self.next(&mut state);
        let mut ended = None;
        match &next {
            NextEvent::Event(_) if !state.events.is_read() || !self.shared.is_pending() => more(),
            NextEvent::End if state.events.place() == Some(place) => {
                ended = state.events.take_listener();
            }
            _ => {}
        }
        drop(state);
        drop(ended);
        next
    }

    /// Starts an operation, blocks until it has ended, and takes its outcome: the synchronous form
    /// of every call.
    ///
    /// Fails with [`Code::WouldDeadlock`] before it starts the operation, where
    /// [`wait`](Self::wait) does.
    pub fn finish(start: impl FnOnce() -> Result<Op>) -> Result<Response> {
        runtime::may_wait()?;
        let op = start()?;
        op.discard_events();
        op.wait(None)?;
        op.take().unwrap_or_else(no_outcome)
    }

    /// Requests the operation to end with [`Code::Cancelled`]. Does nothing if it has ended. May be
    /// called from any thread and any number of times.
    pub fn cancel(&self) {
        if self.check_process().is_ok() {
            self.shared.cancel.cancel();
        }
    }

    /// Takes the outcome. Returns `None` while the operation is pending, and fails with
    /// [`Code::Taken`] after the first time.
    pub fn take(&self) -> Option<Result<Response>> {
        if let Err(forked) = self.check_process() {
            return Some(Err(forked));
        }
        if self.shared.is_pending() {
            return None;
        }
        let mut state = self.shared.lock();
        let outcome = state.outcome.take();
        let callback = state.events.take_callback();
        drop(state);
        drop(callback);
        Some(
            outcome
                .unwrap_or_else(|| Err(Error::new(Code::Taken, "the outcome was already taken"))),
        )
    }

    /// Waits for the outcome without blocking the thread, on any async runtime, and takes it.
    ///
    /// Discards the events. Dropping the future before it completes cancels the operation.
    pub async fn outcome(self) -> Result<Response> {
        self.check_process()?;
        let cancel = self.shared.cancel.clone().drop_guard();
        self.discard_events();
        let ended = || (!self.shared.is_pending()).then_some(());
        if self.shared.until(ended).await.is_none() {
            // Its drop takes a lock.
            std::mem::forget(cancel);
            return Err(forked());
        }
        cancel.disarm();
        self.take().unwrap_or_else(no_outcome)
    }

    /// Calls `publish` when the operation ends, or immediately if it has ended.
    pub(super) fn on_end(&self, mut publish: Hook) -> Result<()> {
        self.check_process()?;
        let mut state = self.shared.lock();
        if self.shared.is_pending() {
            state.hooks.push(publish);
            return Ok(());
        }
        drop(state);
        publish().into_iter().for_each(|bell| bell.ring());
        Ok(())
    }

    /// Rings `bell` when the operation ends. Does nothing if it has ended.
    pub(super) fn add_bell(&self, bell: Arc<dyn Bell>) {
        let mut state = self.shared.lock();
        if self.shared.is_pending() {
            state.bells.push(bell);
        }
    }

    pub(super) fn remove_bell(&self, bell: &Arc<dyn Bell>) {
        let mut state = self.shared.lock();
        state.bells.retain(|other| !Arc::ptr_eq(other, bell));
    }

    pub(super) fn weak(&self) -> WeakOp {
        WeakOp {
            shared: Arc::downgrade(&self.shared),
        }
    }

    fn check_process(&self) -> Result<()> {
        self.poll().map(|_| ())
    }
}

/// A handle that does not keep the events and the outcome alive.
pub(super) struct WeakOp {
    shared: Weak<Shared>,
}

impl WeakOp {
    /// Returns a handle, and adds it to `handles`. The caller has the lock of the operation.
    pub(super) fn op(&self, handles: &mut usize) -> Option<Op> {
        let shared = self.shared.upgrade()?;
        *handles += 1;
        Some(Op::counted(shared))
    }
}

fn watched() -> Error {
    Error::invalid("the operation is watched already")
        .with_remedy("Read its events from the dispatcher that watches it.")
}

fn has_callback() -> Error {
    Error::invalid("the operation has a callback for its events")
        .with_remedy("Take the callback back, or read the events in it.")
}

fn no_outcome() -> Result<Response> {
    let message = "an operation ended without an outcome";
    Err(Error::new(Code::Panic, message))
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

/// Ends the operation even if the runtime drops its task.
struct Unfinished {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
}

impl Unfinished {
    fn shut_down(&self) -> Error {
        let what = "libfal was shut down during the call";
        self.progress.ended(Code::ShutDown, what)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.shared.is_pending() {
            self.shared.complete(Err(self.shut_down()));
        }
    }
}

/// The work of an operation. Boxed, so that the task around it is compiled once and is small.
type Work = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// When an operation ends at the latest.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
}

#[allow(
    clippy::manual_async_fn,
    reason = "an async function stores its parameters twice"
)]
fn carry(
    unfinished: Unfinished,
    closing: CancellationToken,
    limit: Option<Limit>,
    work: Work,
) -> impl Future<Output = ()> + Send {
    async move {
        // First, so that a task that is thrown away drops the work before the operation ends.
        let mut work = work;
        let Unfinished { shared, progress } = &unfinished;
        let end = tokio::select! {
            biased;
            () = shared.cancel.cancelled() => End::Cancelled,
            () = closing.cancelled() => End::ShutDown,
            end = bounded(limit, &mut work) => end,
        };
        // Work that is dropped may cancel a job, and the error says so.
        drop(work);
        let outcome = match end {
            End::Cancelled => Err(progress.ended(Code::Cancelled, "the call was cancelled")),
            End::ShutDown => Err(unfinished.shut_down()),
            // During a shutdown, an error without a response is a consequence of the shutdown.
            End::Late(_) if closing.is_cancelled() => Err(unfinished.shut_down()),
            End::Late(timeout) => {
                let what = format!("the call did not end within its {} ms", timeout.as_millis());
                Err(progress.ended(Code::Deadline, &what))
            }
            End::Itself(outcome) => outcome.map_err(|error| {
                match closing.is_cancelled() && error.http_status().is_none() {
                    true => unfinished.shut_down(),
                    false => error,
                }
            }),
        };
        shared.complete(outcome.map_err(|error| progress.judged(error)));
    }
}

/// How the work of an operation ends.
enum End {
    Itself(Result<Response>),
    /// Not within this time.
    Late(Duration),
    Cancelled,
    ShutDown,
}

/// Polls `work` up to its limit.
async fn bounded(limit: Option<Limit>, work: &mut Work) -> End {
    let Some(Limit { timeout, deadline }) = limit else {
        return End::Itself(caught(work).await);
    };
    // Work that cannot end in time does not begin.
    if deadline <= Instant::now() {
        return End::Late(timeout);
    }
    match tokio::time::timeout_at(deadline.into(), caught(work)).await {
        Ok(outcome) => End::Itself(outcome),
        Err(_) => End::Late(timeout),
    }
}

/// Turns a panic of `work` into an error.
fn caught(work: &mut Work) -> impl Future<Output = Result<Response>> {
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.unwrap_or_else(|payload| Poll::Ready(Err(panicked(&*payload))))
    })
}

/// The error of a caught panic. Out of line, because every function of the C ABI has it.
#[cold]
#[inline(never)]
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
