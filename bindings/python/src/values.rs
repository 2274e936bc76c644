//! Values that the core and `libfal/*.py` exchange. An error is a return value: only Python code
//! creates exceptions (see `guard`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use fal::{Code, Error, Scope};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};

use crate::collector::Paused;
use crate::json::{encode, made};
use crate::lent;

/// An error. `libfal/_errors.py` converts it to an exception.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Failure {
    error: Error,
}

#[pymethods]
impl Failure {
    /// Return everything but the body of the response.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let error = &self.error;
        let headers: Vec<_> = error.headers().collect();
        let explanation = error.resolution().map(explained);
        let facts = json!({
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
            "os_code": error.os_code(),
            "path": error.path().map(Path::to_string_lossy),
            "explanation": explanation,
        });
        made(py, facts)
    }

    /// Return the body of the response.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.error.body())
    }
}

/// Make a failure of the Python half.
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

/// Return the name and the meaning of each error code of the core, as JSON.
#[pyfunction]
pub(crate) fn codes() -> String {
    Value::from_iter(
        Code::ALL
            .iter()
            .map(|code| json!([code.name(), code.summary()])),
    )
    .to_string()
}

/// Calls `work` and returns its value, or a [`Failure`] for an error or a panic.
pub(crate) fn value_or_failure<'py, T: IntoPyObject<'py>>(
    py: Python<'py>,
    work: impl FnOnce() -> fal::Result<T>,
) -> PyResult<Bound<'py, PyAny>> {
    match caught(work) {
        Ok(value) => object(py, value),
        Err(error) => failed(py, error),
    }
}

/// Calls `work` and returns None, or a [`Failure`] for an error or a panic.
pub(crate) fn none_or_failure(
    py: Python<'_>,
    work: impl FnOnce() -> fal::Result<()>,
) -> PyResult<Bound<'_, PyAny>> {
    value_or_failure(py, || work().map(|()| None::<bool>))
}

/// Calls `work`, and turns a panic into an error.
pub(crate) fn caught<T>(work: impl FnOnce() -> fal::Result<T>) -> fal::Result<T> {
    let panicked = |_| {
        Err(Error::new(
            Code::Panic,
            "a panic was caught in the Python module",
        ))
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

pub(crate) fn failed(py: Python<'_>, error: Error) -> PyResult<Bound<'_, PyAny>> {
    object(py, Failure { error })
}

/// Converts a value of this module, and releases what the core has dropped: each method that lends
/// it something ends here.
pub(crate) fn object<'py>(
    py: Python<'py>,
    value: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    lent::release(py);
    let _paused = Paused::new(py);
    value.into_bound_py_any(py)
}

/// Return a value as JSON text, or None if Python's own encoder must convert it.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub(crate) fn dumps<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    Paused::new(value.py())
        .and_then(|paused| encode(value, &paused))
        .map(|text| bytes(value.py(), &text))
        .transpose()
}

/// Copies bytes. Raises MemoryError if there is no memory for the copy.
pub(crate) fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, content.len(), |copy| {
        copy.copy_from_slice(content);
        Ok(())
    })
}

/// Returns the report about the sources of a credential three times: as a value, as JSON text, and
/// as text for people. It contains no secret.
pub(crate) fn explained(resolution: &fal::credentials::Resolution) -> Value {
    let report = resolution.to_json();
    let text = report.to_string();
    json!([report, text, resolution.to_string()])
}

/// Parses JSON that the Python half has made.
pub(crate) fn parsed(text: &[u8]) -> fal::Result<Value> {
    fal::parsed(std::str::from_utf8(text).map_err(|error| invalid(error.to_string()))?)
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message)
}

pub(crate) fn seconds(name: &str, value: f64) -> fal::Result<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        invalid(format!(
            "{name} must be a number of seconds from 0, not {value}"
        ))
    })
}

/// Converts the length of one step of a wait, which the Python half has limited.
pub(crate) fn step(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

pub(crate) fn count<T: TryFrom<i64>>(name: &str, value: i64) -> fal::Result<T> {
    T::try_from(value).map_err(|_| invalid(format!("{name} is out of range: {value}")))
}
