//! Replaces files atomically.
//!
//! The new file, the successor, is written to the target's folder under another name, and synced to
//! the disk before it is renamed. If the process ends at any point, the target is the old file or
//! the new one.
//!
//! On Unix the folder is synced as well. On Windows no other program can open the successor, and
//! another program, such as a virus scanner, may have the target open: the rename is then retried
//! for [`PATIENCE`]. Code that opens or reads a file that other programs use calls [`patiently`].
//!
//! The successor keeps the target's permissions: on Unix the owner, and the mode of a file without
//! secrets; on Windows the access control list and the attributes. On Unix, access control lists
//! and extended attributes are lost.
//!
//! The crates `tempfile` and `atomic-write-file` are not used: on Windows they neither retry nor
//! copy access control lists.

mod access;
mod held;
mod path;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
#[allow(unsafe_code)]
mod windows;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use access::Access;
pub(crate) use held::{IN_USE, PATIENCE, SET_FREE, is_denied, is_held, patiently, said};
pub(crate) use path::{folder_of, names_device, real};
#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;
#[cfg(windows)]
pub(crate) use windows::who_else_reads;

/// A new file that will replace the target. Dropping it removes the file.
#[derive(Debug)]
pub(crate) struct Successor {
    path: PathBuf,
    access: Access,
    file: Arc<File>,
    is_kept: bool,
}

impl Successor {
    /// Creates an empty file at `path`, which must be in the target's folder. Fails with
    /// `AlreadyExists` if the name is taken.
    pub(crate) fn create(path: PathBuf, access: Access) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // Readable, because a caller may still use the content when the rename fails.
        options.read(true).write(true).create_new(true);
        let file = Arc::new(system::create(&mut options, &path, access)?);
        Ok(Self {
            path,
            access,
            file,
            is_kept: false,
        })
    }

    /// Like [`create`](Self::create), but first removes a file that a killed program left at
    /// `path`.
    pub(crate) fn create_anew(path: PathBuf, access: Access) -> io::Result<Self> {
        match Self::create(path.clone(), access) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                held::while_held(|| match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Self::create(path.clone(), access),
                })
            }
            created => created,
        }
    }

    /// Copies the permissions of `old`, if that file exists. Must be called before anything is
    /// written, so that the new content never has more readers than the old.
    pub(crate) fn follow(&self, old: &Path) -> io::Result<()> {
        match old.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => {
                system::follow(&self.file, old, &metadata, self.access)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Replaces the file or link at `target`, which need not exist. The new file is on the disk
    /// when this returns.
    ///
    /// # Errors
    ///
    /// The error of the system; `ResourceBusy` if another program on Windows keeps the target open.
    /// The target is then unchanged.
    pub(crate) fn replace(self, target: &Path) -> Result<(), Refused> {
        self.rename_by(|path| system::replace(path, target), target)
    }

    /// Renames the file to `target`, which must not exist. The new file is on the disk when this
    /// returns.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if `target` exists, else the errors of [`replace`](Self::replace).
    pub(crate) fn join(self, target: &Path) -> Result<(), Refused> {
        self.rename_by(|path| system::join(path, target), target)
    }

    fn rename_by(
        mut self,
        rename: impl FnOnce(&Path) -> io::Result<()>,
        target: &Path,
    ) -> Result<(), Refused> {
        if let Err(error) = self.file.sync_all().and_then(|()| rename(&self.path)) {
            return Err(Refused {
                error,
                successor: self,
            });
        }
        self.is_kept = true;
        // Windows lets other programs open the file only once it is closed.
        drop(self);
        system::settle(target);
        Ok(())
    }

    /// Makes dropping leave the file in place.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }
}

/// A file that could not be renamed, and the cause.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: io::Error,
    pub(crate) successor: Successor,
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Overwrites the content of a file that cannot be replaced. Not atomic: for content whose loss is
/// worse than a damaged file.
///
/// # Errors
///
/// The error of the system; `ResourceBusy` as for [`Successor::replace`]. The content is then
/// undefined.
pub(crate) fn write_over(target: &Path, content: &[u8]) -> io::Result<()> {
    held::while_held(|| {
        let mut file = OpenOptions::new().write(true).open(target)?;
        file.write_all(content)?;
        file.set_len(content.len() as u64)?;
        file.sync_all()
    })
}

/// Returns whether the path still names this open file, and not one that has replaced it.
///
/// # Errors
///
/// The error of the system.
pub(crate) fn names(path: &Path, file: &File) -> io::Result<bool> {
    match system::identity_at(path) {
        Ok(named) => Ok(named == system::identity(file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests;
