//! A run whose endpoint and input are objects of Python's own classes, and which has no options but
//! its time limit. It needs no dict of them, and its response is decoded at once.

use bytes::Bytes;
use fal::Request;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::answer::Answer;
use crate::collector::Paused;
use crate::json::{decode, encode, utf8};
use crate::values::seconds;

/// The endpoint, and the input as JSON text.
pub(crate) struct Plain<'py>(Bound<'py, PyBytes>, Bytes);

impl<'py> Plain<'py> {
    /// Returns `None` if the Python half must convert one of the two: it is of another class, or the
    /// endpoint is an address.
    pub(crate) fn of(endpoint: &Bound<'py, PyAny>, input: &Bound<'py, PyAny>) -> Option<Self> {
        let (endpoint, input) = (
            endpoint.cast_exact::<PyString>(),
            input.cast_exact::<PyDict>(),
        );
        let (endpoint, input) = (endpoint.ok()?, input.ok()?);
        let paused = Paused::new(endpoint.py())?;
        let endpoint = utf8(endpoint)?;
        let text = encode(input, &paused)?;
        (!endpoint.as_bytes().starts_with(b"https://")).then(|| Plain(endpoint, text.into()))
    }

    pub(crate) fn request(self, timeout: f64) -> fal::Result<Request> {
        let Plain(endpoint, input) = self;
        let mut request = Request::run(&String::from_utf8_lossy(endpoint.as_bytes()))?;
        request.set_json_bytes(input, Vec::new())?;
        request.set_timeout(seconds("timeout", timeout)?);
        Ok(request)
    }
}

/// The decoded body of a response, or an `Answer` that Python's own decoder must read.
pub(crate) struct Output(pub(crate) Answer);

impl<'py> IntoPyObject<'py> for Output {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match decode(py, self.0.content()) {
            Some(value) => Ok(value),
            None => self.0.into_bound_py_any(py),
        }
    }
}
