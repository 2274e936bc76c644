//! A file that takes the place of another at once, or not at all.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::random;

/// Written beforehand, so that a full disk shows before the old token is used up. In bytes; tokens take less.
const RESERVED: [u8; 16 << 10] = [b'\n'; 16 << 10];

/// A temporary file that is older was left behind by a killed process.
const STALE: Duration = Duration::from_secs(600);

const SUFFIX: &str = ".libfal";

/// The successor of an existing file, still empty, 0600, beside it. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Replacement {
    target: PathBuf,
    temporary: Temporary,
}

impl Replacement {
    /// Finds out whether `path`, or the file it links to, can be replaced.
    ///
    /// # Errors
    /// The system's; `PermissionDenied` for a file that nobody may write.
    pub(super) fn prepare(path: &Path) -> io::Result<Self> {
        let target = fs::canonicalize(path)?;
        let current = fs::metadata(&target)?;
        // Renaming needs no permission on the file itself, and yet its owner said no.
        if current.permissions().readonly() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        remove_stale(&target);
        let mut temporary = Temporary::create(&target)?;
        keep_owner(&temporary.file, &current)?;
        temporary.file.write_all(&RESERVED)?;
        temporary.file.sync_all()?;
        Ok(Self { target, temporary })
    }

    /// Puts the text in place. Once this returns, it has reached the disk.
    pub(super) fn commit(self, text: &str) -> io::Result<()> {
        let Self { target, mut temporary } = self;
        temporary.file.rewind()?;
        temporary.file.write_all(text.as_bytes())?;
        temporary.file.set_len(text.len() as u64)?;
        temporary.file.sync_all()?;
        temporary.rename(&target)?;
        sync_folder(&target);
        Ok(())
    }
}

#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(target: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        loop {
            let mut name = prefix(target);
            name.push(random::unique_name()? + SUFFIX);
            let path = target.with_file_name(name);
            match options.open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| Self { path, file }),
            }
        }
    }

    fn rename(&self, target: &Path) -> io::Result<()> {
        let mut attempts = if cfg!(windows) { 50 } else { 1 };
        loop {
            attempts -= 1;
            match fs::rename(&self.path, target) {
                // On Windows a file that somebody reads cannot be replaced.
                Err(error) if error.kind() == ErrorKind::PermissionDenied && attempts > 0 => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                done => return done,
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// `.<name>.`
fn prefix(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Removes what killed processes left behind. Only a nuisance is left if that fails.
fn remove_stale(target: &Path) {
    let prefix = prefix(target).into_encoded_bytes();
    let entries = target.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().into_encoded_bytes();
        let ours = name.starts_with(&prefix) && name.ends_with(SUFFIX.as_bytes());
        if ours && entry.metadata().is_ok_and(|metadata| is_stale(&metadata)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_stale(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    metadata.is_file() && age.is_some_and(|age| age > STALE)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

/// A new file in the user's profile is private by inheritance.
#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

/// A file that root renews for a user stays the user's.
#[cfg(unix)]
fn keep_owner(file: &File, current: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if file.metadata()?.uid() == current.uid() {
        return Ok(());
    }
    fchown(file, Some(current.uid()), Some(current.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the rename last. Some file systems cannot; the new file is complete all the same.
fn sync_folder(target: &Path) {
    if cfg!(unix)
        && let Some(folder) = target.parent()
    {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
