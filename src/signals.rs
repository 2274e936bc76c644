//! Signals that our own writes raise stay away from the host.

/// A vectored write to a socket that the peer has closed raises SIGPIPE, and one to a file beyond the limit of the process
/// (RLIMIT_FSIZE) raises SIGXFSZ: each ends a host that does not ignore it. The signal goes to the writing thread, and only our own
/// threads write; blocked there, the write fails.
#[cfg(unix)]
pub(crate) fn block() {
    // SAFETY: `set` is a local that sigemptyset initializes before it is read, and a null old set is allowed.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        libc::sigaddset(&mut set, libc::SIGXFSZ);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
pub(crate) fn block() {}
