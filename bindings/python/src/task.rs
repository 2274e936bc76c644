//! Work that blocks, on a thread of its own, so that whoever waits for it sees signals meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fal::{Code, Error};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::values::{step, told};

/// What such work gives.
#[derive(Clone)]
pub(crate) enum Done {
    Nothing,
    Whether(bool),
    Text(String),
}

impl<'py> IntoPyObject<'py> for Done {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Done::Nothing => Ok(py.None().into_bound(py)),
            Done::Whether(it) => it.into_bound_py_any(py),
            Done::Text(text) => text.into_bound_py_any(py),
        }
    }
}

/// Work under way. Forgetting it does not end it.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Task {
    process: u32,
    course: Arc<State>,
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
    /// Refused where waiting is.
    pub(crate) fn start(
        work: impl FnOnce() -> fal::Result<Done> + Send + 'static,
    ) -> fal::Result<Task> {
        fal::runtime::may_wait()?;
        let course = Arc::new(State::default());
        let begun = course.clone();
        let run = move || {
            let panicked = |_| Err(Error::new(Code::Panic, "a panic was caught"));
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked);
            *begun.lock() = Some(done);
            begun.ended.notify_all();
        };
        let thread = std::thread::Builder::new()
            .name("fal-python".into())
            .spawn(run);
        thread.map_err(|e| Error::new(Code::Io, format!("no thread could be started: {e}")))?;
        Ok(Task {
            process: std::process::id(),
            course,
        })
    }

    /// The thread exists in the process that started it only, and so do the locks that it lets go.
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
    /// Wait for its end, without the GIL, and say whether it has come.
    #[pyo3(signature = (seconds, /))]
    fn wait<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let ended = self.check().map(|()| {
            py.detach(|| {
                let wait = self.course.ended.wait_timeout_while(
                    self.course.lock(),
                    step(seconds),
                    |done| done.is_none(),
                );
                wait.unwrap_or_else(PoisonError::into_inner).0.is_some()
            })
        });
        told(py, || ended)
    }

    /// What it gave, once it has ended.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            self.check()?;
            let done = self.course.lock().clone();
            done.unwrap_or_else(|| Err(Error::new(Code::Panic, "the call has not ended")))
        })
    }
}
