//! Wakes an event loop of the program through a file descriptor when operations have news.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fal::{Code, Dispatcher, Error};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::client::Core;
use crate::collector::Paused;
use crate::op::Op;
use crate::pair::Pair;
use crate::plain::Plain;
use crate::values::{caught, failed, none_or_failure, value_or_failure};

/// Wakes one event loop. It has no thread, and runs no code of the program.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Watcher {
    process: u32,
    fileno: i64,
    /// `None` after `close`.
    open: Mutex<Option<Open>>,
}

struct Open {
    dispatcher: Dispatcher,
    alarm: Arc<Alarm>,
    /// The numbers of the operations that have news.
    ready: Arc<Mutex<Vec<u64>>>,
}

/// How many notices are taken at once: while more arrive, an event loop does other work, too.
const MOST: usize = 4096;

/// Makes the descriptor readable. Both ends live as long as anything can ring, so no end is written
/// to whose other end is closed.
struct Alarm {
    pair: Pair,
    /// Whether the descriptor is readable already, or is going to be.
    is_rung: AtomicBool,
}

impl Alarm {
    fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) && !self.pair.write() {
            self.is_rung.store(false, Ordering::Release);
        }
    }

    /// Called before the news are read: what comes later rings again.
    fn reset(&self) {
        self.pair.drain();
        self.is_rung.swap(false, Ordering::AcqRel);
    }
}

impl Open {
    fn new() -> fal::Result<Self> {
        let pair = Pair::new()
            .map_err(|e| Error::new(Code::Io, format!("cannot make a pair of sockets: {e}")))?;
        let alarm = Arc::new(Alarm {
            pair,
            is_rung: AtomicBool::new(false),
        });
        let (dispatcher, ring) = (Dispatcher::new(), alarm.clone());
        dispatcher.set_wake(Some(Arc::new(move || ring.ring())))?;
        Ok(Open {
            dispatcher,
            alarm,
            ready: Arc::default(),
        })
    }

    fn watch(&self, op: &fal::Op, number: u64, events: bool) -> fal::Result<()> {
        if events {
            let ready = self.ready.clone();
            self.dispatcher
                .when_event(op, move |_| lock(&ready).push(number))?;
        }
        let ready = self.ready.clone();
        self.dispatcher
            .when_done(op, move |_| lock(&ready).push(number))
    }

    fn ready(&self) -> fal::Result<Vec<u64>> {
        self.alarm.reset();
        if self.dispatcher.run(MOST, None)? == MOST {
            self.alarm.ring();
        }
        Ok(std::mem::take(&mut *lock(&self.ready)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Make a watcher.
#[pyfunction]
pub(crate) fn watcher(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    value_or_failure(py, || {
        let open = Open::new()?;
        Ok(Watcher {
            process: std::process::id(),
            fileno: open.alarm.pair.fileno(),
            open: Mutex::new(Some(open)),
        })
    })
}

impl Watcher {
    /// Calls `work`, unless the watcher is closed or belongs to a parent process, whose news it
    /// would take away.
    fn with<T>(&self, work: impl FnOnce(&Open) -> fal::Result<T>) -> fal::Result<T> {
        if self.process != std::process::id() {
            let what = "the watcher belongs to the process that this one was forked from";
            return Err(Error::new(Code::Forked, what));
        }
        match &*lock(&self.open) {
            Some(open) => work(open),
            None => Err(Error::new(Code::Closed, "the watcher was closed")),
        }
    }
}

#[pymethods]
impl Watcher {
    /// Return the descriptor, which is readable when `ready` may return something.
    fn fileno(&self) -> i64 {
        self.fileno
    }

    /// Watch for the end of an operation, and for its events.
    #[pyo3(signature = (op, number, events, /))]
    fn watch<'py>(
        &self,
        py: Python<'py>,
        op: &Op,
        number: u64,
        events: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        none_or_failure(py, || {
            self.with(|open| open.watch(op.inner(), number, events))
        })
    }

    /// Start a run like `Core.run_plain` without a wait, and watch for its end. Return the operation,
    /// which is cancelled when it is deleted.
    #[pyo3(signature = (core, endpoint, input, timeout, number, /))]
    fn run_plain<'py>(
        &self,
        core: &Bound<'py, Core>,
        endpoint: &Bound<'py, PyAny>,
        input: &Bound<'py, PyAny>,
        timeout: f64,
        number: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = core.py();
        let Some(plain) = Plain::of(endpoint, input) else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        value_or_failure(py, || {
            self.with(|open| {
                let op = core.get().inner.run_start(plain.request(timeout)?)?;
                op.discard_events();
                let op = Op::awaited(op);
                open.watch(op.inner(), number, false).map(|()| op)
            })
        })
    }

    /// Return the numbers of operations that may have events or may have ended.
    fn ready<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match caught(|| self.with(Open::ready)) {
            Ok(numbers) => {
                let _paused = Paused::new(py);
                PyList::new(py, numbers).map(Bound::into_any)
            }
            Err(error) => failed(py, error),
        }
    }

    /// Watch nothing any longer, and close the descriptor.
    fn close(&self) {
        let open = lock(&self.open).take();
        drop(open);
    }
}
