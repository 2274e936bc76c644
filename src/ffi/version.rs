//! # Version
//!
//! A program compares fal_abi_version() with FAL_ABI_VERSION once, to make sure that the library it
//! runs with fits the header it was compiled with.

use std::ffi::{CStr, c_char};

/// The version of the binary interface that this header describes. A program that was compiled for
/// one version runs with every later library of the same version: within a version, no function is
/// removed or changed and no constant is renumbered.
pub const FAL_ABI_VERSION: u32 = 0;

/// The version of libfal that this header belongs to, in three numbers, for `#if`. That of the loaded
/// library is fal_version().
pub const FAL_VERSION_MAJOR: u32 = 0;
/// See FAL_VERSION_MAJOR.
pub const FAL_VERSION_MINOR: u32 = 1;
/// See FAL_VERSION_MAJOR.
pub const FAL_VERSION_PATCH: u32 = 0;

/// Returns the version of the binary interface of the loaded library, to be compared with
/// FAL_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn fal_abi_version() -> u32 {
    FAL_ABI_VERSION
}

/// Returns the version of the loaded library, such as "0.1.0". The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn fal_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_package() {
        let numbers = format!("{FAL_VERSION_MAJOR}.{FAL_VERSION_MINOR}.{FAL_VERSION_PATCH}");
        assert_eq!(numbers, env!("CARGO_PKG_VERSION"));
    }
}
