//! A file takes the place of another: at once or not at all.
//!
//! The successor is written beside the target under another name, and reaches the disk before the
//! target changes. On a Unix it is renamed, and the folder is written too. On Windows no other
//! program can open it meanwhile, and what it is to replace may be open in another program, such as
//! a virus scanner: then it is tried for [`PATIENCE`]. Whenever the process ends, the target is the
//! old file or the new one. Every file that others may hold is opened and read [`patiently`].
//!
//! What the target allowed stays: on a Unix the owner, and of a file that holds no secret the mode;
//! on Windows the access control list and the attributes. A Unix's access control lists and
//! extended attributes are not carried over.

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

/// A file that is to take a place, removed unless it gets there.
#[derive(Debug)]
pub(crate) struct Successor {
    path: PathBuf,
    access: Access,
    file: Arc<File>,
    stays: bool,
}

impl Successor {
    /// An empty file of this name, which is free and in the folder of the target.
    pub(crate) fn create(path: PathBuf, access: Access) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        // Read, because what cannot get to its place may be wanted all the same.
        options.read(true).write(true).create_new(true);
        let file = Arc::new(system::create(&mut options, &path, access)?);
        Ok(Self {
            path,
            access,
            file,
            stays: false,
        })
    }

    /// The same in the place of what a program that was killed may have left under this name.
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

    /// Takes over what `old` allows, if there is such a file, before anything is written. Nobody
    /// else may read the new content than the old.
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

    /// Takes the place of what is at `target`, be it a link; nothing need be there. Has reached the
    /// disk once this returns.
    ///
    /// # Errors
    /// The system's; `ResourceBusy` on Windows if another program had the target open all the time.
    /// The target is as it was.
    pub(crate) fn replace(self, target: &Path) -> Result<(), Refused> {
        self.go(|path| system::replace(path, target), target)
    }

    /// Takes a place where nothing is. Has reached the disk once this returns.
    ///
    /// # Errors
    /// `AlreadyExists`, else as [`replace`](Self::replace).
    pub(crate) fn join(self, target: &Path) -> Result<(), Refused> {
        self.go(|path| system::join(path, target), target)
    }

    fn go(
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
        self.stays = true;
        // Closed, so that others may open it.
        drop(self);
        system::settle(target);
        Ok(())
    }

    /// Leaves the file where it is.
    pub(crate) fn keep(&mut self) {
        self.stays = true;
    }
}

/// A file that did not get into its place, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: io::Error,
    pub(crate) successor: Successor,
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes over a file that cannot be replaced, for what is worse lost than cut. Keeps everything
/// but the content.
///
/// # Errors
/// The system's; `ResourceBusy` as above. The file may then hold anything.
pub(crate) fn write_over(target: &Path, content: &[u8]) -> io::Result<()> {
    held::while_held(|| {
        let mut file = OpenOptions::new().write(true).open(target)?;
        file.write_all(content)?;
        file.set_len(content.len() as u64)?;
        file.sync_all()
    })
}

/// Whether the path still leads to this file, and not to one that has taken its place.
///
/// # Errors
/// The system's.
pub(crate) fn names(path: &Path, file: &File) -> io::Result<bool> {
    match system::identity_at(path) {
        Ok(named) => Ok(named == system::identity(file)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests;
