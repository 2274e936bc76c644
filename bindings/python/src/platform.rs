//! The Platform API by name, its lists, and keys that are made.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use fal::credentials::store::Activate;
use fal::credentials::{Environment, store_in_keyring};
use fal::{Event, EventKind, Key, NextEvent, Op};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use serde_json::Value;

use crate::convert::{self, invalid};
use crate::error::raise;
use crate::operation::finish;
use crate::store;

/// How long a wait goes on before it looks for Ctrl-C.
const SLICE: Duration = Duration::from_millis(25);

/// The keywords of a call as its parameters.
pub(crate) fn params(py: Python<'_>, given: Option<&Bound<'_, PyDict>>) -> PyResult<Value> {
    let Some(given) = given else { return Ok(Value::Null) };
    let text = convert::json(given)?;
    serde_json::from_slice(&text).map_err(|e| raise(py, &invalid(format!("the parameters are not JSON: {e}"))))
}

/// The elements of a list, read page by page. Forgetting it ends the reading.
#[pyclass(frozen, module = "libfal")]
pub(crate) struct Items {
    op: Op,
    /// What makes the fractions.
    parse_float: Option<Py<PyAny>>,
}

impl Items {
    pub(crate) fn new(op: Op, parse_float: Option<Py<PyAny>>) -> Self {
        Items { op, parse_float }
    }

    fn element<'py>(&self, py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
        let content = event.content();
        match content.header("content-type") {
            // Only the lines of a log, of which nobody says what they are.
            Some(kind) if kind.starts_with("text/plain") => {
                let text = content.text().map_err(|error| raise(py, &error))?;
                Ok(PyString::new(py, text).into_any())
            }
            _ => {
                let text = PyBytes::new(py, content.body());
                convert::loads(&text, self.parse_float.as_ref().map(|made| made.bind(py)))
            }
        }
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.op.cancel();
    }
}

#[pymethods]
impl Items {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            match py.detach(|| self.op.wait_event(Some(SLICE))).map_err(|error| raise(py, &error))? {
                NextEvent::Event(event) if event.kind() == EventKind::Item => {
                    return self.element(py, &event).map(Some);
                }
                NextEvent::Event(_) => {}
                NextEvent::Pending => py.check_signals()?,
                NextEvent::End => {
                    return match self.op.take() {
                        Some(Err(error)) if error.code() != fal::Code::Taken => Err(raise(py, &error)),
                        _ => Ok(None),
                    };
                }
            }
        }
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a list that is being read belongs to its process and cannot be pickled"))
    }
}

/// A key that was just made, with its secret.
#[pyclass(frozen, module = "libfal")]
pub(crate) struct NewKey {
    key: Key,
}

impl NewKey {
    /// Makes one and waits; Ctrl-C cancels.
    pub(crate) fn create(py: Python<'_>, client: &fal::Client, alias: &str) -> PyResult<Self> {
        let creating = OnceLock::new();
        finish(py, || {
            let started = client.create_key_start(alias)?;
            Ok(creating.get_or_init(|| started).op().clone())
        })?;
        let key = creating.get().and_then(fal::platform::CreatingKey::take_key);
        let key = key.ok_or_else(|| raise(py, &invalid("no key was made")))?;
        Ok(NewKey { key })
    }
}

#[pymethods]
impl NewKey {
    /// The public half.
    #[getter]
    fn id(&self) -> &str {
        self.key.id()
    }

    /// The whole key, "id:secret".
    fn secret(&self) -> String {
        format!("{}:{}", self.key.id(), self.key.expose_secret())
    }

    /// Put the key into a profile of the configuration file.
    #[pyo3(signature = (profile, *, activate=false, config_path=None))]
    fn store<'py>(
        &self,
        py: Python<'py>,
        profile: &str,
        activate: bool,
        config_path: Option<PathBuf>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let activate = if activate { Activate::Yes } else { Activate::No };
        let change = store::in_store(py, config_path, |store| store.store_key(profile, &self.key, activate))?;
        store::change(py, change)
    }

    /// Put the key into the system keyring.
    fn store_in_keyring(&self, py: Python<'_>, account: &str) -> PyResult<()> {
        let stored = py.detach(|| store_in_keyring(&Environment::process(), account, &self.key));
        stored.map_err(|error| raise(py, &error))
    }

    fn __repr__(&self) -> String {
        format!("<libfal.NewKey: {}>", self.key)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a libfal.NewKey holds a secret and cannot be pickled; store it"))
    }
}
