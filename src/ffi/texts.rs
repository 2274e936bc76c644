//! Strings out: borrowed from their owner, with a length and a NUL.

use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::runtime::fork::PerProcess;
use crate::system::memory;

/// The strings that an object has handed out. They are made when asked for and live as long as the
/// object. A forked child makes its own, because another thread may have been about to make one at
/// the fork.
#[derive(Default)]
pub(super) struct Texts {
    made: PerProcess<Mutex<Made>>,
}

/// By their names; of one that there is none, that it is so.
type Made = HashMap<String, Option<Box<[u8]>>>;

impl Texts {
    /// The string of this name, made at the first call. NULL, and a length of 0, if there is none.
    ///
    /// # Safety
    /// `len` is NULL or writable.
    pub(super) unsafe fn get(
        &self,
        name: &str,
        len: *mut usize,
        make: impl FnOnce() -> Option<String>,
    ) -> *const c_char {
        let made = self.made.get();
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match made.get(name) {
            Some(text) => text,
            None => made.entry(name.to_owned()).or_insert(make().map(with_nul)),
        };
        // SAFETY: by this function's own contract.
        unsafe { set_len(len, text.as_ref().map_or(0, |text| text.len() - 1)) };
        text.as_ref()
            .map_or(ptr::null(), |text| text.as_ptr().cast())
    }

    /// The same of a text that may be long. Fails if there is no memory for it.
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

/// Bytes out: as many as *len says, and NULL if there are none.
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
