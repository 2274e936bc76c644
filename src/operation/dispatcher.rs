//! Callbacks that run on the host's own threads: queued by operations, run by
//! [`Dispatcher::run`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::event_queue::{Bell, Listener, Place};
use super::op::{Op, WeakOp, panicked};
use super::ready::{DoneCallback, EventCallback, Ready, Shared, Wake};
use crate::error::{Code, Error, Result};
use crate::runtime;
use crate::runtime::host_functions::HostOwned;
use crate::system::process;

/// What operations have ready for the host: callbacks, which it runs for instance once per frame,
/// and notices, which it reads. Clones share both.
///
/// Once [`Op::poll`] or [`Op::wait`] says that an operation has ended, its callback or its notice is
/// ready, and the other way round.
#[derive(Clone)]
pub struct Dispatcher {
    pub(super) shared: Arc<Shared>,
}

/// Queues a callback when an operation has events. Does not keep the dispatcher alive.
struct EventListener {
    dispatcher: Weak<Shared>,
    op: WeakOp,
    callback: Arc<EventCallback>,
}

impl Listener for EventListener {
    fn publish(&self, handles: &mut usize) -> Option<Arc<dyn Bell>> {
        let shared = self.dispatcher.upgrade()?;
        let op = self.op.op(handles)?;
        shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let ready = Ready::Events(op, self.callback.clone());
        shared.lock().callbacks.push_back(ready);
        Some(shared)
    }

    fn publish_end(&self) -> Option<Arc<dyn Bell>> {
        None
    }

    fn is_alive(&self) -> bool {
        self.dispatcher.strong_count() > 0
    }

    fn place(&self) -> Place {
        Place {
            dispatcher: self.dispatcher.as_ptr().addr(),
            watch: None,
        }
    }

    fn retire(&self) {
        self.callback.is_retired.store(true, Ordering::Release);
    }
}

impl Default for Dispatcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Dispatcher {
    /// An empty dispatcher.
    pub fn new() -> Self {
        Dispatcher {
            shared: Arc::new(Shared::new()),
        }
    }

    /// Makes [`run`](Self::run) call `callback` once after `op` has ended in any way.
    pub fn when_done(&self, op: &Op, callback: impl FnOnce(Op) + Send + 'static) -> Result<()> {
        self.check_process()?;
        self.shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let callback: DoneCallback = HostOwned::new(Box::new(callback));
        let id = self.shared.lock().add_end(op.clone(), callback);
        let dispatcher = Arc::downgrade(&self.shared);
        let accepted = op.on_end(Box::new(move || {
            let shared = dispatcher.upgrade()?;
            shared.lock().publish_end(id);
            Some(shared)
        }));
        if accepted.is_err() {
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
            let refused = self.shared.lock().ends.remove(&id);
            drop(refused);
        }
        accepted
    }

    /// Makes [`run`](Self::run) call `callback` when events of `op` are queued. It is called once
    /// for all events that are queued by then, so it should read all of them ([`Op::wait_event`]
    /// with zero). It replaces an earlier callback. The end of `op` is not an event.
    ///
    /// No call starts after it was replaced or [taken back](Self::take_back), after the callback of
    /// [`when_done`](Self::when_done) for the same operation has been called by the same dispatcher,
    /// or after `op` has ended and all events were read. Fails if the operation is
    /// [watched](Self::watch).
    pub fn when_event(&self, op: &Op, callback: impl Fn(Op) + Send + Sync + 'static) -> Result<()> {
        self.check_process()?;
        op.set_listener(Arc::new(EventListener {
            dispatcher: Arc::downgrade(&self.shared),
            op: op.weak(),
            callback: Arc::new(EventCallback {
                function: HostOwned::new(Box::new(callback)),
                is_retired: AtomicBool::new(false),
            }),
        }))
    }

    /// Takes back the callback of [`when_event`](Self::when_event), if there is one: no call starts
    /// after this returns.
    pub fn take_back(&self, op: &Op) -> Result<()> {
        self.check_process()?;
        op.remove_listener(|place| place.watch.is_none())
    }

    /// Runs ready callbacks on this thread, at most `max` of them. Starts no callback after
    /// `budget` has passed (`None`: no limit), but runs at least one if one is ready and `max` is
    /// not 0. Returns how many ran.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback.
    pub fn run(&self, max: usize, budget: Option<Duration>) -> Result<usize> {
        self.check_process()?;
        runtime::may_wait()?;
        let started = Instant::now();
        let mut ran = 0;
        while ran < max && (ran == 0 || budget.is_none_or(|budget| started.elapsed() < budget)) {
            let Some(ready) = self.shared.lock().callbacks.pop_front() else {
                break;
            };
            self.shared.outstanding.fetch_sub(1, Ordering::AcqRel);
            let call = AssertUnwindSafe(|| self.call(ready));
            let called = runtime::in_callback(|| catch_unwind(call));
            ran += usize::from(called.map_err(|payload| panicked(&*payload))??);
        }
        Ok(ran)
    }

