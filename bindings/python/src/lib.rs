//! The Python package `libfal`: a thin translation of the Rust core. No behaviour lives here.

#![deny(unsafe_code)]

mod client;
mod convert;
mod credential;
mod error;
mod explanation;
mod json;
mod log;
mod operation;
mod platform;
mod response;
mod store;

use pyo3::prelude::*;

/// The native half of `libfal`; `_libfal.pyi` describes it.
#[pymodule]
mod _libfal {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::client::{Client, run};
    #[pymodule_export]
    use crate::credential::Question;
    #[pymodule_export]
    use crate::error::codes;
    #[pymodule_export]
    use crate::explanation::explain;
    #[pymodule_export]
    use crate::operation::Operation;
    #[pymodule_export]
    use crate::platform::{Items, NewKey};
    #[pymodule_export]
    use crate::response::Response;
    #[pymodule_export]
    use crate::shutdown;
    #[pymodule_export]
    use crate::store::{from_keyring, into_keyring, profiles, remove_key, set_active_profile, store_key};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // A panic becomes an exception with its message; nothing of this module's goes to standard error.
        std::panic::set_hook(Box::new(|_| {}));
        module.add("__version__", fal::VERSION)
    }
}

/// Stop every thread of libfal. Calls under way end with ShutDownError; afterwards libfal can be used again.
#[pyfunction]
#[pyo3(signature = (timeout=5.0))]
fn shutdown(py: Python<'_>, timeout: f64) -> PyResult<()> {
    let timeout = convert::seconds("timeout", timeout).map_err(|error| error::raise(py, &error))?;
    py.detach(|| fal::runtime::shutdown(timeout)).map_err(|error| error::raise(py, &error))
}
