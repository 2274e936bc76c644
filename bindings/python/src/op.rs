//! An operation. `libfal/_operation.py` waits for it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fal::platform::CreatingKey;
use fal::{Code, Error, NextEvent, Response};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::answer::Answer;
use crate::key::NewKey;
use crate::plain::Output;
use crate::values::{failed, invalid, step, value_or_failure};

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Op {
    op: fal::Op,
    /// Taken at the first call of `outcome`. Initialization neither blocks nor runs Python code, so
    /// a fork finds it either empty or complete.
    outcome: OnceLock<Result<Arc<Response>, Error>>,
    creating: Option<CreatingKey>,
    orphan: Orphan,
}

/// What happens to an operation whose events nothing can read any longer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orphan {
    /// It goes on, and drops the oldest events.
    GoesOn,
    /// Nothing else could end it, or it would wait for its reader for ever. So it is cancelled.
    IsCancelled,
    /// It ends in order, without a reader.
    IsDiscarded,
}

impl Op {
    fn of(op: fal::Op, orphan: Orphan) -> Self {
        Op {
            op,
            outcome: OnceLock::new(),
            creating: None,
            orphan,
        }
    }

    /// Returns an operation whose events are discarded: unread events would only take memory.
    pub(crate) fn silent(op: fal::Op) -> Self {
        op.discard_events();
        Op::of(op, Orphan::GoesOn)
    }

    /// Returns an operation that reports how it goes.
    pub(crate) fn reporting(op: fal::Op) -> Self {
        Op::of(op, Orphan::GoesOn)
    }

    /// Returns an operation that delivers items, each of which waits for its reader.
    pub(crate) fn delivering(op: fal::Op) -> Self {
        Op::of(op, Orphan::IsCancelled)
    }

    /// Returns an operation of which only its waiting caller knows.
    pub(crate) fn awaited(op: fal::Op) -> Self {
        Op::of(op, Orphan::IsCancelled)
    }

    /// Returns the operation of a session, which its handle closes.
    pub(crate) fn of_session(op: fal::Op) -> Self {
        Op::of(op, Orphan::IsDiscarded)
    }

    pub(crate) fn creating(creating: CreatingKey) -> Self {
        let mut op = Op::silent(creating.op().clone());
        op.creating = Some(creating);
        op
    }

    pub(crate) fn inner(&self) -> &fal::Op {
        &self.op
    }

    /// Waits without the GIL, and returns whether it has ended.
    pub(crate) fn waited(&self, py: Python<'_>, time: Duration) -> fal::Result<bool> {
        waited(&self.op, py, time)
    }

    pub(crate) fn taken(&self) -> fal::Result<Answer> {
        if self.outcome.get().is_none() && !self.op.poll()? {
            return Err(unended());
        }
        let take = || taken(&self.op).map(Arc::new);
        self.outcome.get_or_init(take).clone().map(Answer::from)
    }

    fn next_within(&self, py: Python<'_>, time: Duration) -> fal::Result<NextEvent> {
        match self.op.wait_event(Some(Duration::ZERO))? {
            NextEvent::Pending if !time.is_zero() => py.detach(|| self.op.wait_event(Some(time))),
            next => Ok(next),
        }
    }
}

/// Waits without the GIL, and returns whether the operation has ended.
pub(crate) fn waited(op: &fal::Op, py: Python<'_>, time: Duration) -> fal::Result<bool> {
    match op.poll()? {
        true => Ok(true),
        false => py.detach(|| op.wait(Some(time))),
    }
}

pub(crate) fn taken(op: &fal::Op) -> fal::Result<Response> {
    op.take().unwrap_or_else(|| Err(unended()))
}

fn unended() -> Error {
    Error::new(Code::Panic, "the call has not ended")
}

impl Drop for Op {
    fn drop(&mut self) {
        match self.orphan {
            Orphan::GoesOn => {}
            Orphan::IsCancelled => self.op.cancel(),
            Orphan::IsDiscarded => self.op.discard_events(),
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
        value_or_failure(py, || self.waited(py, step(seconds)))
    }

    /// Wait like `wait`, and return the outcome; None if it has not ended.
    #[pyo3(signature = (seconds, /))]
    fn finish<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || match self.waited(py, step(seconds))? {
            true => self.taken().map(Some),
            false => Ok(None),
        })
    }

    /// Cancel it. No effect after its end.
    fn cancel(&self) {
        self.op.cancel();
    }

    /// Return the response of an ended operation, each time the same.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.taken())
    }

    /// Return the decoded response of an ended operation, or an `Answer` that Python must decode.
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || self.taken().map(Output))
    }

    /// Return the next event; None if there is none yet, False after the last one.
    #[pyo3(signature = (seconds, /))]
    fn next<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        match self.next_within(py, step(seconds)) {
            Ok(NextEvent::Event(event)) => value_or_failure(py, || Ok(Answer::from(event))),
            Ok(NextEvent::Pending) => Ok(py.None().into_bound(py)),
            Ok(NextEvent::End) => false.into_bound_py_any(py),
            Err(error) => failed(py, error),
        }
    }

    /// Drop all events, those that are queued and those that follow.
    fn discard_events(&self) {
        self.op.discard_events();
    }

    /// Return how many events were dropped because the queue was full.
    fn dropped_events(&self) -> u64 {
        self.op.dropped_events()
    }

    /// Return fal's id of the request, once it is known.
    fn request_id(&self) -> Option<String> {
        self.op.request_id()
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
