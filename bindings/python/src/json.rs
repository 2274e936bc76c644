//! Decodes JSON to Python objects directly, without an intermediate tree.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Decodes a text with the same result as `json.loads`. Returns `None` if `json.loads` must decode
/// it: malformed JSON, and values that only `json.loads` accepts, such as integers of any size,
/// `NaN`, and unpaired surrogates.
pub(crate) fn decode<'py>(py: Python<'py>, text: &[u8]) -> Option<Bound<'py, PyAny>> {
    // `json.loads` raises MemoryError if there is no memory.
    fal::fits(text).ok()?;
    let _paused = Paused::new(py)?;
    catch_unwind(AssertUnwindSafe(|| {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = Maker(py).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(value)
    }))
    // PyO3 panics if there is no memory.
    .unwrap_or(None)
}

/// `gc.isenabled`, `gc.disable` and `gc.enable`. They are built-in functions and run no Python
/// code.
static COLLECTOR: PyOnceLock<[Py<PyAny>; 3]> = PyOnceLock::new();

pub(crate) fn begin(py: Python<'_>) -> PyResult<()> {
    let gc = py.import("gc")?;
    let function = |name| gc.getattr(name).map(Bound::unbind);
    let _ = COLLECTOR.set(
        py,
        [
            function("isenabled")?,
            function("disable")?,
            function("enable")?,
        ],
    );
    Ok(())
}

/// Disables the garbage collector until it is dropped. Before CPython 3.12, creating a list or dict
/// may start the collector, which runs finalizers with arbitrary code. The thread holds the GIL all
/// the time, so no other thread sees the change.
struct Paused<'py>(bool, Python<'py>);

impl<'py> Paused<'py> {
    fn new(py: Python<'py>) -> Option<Self> {
        let [is_enabled, disable, _] = COLLECTOR.get(py)?;
        let enabled = is_enabled.bind(py).call0().ok()?.is_truthy().ok()?;
        if enabled {
            disable.bind(py).call0().ok()?;
        }
        Some(Paused(enabled, py))
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let (true, Some([_, _, enable])) = (self.0, COLLECTOR.get(self.1)) {
            let _ = enable.bind(self.1).call0();
        }
    }
}

#[derive(Clone, Copy)]
struct Maker<'py>(Python<'py>);

/// From this size on, a float may be an integer that serde_json could not represent.
const LARGE: f64 = 9.0e18;

impl<'de, 'py> DeserializeSeed<'de> for Maker<'py> {
    type Value = Bound<'py, PyAny>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Maker<'py> {
    type Value = Bound<'py, PyAny>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(self.0.None().into_bound(self.0))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(PyBool::new(self.0, value).to_owned().into_any())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.0, value).into_any())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(PyInt::new(self.0, value).into_any())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        // `-0` is an integer, but serde_json reads it as a float.
        match value.abs() < LARGE && (value != 0.0 || value.is_sign_positive()) {
            true => Ok(PyFloat::new(self.0, value).into_any()),
            false => Err(E::custom("perhaps an integer")),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        PyString::from_bytes(self.0, value.as_bytes())
            .map(Bound::into_any)
            .map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let list = PyList::empty(self.0);
        while let Some(element) = elements.next_element_seed(self)? {
            list.append(element).map_err(A::Error::custom)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let dict = PyDict::new(self.0);
        while let Some(name) = members.next_key_seed(self)? {
            dict.set_item(name, members.next_value_seed(self)?)
                .map_err(A::Error::custom)?;
        }
        Ok(dict.into_any())
    }
}
