//! The id of this process, without a system call where that is possible.
//!
//! Every use of a lock first checks that no fork has happened, several times a call, and `getpid`
//! is a system call each time. A child of `vfork`, or of `clone` with `CLONE_VM`, shares the memory
//! of its parent and must not call libfal.

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
        let word = WORDS.get(INDEX.load(Ordering::Acquire));
        match word.map_or(0, |word| word.load(Ordering::Relaxed)) {
            0 => read(),
            id => id,
        }
    }

    /// Asks the kernel for the id, and stores it: the first time, and the first time in a child.
    #[cold]
    fn read() -> u32 {
        if INDEX.load(Ordering::Acquire) == UNKNOWN {
            INDEX.store(page_cleared_by_fork().unwrap_or(NONE), Ordering::Release);
        }
        loop {
            let id = std::process::id();
            if let Some(word) = WORDS.get(INDEX.load(Ordering::Acquire)) {
                word.store(id, Ordering::Relaxed);
            }
            // A signal handler may have forked before the store, and this may be its child.
            if id == std::process::id() {
                return id;
            }
        }
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
        // QEMU before version 8 accepts any advice and ignores it.
        const NONSENSE: libc::c_int = -1;
        // SAFETY: the whole page is within `WORDS`, so a child loses nothing else. Words that the
        // kernel clears are still valid atomics.
        let advise = |advice| unsafe { libc::madvise(address, size, advice) } == 0;
        (!advise(NONSENSE) && advise(libc::MADV_WIPEONFORK)).then_some(index)
    }

    #[cfg(test)]
    #[allow(unsafe_code, clippy::print_stdout)]
    mod tests {
        use super::*;

        #[test]
        fn a_forked_child_has_an_id_of_its_own() {
            assert_eq!((id(), id()), (std::process::id(), std::process::id()));
            let by_page = INDEX.load(Ordering::Relaxed) < WORDS.len();
            println!("the kernel clears pages in a child: {by_page}");
            let is_right = || id() == std::process::id() && id() == std::process::id();
            let right_in_a_grandchild = || in_child(is_right);
            assert!(in_child(|| is_right()
                && right_in_a_grandchild()
                && is_right()));
            // A child that asks for the first time is itself forked.
            assert!(in_child(|| right_in_a_grandchild() && is_right()));
            assert!(is_right());
            // Where the kernel clears no page.
            assert!(in_child(|| {
                INDEX.store(NONE, Ordering::Release);
                is_right() && right_in_a_grandchild()
            }));
        }

        /// Returns what `check` says in a forked child.
        fn in_child(check: impl Fn() -> bool) -> bool {
            // SAFETY: the child calls only functions that are safe between fork and exit.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let outcome = i32::from(!check());
                // SAFETY: it ends the process at once.
                unsafe { libc::_exit(outcome) }
            }
            let mut status = 1;
            // SAFETY: the child is this process's own, and `status` is writable.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            waited == child && status == 0
        }
    }
}
