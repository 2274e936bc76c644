//! Storing keys: in the profiles of the configuration file, and in the system keyring.

use std::path::PathBuf;

use fal::credentials::store::{Activate, Change, ProfileInfo, Store, StoreError, Table};
use fal::credentials::{Environment, Options, remove_from_keyring, store_in_keyring};
use fal::{Code, Error, Key};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::sync::PyOnceLock;

use crate::error::raise;

/// List the profiles of the configuration file.
#[pyfunction]
#[pyo3(signature = (config_path=None))]
pub(crate) fn profiles(py: Python<'_>, config_path: Option<PathBuf>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let listed = in_store(py, config_path, |store| store.profiles())?;
    listed.into_iter().map(|profile| self::profile(py, profile)).collect()
}

/// Put a key into a profile of the configuration file.
#[pyfunction]
#[pyo3(signature = (profile, key, *, activate=false, config_path=None))]
pub(crate) fn store_key<'py>(
    py: Python<'py>,
    profile: &str,
    key: PyBackedStr,
    activate: bool,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    let key = parse(py, &key)?;
    let activate = if activate { Activate::Yes } else { Activate::No };
    change(py, in_store(py, config_path, |store| store.store_key(profile, &key, activate))?)
}

/// Remove the key of a profile.
#[pyfunction]
#[pyo3(signature = (profile, *, config_path=None))]
pub(crate) fn remove_key<'py>(
    py: Python<'py>,
    profile: &str,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    change(py, in_store(py, config_path, |store| store.remove_key(profile))?)
}

/// Make a profile the active one, or none.
#[pyfunction]
#[pyo3(signature = (profile, *, config_path=None))]
pub(crate) fn set_active_profile<'py>(
    py: Python<'py>,
    profile: Option<&str>,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    change(py, in_store(py, config_path, |store| store.set_active(profile))?)
}

/// Put a key into the system keyring.
#[pyfunction(name = "store_in_keyring")]
pub(crate) fn into_keyring(py: Python<'_>, account: &str, key: PyBackedStr) -> PyResult<()> {
    let key = parse(py, &key)?;
    // Without the GIL: the user may be asked for a password.
    py.detach(|| store_in_keyring(&Environment::process(), account, &key)).map_err(|error| raise(py, &error))
}

/// Remove a key from the system keyring.
#[pyfunction(name = "remove_from_keyring")]
pub(crate) fn from_keyring(py: Python<'_>, account: &str) -> PyResult<bool> {
    py.detach(|| remove_from_keyring(&Environment::process(), account)).map_err(|error| raise(py, &error))
}

fn parse(py: Python<'_>, key: &str) -> PyResult<Key> {
    match Key::parse(key) {
        Ok((key, _)) => Ok(key),
        Err(problem) => Err(raise(py, &Error::new(Code::MalformedCredentials, problem.to_string()))),
    }
}

/// Without the GIL: another program's change may be waited for.
pub(crate) fn in_store<T: Send>(
    py: Python<'_>,
    config_path: Option<PathBuf>,
    work: impl FnOnce(Store) -> Result<T, StoreError> + Send,
) -> PyResult<T> {
    let options = config_path.into_iter().fold(Options::new(), |options, path| options.config_path(path));
    let done = py.detach(|| Store::open(&options, &Environment::process()).and_then(work));
    done.map_err(|error| raise(py, &error.into()))
}

fn profile(py: Python<'_>, it: ProfileInfo) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "libfal._store", "Profile")?;
    class.call1((it.name, it.key_id, it.problem, it.host, it.active, it.line))
}

pub(crate) fn change(py: Python<'_>, it: Change) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let table = match it.table {
        Table::Created => "created",
        Table::Removed => "removed",
        _ => "kept",
    };
    let class = CLASS.import(py, "libfal._store", "Change")?;
    class.call1((it.path, it.written, table, it.previous_key_id, it.active, it.tightened_from))
}
