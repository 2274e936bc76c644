//! A local file that is read in pieces, and the check that it does not change while it is read.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::blocking::blocking;
use crate::error::{Code, Error, Result};
use crate::system::{descriptors, memory, replace};

/// An open file, and its [`Stamp`] of that moment.
pub(super) struct LocalFile {
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

/// The metadata by which a change of a file is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) length: u64,
    modified: Option<SystemTime>,
    inode: Inode,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode: Inode::of(metadata),
        }
    }

    /// Whether `now` is a later stamp of the same file and shows no write to it. `named` is the
    /// stamp of the file that now has the path of this one.
    fn is_still(&self, now: &Stamp, named: Option<&Stamp>) -> bool {
        let named = named.map(|named| &named.inode);
        self.length == now.length
            && self.modified == now.modified
            && self.inode.is_still(&now.inode, named)
    }
}

/// The metadata of an inode.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    /// The device and the inode number, which identify a file.
    id: (u64, u64),
    /// The `ctime` in seconds and nanoseconds. A program cannot set it back.
    changed: (i64, i64),
    /// Owner, group, mode and number of links. A change of one also changes the `ctime`.
    other: (u32, u32, u32, u64),
}

#[cfg(unix)]
impl Inode {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Inode {
            id: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            other: (
                metadata.uid(),
                metadata.gid(),
                metadata.mode(),
                metadata.nlink(),
            ),
        }
    }

    /// Called when the `mtime` is the same. A different `ctime` then means that a program wrote to
    /// the file and set the `mtime` back, unless owner, group, mode, links or the path of the file
    /// changed, which changes the `ctime` too.
    fn is_still(&self, now: &Inode, named: Option<&Inode>) -> bool {
        let is_renamed = named.is_none_or(|named| named.id != self.id);
        self.id == now.id && (self.changed == now.changed || self.other != now.other || is_renamed)
    }
}

#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode;

#[cfg(not(unix))]
impl Inode {
    fn of(_: &Metadata) -> Self {
        Inode
    }

    fn is_still(&self, _: &Inode, _: Option<&Inode>) -> bool {
        true
    }
}

/// A file that was examined and closed, because the system limits the number of open files.
#[derive(PartialEq)]
pub(super) struct ClosedFile {
    path: PathBuf,
    stamp: Stamp,
}

impl ClosedFile {
    pub(super) async fn of(path: PathBuf) -> Result<Self> {
        let file = LocalFile::open(path).await?;
        Ok(ClosedFile {
            path: file.path.clone(),
            stamp: file.stamp,
        })
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Opens the file. Fails if it has changed since it was examined.
    pub(super) async fn open(&self) -> Result<Arc<LocalFile>> {
        let file = LocalFile::open(self.path.clone()).await?;
        if self.stamp.is_still(&file.stamp, Some(&file.stamp)) {
            Ok(file)
        } else {
            Err(file.changed())
        }
    }
}

impl LocalFile {
    pub(super) async fn open(path: PathBuf) -> Result<Arc<Self>> {
        blocking(move || Self::open_now(path).map(Arc::new)).await
    }

    fn open_now(path: PathBuf) -> Result<Self> {
        // Opening a pipe blocks until another program writes to it.
        let metadata = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?;
        if !metadata.is_file() {
            let message = format!("the path {path:?} is not a regular file");
            return Err(Error::invalid(message));
        }
        let file = replace::patiently(|| File::open(&path)).map_err(|e| unreadable(&path, &e))?;
        let stamp = Stamp::of(&file.metadata().map_err(|e| unreadable(&path, &e))?);
        let file = LocalFile { file, path, stamp };
        file.check_end()?;
        Ok(file)
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Reads `most` bytes at the offset `at`; there must be as many. The read of the last byte
    /// fails if the file has changed.
    pub(super) async fn read(self: &Arc<Self>, at: u64, most: usize) -> Result<Bytes> {
        let file = self.clone();
        blocking(move || {
            let mut piece = memory::room(most)?;
            piece.resize(most, 0);
            let got = file.fill(&mut piece, at)?;
            if got < most {
                return Err(file.changed());
            }
            if at + most as u64 == file.stamp.length {
                file.check()?;
            }
            Ok(piece.into())
        })
        .await
    }

    /// Fails if the file has changed since it was opened.
    pub(super) async fn unchanged(self: &Arc<Self>) -> Result<()> {
        let file = self.clone();
        blocking(move || file.check()).await
    }

    fn check(&self) -> Result<()> {
        let now = self.file.metadata();
        let now = Stamp::of(&now.map_err(|e| unreadable(&self.path, &e))?);
        let named = || std::fs::metadata(&self.path).as_ref().map(Stamp::of).ok();
        let is_still = now == self.stamp || self.stamp.is_still(&now, named().as_ref());
        if is_still {
            self.check_end()
        } else {
            Err(self.changed())
        }
    }

    /// Fails if the file is longer than its metadata says. Some file systems, such as procfs,
    /// report a length of 0 for every file.
    fn check_end(&self) -> Result<()> {
        match self.fill(&mut [0], self.stamp.length)? {
            0 => Ok(()),
            _ => Err(self.longer()),
        }
    }

    fn fill(&self, piece: &mut [u8], at: u64) -> Result<usize> {
        let mut got = 0;
        while got < piece.len() {
            match replace::patiently(|| read_at(&self.file, &mut piece[got..], at + got as u64)) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&self.path, &e)),
            }
        }
        Ok(got)
    }

    fn longer(&self) -> Error {
        let (path, length) = (&self.path, self.stamp.length);
        let message = format!(
            "the file {path:?} has more than the {length} bytes that the file system reports"
        );
        Error::new(Code::Io, message).with_path(path).with_remedy("Read the file into memory and send the bytes, or send a file that no program writes to.")
    }

    fn changed(&self) -> Error {
        let message = format!("the file {:?} changed before all of it was sent", self.path);
        Error::new(Code::Io, message)
            .with_path(&self.path)
            .with_remedy("Send a file that no program writes to.")
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::ResourceBusy if cfg!(windows) => replace::SET_FREE,
        _ if descriptors::are_used_up(error) => descriptors::REMEDY,
        _ => "Check the path, and that this program may read the file.",
    };
    let message = format!("cannot read the file {path:?}: {error}");
    Error::new(Code::Io, message)
        .with_path(path)
        .with_cause(error)
        .with_remedy(remedy)
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, at)
}

#[cfg(windows)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, at)
}

#[cfg(all(test, windows))]
mod tests {
    use std::os::windows::fs::OpenOptionsExt;

    use super::*;
    use crate::system::replace::tests::held_for_a_moment;

    #[test]
    fn a_file_that_another_program_holds_is_waited_for_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let file = held_for_a_moment(&path, || LocalFile::open_now(path.clone())).unwrap();
        drop(file);
        let _holder = std::fs::OpenOptions::new()
            .read(true)
            .share_mode(0)
            .open(&path)
            .unwrap();
        let error = LocalFile::open_now(path).err().unwrap();
        assert!(
            error.message().ends_with(": in use by another program"),
            "{error}"
        );
        assert!(error.remedy().starts_with("Close the program"), "{error}");
    }
}
