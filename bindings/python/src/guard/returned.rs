//! Values that were dropped on threads without the GIL.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// Values that were dropped on threads without the GIL, until a thread with it releases them. It has
/// no lock, which a fork could leave locked. (PyO3's own list of such objects has one.)
pub(crate) struct Returned<T: Send>(AtomicPtr<Link<T>>);

struct Link<T> {
    _value: T,
    next: *mut Link<T>,
}

impl<T: Send> Returned<T> {
    pub(crate) const fn new() -> Self {
        Returned(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn put(&self, value: T) {
        let (value, next) = (value, ptr::null_mut());
        let link = Box::into_raw(Box::new(Link {
            _value: value,
            next,
        }));
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |first| {
                // SAFETY: no other thread knows the link before it is in the list.
                unsafe { (*link).next = first };
                Some(link)
            });
    }

    /// Drops all values.
    pub(crate) fn take_all(&self) {
        if self.0.load(Ordering::Relaxed).is_null() {
            return;
        }
        let mut first = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        while let Some(link) = NonNull::new(first) {
            // SAFETY: the list was taken as a whole, so this thread alone has its links, each of
            // which is a box.
            first = unsafe { Box::from_raw(link.as_ptr()) }.next;
        }
    }
}
