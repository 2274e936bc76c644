//! How much memory a piece of code takes.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
    static LIMIT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, counted for each thread.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

/// Whether this thread may have so many more, which then count as taken.
fn took(bytes: usize) -> bool {
    let taken = NOW.try_with(|now| {
        let would = now
            .get()
            .wrapping_add(bytes)
            .cast_signed()
            .max(0)
            .cast_unsigned();
        // Where there is no room for much there is still some for a little.
        let little = if bytes < SMALL / 16 { SMALL } else { 0 };
        if would
            > LIMIT
                .try_with(Cell::get)
                .unwrap_or(usize::MAX)
                .saturating_add(little)
        {
            return false;
        }
        now.set(now.get().wrapping_add(bytes));
        // What this thread frees of another's makes it less than nothing.
        let _ = MOST.try_with(|most| most.set(most.get().max(would)));
        true
    });
    taken.unwrap_or(true)
}

fn gave(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().wrapping_sub(bytes)));
}

// SAFETY: the system's allocator does all the work; what is counted has no part in it.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !took(layout.size()) {
            return std::ptr::null_mut();
        }
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
        if !took(size) {
            return std::ptr::null_mut();
        }
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

/// Tries this with ever more memory. Where nobody expects that an allocation fails, the process is
/// aborted; else the outcome is an error of its own kind, until there is enough: how often, is
/// returned. Small allocations are not the point.
#[cfg(test)]
#[track_caller]
pub(crate) fn scarce(work: impl Fn() -> crate::error::Result<()>) -> usize {
    struct Free;
    impl Drop for Free {
        fn drop(&mut self) {
            LIMIT.set(usize::MAX);
        }
    }
    let (done, most) = peak(&work);
    done.unwrap();
    let mut refused = 0;
    for part in 0..=64 {
        NOW.set(0);
        let free = Free;
        LIMIT.set(SMALL + most / 64 * part);
        let outcome = work();
        drop(free);
        if let Err(error) = outcome {
            assert!(
                error.message().starts_with("there is no memory for "),
                "{error}"
            );
            refused += 1;
        }
    }
    refused
}

/// So much is always there.
const SMALL: usize = 64 << 10;

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
