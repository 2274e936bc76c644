//! The native half of the Python package `libfal`: it translates calls to the Rust core.
//! Exceptions, waiting and callbacks are implemented in `python/libfal/*.py`; `guard`
//! explains why.

#![deny(unsafe_code)]

mod answer;
mod callbacks;
mod channel;
mod client;
mod collector;
mod dict;
mod download;
mod guard;
mod json;
mod key;
mod lent;
mod op;
mod options;
mod pair;
mod plain;
mod request;
mod session;
mod store;
mod task;
mod upload;
mod values;
mod watcher;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// `_libfal.pyi` describes it.
#[pymodule]
mod _libfal {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::answer::Answer;
    #[pymodule_export]
    use crate::callbacks::{Question, call_back, silence};
    #[pymodule_export]
    use crate::channel::Channel;
    #[pymodule_export]
    use crate::client::{Core, client, explain};
    #[pymodule_export]
    use crate::key::NewKey;
    #[pymodule_export]
    use crate::op::Op;
    #[pymodule_export]
    use crate::session::Session;
    #[pymodule_export]
    use crate::store::{
        from_keyring, into_keyring, profiles, remove_key, set_active_profile, store_key,
    };
    #[pymodule_export]
    use crate::task::Task;
    #[pymodule_export]
    use crate::values::{Failure, codes, dumps, failure};
    #[pymodule_export]
    use crate::watcher::{Watcher, watcher};
    #[pymodule_export]
    use crate::{flush_log, may_wait, shutdown};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::begin(module)
    }
}

/// Imports all modules that the native half needs. A fork during a later import would leave the
/// import unfinished in the child.
fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if !guard::is_main_interpreter(module.py()) {
        return Err(PyImportError::new_err(
            "libfal works in the main interpreter of a process, and in no sub-interpreter",
        ));
    }
    // A panic becomes an exception. The hook keeps its message from standard error.
    std::panic::set_hook(Box::new(|_| {}));
    collector::begin(module.py())?;
    #[cfg(unix)]
    guard::begin(module)?;
    module.add("modules", modules(module.py()))?;
    module.add("__version__", fal::VERSION)
}

/// Returns the modules of the package. The dict exists as long as this library, which is loaded
/// once in a process. A program that deletes the package from `sys.modules` and imports it again
/// gets the same classes.
fn modules(py: Python<'_>) -> Py<PyDict> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    MODULES
        .get_or_init(py, || PyDict::new(py).unbind())
        .clone_ref(py)
}

/// Return None, or why this thread must not wait.
#[pyfunction]
fn may_wait(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    values::value_or_failure(py, || {
        fal::runtime::may_wait().map(|()| task::Done::Nothing)
    })
}

/// Stop every thread of the core.
#[pyfunction]
#[pyo3(signature = (timeout, /))]
fn shutdown(py: Python<'_>, timeout: f64) -> PyResult<Bound<'_, PyAny>> {
    values::value_or_failure(py, || {
        let timeout = values::seconds("timeout", timeout)?;
        task::Task::start(move || fal::runtime::shutdown(timeout).map(|()| task::Done::Nothing))
    })
}

/// Wait until the log functions have received all lines.
#[pyfunction]
#[pyo3(signature = (timeout, /))]
fn flush_log(py: Python<'_>, timeout: f64) -> PyResult<Bound<'_, PyAny>> {
    values::value_or_failure(py, || {
        let timeout = values::seconds("timeout", timeout)?;
        task::Task::start(move || fal::runtime::flush_log(timeout).map(|()| task::Done::Nothing))
    })
}
