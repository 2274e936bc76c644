//! Keeps the signals that libfal's own writes raise away from the host.

/// The signals that a write raises: SIGPIPE for a vectored write to a socket that the peer closed,
/// SIGXFSZ for a write beyond the file size limit of the process (RLIMIT_FSIZE). Each ends a
/// process that does not ignore it.
#[cfg(unix)]
const WRITE_SIGNALS: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// Blocks the write signals on the calling thread. The system sends such a signal to the thread
/// that writes, and only libfal's own threads write; where the signal is blocked, the write fails
/// with an error.
pub(crate) fn block() {
    #[cfg(unix)]
    set_mask(libc::SIG_BLOCK, WRITE_SIGNALS);
}

#[cfg(unix)]
fn set_mask(how: libc::c_int, signals: impl IntoIterator<Item = libc::c_int>) {
    // SAFETY: `set` is a local variable that sigemptyset initializes before it is read. The old set
    // may be null.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, signal);
        }
        libc::pthread_sigmask(how, &set, std::ptr::null_mut());
    }
}

/// Which of the write signals a thread of the host blocks.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    #[cfg(unix)]
    blocked: [bool; WRITE_SIGNALS.len()],
}

impl Mask {
    #[cfg(unix)]
    pub(crate) fn of_this_thread() -> Self {
        // SAFETY: a null new set changes nothing. `set` is a local variable that is written before
        // it is read.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
            Mask {
                blocked: WRITE_SIGNALS.map(|signal| libc::sigismember(&set, signal) == 1),
            }
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of_this_thread() -> Self {
        Mask {}
    }

    /// Unblocks the other write signals on the calling thread. libfal must never write on this
    /// thread, so that none of these signals is pending.
    pub(crate) fn restore(self) {
        #[cfg(unix)]
        set_mask(
            libc::SIG_UNBLOCK,
            WRITE_SIGNALS
                .into_iter()
                .zip(self.blocked)
                .filter_map(|(signal, blocked)| (!blocked).then_some(signal)),
        );
    }
}
