//! A file that appears once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::random;
use crate::storage::blocking::blocking;

/// A file beside its place, removed unless it gets there.
pub(super) struct Partial {
    place: PathBuf,
    overwrite: bool,
    path: PathBuf,
    file: Arc<File>,
    in_place: bool,
}

impl Partial {
    pub(super) fn create(place: PathBuf, overwrite: bool) -> Result<Self> {
        if !overwrite && place.symlink_metadata().is_ok() {
            return Err(exists(&place));
        }
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let start: String = name.chars().take(40).collect();
        let unique = random::unique_name().map_err(|e| failed("create", &place, &e))?;
        let path = folder_of(&place).join(format!(".{start}.{unique}.part"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = Arc::new(file.map_err(|e| failed("create", &place, &e))?);
        Ok(Partial { place, overwrite, path, file, in_place: false })
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    pub(super) async fn append(&self, block: Bytes) -> Result<()> {
        let (file, place) = (self.file.clone(), self.place.clone());
        blocking(move || (&*file).write_all(&block).map_err(|e| failed("write", &place, &e))).await
    }

    pub(super) async fn empty(&self) -> Result<()> {
        let (file, place) = (self.file.clone(), self.place.clone());
        blocking(move || {
            let emptied = file.set_len(0).and_then(|()| (&*file).rewind());
            emptied.map_err(|e| failed("write", &place, &e))
        })
        .await
    }

    pub(super) fn put_in_place(mut self) -> Result<()> {
        self.file.sync_all().map_err(|e| failed("write", &self.place, &e))?;
        let moved = match self.overwrite {
            true => fs::rename(&self.path, &self.place),
            false => self.link(),
        };
        match moved {
            Ok(()) => {
                self.in_place = true;
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(exists(&self.place)),
            Err(e) => Err(failed("create", &self.place, &e)),
        }
    }

    /// A link is never made over a file. Where there are no links, a moment is left in which somebody else may create one.
    fn link(&self) -> io::Result<()> {
        match fs::hard_link(&self.path, &self.place) {
            Ok(()) => fs::remove_file(&self.path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            Err(_) if self.place.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(&self.path, &self.place),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(super) fn exists(path: &Path) -> Error {
    Error::new(Code::Io, format!("{} exists already", path.display()))
        .with_remedy("Choose another path, or allow that the file is replaced.")
}

pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let failed = Error::new(Code::Io, format!("cannot {what} {}: {error}", path.display()));
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            failed.with_remedy("Make room on that disk, or choose a path on another.")
        }
        ErrorKind::FileTooLarge => failed.with_remedy("Files there, or of this process, may not be so large."),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            failed.with_remedy("Choose a folder in which this program may create files.")
        }
        _ => failed,
    }
}
