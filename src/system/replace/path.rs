//! Where a path leads, and what its name means to Windows.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where a path leads in the end, all links followed.
///
/// # Errors
/// The system's; not for what exists on a disk whose driver cannot tell, as some of Windows'
/// cannot.
pub(crate) fn real(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|error| as_named(path, error))
}

pub(super) fn as_named(path: &Path, error: io::Error) -> io::Result<PathBuf> {
    let is_there = error.kind() != io::ErrorKind::NotFound && path.exists();
    if cfg!(windows) && is_there {
        std::path::absolute(path)
    } else {
        Err(error)
    }
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Whether Windows takes the name for a device, in every folder and with any extension.
pub(crate) fn names_device(name: &str) -> bool {
    // A device is known before a dot, and before blanks.
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) || is_port(&stem)
}

fn is_port(stem: &str) -> bool {
    let number = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    // Superscripts count as digits there.
    number.is_some_and(|number| {
        matches!(number, "¹" | "²" | "³") || matches!(number.as_bytes(), [b'0'..=b'9'])
    })
}
