//! Uploaded bytes, stored on disk rather than in memory.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ring::digest::{Context, Digest, SHA256};
use tempfile::TempDir;
use uuid::Uuid;

/// The number of bytes that are hashed at once.
const CHUNK: u64 = 1 << 20;

/// The directory of an emulator. The first upload creates it; dropping the value removes it.
#[derive(Default)]
pub(crate) struct Disk(Mutex<Option<TempDir>>);

impl Disk {
    /// Creates a file to write to.
    pub(crate) fn spool(&self) -> io::Result<Spool> {
        let mut directory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = match &mut *directory {
            Some(directory) => directory,
            none => none.insert(tempfile::Builder::new().prefix("fal-emulator-").tempdir()?),
        };
        let path = directory.path().join(Uuid::new_v4().simple().to_string());
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Spool {
            file,
            path: Doomed(path),
            digest: Context::new(&SHA256),
            size: 0,
        })
    }
}

/// The path of a file. Dropping the last reference removes the file.
#[derive(Debug)]
struct Doomed(PathBuf);

impl Drop for Doomed {
    fn drop(&mut self) {
        // If the removal fails, removing the directory removes the file.
        let _ = fs::remove_file(&self.0);
    }
}

/// A file that is being written.
pub(crate) struct Spool {
    file: File,
    path: Doomed,
    digest: Context,
    size: u64,
}

impl Spool {
    /// Blocks only while the bytes are copied to the page cache, which costs less than another
    /// thread.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(self) -> Blob {
        Blob {
            path: self.path,
            size: self.size,
            sha256: hex(&self.digest.finish()),
        }
    }
}

/// A complete file.
#[derive(Debug)]
pub(crate) struct Blob {
    path: Doomed,
    pub(crate) size: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

impl Blob {
    fn path(&self) -> &Path {
        &self.path.0
    }
}

/// The files that form one file, in order.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    blobs: Arc<[Arc<Blob>]>,
    pub(crate) size: u64,
    /// In hexadecimal.
    pub(crate) sha256: String,
}

impl From<Arc<Blob>> for Stored {
    fn from(blob: Arc<Blob>) -> Self {
        Self {
            size: blob.size,
            sha256: blob.sha256.clone(),
            blobs: Arc::new([blob]),
        }
    }
}

impl Stored {
    /// Joins the files. Reads all of them once to compute the hash.
    pub(crate) fn join(blobs: Vec<Arc<Blob>>) -> io::Result<Self> {
        let size = blobs.iter().map(|blob| blob.size).sum();
        let mut joined = Self {
            blobs: blobs.into(),
            size,
            sha256: String::new(),
        };
        let mut digest = Context::new(&SHA256);
        let mut at = 0;
        while at < size {
            let bytes = joined.read(at, size.min(at + CHUNK))?;
            digest.update(&bytes);
            at += bytes.len() as u64;
        }
        joined.sha256 = hex(&digest.finish());
        Ok(joined)
    }

    /// Reads the bytes `from..to`, which must be within the file.
    pub(crate) fn read(&self, from: u64, to: u64) -> io::Result<Bytes> {
        let mut bytes = vec![0; to.saturating_sub(from) as usize];
        let mut filled = 0;
        let mut begin = 0;
        for blob in &*self.blobs {
            let end = begin + blob.size;
            let at = from + filled as u64;
            if (begin..end).contains(&at) && filled < bytes.len() {
                let wanted = (bytes.len() - filled).min((end - at) as usize);
                let mut file = File::open(blob.path())?;
                file.seek(SeekFrom::Start(at - begin))?;
                file.read_exact(&mut bytes[filled..filled + wanted])?;
                filled += wanted;
            }
            begin = end;
        }
        Ok(bytes.into())
    }
}

pub(super) fn hex(digest: &Digest) -> String {
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(disk: &Disk, bytes: &[u8]) -> Arc<Blob> {
        let mut spool = disk.spool().unwrap();
        spool.write(bytes).unwrap();
        Arc::new(spool.finish())
    }

    #[test]
    fn what_was_joined_reads_like_one_file() {
        let disk = Disk::default();
        let parts = [&b"abc"[..], b"", b"defg", b"h"].map(|bytes| blob(&disk, bytes));
        let joined = Stored::join(parts.to_vec()).unwrap();
        assert_eq!(joined.sha256, blob(&disk, b"abcdefgh").sha256);
        for from in 0..=8 {
            for to in from..=8 {
                assert_eq!(
                    joined.read(from, to).unwrap(),
                    b"abcdefgh"[from as usize..to as usize],
                    "{from}..{to}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_on_disk() {
        let disk = Disk::default();
        let blob = blob(&disk, b"abc");
        let path = blob.path().to_owned();
        assert!(path.exists());
        let unfinished = disk.spool().unwrap();
        let other = unfinished.path.0.clone();
        drop((blob, unfinished));
        assert!(!path.exists() && !other.exists());
        let directory = path.parent().unwrap().to_owned();
        assert!(directory.exists());
        drop(disk);
        assert!(!directory.exists());
    }
}
