//! The limit of open files, which sockets count towards.

use std::io;

pub(crate) const REMEDY: &str = "Close files and connections that are not needed, or raise the limit of open files of this process.";

/// Whether the process or the system has no descriptor left. No network, path or pause helps then.
pub(crate) fn are_used_up(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [libc::EMFILE, libc::ENFILE];
    #[cfg(windows)]
    let codes = [
        windows_sys::Win32::Foundation::ERROR_TOO_MANY_OPEN_FILES as i32,
        WSAEMFILE,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// No socket is left.
#[cfg(windows)]
const WSAEMFILE: i32 = 10024;
