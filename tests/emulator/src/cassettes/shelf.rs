//! Reads a folder of recordings.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::folder::at;
use super::input::Input;
use super::tape::{DOWNLOAD, Download, MEDIA, Media, Tape};
use super::urls;

/// The number of folders in folders that are searched: enough for every id of an endpoint.
const DEEPEST: usize = 16;

/// A recording and where it is.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) tape: Tape,
    pub(super) input: Input,
    /// The path of the file below the folder of recordings, with `/`.
    pub(super) name: String,
}

/// All recordings of a folder.
#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    /// In the order of their recording.
    pub(super) tapes: Vec<std::sync::Arc<Loaded>>,
    /// By path at the CDN.
    pub(super) downloads: HashMap<String, Download>,
}

impl Shelf {
    /// Reads all recordings. An error names the file, the line and the column.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut shelf = Self {
            root: root.to_owned(),
            tapes: Vec::new(),
            downloads: HashMap::new(),
        };
        for path in files(root, 0)? {
            shelf.add(&path)?;
        }
        if shelf.tapes.is_empty() && shelf.downloads.is_empty() {
            let what = format!("{root:?} has no recording");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(shelf)
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let name: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        let name = name.join("/");
        if below.starts_with(MEDIA) {
            if !name.ends_with(DOWNLOAD) {
                return Ok(());
            }
            let download: Download = parsed(path)?;
            self.present(path, &download.media)?;
            let at_cdn = urls::file_path(&download.url);
            self.downloads.insert(at_cdn.unwrap_or_default(), download);
            return Ok(());
        }
        let tape: Tape = parsed(path)?;
        if let Some(media) = &tape.answer.media {
            self.present(path, media)?;
        }
        let input = Input::recorded(&tape);
        self.tapes
            .push(std::sync::Arc::new(Loaded { tape, input, name }));
        Ok(())
    }

    /// Whether the file that a recording names is there.
    fn present(&self, recording: &Path, media: &Media) -> io::Result<()> {
        match &media.file {
            Some(file) if !self.media(file).is_file() => {
                let what = format!(
                    "{}: the file {MEDIA}/{file} is missing",
                    recording.display()
                );
                Err(io::Error::new(io::ErrorKind::NotFound, what))
            }
            _ => Ok(()),
        }
    }

    /// The path of a file that belongs to a recording.
    pub(super) fn media(&self, file: &str) -> PathBuf {
        self.root.join(MEDIA).join(file)
    }
}

/// The recordings in a folder and below, in the order of their names.
fn files(folder: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let failed = |error: io::Error| at(folder, "cannot read the recordings in", &error);
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(failed)?;
    entries.sort_by_key(|path| {
        // Behind 9999 a longer number follows.
        let name = path.file_name().unwrap_or_default().to_owned();
        (number(path), name)
    });
    let mut found = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() && depth < DEEPEST {
            found.extend(files(&path, depth + 1)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push(path);
        }
    }
    Ok(found)
}

fn number(path: &Path) -> u64 {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

fn parsed<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    let text = fs::read_to_string(path).map_err(|error| at(path, "cannot read", &error))?;
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        let what = error.to_string().replace(&place, "");
        let what = format!("{}:{line}:{column}: {what}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}
