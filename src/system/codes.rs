//! The operating system's codes of what libfal finds out by itself.

#[cfg(unix)]
pub(crate) use libc::{EEXIST as EXISTS, ENOENT as NO_FOLDER};

#[cfg(windows)]
pub(crate) const EXISTS: i32 = windows_sys::Win32::Foundation::ERROR_FILE_EXISTS as i32;
#[cfg(windows)]
pub(crate) const NO_FOLDER: i32 = windows_sys::Win32::Foundation::ERROR_PATH_NOT_FOUND as i32;
