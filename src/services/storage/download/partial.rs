//! A file that gets its name once it is complete.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::errors::{exists, failed, kept_as};
use crate::error::{Error, Result};
use crate::services::storage::blocking::blocking;
use crate::system::replace::{self, Access, Refused, Successor};
use crate::system::{memory, random};

/// How many other names are tried if a name exists.
const OTHERS: u32 = 1000;

/// A file under a temporary name in the folder of its place. It is removed on drop unless it got to
/// its place or is kept.
pub(super) struct Partial {
    place: PathBuf,
    /// Whether the server gives the name, which then may be changed.
    named: bool,
    overwrite: bool,
    successor: Successor,
}

impl Partial {
    /// Creates the file. If `named`, `place` is the folder, and [`set_name`](Self::set_name) sets
    /// the name.
    pub(super) fn create(place: PathBuf, named: bool, overwrite: bool) -> Result<Self> {
        let folder = if named {
            place.as_path()
        } else {
            replace::folder_of(&place)
        };
        let start: String = match place.file_name() {
            Some(name) if !named => name.to_string_lossy().chars().take(40).collect(),
            _ => "download".to_owned(),
        };
        let unique = random::unique_name().map_err(|e| failed("create", &place, &e))?;
        let path = folder.join(format!(".{start}.{unique}.part"));
        let shown = if named { &path } else { &place };
        let successor = Successor::create(path.clone(), Access::Plain)
            .map_err(|e| failed("create", shown, &e))?;
        let partial = Partial {
            place,
            named,
            overwrite,
            successor,
        };
        partial.follow()?;
        Ok(partial)
    }

    /// Sets the name if the place is a folder. If an existing file of this name cannot be replaced,
    /// this fails, or with `keep` the file will get another name.
    pub(super) fn set_name(&mut self, name: impl FnOnce() -> String, keep: bool) -> Result<()> {
        if self.named {
            self.place.push(name());
            match self.follow() {
                Err(_) if keep => self.overwrite = false,
                followed => followed?,
            }
        }
        Ok(())
    }

    /// Whether the file may replace an existing one. It never replaces a folder.
    fn replaces(&self) -> bool {
        self.overwrite && !self.place.is_dir()
    }

    fn follow(&self) -> Result<()> {
        if !self.replaces() {
            return Ok(());
        }
        self.successor
            .follow(&self.place)
            .map_err(|e| failed("create", &self.place, &e))
    }

    pub(super) async fn append(&self, block: Bytes) -> Result<()> {
        self.write(move |mut file| file.write_all(&block)).await
    }

    pub(super) async fn empty(&self) -> Result<()> {
        self.write(|mut file| file.set_len(0).and_then(|()| file.rewind()))
            .await
    }

    async fn write(
        &self,
        write: impl FnOnce(&File) -> io::Result<()> + Send + 'static,
    ) -> Result<()> {
        let (file, place) = (self.successor.file().clone(), self.place.clone());
        blocking(move || write(&file).map_err(|e| failed("write", &place, &e))).await
    }

    /// Moves the file to its place and returns the path. With `keep`, a file that cannot get there
    /// gets another name in the folder, which the error contains, or is returned with the error.
    pub(super) fn put_in_place(self, keep: bool) -> std::result::Result<PathBuf, Unplaced> {
        if let Err(why) = self.successor.file().sync_all() {
            return Err(Unplaced {
                error: failed("write", &self.place, &why),
                partial: Some(self),
            });
        }
        let replaces = self.replaces();
        let Self {
            place,
            named,
            successor,
            overwrite,
        } = self;
        let moved = match replaces {
            true => successor.replace(&place),
            false => successor.join(&place),
        };
        let Err(Refused {
            error: why,
            successor,
        }) = moved
        else {
            return Ok(place);
        };
        let taken = why.kind() == ErrorKind::AlreadyExists;
        let mut error = match taken {
            true => exists(&place),
            false => failed("create", &place, &why),
        };
        let mut partial = None;
        if keep || named && taken {
            match join_beside(successor, &place) {
                Ok(other) if named && taken => return Ok(other),
                Ok(other) => error = kept_as(&error, "the output is", &other),
                // The complete file is on the disk, so it stays under its temporary name.
                Err(mut successor) if keep && is_there(&successor) => {
                    successor.keep();
                    error = kept_as(&error, "the output is", successor.path());
                }
                Err(successor) => {
                    partial = Some(Self {
                        place,
                        named,
                        successor,
                        overwrite,
                    });
                }
            }
        }
        Err(Unplaced { error, partial })
    }

    /// Reads the first `length` bytes of the file and appends `rest`.
    pub(super) fn content(&self, length: u64, rest: &[u8]) -> Result<Vec<u8>> {
        let lost = |e: io::Error| failed("read", self.successor.path(), &e);
        let mut content = Vec::new();
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        memory::reserve(&mut content, size.saturating_add(rest.len()))?;
        let mut file = &**self.successor.file();
        file.rewind().map_err(lost)?;
        if file.take(length).read_to_end(&mut content).map_err(lost)? as u64 != length {
            return Err(lost(ErrorKind::UnexpectedEof.into()));
        }
        content.extend_from_slice(rest);
        Ok(content)
    }

    /// Keeps an incomplete file under another name, which is added to `error`.
    pub(super) fn leave(self, length: u64, error: &Error) -> Error {
        let what = format!("the first {length} bytes are");
        match join_beside(self.successor, &self.place) {
            Ok(other) => kept_as(error, &what, &other),
            Err(mut successor) if is_there(&successor) => {
                successor.keep();
                kept_as(error, &what, successor.path())
            }
            Err(_) => error.clone(),
        }
    }
}

/// The error of a file that did not get to its place, and the file if it is not kept elsewhere.
pub(super) struct Unplaced {
    pub(super) error: Error,
    pub(super) partial: Option<Partial>,
}

/// Whether the file still has its temporary name. Its folder may have been removed.
fn is_there(successor: &Successor) -> bool {
    replace::names(successor.path(), successor.file()).unwrap_or(false)
}

/// Gives the file another name in the folder of `place`.
fn join_beside(mut successor: Successor, place: &Path) -> std::result::Result<PathBuf, Successor> {
    for number in 1..=OTHERS {
        let other = other_name(place, number);
        match successor.join(&other) {
            Ok(()) => return Ok(other),
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
                successor = refused.successor
            }
            Err(refused) => return Err(refused.successor),
        }
    }
    Err(successor)
}

/// `a.png` becomes `a-1.png`.
fn other_name(place: &Path, number: u32) -> PathBuf {
    let mut name = place.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = place.extension() {
        name.push(".");
        name.push(extension);
    }
    place.with_file_name(name)
}
