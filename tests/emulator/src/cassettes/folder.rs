//! The folder of recordings: each file appears there whole or not at all, whoever else writes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::names;
use super::notation::{self, Layout};
use super::tape::{DOWNLOAD, Download, MEDIA, Media, Tape};
use crate::storage;

/// What precedes the name of a file that is not complete.
const UNFINISHED: &str = ".new-";

pub(super) struct Folder {
    root: PathBuf,
    /// The size in bytes up to which a file is kept.
    largest: u64,
}

impl Folder {
    /// Creates the folder unless it exists.
    pub(super) fn open(root: &Path, largest: u64) -> io::Result<Self> {
        let root = root.to_owned();
        fs::create_dir_all(&root).map_err(|error| at(&root, "cannot create", &error))?;
        Ok(Self { root, largest })
    }

    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    /// Adds a recording behind all others of its endpoint.
    pub(super) fn add(&self, tape: &Tape) -> io::Result<()> {
        let mut folder = self.root.clone();
        folder.extend(names::folders(&tape.endpoint));
        let mut file = unfinished(&folder, text(tape)?.as_bytes())?;
        let mut number = last_number(&folder)? + 1;
        loop {
            let path = folder.join(format!("{number:04}.json"));
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(()),
                // Another process was faster.
                Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                    (file, number) = (failed.file, number + 1);
                }
                Err(failed) => return Err(at(&path, "cannot write", &failed.error)),
            }
        }
    }

    /// Keeps the bytes of a file, unless they are too many.
    pub(super) fn keep(&self, bytes: &[u8], content_type: &str) -> io::Result<Media> {
        let size = bytes.len() as u64;
        if size > self.largest {
            return Ok(self.too_large(size));
        }
        let name = storage::name_for(content_type).replacen("file", &names::hex(bytes), 1);
        self.replace(&name, bytes)?;
        Ok(Media {
            file: Some(name),
            left_out: None,
            size,
        })
    }

    /// A file that was left out because of its size.
    pub(super) fn too_large(&self, size: u64) -> Media {
        Media {
            file: None,
            left_out: Some(format!("larger than --max-media {}", self.largest)),
            size,
        }
    }

    /// Adds the download of a file, or replaces an earlier one of the same path.
    pub(super) fn add_download(&self, path: &str, download: &Download) -> io::Result<()> {
        let name = format!("{}{DOWNLOAD}", names::hash(path));
        self.replace(&name, text(download)?.as_bytes())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = self.root.join(MEDIA);
        let path = folder.join(name);
        unfinished(&folder, bytes)?
            .persist(&path)
            .map_err(|failed| at(&path, "cannot write", &failed.error))?;
        Ok(())
    }
}

/// A complete file that has no name yet. Dropping it removes it.
fn unfinished(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let failed = |error: io::Error| at(folder, "cannot write in", &error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // A recording is committed and read like any other file of a project.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    Ok(file)
}

fn text(recording: &impl Serialize) -> io::Result<String> {
    let json = serde_json::to_string(recording).map_err(io::Error::other)?;
    Ok(notation::laid_out(&json, Layout::Lines) + "\n")
}

fn last_number(folder: &Path) -> io::Result<u64> {
    let mut last = 0;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json"));
        last = last.max(number.and_then(|number| number.parse().ok()).unwrap_or(0));
    }
    Ok(last)
}

pub(super) fn at(path: &Path, failed: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{failed} {path:?}: {error}"))
}
