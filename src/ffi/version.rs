//! # Version
//!
//! A program checks once that the library it runs with is one it was compiled for.

use std::ffi::{CStr, c_char};

/// The number of the binary interface. A program that was compiled for one number runs with any
/// later library of the same number: nothing is removed or renumbered within it.
pub const FAL_ABI_VERSION: u32 = 0;

/// The binary interface of the library that is loaded; compare it with FAL_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn fal_abi_version() -> u32 {
    FAL_ABI_VERSION
}

/// The version of the library that is loaded, such as "0.1.0". A static string.
#[unsafe(no_mangle)]
pub extern "C" fn fal_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}