    /// Calls a callback, unless there is no reason left to. Returns whether it was called.
    fn call(&self, ready: Ready) -> Result<bool> {
        match ready {
            Ready::Done(op, callback) => {
                let here = Arc::as_ptr(&self.shared).addr();
                op.remove_listener(|place| place.watch.is_none() && place.dispatcher == here)?;
                let callback = callback.take();
                Ok(callback.map(|callback| callback(op)).is_some())
            }
            Ready::Events(op, callback) => {
                let is_due = op.rearm() && !callback.is_retired.load(Ordering::Acquire);
                let function = callback.function.get().filter(|_| is_due);
                Ok(function.map(|function| function(op)).is_some())
            }
        }
    }

    /// Blocks until a callback or a notice is ready, or `timeout` has passed (`None`: no limit).
    /// Returns whether one is. It may have lost its reason by then: the host has read the events
    /// elsewhere, or taken the callback back.
    ///
    /// Fails with [`Code::WouldDeadlock`] inside a callback, if it would have to wait.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool> {
        self.check_process()?;
        let ready = self.shared.wait(timeout, |queue| {
            let is_empty = queue.callbacks.is_empty() && queue.notices.is_empty();
            (!is_empty).then_some(())
        });
        Ok(ready?.is_some())
    }

    /// Returns how many callbacks have not run yet, ready or not, and how many operations are
    /// watched.
    pub fn outstanding(&self) -> usize {
        self.shared.outstanding.load(Ordering::Acquire)
    }

    /// Sets a function that is called when callbacks or notices become ready, so that an event loop
    /// can sleep. `None` removes it. One call may stand for several of them. libfal calls `wake` on
    /// a thread made for that, or on the host's thread that made one ready.
    ///
    /// `wake` should only send a signal: a slow one delays the next call. Blocking calls of libfal
    /// fail inside it.
    pub fn set_wake(&self, wake: Option<Wake>) -> Result<()> {
        self.check_process()?;
        let wake = wake.map(|wake| Arc::new(HostOwned::new(wake)));
        let before = std::mem::replace(&mut self.shared.lock().wake, wake);
        drop(before);
        Ok(())
    }

    pub(super) fn check_process(&self) -> Result<()> {
        match self.shared.pid == process::id() {
            true => Ok(()),
            false => Err(Error::new(
                Code::Forked,
                "the dispatcher belongs to the process that this one was forked from",
            )),
        }
    }
}

impl Drop for Dispatcher {
    /// In a forked child, a thread that does not exist there may have been changing the queue. So it
    /// is leaked.
    fn drop(&mut self) {
        if self.shared.pid != process::id() {
            std::mem::forget(self.shared.clone());
        }
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use serde_json::json;

    use super::*;
    use crate::operation::NextEvent;
    use crate::operation::event::{Event, EventKind};
    use crate::response::Response;

    /// More than the event queue can store.
    const ITEMS: usize = 3000;
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Starts an operation that sends items. The flag says whether it has sent all of them.
    fn streaming() -> (Op, Arc<AtomicBool>) {
        let delivered = Arc::new(AtomicBool::new(false));
        let all = delivered.clone();
        let op = Op::start(Arc::default(), None, |task| async move {
            for n in 0..ITEMS {
                task.emit_when_room(Event::json(EventKind::Item, &json!(n)))
                    .await;
            }
            all.store(true, Ordering::Release);
            Ok(Response::made(&json!(null)))
        });
        (op.unwrap(), delivered)
    }

    fn within(what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nobody_waits_for_a_dispatcher_that_is_gone() {
        for (queued, op_goes_first) in [(false, false), (true, false), (true, true)] {
            let dispatcher = Dispatcher::new();
            let (op, delivered) = streaming();
            dispatcher.when_event(&op, |_| {}).unwrap();
            if queued {
                within("no event comes", || dispatcher.outstanding() > 0);
            }
            if op_goes_first {
                drop(op);
                drop(dispatcher);
            } else {
                drop(dispatcher);
                drop(op);
            }
            within("the stream waits for a reader that is gone", || {
                delivered.load(Ordering::Acquire)
            });
        }
    }

    #[test]
    fn who_reads_by_himself_loses_nothing_with_the_dispatcher() {
        let dispatcher = Dispatcher::new();
        let (op, _) = streaming();
        dispatcher.when_event(&op, |_| {}).unwrap();
        within("no event comes", || dispatcher.outstanding() > 0);
        drop(dispatcher);
        let next = || op.wait_event(Some(PATIENCE)).unwrap();
        let items =
            std::iter::from_fn(|| matches!(next(), NextEvent::Event(_)).then_some(())).count();
        assert_eq!(items, ITEMS);
    }

    #[test]
    fn a_dispatcher_reads_for_a_host_that_let_the_operation_go() {
        let dispatcher = Dispatcher::new();
        let (op, delivered) = streaming();
        let read = Arc::new(AtomicUsize::new(0));
        let count = read.clone();
        let read_all = move |op: Op| {
            while let Ok(NextEvent::Event(_)) = op.wait_event(Some(Duration::ZERO)) {
                count.fetch_add(1, Ordering::AcqRel);
            }
        };
        dispatcher.when_event(&op, read_all).unwrap();
        drop(op);
        within("the dispatcher reads nothing", || {
            dispatcher.run(10, None).unwrap();
            read.load(Ordering::Acquire) == ITEMS && delivered.load(Ordering::Acquire)
        });
    }
}
