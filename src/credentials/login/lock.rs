//! The locks that a renewal holds.
//!
//! The official clients lock `.portalock`: an exclusive `flock` (`LockFileEx` on Windows), which
//! they poll. Their library removes the file on release, and portalocker 2, which the CLI requires,
//! removes it again when the interpreter exits, even while another process holds the lock. So a
//! lock counts only if the path still names the locked file. A second lock, whose file is never
//! removed, always excludes other processes of this library.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::LoginError;
use crate::credentials::file::{careful, shown};
use crate::system::random;
use crate::system::replace;

const OFFICIAL: &str = ".portalock";
const OWN: &str = ".libfal.lock";

const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for other processes.
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    /// The longest wait.
    pub limit: Duration,
    /// Ends the wait within 100 ms once it is true.
    pub cancelled: &'a AtomicBool,
}

impl Wait<'_> {
    /// How long the official clients wait.
    pub const OFFICIAL_LIMIT: Duration = Duration::from_secs(20);
}

/// Both locks. Dropping releases them, in the order of the fields.
#[derive(Debug)]
pub(super) struct Locks {
    official: Option<Lock>,
    _own: Option<Lock>,
}

impl Locks {
    /// Locks the login in `folder`. Succeeds without a lock if the file system does not support
    /// locks, as the official clients do.
    pub(super) fn acquire(folder: &Path, wait: Wait<'_>) -> Result<Self, LoginError> {
        let mut waiting = Waiting::new(wait);
        let own = acquire(&folder.join(OWN), &mut waiting)?;
        let official = acquire(&folder.join(OFFICIAL), &mut waiting)?;
        Ok(Self {
            official,
            _own: own,
        })
    }

    /// Releases the lock of the official clients. Other processes of this library still wait.
    pub(super) fn release_official(&mut self) {
        self.official = None;
    }
}

#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not release the lock if a child process has inherited the file.
        let _ = self.0.unlock();
    }
}

/// Locks a file. Returns `None` if the file system does not support locks.
fn acquire(path: &Path, waiting: &mut Waiting<'_>) -> Result<Option<Lock>, LoginError> {
    let failed = |error: io::Error| LoginError::NoLock {
        path: shown(path),
        kind: error.kind(),
    };
    let started = Instant::now();
    loop {
        let file = match open(path) {
            Err(error) if replace::is_held(&error) => {
                waiting.pause(path)?;
                continue;
            }
            // Windows denies access to a removed file that another process still has open, until
            // that process closes it. The error does not differ from that of a missing permission.
            Err(error) if replace::is_denied(&error) && started.elapsed() < replace::PATIENCE => {
                waiting.pause(path)?;
                continue;
            }
            opened => opened.map_err(failed)?,
        };
        match file.try_lock() {
            Ok(()) => {
                let lock = Lock(file);
                if replace::names(path, &lock.0).map_err(failed)? {
                    return Ok(Some(lock));
                }
                // The file was removed before it was locked. Lock the file that has its name now.
                waiting.check(path)?;
            }
            Err(TryLockError::WouldBlock) => {
                drop(file);
                waiting.pause(path)?;
            }
            Err(TryLockError::Error(error)) if lacks_locks(&error) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

/// Opens the file, or creates it. Opens a read-only file too, because it can be locked.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    careful(&mut options);
    match options.open(path) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            let mut options = OpenOptions::new();
            careful(options.read(true));
            options.open(path).map_err(|_| error)
        }
        opened => opened,
    }
}

#[cfg(unix)]
fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::ENOLCK | libc::ENOSYS))
}

/// Drivers of disks and networks return `ERROR_INVALID_FUNCTION` (1) or `ERROR_NOT_SUPPORTED` (50).
#[cfg(not(unix))]
fn lacks_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported || matches!(error.raw_os_error(), Some(1 | 50))
}

struct Waiting<'a> {
    wait: Wait<'a>,
    started: Instant,
    next_pause: Duration,
}

impl<'a> Waiting<'a> {
    fn new(wait: Wait<'a>) -> Self {
        Self {
            wait,
            started: Instant::now(),
            next_pause: SHORTEST_PAUSE,
        }
    }

    fn check(&self, path: &Path) -> Result<Duration, LoginError> {
        if self.wait.cancelled.load(Ordering::Relaxed) {
            return Err(LoginError::Cancelled);
        }
        match self.wait.limit.checked_sub(self.started.elapsed()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(LoginError::Locked {
                path: shown(path),
                waited: self.wait.limit,
            }),
        }
    }

    fn pause(&mut self, path: &Path) -> Result<(), LoginError> {
        let left = self.check(path)?;
        // Jitter keeps waiting processes out of step.
        let jittered = random::jittered(self.next_pause, 0.5, 1.0);
        std::thread::sleep(jittered.min(left));
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    static CANCELLED: AtomicBool = AtomicBool::new(false);

    const WAIT: Wait<'_> = Wait {
        limit: Wait::OFFICIAL_LIMIT,
        cancelled: &CANCELLED,
    };

    /// Removes an open file.
    #[cfg(not(windows))]
    fn free(path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Removes an open file as recent Windows versions do: its name is free at once.
    #[cfg(windows)]
    fn free(path: &Path) -> io::Result<()> {
        let other = path.with_extension(random::unique_name().unwrap());
        fs::rename(path, &other)?;
        fs::remove_file(other)
    }

    /// Locks and removes the file as portalocker 4 does: it removes the file before it unlocks it.
    fn official_round(path: &Path, inside: &AtomicBool) -> io::Result<()> {
        let file = open(path)?;
        if file.try_lock().is_ok() && replace::names(path, &file)? {
            let entered = inside.swap(true, Ordering::SeqCst);
            inside.store(false, Ordering::SeqCst);
            assert!(!entered, "two held the lock");
            free(path)?;
        }
        Ok(())
    }

    #[test]
    fn a_lock_on_a_removed_file_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OFFICIAL);
        let (inside, done) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let official = scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    official_round(&path, &inside).unwrap();
                }
            });
            let mut broken = 0;
            let end = Instant::now() + Duration::from_secs(1);
            while Instant::now() < end {
                let lock = acquire(&path, &mut Waiting::new(WAIT)).unwrap();
                let entered = inside.swap(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                inside.store(false, Ordering::SeqCst);
                drop(lock);
                std::thread::sleep(Duration::from_micros(50));
                broken += usize::from(entered);
            }
            done.store(true, Ordering::SeqCst);
            official.join().unwrap();
            assert_eq!(broken, 0, "two held the lock");
        });
    }

    /// On older Windows versions, FAT and network drives, a removed file keeps its name while it is
    /// open, and cannot be opened again.
    #[cfg(windows)]
    #[test]
    fn a_removed_file_that_is_still_open_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OFFICIAL);
        let reader = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                drop(reader);
            });
            let lock = acquire(&path, &mut Waiting::new(WAIT)).unwrap();
            assert!(lock.is_some());
        });
    }

    #[cfg(windows)]
    #[test]
    fn a_file_that_another_program_holds_for_a_moment_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OFFICIAL);
        let acquire = || acquire(&path, &mut Waiting::new(WAIT));
        assert!(
            replace::tests::held_for_a_moment(&path, acquire)
                .unwrap()
                .is_some()
        );
    }
}
