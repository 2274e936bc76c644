//! Objects that a host may share: each is in an `Arc` from its creation on, so every pointer to one
//! can be retained.

use std::ptr;
use std::sync::Arc;

use super::boundary::{null, plain};
use crate::error::Result;

/// A reference to a shared object.
pub(super) struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A field of every type that can be retained. Only [`Shared::new`] creates one, so each value of
/// such a type is in a [`Shared`].
pub(super) struct Counted(());

impl<T: AsRef<Counted>> Shared<T> {
    pub(super) fn new(make: impl FnOnce(Counted) -> T) -> Self {
        Shared(Arc::new(make(Counted(()))))
    }

    /// Another reference to an object of the host's.
    ///
    /// # Safety
    /// `pointer` is NULL or a live object of this library.
    pub(super) unsafe fn of(pointer: *const T, name: &str) -> Result<Self> {
        if pointer.is_null() {
            return Err(null(name));
        }
        // SAFETY: live, by this function's own contract, and in an Arc, since it has a `Counted`.
        unsafe {
            Arc::increment_strong_count(pointer);
            Ok(Shared(Arc::from_raw(pointer)))
        }
    }

    /// Gives this reference to the host.
    pub(super) fn give(self) -> *mut T {
        Arc::into_raw(self.0).cast_mut()
    }

    /// Lends the object to the host, which may retain it, as long as this reference lives.
    pub(super) fn lend(&self) -> *const T {
        Arc::as_ptr(&self.0)
    }
}

/// Adds a reference to a shared object and returns it.
///
/// # Safety
/// `pointer` is NULL or a live object of this library.
pub(super) unsafe fn retain<T: AsRef<Counted>>(pointer: *const T) -> *mut T {
    if pointer.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: live, by this function's own contract, and in an Arc, since it has a `Counted`.
    unsafe { Arc::increment_strong_count(pointer) };
    pointer.cast_mut()
}

/// Releases a reference to a shared object. The last release drops the object.
///
/// # Safety
/// `pointer` is NULL or a live object of this library, and the caller owns one reference to it.
pub(super) unsafe fn release<T: AsRef<Counted>>(pointer: *const T) {
    if !pointer.is_null() {
        // SAFETY: by this function's own contract, and in an Arc, since it has a `Counted`.
        plain((), || drop(unsafe { Arc::from_raw(pointer) }));
    }
}
