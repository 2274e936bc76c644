//! Objects that a host may share: each lies in a count of its owners, from the moment in which it
//! is made.

use std::ptr;
use std::sync::Arc;

use super::boundary::plain;

/// An owner of a shared object.
pub(super) struct Shared<T>(Arc<T>);

/// Lies in every type that can be retained. Nothing but [`Shared::new`] makes one, so a value of
/// such a type is nowhere else than in a `Shared`, and every pointer to one can be retained.
pub(super) struct Counted(());

impl<T: AsRef<Counted>> Shared<T> {
    pub(super) fn new(make: impl FnOnce(Counted) -> T) -> Self {
        Shared(Arc::new(make(Counted(()))))
    }

    /// Makes the host an owner.
    pub(super) fn give(self) -> *mut T {
        Arc::into_raw(self.0).cast_mut()
    }

    /// Lets the host look at the object as long as this owner lives, and retain it.
    pub(super) fn lend(&self) -> *const T {
        Arc::as_ptr(&self.0)
    }
}

/// One more owner of a shared object.
///
/// # Safety
/// `pointer` is NULL or a live object that this library gave out.
pub(super) unsafe fn retain<T: AsRef<Counted>>(pointer: *const T) -> *mut T {
    if pointer.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: live, by this function's own contract, and in an Arc, since it has a `Counted`.
    unsafe { Arc::increment_strong_count(pointer) };
    pointer.cast_mut()
}

/// One owner less of a shared object.
///
/// # Safety
/// `pointer` is NULL or a live object that this library gave out, of which the caller gives one
/// ownership up.
pub(super) unsafe fn release<T: AsRef<Counted>>(pointer: *const T) {
    if !pointer.is_null() {
        // SAFETY: by this function's own contract, and in an Arc, since it has a `Counted`.
        plain((), || drop(unsafe { Arc::from_raw(pointer) }));
    }
}
