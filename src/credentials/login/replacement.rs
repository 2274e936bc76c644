//! Replaces the login file atomically.
//!
//! Crates such as tempfile and atomic-write-file neither reserve the disk space in advance nor wait
//! for a file that another program holds on Windows.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::system::random;
use crate::system::replace::{self, Access, Successor};

/// Written before the request, so that a full disk is noticed before the refresh token is used.
/// Tokens are shorter than these 16 KiB.
const RESERVED: [u8; 16 << 10] = [b'\n'; 16 << 10];

/// The age from which a temporary file counts as left behind by a killed process.
const STALE: Duration = Duration::from_secs(600);

const SUFFIX: &str = ".libfal";

/// A file that will replace an existing file. It holds no token yet, and dropping removes it.
#[derive(Debug)]
pub(super) struct Replacement {
    target: PathBuf,
    successor: Successor,
}

impl Replacement {
    /// Creates the successor of `path`, or of the file that `path` links to.
    ///
    /// # Errors
    /// Those of the system, and `PermissionDenied` if the file is read-only.
    pub(super) fn prepare(path: &Path) -> io::Result<Self> {
        let target = replace::real(path)?;
        // A rename would succeed on a read-only file, but its owner does not want it to change.
        if fs::metadata(&target)?.permissions().readonly() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        remove_stale(&target);
        let successor = create(&target)?;
        successor.follow(&target)?;
        (&**successor.file()).write_all(&RESERVED)?;
        successor.file().sync_all()?;
        Ok(Self { target, successor })
    }

    /// Replaces the file by one with this text, and syncs it to disk.
    ///
    /// The refresh token in the old file no longer works. So if the file cannot be replaced, for
    /// example because another program holds it, it is overwritten in place.
    pub(super) fn commit(self, text: &str) -> io::Result<()> {
        let Self { target, successor } = self;
        let mut file = &**successor.file();
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        let replaced = successor.replace(&target);
        replaced.or_else(|refused| {
            replace::write_over(&target, text.as_bytes()).map_err(|_| refused.error)
        })
    }
}

fn create(target: &Path) -> io::Result<Successor> {
    loop {
        let mut name = prefix(target);
        name.push(random::unique_name()? + SUFFIX);
        match Successor::create(target.with_file_name(name), Access::Secret) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
}

/// Returns `.<name>.`, the start of the names of temporary files.
fn prefix(target: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

/// Removes temporary files that killed processes left behind. Ignores errors, because such files
/// are harmless.
fn remove_stale(target: &Path) {
    let prefix = prefix(target).into_encoded_bytes();
    let entries = target.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().into_encoded_bytes();
        let temporary = name.starts_with(&prefix) && name.ends_with(SUFFIX.as_bytes());
        if temporary && entry.metadata().is_ok_and(|metadata| is_stale(&metadata)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_stale(metadata: &Metadata) -> bool {
    let age = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    metadata.is_file() && age.is_some_and(|age| age > STALE)
}
