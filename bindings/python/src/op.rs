//! An operation. `libfal/_operation.py` waits for it.

use std::sync::{Arc, OnceLock};

use fal::platform::CreatingKey;
use fal::{Code, Error, EventKind, NextEvent};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::answer::{Answer, Parts};
use crate::key::NewKey;
use crate::values::{invalid, step, told};

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Op {
    op: fal::Op,
    /// Taken at the first look. Nothing waits and no Python runs while it is, so that a fork finds
    /// it empty or whole.
    outcome: OnceLock<Result<Arc<Parts>, Error>>,
    creating: Option<CreatingKey>,
    _reading: Option<Reading>,
}

/// Forgetting a list ends the reading.
struct Reading(fal::Op);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Op {
    /// Nothing reads its events, and what waits to be read would hold it up.
    pub(crate) fn new(op: fal::Op) -> Self {
        op.discard_events();
        Op {
            op,
            outcome: OnceLock::new(),
            creating: None,
            _reading: None,
        }
    }

    pub(crate) fn list(op: fal::Op) -> Self {
        Op {
            _reading: Some(Reading(op.clone())),
            op,
            outcome: OnceLock::new(),
            creating: None,
        }
    }

    pub(crate) fn creating(creating: CreatingKey) -> Self {
        Op {
            creating: Some(creating.clone()),
            ..Op::new(creating.op().clone())
        }
    }
}

#[pymethods]
impl Op {
    /// Whether it has ended.
    fn done<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told(py, || self.op.poll())
    }

    /// The same; None for one of another process.
    fn ended(&self) -> Option<bool> {
        self.op.ended()
    }

    /// Wait for its end, without the GIL, and say whether it has come.
    #[pyo3(signature = (seconds, /))]
    fn wait<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let ended = py.detach(|| self.op.wait(Some(step(seconds))));
        told(py, || ended)
    }

    /// Ask it to end. Does nothing once it has.
    fn cancel(&self) {
        self.op.cancel();
    }

    /// The answer of one that has ended, each time the same.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            let take = || {
                let unended = || Err(Error::new(Code::Panic, "the call has not ended"));
                self.op
                    .take()
                    .unwrap_or_else(unended)
                    .map(|response| Arc::new(Parts::from(&response)))
            };
            self.outcome.get_or_init(take).clone().map(Answer)
        })
    }

    /// The next element of a list: an answer, None if there is none yet, False after the last.
    #[pyo3(signature = (seconds, /))]
    fn next<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let next = py.detach(|| self.op.wait_event(Some(step(seconds))));
        match next {
            Ok(NextEvent::Event(event)) if event.kind() == EventKind::Item => {
                told(py, || Ok(Answer(Arc::new(Parts::from(event.content())))))
            }
            Ok(NextEvent::Event(_) | NextEvent::Pending) => Ok(py.None().into_bound(py)),
            Ok(NextEvent::End) => false.into_bound_py_any(py),
            Err(error) => told::<bool>(py, || Err(error)),
        }
    }

    /// The key that was made, once.
    fn take_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told(py, || {
            let key = self.creating.as_ref().and_then(CreatingKey::take_key);
            key.map(NewKey::from)
                .ok_or_else(|| invalid("no key was made"))
        })
    }
}
