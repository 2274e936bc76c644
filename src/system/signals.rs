//! Signals that our own writes raise stay away from the host.

#[cfg(unix)]
const OURS: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// A vectored write to a socket that the peer has closed raises SIGPIPE, and one to a file beyond
/// the limit of the process (RLIMIT_FSIZE) raises SIGXFSZ: each ends a host that does not ignore
/// it. The signal goes to the writing thread, and only our own threads write; blocked there, the
/// write fails.
pub(crate) fn block() {
    #[cfg(unix)]
    change(libc::SIG_BLOCK, OURS);
}

#[cfg(unix)]
fn change(how: libc::c_int, signals: impl IntoIterator<Item = libc::c_int>) {
    // SAFETY: `set` is a local that sigemptyset initializes before it is read, and a null old set
    // is allowed.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, signal);
        }
        libc::pthread_sigmask(how, &set, std::ptr::null_mut());
    }
}

/// Which of these signals a thread of the host's blocks by itself.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    #[cfg(unix)]
    blocked: [bool; OURS.len()],
}

impl Mask {
    #[cfg(unix)]
    pub(crate) fn of_this_thread() -> Self {
        // SAFETY: with a null new set nothing is changed, and `set` is a local that is written
        // before it is read.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set);
            Mask {
                blocked: OURS.map(|signal| libc::sigismember(&set, signal) == 1),
            }
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of_this_thread() -> Self {
        Mask {}
    }

    /// On a thread on which none of our own writes happens: none of these signals waits for it.
    pub(crate) fn restore(self) {
        #[cfg(unix)]
        change(
            libc::SIG_UNBLOCK,
            OURS.into_iter()
                .zip(self.blocked)
                .filter_map(|(signal, blocked)| (!blocked).then_some(signal)),
        );
    }
}
