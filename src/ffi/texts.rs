//! Strings that the host borrows from an object, with their length and a NUL.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::runtime::fork::PerProcess;
use crate::system::memory;

/// The strings that an object lends out. Each is created when it is first requested, and lives as
/// long as the object. A forked child creates its own, because another thread may have held the
/// lock at the fork.
#[derive(Default)]
pub(super) struct Texts {
    made: PerProcess<Mutex<Made>>,
}

/// The strings by key; `None` if the object has no such string.
type Made = HashMap<String, Option<Box<[u8]>>>;

impl Texts {
    /// Returns the string with this key, which the first call creates. Returns NULL, and sets the
    /// length to 0, if `make` returns `None`.
    ///
    /// # Safety
    /// `len` is NULL or writable.
    pub(super) unsafe fn get(
        &self,
        name: &str,
        len: *mut usize,
        make: impl FnOnce() -> Option<String>,
    ) -> *const c_char {
        let mut make = Some(make);
        // SAFETY: by this function's own contract.
        unsafe { self.lend(name, len, &mut || make.take().and_then(|make| make())) }
    }

    /// [`get`](Self::get), compiled once for all that make a string.
    ///
    /// # Safety
    /// As for [`get`](Self::get).
    unsafe fn lend(
        &self,
        name: &str,
        len: *mut usize,
        make: &mut dyn FnMut() -> Option<String>,
    ) -> *const c_char {
        let made = self.made.get();
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match made.get(name) {
            Some(text) => text,
            // A missing text leaves no entry: the names may be indexes without end.
            None => match make() {
                None => &None,
                text => made.entry(name.to_owned()).or_insert(text.map(with_nul)),
            },
        };
        // SAFETY: by this function's own contract.
        unsafe { set_len(len, text.as_ref().map_or(0, |text| text.len() - 1)) };
        text.as_ref()
            .map_or(ptr::null(), |text| text.as_ptr().cast())
    }

    /// Returns a copy of `text`, which may be long. Fails if there is no memory for it.
    ///
    /// # Safety
    /// `len` is NULL or writable.
    pub(super) unsafe fn copy(
        &self,
        name: &str,
        len: *mut usize,
        text: &str,
    ) -> Result<*const c_char> {
        let made = self.made.get();
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains_key(name) {
            let mut copy = memory::room(text.len() + 1)?;
            copy.extend_from_slice(text.as_bytes());
            copy.push(0);
            made.insert(name.to_owned(), Some(copy.into_boxed_slice()));
        }
        drop(made);
        // SAFETY: by this function's own contract.
        Ok(unsafe { self.get(name, len, || None) })
    }
}

/// Lends bytes to the host, and sets `len`. Returns NULL if there are none.
///
/// # Safety
/// `len` is NULL or writable.
pub(super) unsafe fn bytes(bytes: Option<&[u8]>, len: *mut usize) -> *const c_void {
    let bytes = bytes.filter(|bytes| !bytes.is_empty());
    // SAFETY: by this function's own contract.
    unsafe { set_len(len, bytes.map_or(0, <[u8]>::len)) };
    bytes.map_or(ptr::null(), |bytes| bytes.as_ptr().cast())
}

fn with_nul(text: String) -> Box<[u8]> {
    let mut bytes = text.into_bytes();
    bytes.push(0);
    bytes.into_boxed_slice()
}

/// # Safety
/// `len` is NULL or writable.
pub(super) unsafe fn set_len(len: *mut usize, value: usize) {
    if !len.is_null() {
        // SAFETY: by this function's own contract.
        unsafe { len.write(value) }
    }
}
