//! Translates between JSON and Python objects directly, without an intermediate tree.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::collector::Paused;

/// Decodes a text with the same result as `json.loads`. Returns `None` if `json.loads` must decode
/// it: malformed JSON, and values that only `json.loads` accepts, such as integers of any size,
/// `NaN`, and unpaired surrogates.
pub(crate) fn decode<'py>(py: Python<'py>, text: &[u8]) -> Option<Bound<'py, PyAny>> {
    // `json.loads` raises MemoryError if there is no memory.
    fal::fits(text).ok()?;
    let _paused = Paused::new(py)?;
    catch_unwind(AssertUnwindSafe(|| {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = Maker(py, LARGE).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(value)
    }))
    // PyO3 panics if there is no memory.
    .unwrap_or(None)
}

/// Converts a value of libfal's own.
pub(crate) fn made(py: Python<'_>, value: Value) -> PyResult<Bound<'_, PyAny>> {
    let _paused = Paused::new(py);
    Maker(py, f64::INFINITY)
        .deserialize(value)
        .map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Encodes a value as `json.dumps` does, except for the form of floats, as `1e16` for `1e+16`.
/// Returns `None` if `json.dumps` must encode it: a value of another class, an integer of more than
/// 64 bits, or what is not JSON.
///
/// A text that is not Unicode raises an exception below, and so does an integer that is too large.
pub(crate) fn encode(value: &Bound<'_, PyAny>, _: &Paused<'_>) -> Option<Vec<u8>> {
    let mut text = Text(Vec::with_capacity(256));
    serde_json::to_writer(&mut text, &Given(value.clone(), 0)).ok()?;
    Some(text.0)
}

/// Returns a text as UTF-8, or `None` if it is not Unicode.
pub(crate) fn utf8<'py>(text: &Bound<'py, PyString>) -> Option<Bound<'py, PyBytes>> {
    text.encode_utf8().ok()
}

/// Fails if there is no memory, as Python does.
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.try_reserve(part.len())?;
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value of Python's own classes, and how deep it is. To read one of a subclass could run Python
/// code.
struct Given<'py>(Bound<'py, PyAny>, usize);

/// A deeper value may contain itself.
const DEEPEST: usize = 100;

impl Serialize for Given<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Given(value, depth) = self;
        let inner = |value| Given(value, depth + 1);
        let refused = || S::Error::custom("Python's own encoder must convert it");
        if let Ok(text) = value.cast_exact::<PyString>() {
            let text = utf8(text).ok_or_else(refused)?;
            out.serialize_str(std::str::from_utf8(text.as_bytes()).map_err(|_| refused())?)
        } else if let Ok(number) = value.cast_exact::<PyInt>() {
            out.serialize_i64(number.extract().map_err(|_| refused())?)
        } else if let Ok(number) = value.cast_exact::<PyFloat>() {
            match number.value() {
                number if number.is_finite() => out.serialize_f64(number),
                _ => Err(refused()),
            }
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            out.serialize_bool(truth.is_true())
        } else if value.is_none() {
            out.serialize_unit()
        } else if *depth == DEEPEST {
            Err(refused())
        } else if let Ok(members) = value.cast_exact::<PyDict>() {
            let mut map = out.serialize_map(None)?;
            for (name, value) in members {
                if !name.is_exact_instance_of::<PyString>() {
                    return Err(refused());
                }
                map.serialize_entry(&inner(name), &inner(value))?;
            }
            map.end()
        } else if let Ok(elements) = value.cast_exact::<PyList>() {
            out.collect_seq(elements.iter().map(inner))
        } else if let Ok(elements) = value.cast_exact::<PyTuple>() {
            out.collect_seq(elements.iter().map(inner))
        } else {
            Err(refused())
        }
    }
}

/// Converts to Python objects. Refuses floats from the given size on.
#[derive(Clone, Copy)]
struct Maker<'py>(Python<'py>, f64);

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
        match value.abs() < self.1 && (value != 0.0 || value.is_sign_positive()) {
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
