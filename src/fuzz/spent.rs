//! How much memory a piece of code takes.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted for each thread.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

fn took(bytes: usize) {
    let _ = NOW.try_with(|now| {
        now.set(now.get().wrapping_add(bytes));
        // What this thread frees of another's makes it less than nothing.
        let _ = MOST.try_with(|most| {
            most.set(
                most.get()
                    .max(now.get().cast_signed().max(0).cast_unsigned()),
            )
        });
    });
}

fn gave(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().wrapping_sub(bytes)));
}

// SAFETY: the system's allocator does all the work; what is counted has no part in it.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there at once.
        took(size);
        gave(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The result, and the most bytes that this thread had beyond what it had before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    NOW.set(0);
    MOST.set(0);
    let result = work();
    (result, MOST.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_seen_after_it_was_given_back() {
        let ((), spent) = peak(|| drop(vec![0_u8; 100_000]));
        assert!((100_000..110_000).contains(&spent), "{spent}");
        assert!(peak(|| ()).1 < 1000);
    }
}
