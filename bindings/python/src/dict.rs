//! Dicts with the arguments of a call, as the Python half passes them. A member that is missing is
//! read like None, and an unknown one is refused, so that a misspelt name is noticed.
//!
//! `derive(FromPyObject)` is not used: it interns each name on first use, under a lock that it holds
//! while it waits for the interpreter. A child forked at that moment would wait for the lock forever.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::lent::Lent;

/// Declares a struct that is read from a dict with a member for each field.
macro_rules! from_dict {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($field: $type,)*
        }

        impl<'py> FromPyObject<'_, 'py> for $name {
            type Error = PyErr;

            fn extract(dict: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
                let mut members = $crate::dict::Members::of(&dict)?;
                let read = Self {
                    $($field: {
                        static NAME: $crate::dict::Name = $crate::dict::Name::new(stringify!($field));
                        members.read(&NAME)?.extract::<$type>()?
                    },)*
                };
                members.end()?;
                Ok(read)
            }
        }
    };
}
pub(crate) use from_dict;

/// The name of a member, as a Python object from its first use on.
pub(crate) struct Name {
    text: &'static str,
    object: PyOnceLock<Py<PyString>>,
}

impl Name {
    pub(crate) const fn new(text: &'static str) -> Self {
        Name {
            text,
            object: PyOnceLock::new(),
        }
    }

    fn object<'a, 'py>(&'a self, py: Python<'py>) -> &'a Bound<'py, PyString> {
        if let Some(made) = self.object.get(py) {
            return made.bind(py);
        }
        // Made before it is set, so a fork finds it either empty or complete.
        let _ = self
            .object
            .set(py, PyString::intern(py, self.text).unbind());
        self.object(py)
    }
}

/// The members of a dict that is being read.
pub(crate) struct Members<'a, 'py> {
    dict: &'a Bound<'py, PyDict>,
    read: usize,
}

impl<'a, 'py> Members<'a, 'py> {
    pub(crate) fn of(dict: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Members {
            dict: dict.cast_exact::<PyDict>()?,
            read: 0,
        })
    }

    pub(crate) fn read(&mut self, name: &'static Name) -> PyResult<Bound<'py, PyAny>> {
        let py = self.dict.py();
        let found = self.dict.get_item(name.object(py))?;
        self.read += usize::from(found.is_some());
        Ok(found.unwrap_or_else(|| py.None().into_bound(py)))
    }

    pub(crate) fn end(self) -> PyResult<()> {
        match self.read == self.dict.len() {
            true => Ok(()),
            false => Err(PyTypeError::new_err(
                "a dict for the core has a member with an unknown name",
            )),
        }
    }
}

/// A list of pairs. Its iterator would be an object that the garbage collector tracks.
pub(crate) struct Pairs<A, B>(pub(crate) Vec<(A, B)>);

impl<'py, A, B> FromPyObject<'_, 'py> for Pairs<A, B>
where
    A: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
    B: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    type Error = PyErr;

    fn extract(list: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let list = list.cast_exact::<PyList>()?;
        let pair = |place| {
            let pair = list.get_item(place)?;
            let pair = pair.cast_exact::<PyTuple>()?;
            Ok((pair.get_item(0)?.extract()?, pair.get_item(1)?.extract()?))
        };
        (0..list.len())
            .map(pair)
            .collect::<PyResult<_>>()
            .map(Pairs)
    }
}

/// The bytes of an object.
pub(crate) struct Content(pub(crate) bytes::Bytes);

impl<'py> FromPyObject<'_, 'py> for Content {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let content = object.cast_exact::<PyBytes>()?;
        Ok(Content(Lent::shared(&content)))
    }
}
