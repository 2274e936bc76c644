//! Replaces a file that may hold secrets: atomically, by one program at a time, and with access for
//! its owner only.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use zeroize::Zeroizing;

use super::error::StoreError;
use crate::credentials::file::{self, FileProblem, SecretFile};
use crate::system::random;
use crate::system::replace::{self, Access, Successor};

/// The shortest pause between two tries for the lock. The pause is random, up to twice as long.
const PAUSE: Duration = Duration::from_millis(8);
/// How long an empty file may take to be filled by a program that writes it in place.
const SETTLE: Duration = Duration::from_millis(100);

/// The byte order mark.
const MARK: &str = "\u{feff}";

/// The lock for replacing a file. Dropping it releases the lock.
///
/// The lock is advisory and on a separate file, `<name>.lock`, which is never removed: the file
/// itself is replaced, and a lock on it would stay on the replaced file.
pub(super) struct Locked {
    target: PathBuf,
    lock: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the file is not enough, because a forked child may have inherited it.
        let _ = self.lock.unlock();
    }
}

/// The content of the file at the time it was read.
pub(super) struct Snapshot {
    /// Empty if there is no file.
    pub(super) file: SecretFile,
    /// `None` if there is no file.
    old: Option<Stamp>,
}

/// The metadata that differ after another program has written the file.
#[derive(PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    read_only: bool,
    #[cfg(unix)]
    inode: (u64, u64),
    #[cfg(unix)]
    owner: (u32, u32),
    #[cfg(unix)]
    mode: u32,
}

impl Locked {
    /// Takes the lock for the file at `path`, or for the target of a link at `path`. Blocks up to
    /// `wait`. Returns `None` if the folder does not exist and `make_folder` is false.
    pub(super) fn acquire(
        path: &Path,
        make_folder: bool,
        wait: Duration,
    ) -> Result<Option<Self>, StoreError> {
        let Some(target) = target(path, make_folder)? else {
            return Ok(None);
        };
        let lock_path = sibling(&target, ".lock");
        let start = Instant::now();
        loop {
            match take_lock(&lock_path) {
                Ok(Some(lock)) => return Ok(Some(Self { target, lock })),
                Ok(None) if start.elapsed() >= wait => {
                    return Err(StoreError::Locked {
                        path: file::shown(&lock_path),
                    });
                }
                Ok(None) => thread::sleep(random::jittered(PAUSE, 1.0, 2.0)),
                Err(error) => return Err(StoreError::io("lock", &lock_path, &error)),
            }
        }
    }

    pub(super) fn read(&self) -> Result<Snapshot, StoreError> {
        let snapshot = self.read_once()?;
        // The CLI empties the file before it writes it, so that an empty file may be filled a
        // moment later.
        if snapshot.old.is_some() && snapshot.file.text.is_empty() {
            thread::sleep(SETTLE);
            return self.read_once();
        }
        Ok(snapshot)
    }

    fn read_once(&self) -> Result<Snapshot, StoreError> {
        // The metadata come first, so that `replace` detects a change made while the file is read.
        let old = self.stamp()?;
        match file::read(&self.target) {
            Ok(file) => Ok(Snapshot { file, old }),
            Err(FileProblem::Missing) => Ok(Snapshot {
                file: SecretFile {
                    text: Zeroizing::default(),
                    has_mark: false,
                    exposed: None,
                },
                old: None,
            }),
            Err(problem) => Err(StoreError::unreadable(&self.target, &problem)),
        }
    }

    /// Replaces the file that was read with one of this text. Does nothing and returns false if
    /// another program has changed the file since.
    pub(super) fn replace(&self, snapshot: &Snapshot, text: &str) -> Result<bool, StoreError> {
        let mark = if snapshot.file.has_mark { MARK } else { "" };
        if mark.len() + text.len() > file::MAX_SIZE {
            return Err(StoreError::unreadable(&self.target, &FileProblem::TooLarge));
        }
        // A rename needs no write permission on the file, but its owner made it read-only, and the
        // CLI could not write it either.
        if snapshot.old.as_ref().is_some_and(|old| old.read_only) {
            return Err(StoreError::io(
                "write",
                &self.target,
                &ErrorKind::PermissionDenied.into(),
            ));
        }
        // The name is always the same, so that the next change removes a file with keys that a
        // killed program left behind.
        let path = sibling(&self.target, ".tmp");
        let successor = Successor::create_anew(path.clone(), Access::Secret)
            .map_err(|error| StoreError::io("create", &path, &error))?;
        fill(&successor, &[mark, text], &self.target)
            .map_err(|error| StoreError::io("write", &path, &error))?;
        if self.stamp()? != snapshot.old {
            return Ok(false);
        }
        successor
            .replace(&self.target)
            .map_err(|refused| StoreError::io("replace", &self.target, &refused.error))?;
        Ok(true)
    }

    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        match fs::metadata(&self.target) {
            Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &self.target, &error)),
        }
    }
}

