//! An answer.

use bytes::Bytes;
use fal::{Code, Error};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyTuple, PyType};

use crate::convert;
use crate::error::{self, raise};
use crate::json;

/// A successful answer. `response["images"]` looks into its JSON.
#[pyclass(frozen, module = "libfal")]
pub(crate) struct Response {
    #[pyo3(get)]
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    content: PyOnceLock<Py<PyBytes>>,
    json: PyOnceLock<Py<PyAny>>,
}

impl Response {
    fn assemble(status: u16, headers: Vec<(String, String)>, body: Bytes) -> Self {
        Response { status, headers, body, content: PyOnceLock::new(), json: PyOnceLock::new() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl From<fal::Response> for Response {
    fn from(response: fal::Response) -> Self {
        let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Response::assemble(response.status(), headers.collect(), response.body().clone())
    }
}

#[pymethods]
impl Response {
    #[new]
    fn new(status: u16, headers: &Bound<'_, PyMapping>, content: &Bound<'_, PyAny>) -> PyResult<Self> {
        let headers = headers.items()?.iter().map(|item| item.extract::<(String, String)>());
        let headers = headers.map(|item| item.map(|(name, value)| (name.to_ascii_lowercase(), value)));
        Ok(Response::assemble(status, headers.collect::<PyResult<_>>()?, convert::content(content)?))
    }

    /// The headers by their names in small letters.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        error::headers(py, self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// fal's id of the request.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.header("x-fal-request-id")
    }

    /// The body as received.
    #[getter]
    pub(crate) fn content(&self, py: Python<'_>) -> Py<PyBytes> {
        self.content.get_or_init(py, || PyBytes::new(py, &self.body).unbind()).clone_ref(py)
    }

    /// The body as text.
    #[getter]
    fn text(&self, py: Python<'_>) -> PyResult<&str> {
        let text = std::str::from_utf8(&self.body);
        text.map_err(|cause| raise(py, &Error::new(Code::WrongType, format!("the body is not text: {cause}"))))
    }

    /// The body as JSON, decoded at the first call, or anew with a type for fractions.
    #[pyo3(signature = (*, parse_float=None))]
    fn json(&self, py: Python<'_>, parse_float: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let loads =
            || convert::loads(self.content(py).bind(py), parse_float).map(Bound::unbind).map_err(|e| not_json(py, e));
        let decode = || json::decode(py, &self.body).map(Bound::unbind).map_or_else(loads, Ok);
        match parse_float {
            Some(_) => loads(),
            None => Ok(self.json.get_or_try_init(py, decode)?.clone_ref(py)),
        }
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.json(py, None)?.bind(py).get_item(key)
    }

    fn __contains__(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.json(py, None)?.bind(py).contains(item)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.json(py, None)?.bind(py).try_iter()?.into_any())
    }

    fn __repr__(&self) -> String {
        let kind = self.header("content-type").unwrap_or("no type");
        let id = self.request_id().unwrap_or("-");
        format!("<libfal.Response: {}, {} bytes of {kind}, request {id}>", self.status, self.body.len())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        let parts = (self.status, self.headers(py)?, self.content(py)).into_pyobject(py)?;
        Ok((py.get_type::<Response>(), parts))
    }
}

fn not_json(py: Python<'_>, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyValueError>(py) {
        return cause;
    }
    let error = raise(py, &Error::new(Code::WrongType, format!("the body is not JSON: {}", cause.value(py))));
    error.set_cause(py, Some(cause));
    error
}
