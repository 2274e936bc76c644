//! A new API key with its secret.

use std::path::PathBuf;
use std::sync::Arc;

use fal::Key;
use fal::credentials::{Environment, store_in_keyring};
use pyo3::prelude::*;

use crate::store;
use crate::task::{Done, Task};
use crate::values::value_or_failure;

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct NewKey {
    key: Arc<Key>,
}

impl From<Key> for NewKey {
    fn from(key: Key) -> Self {
        NewKey { key: Arc::new(key) }
    }
}

#[pymethods]
impl NewKey {
    /// Return the public half.
    fn id(&self) -> &str {
        self.key.id()
    }

    /// Return the whole key, "id:secret".
    fn secret(&self) -> String {
        format!("{}:{}", self.key.id(), self.key.expose_secret())
    }

    /// Return the key without its secret.
    fn shown(&self) -> String {
        self.key.to_string()
    }

    /// Put the key into a profile of the configuration file.
    #[pyo3(signature = (profile, activate, config_path, /))]
    fn store<'py>(
        &self,
        py: Python<'py>,
        profile: String,
        activate: bool,
        config_path: Option<PathBuf>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = self.key.clone();
        value_or_failure(py, || store::put(profile, key, activate, config_path))
    }

    /// Put the key into the system keyring.
    #[pyo3(signature = (account, /))]
    fn store_in_keyring<'py>(
        &self,
        py: Python<'py>,
        account: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (key, environment) = (self.key.clone(), Environment::process());
        value_or_failure(py, || {
            Task::start(move || {
                store_in_keyring(&environment, &account, &key).map(|()| Done::Nothing)
            })
        })
    }
}
