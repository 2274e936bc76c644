//! Measures and limits the memory of a piece of code.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(0) };
    static LIMIT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, with a count for each thread.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

/// Counts an allocation of this thread, and returns whether its limit permits it.
fn took(bytes: usize) -> bool {
    let taken = NOW.try_with(|now| {
        let would = now
            .get()
            .wrapping_add(bytes)
            .cast_signed()
            .max(0)
            .cast_unsigned();
        // Small allocations may exceed the limit a little.
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
        // The count is negative if this thread frees memory of other threads.
        let _ = MOST.try_with(|most| most.set(most.get().max(would)));
        true
    });
    taken.unwrap_or(true)
}

fn gave(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().wrapping_sub(bytes)));
}

// SAFETY: all calls go to the system's allocator; counting does not affect its results.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !took(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new block may exist together.
        if !took(size) {
            return std::ptr::null_mut();
        }
        gave(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns the result of `work`, and the most bytes that it had allocated at one time.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    NOW.set(0);
    MOST.set(0);
    let result = work();
    (result, MOST.get())
}

/// Calls `work`, and checks that it allocates at most `factor` bytes for each byte of an input of
/// `size` bytes, plus `constant`.
#[track_caller]
pub(crate) fn bounded<T>(
    size: usize,
    factor: usize,
    constant: usize,
    work: impl FnOnce() -> T,
) -> T {
    let (result, spent) = peak(work);
    assert!(
        spent <= factor * size + constant,
        "{spent} bytes for {size}"
    );
    result
}

/// Calls `work` with increasing limits of memory, and returns how often it failed. Each failure
/// must be the error about memory. An infallible allocation beyond the limit aborts the process.
/// The limit does not apply to small allocations.
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
            assert!(error.message().starts_with("cannot allocate "), "{error}");
            refused += 1;
        }
    }
    refused
}

/// How many bytes small allocations may exceed the limit.
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
