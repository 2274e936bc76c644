//! What every exported function uses: it catches panics and checks pointers.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::operation::panicked;
use crate::runtime;
use crate::system::memory;

/// No string is longer. A greater length is `FAL_NUL`, which is not the same number in every language.
const LONGEST: usize = isize::MAX as usize;

/// Runs the body of a function without a status. Returns `fallback` if it panics.
pub(super) fn plain<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    caught(body).unwrap_or(fallback)
}

pub(super) fn caught<T>(body: impl FnOnce() -> T) -> Result<T> {
    quiet_panics();
    runtime::in_guest(|| catch_unwind(AssertUnwindSafe(body)))
        .map_err(|payload| panicked(&*payload))
}

/// Keeps panics that become errors off the host's stderr. Other panics still reach the hook that
/// was set before.
fn quiet_panics() {
    // `std::sync::Once` would block forever in a child that was forked while it ran.
    static SET: AtomicBool = AtomicBool::new(false);
    if SET.load(Ordering::Relaxed) || SET.swap(true, Ordering::AcqRel) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !runtime::is_guest() {
            before(info);
        }
    }));
}

/// The error for a parameter of this name that is NULL. Out of line, because nearly every function
/// has it.
#[cold]
#[inline(never)]
pub(super) fn null(name: &str) -> Error {
    Error::invalid(format!("{name} is NULL"))
}

/// The error for a parameter that is not one of the constants with this prefix.
pub(super) fn no_constant(name: &str, prefix: &str, value: i32) -> Error {
    Error::invalid(format!("{name} must be a {prefix} constant, not {value}"))
}

/// Borrows a handle.
///
/// # Safety
/// `pointer` is NULL or an object of this library, which lives as long as the reference is used.
pub(super) unsafe fn borrow<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: by this function's own contract.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// Borrows a handle exclusively.
///
/// # Safety
/// As for [`borrow`], and no other thread uses the object meanwhile.
pub(super) unsafe fn borrow_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: by this function's own contract.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Frees a unique object. NULL is ignored.
///
/// # Safety
/// `pointer` is NULL or comes from `Box::into_raw`, and is not used again.
pub(super) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: by this function's own contract.
        plain((), || drop(unsafe { Box::from_raw(pointer) }));
    }
}

/// Takes the ownership of a unique object.
///
/// # Safety
/// As for [`free`].
pub(super) unsafe fn take<T>(pointer: *mut T, name: &str) -> Result<Box<T>> {
    match pointer.is_null() {
        true => Err(null(name)),
        // SAFETY: by this function's own contract.
        false => Ok(unsafe { Box::from_raw(pointer) }),
    }
}

/// Borrows a string. NULL with the length 0 is an empty one.
///
/// # Safety
/// `text` is NULL or readable for `len` bytes, or up to its NUL if `len` is above [`LONGEST`].
pub(super) unsafe fn text<'a>(text: *const c_char, len: usize, name: &str) -> Result<&'a str> {
    let bytes = match len > LONGEST && !text.is_null() {
        // SAFETY: it ends with a NUL, by this function's own contract.
        true => unsafe { std::ffi::CStr::from_ptr(text) }.to_bytes(),
        // SAFETY: NULL or readable for `len` bytes, by this function's own contract.
        false => unsafe { bytes(text.cast(), len, name) }?,
    };
    std::str::from_utf8(bytes).map_err(|e| Error::invalid(format!("{name} is not UTF-8: {e}")))
}

/// Borrows bytes. NULL with the length 0 is an empty slice.
///
/// # Safety
/// `data` is readable for `len` bytes unless `len` is 0.
pub(super) unsafe fn bytes<'a>(data: *const c_void, len: usize, name: &str) -> Result<&'a [u8]> {
    // SAFETY: by this function's own contract.
    unsafe { list(data.cast(), len, name) }
}

/// Borrows an array. NULL with the length 0 is an empty one.
///
/// # Safety
/// `data` is readable for `len` elements unless `len` is 0.
pub(super) unsafe fn list<'a, T>(data: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null(name)),
        (false, len) if len > LONGEST / size_of::<T>() => {
            Err(Error::invalid(format!("{name} is too long")))
        }
        // SAFETY: by this function's own contract; a slice may not be longer than `LONGEST` bytes,
        // checked above.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}

/// Copies bytes. Fails if there is no memory.
pub(super) fn copy(bytes: &[u8]) -> Result<Bytes> {
    Ok(memory::copy(bytes)?.into())
}

/// Where the caller wants an output. It is set to `zero` at once, and to its value on success.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Fails if `place` is NULL.
    ///
    /// # Safety
    /// `place` is NULL or writable.
    pub(super) unsafe fn new(place: *mut T, zero: T, name: &str) -> Result<Self> {
        match place.is_null() {
            true => Err(null(name)),
            false => {
                // SAFETY: by this function's own contract.
                unsafe { place.write(zero) };
                Ok(Out(place))
            }
        }
    }

    pub(super) fn set(self, value: T) {
        // SAFETY: by the contract of `new`, the place is writable until the call returns.
        unsafe { self.0.write(value) }
    }
}

impl<T> Out<*mut T> {
    /// The place of an object, which is NULL on failure.
    ///
    /// # Safety
    /// As for [`Out::new`].
    pub(super) unsafe fn object(place: *mut *mut T, name: &str) -> Result<Self> {
        // SAFETY: by this function's own contract.
        unsafe { Out::new(place, ptr::null_mut(), name) }
    }

    /// Makes the caller the owner of an object.
    pub(super) fn give(self, value: T) {
        self.set(Box::into_raw(Box::new(value)));
    }
}

/// The pointer that the host gets back in its callbacks.
#[derive(Clone, Copy)]
pub(super) struct User(*mut c_void);

// SAFETY: the library only passes the pointer on; the header says on which threads.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    pub(super) fn new(user: *mut c_void) -> Self {
        User(user)
    }

    pub(super) fn get(self) -> *mut c_void {
        self.0
    }
}
