//! A file that takes the place of another at once, or not at all.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::system::random;
use crate::system::replace::{self, Access, Successor};

/// Written beforehand, so that a full disk shows before the old token is used up. In bytes; tokens
/// take less.
const RESERVED: [u8; 16 << 10] = [b'\n'; 16 << 10];

/// A temporary file that is older was left behind by a killed process.
const STALE: Duration = Duration::from_secs(600);

const SUFFIX: &str = ".libfal";

/// The successor of an existing file, still without tokens. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Replacement {
    target: PathBuf,
    successor: Successor,
}

impl Replacement {
    /// Finds out whether `path`, or the file it links to, can be replaced.
    ///
    /// # Errors
    /// The system's; `PermissionDenied` for a file that nobody may write.
    pub(super) fn prepare(path: &Path) -> io::Result<Self> {
        let target = replace::real(path)?;
        // Renaming needs no permission on the file itself, and yet its owner said no.
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

    /// Puts the text in place. Once this returns, it has reached the disk.
    ///
    /// What the file holds is used up. So if it cannot be replaced, as while another program holds
    /// it, it is written over.
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
    let age = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    metadata.is_file() && age.is_some_and(|age| age > STALE)
}
