//! Stores keys in the profiles of the configuration file and in the system keyring.

use std::path::PathBuf;
use std::sync::Arc;

use fal::credentials::store::{Activate, Change, ProfileInfo, Store, StoreError, Table};
use fal::credentials::{Environment, Options, remove_from_keyring, store_in_keyring};
use fal::{Code, Error, Key};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::task::{Done, Task};
use crate::values::value_or_failure;

/// Return the profiles of the configuration file.
#[pyfunction]
#[pyo3(signature = (config_path, /))]
pub(crate) fn profiles(py: Python<'_>, config_path: Option<PathBuf>) -> PyResult<Bound<'_, PyAny>> {
    let listed = |found: Vec<ProfileInfo>| Value::from_iter(found.into_iter().map(profile));
    value_or_failure(py, || {
        in_store(config_path, move |store| store.profiles().map(listed))
    })
}

/// Put a key into a profile of the configuration file.
#[pyfunction]
#[pyo3(signature = (profile, key, activate, config_path, /))]
pub(crate) fn store_key<'py>(
    py: Python<'py>,
    profile: String,
    key: &str,
    activate: bool,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'py, PyAny>> {
    value_or_failure(py, || {
        put(profile, Arc::new(parse(key)?), activate, config_path)
    })
}

pub(crate) fn put(
    profile: String,
    key: Arc<Key>,
    activate: bool,
    config_path: Option<PathBuf>,
) -> fal::Result<Task> {
    let activate = if activate {
        Activate::Yes
    } else {
        Activate::No
    };
    in_store(config_path, move |store| {
        store.store_key(&profile, &key, activate).map(change)
    })
}

/// Remove the key of a profile.
#[pyfunction]
#[pyo3(signature = (profile, config_path, /))]
pub(crate) fn remove_key(
    py: Python<'_>,
    profile: String,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'_, PyAny>> {
    value_or_failure(py, || {
        in_store(config_path, move |store| {
            store.remove_key(&profile).map(change)
        })
    })
}

/// Make a profile the active one; None: no profile.
#[pyfunction]
#[pyo3(signature = (profile, config_path, /))]
pub(crate) fn set_active_profile(
    py: Python<'_>,
    profile: Option<String>,
    config_path: Option<PathBuf>,
) -> PyResult<Bound<'_, PyAny>> {
    value_or_failure(py, || {
        in_store(config_path, move |store| {
            store.set_active(profile.as_deref()).map(change)
        })
    })
}

/// Put a key into the system keyring.
#[pyfunction(name = "store_in_keyring")]
#[pyo3(signature = (account, key, /))]
pub(crate) fn into_keyring<'py>(
    py: Python<'py>,
    account: String,
    key: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let environment = Environment::process();
    value_or_failure(py, || {
        let key = parse(key)?;
        Task::start(move || store_in_keyring(&environment, &account, &key).map(|()| Done::Nothing))
    })
}

/// Remove a key from the system keyring.
#[pyfunction(name = "remove_from_keyring")]
#[pyo3(signature = (account, /))]
pub(crate) fn from_keyring(py: Python<'_>, account: String) -> PyResult<Bound<'_, PyAny>> {
    let environment = Environment::process();
    value_or_failure(py, || {
        Task::start(move || remove_from_keyring(&environment, &account).map(Done::Whether))
    })
}

fn parse(key: &str) -> fal::Result<Key> {
    let parsed = Key::parse(key).map(|(key, _)| key);
    parsed.map_err(|problem| Error::new(Code::MalformedCredentials, problem.to_string()))
}

/// Opens the configuration file on another thread, because it may wait for a lock of another
/// program. The caller's thread reads the environment.
fn in_store(
    config_path: Option<PathBuf>,
    work: impl FnOnce(Store) -> Result<Value, StoreError> + Send + 'static,
) -> fal::Result<Task> {
    let options = config_path
        .into_iter()
        .fold(Options::new(), |options, path| options.config_path(path));
    let environment = Environment::process();
    Task::start(move || {
        let done = Store::open(&options, &environment).and_then(work)?;
        Ok(Done::Value(done))
    })
}

/// Returns the fields of `Profile` in `libfal/_store.py`.
fn profile(it: ProfileInfo) -> Value {
    json!({
        "name": it.name,
        "key_id": it.key_id,
        "problem": it.problem,
        "host": it.host,
        "active": it.active,
        "line": it.line,
    })
}

/// Returns the fields of `Change` in `libfal/_store.py`.
fn change(it: Change) -> Value {
    let table = match it.table {
        Table::Created => "created",
        Table::Removed => "removed",
        _ => "kept",
    };
    json!({
        "path": it.path,
        "written": it.written,
        "table": table,
        "previous_key_id": it.previous_key_id,
        "active": it.active,
        "tightened_from": it.tightened_from,
    })
}
