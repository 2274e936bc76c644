//! Where a credential comes from, as the classes of `libfal/_explanation.py`. They hold no secret.

use std::path::PathBuf;

use fal::credentials::{self, Environment, Options, Resolution};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;

/// A `libfal.Explanation`.
pub(crate) fn object<'py>(py: Python<'py>, resolution: &Resolution) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = MAKE.import(py, "libfal._explanation", "from_report")?;
    make.call1((resolution.to_json().to_string(), resolution.to_string()))
}

pub(crate) fn options(
    key: Option<PyBackedStr>,
    profile: Option<&str>,
    anonymous: bool,
    config_path: Option<PathBuf>,
) -> Options {
    let options = Options::new().anonymous(anonymous);
    let options = key.iter().fold(options, |options, key| options.key(&**key));
    let options = profile.into_iter().fold(options, |options, name| options.profile(name));
    config_path.into_iter().fold(options, |options, path| options.config_path(path))
}

/// Look for a key as a client with these options would, and report every source. Sends nothing.
#[pyfunction]
#[pyo3(signature = (key=None, *, profile=None, anonymous=false, config_path=None))]
pub(crate) fn explain<'py>(
    py: Python<'py>,
    key: Option<PyBackedStr>,
    profile: Option<&str>,
    anonymous: bool,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    let options = options(key, profile, anonymous, config_path);
    let resolution = py.detach(|| credentials::resolve(&options, &Environment::process()));
    object(py, &resolution)
}
