//! The caller's log function.

use fal::Level;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// As in Python's `logging`, so that a name is also the name of a logger's method.
const LEVELS: [(&str, Level); 4] =
    [("error", Level::Error), ("warning", Level::Warn), ("info", Level::Info), ("debug", Level::Debug)];

pub(crate) fn level(name: &str) -> fal::Result<Level> {
    let known = LEVELS.iter().find(|(known, _)| *known == name);
    known.map(|(_, level)| *level).ok_or_else(|| {
        crate::convert::invalid(format!("log_level is {name:?}: one of error, warning, info, debug is needed"))
    })
}

/// Calls `callable(level, message)` on the threads of the runtime. Its exceptions go to `sys.unraisablehook`.
pub(crate) fn sink(callable: Bound<'_, PyAny>) -> PyResult<impl Fn(Level, &str) + Send + Sync + 'static> {
    if !callable.is_callable() {
        return Err(PyTypeError::new_err(format!("log is a callable, not {}", callable.get_type().name()?)));
    }
    let callable = callable.unbind();
    Ok(move |level: Level, message: &str| {
        let name = LEVELS.iter().find(|(_, known)| *known == level).map_or("error", |(name, _)| name);
        // None once the interpreter is on its way out: nobody is left to tell.
        let _ = Python::try_attach(|py| {
            if let Err(error) = callable.call1(py, (name, message)) {
                error.write_unraisable(py, Some(callable.bind(py)));
            }
        });
    })
}
