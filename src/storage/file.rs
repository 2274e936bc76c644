//! A local file that is read in pieces and must not change meanwhile.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::blocking::blocking;
use crate::error::{Code, Error, Result};

/// An open file, as it was when it was opened.
pub(super) struct LocalFile {
    file: File,
    path: PathBuf,
    stamp: Stamp,
}

/// What a change of the file changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub(super) length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp { length: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl LocalFile {
    pub(super) async fn open(path: PathBuf) -> Result<Arc<Self>> {
        blocking(move || {
            // A pipe would be waited for, so it is not even opened.
            let metadata = std::fs::metadata(&path).map_err(|e| unreadable(&path, &e))?;
            if !metadata.is_file() {
                return Err(Error::invalid(format!("{} is not a regular file", path.display())));
            }
            let file = File::open(&path).map_err(|e| unreadable(&path, &e))?;
            let stamp = Stamp::of(&file.metadata().map_err(|e| unreadable(&path, &e))?);
            let file = LocalFile { file, path, stamp };
            file.check_end()?;
            Ok(Arc::new(file))
        })
        .await
    }

    pub(super) fn is_same(&self, other: &LocalFile) -> bool {
        self.path == other.path && self.stamp == other.stamp
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The bytes from `at`, at most `most` of them but never none. What ends the file also finds out whether it changed.
    pub(super) async fn read(self: &Arc<Self>, at: u64, most: usize) -> Result<Bytes> {
        let file = self.clone();
        blocking(move || {
            let mut piece = vec![0; most];
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

    /// Fails if the file is not what it was.
    pub(super) async fn unchanged(self: &Arc<Self>) -> Result<()> {
        let file = self.clone();
        blocking(move || file.check()).await
    }

    fn check(&self) -> Result<()> {
        let now = Stamp::of(&self.file.metadata().map_err(|e| unreadable(&self.path, &e))?);
        if now == self.stamp { self.check_end() } else { Err(self.changed()) }
    }

    /// Fails if there is more than the file system says: some say of every file that it is empty.
    fn check_end(&self) -> Result<()> {
        match self.fill(&mut [0], self.stamp.length)? {
            0 => Ok(()),
            _ => Err(self.longer()),
        }
    }

    fn fill(&self, piece: &mut [u8], at: u64) -> Result<usize> {
        let mut got = 0;
        while got < piece.len() {
            match read_at(&self.file, &mut piece[got..], at + got as u64) {
                Ok(0) => break,
                Ok(count) => got += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&self.path, &e)),
            }
        }
        Ok(got)
    }

    fn longer(&self) -> Error {
        let (path, length) = (self.path.display(), self.stamp.length);
        Error::new(Code::Io, format!("{path} has more than the {length} bytes that the file system says it has"))
            .with_remedy("Read it into memory, and send the bytes; or send a file that nobody writes to. Nothing of this one was sent.")
    }

    fn changed(&self) -> Error {
        Error::new(Code::Io, format!("{} changed while it was sent", self.path.display()))
            .with_remedy("Send a file that nobody writes to; nothing of this one was announced.")
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(Code::Io, format!("{} cannot be read: {error}", path.display()))
        .with_remedy("Check the path, and that this program may read the file.")
}

#[cfg(unix)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, piece, at)
}

#[cfg(windows)]
fn read_at(file: &File, piece: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, piece, at)
}
