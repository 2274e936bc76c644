//! JSON as Python's values, made while it is read, so that there is no other copy of a large text.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What `json.loads` makes of the text. `None` where it has to look itself: at what is no JSON, and
/// at the few things that it reads in its own way, such as integers of any size, `NaN`, and halves
/// of surrogate pairs.
pub(crate) fn decode<'py>(py: Python<'py>, text: &[u8]) -> Option<Bound<'py, PyAny>> {
    // It has an exception for that.
    fal::fits(text).ok()?;
    let _paused = Paused::new(py)?;
    catch_unwind(AssertUnwindSafe(|| {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = Maker(py).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(value)
    }))
    // For want of memory.
    .unwrap_or(None)
}

/// `gc.isenabled`, `gc.disable` and `gc.enable`, as built in: they run no Python code.
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

/// Until it goes, no object is collected: before CPython 3.12 that happens while lists and dicts
/// are made, and runs finalizers, which may do anything. The GIL is kept meanwhile, so that nobody
/// sees it.
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

/// From here on a number may be an integer that is not told apart from a fraction.
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
        // `-0` is an integer too.
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