impl Snapshot {
    /// Returns the permission bits of the file if they grant other users access.
    pub(super) fn loose_mode(&self) -> Option<u32> {
        #[cfg(unix)]
        return self
            .old
            .as_ref()
            .map(|old| old.mode & 0o777)
            .filter(|mode| mode & 0o077 != 0);
        #[cfg(not(unix))]
        None
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            read_only: metadata.permissions().readonly(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            owner: (metadata.uid(), metadata.gid()),
            #[cfg(unix)]
            mode: metadata.mode(),
        }
    }
}

/// Returns the real path of the file, so that all programs that use it take the same lock, by
/// whatever link they reach it.
fn target(path: &Path, make_folder: bool) -> Result<Option<PathBuf>, StoreError> {
    let read_error = |error: &io::Error| StoreError::io("read", path, error);
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return match replace::real(path) {
            Ok(target) => Ok(Some(target)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(StoreError::unreadable(path, &FileProblem::DanglingLink))
            }
            Err(error) => Err(read_error(&error)),
        };
    }
    let irregular = |kind| StoreError::unreadable(path, &FileProblem::NotRegular(kind));
    let name = path.file_name().ok_or_else(|| irregular("a directory"))?;
    // In the long form of a path Windows would create a file that no program finds later.
    if file::is_device(path) {
        return Err(irregular("a device"));
    }
    let folder = replace::folder_of(path);
    let found = match replace::real(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound && make_folder => {
            make_private(folder).map_err(|error| StoreError::io("create", folder, &error))?;
            replace::real(folder)
        }
        found => found,
    };
    match found {
        Ok(folder) => Ok(Some(folder.join(name))),
        Err(error) if error.kind() == ErrorKind::NotFound && !make_folder => Ok(None),
        Err(error) => Err(read_error(&error)),
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens and locks the lock file. Returns `None` if another program has locked it.
fn take_lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Refuses a symbolic link, and does not block on a FIFO.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let file = match options.open(path) {
        Err(error) if replace::is_held(&error) => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn fill(successor: &Successor, pieces: &[&str], target: &Path) -> io::Result<()> {
    successor.follow(target)?;
    let mut file: &File = successor.file();
    for piece in pieces {
        file.write_all(piece.as_bytes())?;
    }
    // Synced before the metadata are compared, so that the rename follows the comparison at once.
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(path: &Path) -> Locked {
        let locked = Locked::acquire(path, false, Duration::ZERO);
        locked.unwrap().unwrap()
    }

    /// Covers the official CLI, which takes no lock and writes the file in place.
    #[test]
    fn a_change_by_a_program_without_the_lock_is_not_overwritten() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("config.toml");
        for old in [None, Some("a = 1\n")] {
            if let Some(old) = old {
                fs::write(&path, old).unwrap();
            }
            let locked = lock(&path);
            let snapshot = locked.read().unwrap();
            fs::write(&path, "theirs = 1\n").unwrap();
            assert!(!locked.replace(&snapshot, "ours = 1\n").unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), "theirs = 1\n");
            let snapshot = locked.read().unwrap();
            assert!(locked.replace(&snapshot, "ours = 1\n").unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), "ours = 1\n");
        }
    }

    #[cfg(windows)]
    #[test]
    fn a_device_is_no_file() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in ["NUL", "nul.toml", "CONIN$", "COM1 .toml"] {
            let problem = Locked::acquire(&folder.path().join(name), true, Duration::ZERO)
                .err()
                .unwrap();
            assert!(
                matches!(problem, StoreError::Unusable { .. }),
                "{name}: {problem}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(windows)]
    #[test]
    fn a_program_that_holds_what_a_change_needs_is_waited_for() {
        use crate::system::replace::tests::held_for_a_moment;
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("config.toml");
        let acquire = || Locked::acquire(&path, false, Duration::from_secs(20));
        let locked = held_for_a_moment(&sibling(&path, ".lock"), acquire)
            .unwrap()
            .unwrap();
        let snapshot = locked.read().unwrap();
        let replace = || locked.replace(&snapshot, "ours = 1\n");
        assert!(held_for_a_moment(&sibling(&path, ".tmp"), replace).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours = 1\n");
    }

    #[test]
    fn a_file_that_is_empty_for_a_moment_is_read_full() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "").unwrap();
        let locked = lock(&path);
        let text = thread::scope(|scope| {
            let read = scope.spawn(|| locked.read().unwrap().file.text.to_string());
            thread::sleep(SETTLE / 10);
            fs::write(&path, "theirs = 1\n").unwrap();
            read.join().unwrap()
        });
        assert_eq!(text, "theirs = 1\n");
    }
}
