//! Blocking work on a thread of its own, so that the waiting thread can handle signals.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fal::{Code, Error};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use serde_json::Value;

use crate::json::made;
use crate::values::{step, value_or_failure};

/// The result of such work.
#[derive(Clone)]
pub(crate) enum Done {
    Nothing,
    Whether(bool),
    Value(Value),
}

impl<'py> IntoPyObject<'py> for Done {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Done::Nothing => Ok(py.None().into_bound(py)),
            Done::Whether(it) => it.into_bound_py_any(py),
            Done::Value(value) => made(py, value),
        }
    }
}

/// Blocking work. Dropping the handle does not end the work.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Task {
    process: u32,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    done: Mutex<Option<fal::Result<Done>>>,
    ended: Condvar,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Option<fal::Result<Done>>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Task {
    /// Starts a thread for `work`. Fails on a thread that must not wait.
    pub(crate) fn start(
        work: impl FnOnce() -> fal::Result<Done> + Send + 'static,
    ) -> fal::Result<Task> {
        fal::runtime::may_wait()?;
        let state = Arc::new(State::default());
        let shared = state.clone();
        let run = move || {
            let panicked = |_| Err(Error::new(Code::Panic, "a panic was caught"));
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked);
            *shared.lock() = Some(done);
            shared.ended.notify_all();
        };
        let thread = std::thread::Builder::new()
            .name("fal-python".into())
            .spawn(run);
        thread.map_err(|e| Error::new(Code::Io, format!("cannot start a thread: {e}")))?;
        Ok(Task {
            process: std::process::id(),
            state,
        })
    }

    /// Fails in a forked child, where the thread does not exist and its locks stay locked.
    fn check(&self) -> fal::Result<()> {
        match self.process == std::process::id() {
            true => Ok(()),
            false => Err(Error::new(
                Code::Forked,
                "the call belongs to the process that this one was forked from",
            )),
        }
    }
}

#[pymethods]
impl Task {
    /// Wait for the end without the GIL, and return whether it has ended.
    #[pyo3(signature = (seconds, /))]
    fn wait<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let ended = self.check().map(|()| {
            py.detach(|| {
                let wait =
                    self.state
                        .ended
                        .wait_timeout_while(self.state.lock(), step(seconds), |done| {
                            done.is_none()
                        });
                wait.unwrap_or_else(PoisonError::into_inner).0.is_some()
            })
        });
        value_or_failure(py, || ended)
    }

    /// Return the result, after the end.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.check()?;
            let done = self.state.lock().clone();
            done.unwrap_or_else(|| Err(Error::new(Code::Panic, "the call has not ended")))
        })
    }
}
