//! The core's errors as Python's exceptions. Which class a code has is said in `libfal/_errors.py`.

use std::time::Duration;

use fal::{Code, Error, Scope};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::explanation;

/// The exception of an error, or the one that prevented it from being made.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).map_or_else(|failed| failed, PyErr::from_value)
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let classes = CLASSES.import(py, "libfal._errors", "CLASSES")?;
    let code = error.code().name();
    let facts = PyDict::new(py);
    facts.set_item("code", code)?;
    facts.set_item("remedy", error.remedy())?;
    facts.set_item("http_status", error.http_status())?;
    facts.set_item("error_type", error.error_type())?;
    facts.set_item("request_id", error.request_id())?;
    facts.set_item("headers", headers(py, error.headers())?)?;
    facts.set_item("body", PyBytes::new(py, error.body()))?;
    facts.set_item("may_have_executed", error.may_have_executed())?;
    facts.set_item("is_retryable", error.is_retryable())?;
    facts.set_item("retry_after", error.retry_after().as_ref().map(Duration::as_secs_f64))?;
    facts.set_item("needed_scope", error.needed_scope().map(Scope::as_str))?;
    let explanation = error.resolution().map(|resolution| explanation::object(py, resolution)).transpose()?;
    facts.set_item("explanation", explanation)?;
    classes.as_any().get_item(code)?.call((error.message(),), Some(&facts))
}

/// Names in small letters; the values of a repeated header are joined by commas, as HTTP allows.
pub(crate) fn headers<'py, 'a>(
    py: Python<'py>,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (name, value) in headers {
        match all.get_item(name)? {
            Some(before) => all.set_item(name, format!("{}, {value}", before.extract::<String>()?))?,
            None => all.set_item(name, value)?,
        }
    }
    Ok(all)
}

/// The name and the meaning of every code of the core.
#[pyfunction]
#[pyo3(name = "_codes")]
pub(crate) fn codes() -> Vec<(&'static str, &'static str)> {
    Code::ALL.iter().map(|code| (code.name(), code.summary())).collect()
}
