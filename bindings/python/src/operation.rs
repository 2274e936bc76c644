//! A call under way, and how Python waits for one.

use std::time::{Duration, Instant};

use fal::Op;
use pyo3::exceptions::{PyTimeoutError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::convert::seconds;
use crate::error::raise;
use crate::response::Response;

/// How long a wait goes on before it looks for Ctrl-C. An end of the call wakes it at once.
const SLICE: Duration = Duration::from_millis(25);

/// A call under way.
#[pyclass(frozen, module = "libfal")]
pub(crate) struct Operation {
    op: Op,
    outcome: PyOnceLock<Result<Py<Response>, fal::Error>>,
}

impl Operation {
    /// Nothing reads its events, and what waits to be read would hold it up.
    pub(crate) fn new(op: Op) -> Self {
        op.discard_events();
        Operation { op, outcome: PyOnceLock::new() }
    }

    fn outcome(&self, py: Python<'_>) -> PyResult<Py<Response>> {
        let outcome = self.outcome.get_or_try_init(py, || match taken(&self.op) {
            Ok(response) => Ok::<_, PyErr>(Ok(Py::new(py, Response::from(response))?)),
            Err(error) => Ok(Err(error)),
        })?;
        match outcome {
            Ok(response) => Ok(response.clone_ref(py)),
            Err(error) => Err(raise(py, error)),
        }
    }
}

#[pymethods]
impl Operation {
    /// Whether the call has ended. Never blocks.
    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        self.op.poll().map_err(|error| raise(py, &error))
    }

    /// Wait until the call has ended, at most timeout seconds, and say whether it has.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = timeout.map(|timeout| seconds("timeout", timeout)).transpose();
        wait(py, &self.op, timeout.map_err(|error| raise(py, &error))?)
    }

    /// Ask the call to end with CancelledError. Does nothing once it has ended.
    fn cancel(&self) {
        self.op.cancel();
    }

    /// Wait for the answer. Raises TimeoutError, and leaves the call alone, if it takes more than timeout seconds.
    #[pyo3(signature = (timeout=None))]
    fn result(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<Response>> {
        match self.wait(py, timeout)? {
            true => self.outcome(py),
            false => Err(PyTimeoutError::new_err("the call is still under way")),
        }
    }

    fn __repr__(&self) -> &'static str {
        match self.op.ended() {
            Some(true) => "<libfal.Operation: done>",
            Some(false) => "<libfal.Operation: under way>",
            None => "<libfal.Operation: of another process>",
        }
    }

    fn __copy__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __deepcopy__(this: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        this
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a libfal.Operation belongs to its process and cannot be pickled"))
    }
}

/// The synchronous form of a call. Where waiting is refused nothing is started; Ctrl-C cancels.
pub(crate) fn finish(py: Python<'_>, start: impl FnOnce() -> fal::Result<Op>) -> PyResult<Response> {
    let started = fal::runtime::may_wait().and_then(|()| start());
    let op = started.map_err(|error| raise(py, &error))?;
    op.discard_events();
    wait(py, &op, None).inspect_err(|_| op.cancel())?;
    taken(&op).map(Response::from).map_err(|error| raise(py, &error))
}

/// Waits without the GIL. Fails with what a signal handler raises, such as `KeyboardInterrupt`.
fn wait(py: Python<'_>, op: &Op, timeout: Option<Duration>) -> PyResult<bool> {
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let left = || end.map_or(SLICE, |end| end.saturating_duration_since(Instant::now()));
    loop {
        let ended = py.detach(|| op.wait(Some(left().min(SLICE))));
        if ended.map_err(|error| raise(py, &error))? {
            return Ok(true);
        }
        py.check_signals()?;
        if left().is_zero() {
            return Ok(false);
        }
    }
}

fn taken(op: &Op) -> fal::Result<fal::Response> {
    op.take().unwrap_or_else(|| Err(fal::Error::new(fal::Code::Panic, "the call has not ended")))
}
