//! The id of this process, without a system call where that is possible.
//!
//! Every use of a lock first checks that no fork has happened, several times a call, and `getpid`
//! is a system call each time.

#[cfg(not(target_os = "linux"))]
pub(crate) use std::process::id;

#[cfg(target_os = "linux")]
pub(crate) use cached::id;

#[cfg(target_os = "linux")]
mod cached {
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

    const WORDS_OF_LARGEST_PAGE: usize = (64 << 10) / size_of::<AtomicU32>();

    /// Contains one whole page, wherever the library is loaded and whatever the size of a page is.
    /// The kernel fills the page with zeros in a forked child. Pages that are not used take no
    /// memory.
    static WORDS: [AtomicU32; 2 * WORDS_OF_LARGEST_PAGE] =
        [const { AtomicU32::new(0) }; 2 * WORDS_OF_LARGEST_PAGE];

    /// The index of the word that holds the id. `UNKNOWN` and `NONE` are beyond the end of `WORDS`.
    static INDEX: AtomicUsize = AtomicUsize::new(UNKNOWN);
    const UNKNOWN: usize = usize::MAX;
    /// The kernel does not clear pages in a child, so every check asks it.
    const NONE: usize = usize::MAX - 1;

    /// Returns the id of this process.
    pub(crate) fn id() -> u32 {
        match WORDS.get(INDEX.load(Ordering::Acquire)) {
            Some(word) if word.load(Ordering::Relaxed) != 0 => word.load(Ordering::Relaxed),
            _ => read(),
        }
    }

    /// Asks the kernel for the id, and stores it: the first time, and the first time in a child.
    #[cold]
    fn read() -> u32 {
        let id = std::process::id();
        if INDEX.load(Ordering::Acquire) == UNKNOWN {
            INDEX.store(page_cleared_by_fork().unwrap_or(NONE), Ordering::Release);
        }
        if let Some(word) = WORDS.get(INDEX.load(Ordering::Acquire)) {
            word.store(id, Ordering::Relaxed);
        }
        id
    }

    /// Makes the kernel clear a page of `WORDS` in a forked child. Returns the index of its first
    /// word.
    #[allow(unsafe_code)]
    fn page_cleared_by_fork() -> Option<usize> {
        // SAFETY: it reads a constant of the system.
        let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let begin = WORDS.as_ptr() as usize;
        let page = begin.checked_next_multiple_of(size)?;
        if page + size > begin + size_of_val(&WORDS) {
            return None;
        }
        let index = (page - begin) / size_of::<AtomicU32>();
        let address = WORDS.as_ptr().wrapping_add(index).cast_mut().cast();
        // SAFETY: the whole page is within `WORDS`, so a child loses nothing else. Words that the
        // kernel clears are still valid atomics.
        let refused = unsafe { libc::madvise(address, size, libc::MADV_WIPEONFORK) };
        (refused == 0).then_some(index)
    }

    #[cfg(test)]
    #[allow(unsafe_code, clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn a_forked_child_has_an_id_of_its_own() {
            assert_eq!((id(), id()), (std::process::id(), std::process::id()));
            assert!(
                INDEX.load(Ordering::Relaxed) < WORDS.len(),
                "this kernel does not clear pages"
            );
            // SAFETY: the child calls only functions that are safe between fork and exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let right = id() == std::process::id() && id() == std::process::id();
                // SAFETY: it ends the process at once.
                unsafe { libc::_exit(i32::from(!right)) }
            }
            let mut status = 0;
            // SAFETY: the child is this process's own, and `status` is writable.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
            assert_eq!(id(), std::process::id());
        }
    }
}
