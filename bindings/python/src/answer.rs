//! A response, or an event of a list.

use std::sync::Arc;

use bytes::Bytes;
use fal::{Code, Error};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use serde_json::json;

use crate::json as decoding;
use crate::values::{bytes, value_or_failure};

/// The content of a response or an event.
pub(crate) struct Parts {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl From<&fal::Response> for Parts {
    fn from(response: &fal::Response) -> Self {
        let headers = response
            .headers()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Parts {
            status: response.status(),
            headers,
            body: response.body().clone(),
        }
    }
}

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Answer(pub(crate) Arc<Parts>);

#[pymethods]
impl Answer {
    #[new]
    #[pyo3(signature = (content, /))]
    fn new(content: PyBackedBytes) -> Self {
        Answer(Arc::new(Parts {
            status: 0,
            headers: Vec::new(),
            body: Bytes::from_owner(content),
        }))
    }

    /// Return status and headers as JSON.
    fn facts(&self) -> String {
        json!([self.0.status, self.0.headers]).to_string()
    }

    /// Return the length of the body in bytes.
    fn size(&self) -> usize {
        self.0.body.len()
    }

    /// Return a copy of the body.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, &self.0.body)
    }

    /// Return the body as text.
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match std::str::from_utf8(&self.0.body) {
            Ok(_) => PyString::from_bytes(py, &self.0.body).map(Bound::into_any),
            Err(cause) => {
                let error = Error::new(Code::WrongType, format!("the body is not text: {cause}"));
                value_or_failure::<bool>(py, || Err(error))
            }
        }
    }

    /// Return the body as JSON, or NotImplemented if Python's own decoder must read it.
    fn json<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        decoding::decode(py, &self.0.body).unwrap_or_else(|| py.NotImplemented().into_bound(py))
    }
}
