//! A static Rust library with the standard library, ring, a thread-local and a caught panic: what a
//! program may contain beside libfal.

#![allow(missing_docs)]

use std::cell::RefCell;
use std::panic::{catch_unwind, resume_unwind};

thread_local! {
    static SEEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Returns the first byte of the SHA-256 of what this thread has passed so far, or -1 if `byte` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn neighbour_digest(byte: u8) -> i32 {
    let digest = catch_unwind(|| {
        if byte == 0 {
            resume_unwind(Box::new("caught below"));
        }
        SEEN.with_borrow_mut(|seen| {
            seen.push(byte);
            ring::digest::digest(&ring::digest::SHA256, seen).as_ref()[0]
        })
    });
    digest.map_or(-1, i32::from)
}
