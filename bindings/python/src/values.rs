//! Values between the core and `libfal/*.py`. What has parts is JSON text, and what went wrong is a
//! value too: lists and exceptions are made by Python's own code, never here (see `guard`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fal::{Code, Error, Scope};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};

/// What went wrong, as `libfal/_errors.py` makes an exception of it.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Failure {
    error: Error,
}

#[pymethods]
impl Failure {
    /// Everything but the body of the answer, as JSON.
    fn facts(&self) -> String {
        let error = &self.error;
        let headers: Vec<_> = error.headers().collect();
        let explanation = error.resolution().map(explained);
        json!({
            "code": error.code().name(),
            "message": error.message(),
            "remedy": error.remedy(),
            "http_status": error.http_status(),
            "error_type": error.error_type(),
            "request_id": error.request_id(),
            "headers": headers,
            "may_have_executed": error.may_have_executed(),
            "is_retryable": error.is_retryable(),
            "retry_after": error.retry_after().as_ref().map(Duration::as_secs_f64),
            "needed_scope": error.needed_scope().map(Scope::as_str),
            "explanation": explanation,
        })
        .to_string()
    }

    /// The body of the answer.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.error.body())
    }
}

/// What went wrong in Python's half.
#[pyfunction]
#[pyo3(signature = (code, message, /))]
pub(crate) fn failure(code: &str, message: &str) -> Failure {
    let code = Code::ALL
        .iter()
        .find(|known| known.name() == code)
        .copied()
        .unwrap_or(Code::Panic);
    Failure {
        error: Error::new(code, message),
    }
}

/// The name and the meaning of every code of the core, as JSON.
#[pyfunction]
pub(crate) fn codes() -> String {
    Value::from_iter(
        Code::ALL
            .iter()
            .map(|code| json!([code.name(), code.summary()])),
    )
    .to_string()
}

/// What the work gave, or the `Failure`. A panic is one.
pub(crate) fn told<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    work: impl FnOnce() -> fal::Result<T>,
) -> PyResult<Bound<'py, PyAny>> {
    let panicked = |_| {
        Err(Error::new(
            Code::Panic,
            "a panic was caught in the Python module",
        ))
    };
    match catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked) {
        Ok(value) => value.into_bound_py_any(py),
        Err(error) => Ok(Bound::new(py, Failure { error })?.into_any()),
    }
}

/// A copy that may not fit into memory: MemoryError then.
pub(crate) fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, content.len(), |copy| {
        copy.copy_from_slice(content);
        Ok(())
    })
}

/// Where a credential comes from: the report for programs, and the same for people. It holds no
/// secret.
pub(crate) fn explained(resolution: &fal::credentials::Resolution) -> Value {
    json!([resolution.to_json().to_string(), resolution.to_string()])
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message)
}

pub(crate) fn seconds(name: &str, value: f64) -> fal::Result<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        invalid(format!(
            "{name} is {value}: a number of seconds from 0 is needed"
        ))
    })
}

/// How long one step of a wait is, as Python's half has bounded it.
pub(crate) fn step(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

pub(crate) fn count<T: TryFrom<i64>>(name: &str, value: i64) -> fal::Result<T> {
    T::try_from(value).map_err(|_| invalid(format!("{name} is {value}, which is out of range")))
}

/// JSON that Python's half has made.
pub(crate) fn parsed(text: &str) -> fal::Result<Value> {
    fal::parsed(text)
}
