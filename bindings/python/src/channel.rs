//! HTTP over WebSocket.

use pyo3::prelude::*;

use crate::op::Op;
use crate::request::Given;
use crate::values::{self, none_or_failure, value_or_failure};

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Channel(pub(crate) fal::Channel);

#[pymethods]
impl Channel {
    /// Start a run over the channel.
    #[pyo3(signature = (request, /))]
    fn run<'py>(&self, py: Python<'py>, request: Given) -> PyResult<Bound<'py, PyAny>> {
        value_or_failure(py, || {
            self.0.run_start(request.request()?).map(Op::delivering)
        })
    }

    /// Set the time between pings in seconds; 0 disables them.
    #[pyo3(signature = (seconds, /))]
    fn set_ping<'py>(&self, py: Python<'py>, seconds: f64) -> PyResult<Bound<'py, PyAny>> {
        none_or_failure(py, || {
            self.0.set_ping(Some(values::seconds("ping", seconds)?));
            Ok(())
        })
    }
}
