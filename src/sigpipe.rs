//! SIGPIPE stays away from the host.

/// A vectored write to a socket that the peer has closed raises SIGPIPE, which ends a host that does not
/// ignore it. The signal goes to the writing thread, and only our own threads write.
#[cfg(unix)]
pub(crate) fn block() {
    // SAFETY: `set` is a local that sigemptyset initializes before it is read, and a null old set is allowed.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
pub(crate) fn block() {}
