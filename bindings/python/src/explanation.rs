//! Where a credential comes from, as the classes of `libfal/_explanation.py`. They hold no secret.

use std::path::PathBuf;

use fal::credentials::{self, Environment, Resolution};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;

use crate::credential::Wishes;

/// A `libfal.Explanation`.
pub(crate) fn object<'py>(py: Python<'py>, resolution: &Resolution) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "libfal._explanation", "from_report")?;
    make.call1((resolution.to_json().to_string(), resolution.to_string()))
}

/// Look for a key as a client with these options would, and report every source. Sends nothing.
#[pyfunction]
#[pyo3(signature = (
    key=None, *, profile=None, app_token=None, credential=None, anonymous=false, keyring=None, config_path=None
))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn explain<'py>(
    py: Python<'py>,
    key: Option<PyBackedStr>,
    profile: Option<PyBackedStr>,
    app_token: Option<Bound<'py, PyAny>>,
    credential: Option<Bound<'py, PyAny>>,
    anonymous: bool,
    keyring: Option<bool>,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = Wishes { key, profile, app_token, credential, anonymous, keyring, config_path }.options(py)?;
    let resolution = py.detach(|| credentials::resolve(&options, &Environment::process()));
    object(py, &resolution)
}
