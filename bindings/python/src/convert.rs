//! Python's values as the core takes them.

use std::time::Duration;

use bytes::Bytes;
use fal::{Code, Error, Request};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyMemoryView};

use crate::error::raise;

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message)
}

pub(crate) fn seconds(name: &str, value: f64) -> fal::Result<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| invalid(format!("{name} is {value}: a number of seconds from 0 is needed")))
}

pub(crate) fn count<T: TryFrom<i64>>(name: &str, value: i64) -> fal::Result<T> {
    T::try_from(value).map_err(|_| invalid(format!("{name} is {value}, which is out of range")))
}

/// The input of an endpoint: a mapping, as JSON text.
pub(crate) fn input(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if value.is_instance_of::<PyDict>() {
        return json(value);
    }
    let Ok(mapping) = value.cast::<PyMapping>() else {
        return Err(PyTypeError::new_err(format!("input is a dict, not {}", value.get_type().name()?)));
    };
    let dict = PyDict::new(value.py());
    dict.update(mapping)?;
    json(&dict)
}

/// A value as JSON text, by the rules of Python's own `json`, without its extensions `NaN` and `Infinity`.
pub(crate) fn json(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("allow_nan", false)?;
    options.set_item("ensure_ascii", false)?;
    options.set_item("separators", (",", ":"))?;
    let text = DUMPS.import(py, "json", "dumps")?.call((value,), Some(&options));
    let text = text.and_then(|text| text.call_method1("encode", ("utf-8",))).map_err(|cause| not_json(py, cause))?;
    Ok(Bytes::from_owner(PyBackedBytes::from(text.cast_into::<PyBytes>()?)))
}

/// What JSON says, as `json.loads` decodes it; `parse_float` makes the fractions, such as `decimal.Decimal`.
pub(crate) fn loads<'py>(
    text: &Bound<'py, PyBytes>,
    parse_float: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let options = PyDict::new(text.py());
    options.set_item("parse_float", parse_float)?;
    LOADS.import(text.py(), "json", "loads")?.call((text,), Some(&options))
}

/// A value of a wrong type stays a `TypeError`, which names the type.
fn not_json(py: Python<'_>, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyValueError>(py) {
        return cause;
    }
    let error = raise(py, &invalid(format!("the value is not JSON: {}", cause.value(py))));
    error.set_cause(py, Some(cause));
    error
}

/// The bytes of a bytes-like object: those of `bytes` itself are shared, any other's are copied, because they may change.
pub(crate) fn content(value: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    let bytes = match value.cast::<PyBytes>() {
        Ok(bytes) => bytes.clone(),
        Err(_) => PyMemoryView::from(value)?.call_method0("tobytes")?.cast_into::<PyBytes>()?,
    };
    Ok(Bytes::from_owner(PyBackedBytes::from(bytes)))
}

pub(crate) fn set_headers(request: &mut Request, headers: &Bound<'_, PyMapping>) -> PyResult<()> {
    for item in headers.items()? {
        let (name, value) = item.extract::<(String, String)>()?;
        request.set_header(&name, &value).map_err(|error| raise(headers.py(), &error))?;
    }
    Ok(())
}
