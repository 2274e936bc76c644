//! Keeps the garbage collector from running below native code.
//!
//! Before CPython 3.12, to create an object that the collector tracks may start it, and it runs
//! finalizers with arbitrary code. Such objects are lists, dicts, exceptions, and objects of the
//! classes of this module. From 3.12 on, it runs only between instructions of Python code.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// `gc.isenabled`, `gc.disable` and `gc.enable`, if they are needed. They are built-in functions and
/// run no Python code.
static COLLECTOR: PyOnceLock<Option<[Py<PyAny>; 3]>> = PyOnceLock::new();

pub(crate) fn begin(py: Python<'_>) -> PyResult<()> {
    let functions = match py.version_info() >= (3, 12) {
        true => None,
        false => {
            let gc = py.import("gc")?;
            let function = |name| gc.getattr(name).map(Bound::unbind);
            Some([
                function("isenabled")?,
                function("disable")?,
                function("enable")?,
            ])
        }
    };
    let _ = COLLECTOR.set(py, functions);
    Ok(())
}

/// Disables the collector until it is dropped. The thread holds the GIL all the time, so no other
/// thread sees the change.
pub(crate) struct Paused<'py>(bool, Python<'py>);

impl<'py> Paused<'py> {
    pub(crate) fn new(py: Python<'py>) -> Option<Self> {
        let Some([is_enabled, disable, _]) = COLLECTOR.get(py)? else {
            return Some(Paused(false, py));
        };
        let enabled = is_enabled.bind(py).call0().ok()?.is_truthy().ok()?;
        if enabled {
            disable.bind(py).call0().ok()?;
        }
        Some(Paused(enabled, py))
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let (true, Some(Some([_, _, enable]))) = (self.0, COLLECTOR.get(self.1)) {
            let _ = enable.bind(self.1).call0();
        }
    }
}
