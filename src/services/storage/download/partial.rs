//! A file that appears once it is whole.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::errors::{exists, failed, kept};
use crate::error::{Error, Result};
use crate::services::storage::blocking::blocking;
use crate::system::replace::{self, Access, Refused, Successor};
use crate::system::{memory, random};

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
    successor: Successor,
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

    /// What the file in the folder is called, if it has no name yet. What cannot be had again
    /// (`keep`) gets another name where it may not replace that file.
    pub(super) fn called(&mut self, name: impl FnOnce() -> String, keep: bool) -> Result<()> {
        if self.named {
            self.place.push(name());
            match self.follow() {
                Err(_) if keep => self.overwrite = false,
                followed => followed?,
            }
        }
        Ok(())
    }

    /// What it replaces is a file, not a folder.
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

    /// Where it is in the end. What cannot be had again (`keep`) is kept beside its place, and the
    /// error says where; or it comes back.
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
                Ok(other) => error = kept(&error, "what came is", &other),
                // All of it is on the disk: there it is safest, if it has a name yet.
                Err(mut successor) if keep && is_there(&successor) => {
                    successor.keep();
                    error = kept(&error, "what came is", successor.path());
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

    /// Its first bytes, as many as were written, and what follows.
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

    /// Leaves what is there of a file that did not become whole beside its place, and says so.
    pub(super) fn leave(self, length: u64, error: &Error) -> Error {
        let what = format!("the first {length} bytes are");
        match join_beside(self.successor, &self.place) {
            Ok(other) => kept(error, &what, &other),
            Err(mut successor) if is_there(&successor) => {
                successor.keep();
                kept(error, &what, successor.path())
            }
            Err(_) => error.clone(),
        }
    }
}

/// A file that did not get to its place, and why; itself, if it is not kept elsewhere.
pub(super) struct Unplaced {
    pub(super) error: Error,
    pub(super) partial: Option<Partial>,
}

/// Whether somebody finds it under its name: its folder may be gone.
fn is_there(successor: &Successor) -> bool {
    replace::names(successor.path(), successor.file()).unwrap_or(false)
}

/// Takes another name in the folder, if one can be had.
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

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
