//! An operation. `libfal/_operation.py` waits for it.

use std::sync::{Arc, OnceLock};

use fal::platform::CreatingKey;
use fal::{Code, Error, EventKind, NextEvent, Response};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::answer::Answer;
use crate::key::NewKey;
use crate::values::{invalid, step, value_or_failure};

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Op {
    op: fal::Op,
    /// Taken at the first call of `outcome`. Initialization neither blocks nor runs Python code, so
    /// a fork finds it either empty or complete.
    outcome: OnceLock<Result<Arc<Response>, Error>>,
    creating: Option<CreatingKey>,
    _reading: Option<Reading>,
}

/// Cancels the reading of a list when the list is dropped.
struct Reading(fal::Op);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Op {
    /// Creates an operation whose events are discarded: unread events would block it.
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
    /// Return whether it has ended.
    fn done<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.op.poll())
    }

    /// Return whether it has ended; None for an operation of another process.
    fn ended(&self) -> Option<bool> {
        self.op.ended()
    }

    /// Wait for the end without the GIL, and return whether it has ended.
    #[pyo3(signature = (seconds, /))]
    fn wait<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let ended = py.detach(|| self.op.wait(Some(step(seconds))));
        value_or_failure(py, || ended)
    }

    /// Cancel it. No effect after its end.
    fn cancel(&self) {
        self.op.cancel();
    }

    /// Return the response of an ended operation, each time the same.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let take = || {
                let unended = || Err(Error::new(Code::Panic, "the call has not ended"));
                self.op.take().unwrap_or_else(unended).map(Arc::new)
            };
            self.outcome.get_or_init(take).clone().map(Answer::from)
        })
    }

    /// Return the next element of a list; None if there is none yet, False after the last one.
    #[pyo3(signature = (seconds, /))]
    fn next<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        let next = py.detach(|| self.op.wait_event(Some(step(seconds))));
        match next {
            Ok(NextEvent::Event(event)) if event.kind() == EventKind::Item => {
                value_or_failure(py, || Ok(Answer::from(event)))
            }
            Ok(NextEvent::Event(_) | NextEvent::Pending) => Ok(py.None().into_bound(py)),
            Ok(NextEvent::End) => false.into_bound_py_any(py),
            Err(error) => value_or_failure::<bool>(py, || Err(error)),
        }
    }

    /// Return the new key. A second call fails.
    fn take_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            let key = self.creating.as_ref().and_then(CreatingKey::take_key);
            key.map(NewKey::from)
                .ok_or_else(|| invalid("no key was created"))
        })
    }
}
