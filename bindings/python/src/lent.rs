//! Bytes objects of the program that the core reads without a copy.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::guard::Returned;

/// The longest content, in bytes, that is copied: to lend it would cost more.
const SHORT: usize = 4096;

/// A bytes object. Threads of the core drop it without the GIL.
pub(crate) struct Lent(Option<PyBackedBytes>);

/// Those that the core has dropped.
static RETURNED: Returned<PyBackedBytes> = Returned::new();

impl Lent {
    /// Returns the content of an object. It is copied if it is short.
    pub(crate) fn shared(content: &Bound<'_, PyBytes>) -> Bytes {
        match content.as_bytes() {
            short if short.len() <= SHORT => Bytes::copy_from_slice(short),
            _ => Bytes::from_owner(Lent(Some(content.clone().into()))),
        }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(content) = self.0.take() {
            RETURNED.put(content);
        }
    }
}

/// Releases what the core has dropped.
pub(crate) fn release(_: Python<'_>) {
    RETURNED.take_all();
}
