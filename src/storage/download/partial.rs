//! A file that appears once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::random;
use crate::storage::blocking::blocking;

/// Other names that are tried where one is taken.
const OTHERS: u32 = 1000;

/// Where a file is to be.
pub(super) enum Place {
    /// Here.
    Path(PathBuf),
    /// In this folder, under a name that is known later.
    Folder(PathBuf),
}

/// A file beside its place, removed unless it gets there.
pub(super) struct Partial {
    place: PathBuf,
    /// Whether the name is the server's, so that another is as good.
    named: bool,
    overwrite: bool,
    path: PathBuf,
    file: Arc<File>,
    stays: bool,
}

impl Partial {
    pub(super) fn create(place: Place, overwrite: bool) -> Result<Self> {
        let (place, folder, named) = match place {
            Place::Path(path) => (path.clone(), folder_of(&path).to_owned(), false),
            Place::Folder(folder) => (folder.clone(), folder, true),
        };
        let start: String = match place.file_name() {
            Some(name) if !named => name.to_string_lossy().chars().take(40).collect(),
            _ => "download".to_owned(),
        };
        let unique = random::unique_name().map_err(|e| failed("create", &place, &e))?;
        let path = folder.join(format!(".{start}.{unique}.part"));
        let shown = if named { &path } else { &place };
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = Arc::new(file.map_err(|e| failed("create", shown, &e))?);
        let partial = Partial { place, named, overwrite, path, file, stays: false };
        partial.take_mode()?;
        Ok(partial)
    }

    /// What the file in the folder is called, if it has no name yet.
    pub(super) fn called(&mut self, name: impl FnOnce() -> String) -> Result<()> {
        if self.named {
            self.place.push(name());
            self.take_mode()?;
        }
        Ok(())
    }

    /// Nobody else may read the new content than the old.
    fn take_mode(&self) -> Result<()> {
        #[cfg(unix)]
        if let Ok(old) = self.place.symlink_metadata()
            && self.overwrite
            && old.is_file()
        {
            self.file.set_permissions(old.permissions()).map_err(|e| failed("create", &self.place, &e))?;
        }
        Ok(())
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

    /// Where it is in the end. What cannot be had again is kept where it can be, and the error says where.
    pub(super) fn put_in_place(mut self, keep: bool) -> Result<PathBuf> {
        self.file.sync_all().map_err(|e| failed("write", &self.place, &e))?;
        let replaces = self.overwrite && !self.place.is_dir();
        let moved = if replaces { fs::rename(&self.path, &self.place) } else { self.link(&self.place) };
        let Err(why) = moved else {
            self.stays = true;
            return Ok(self.place.clone());
        };
        let taken = why.kind() == ErrorKind::AlreadyExists;
        let error = if taken { exists(&self.place) } else { failed("create", &self.place, &why) };
        if !(keep || self.named && taken) {
            return Err(error);
        }
        let other =
            (1..=OTHERS).map(|number| other_name(&self.place, number)).find_map(|other| match self.link(&other) {
                Ok(()) => Some(Some(other)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => None,
                Err(_) => Some(None),
            });
        match other.flatten() {
            Some(other) if self.named && taken => {
                self.stays = true;
                Ok(other)
            }
            Some(other) => {
                self.stays = true;
                Err(kept(&error, &other))
            }
            None if keep => {
                self.stays = true;
                Err(kept(&error, &self.path))
            }
            None => Err(error),
        }
    }

    /// A link is never made over a file. Where there are no links, a moment is left in which somebody else may create one.
    fn link(&self, place: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, place) {
            Ok(()) => fs::remove_file(&self.path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
            Err(_) if place.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(&self.path, place),
        }
    }
}

/// `a.png` is `a-1.png`.
fn other_name(place: &Path, number: u32) -> PathBuf {
    let mut name = place.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = place.extension() {
        name.push(".");
        name.push(extension);
    }
    place.with_file_name(name)
}

fn kept(error: &Error, at: &Path) -> Error {
    let message = format!("{}; what came is kept as {}", error.message(), at.display());
    error.clone().with_message(message)
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.stays {
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
