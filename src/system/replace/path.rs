//! The real path of a file, and names that Windows reserves for devices.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Returns the absolute path with all links resolved. On Windows some drivers cannot resolve a
/// path; if the file exists, the result is then its absolute path.
///
/// # Errors
///
/// The error of the system.
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

/// Returns the folder of a path, `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Returns whether Windows opens a device for this name. It does so in every folder.
pub(crate) fn names_device(name: &str) -> bool {
    // Windows ignores everything after the first dot, and spaces before it.
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
    // Windows takes superscripts for digits.
    number.is_some_and(|number| {
        matches!(number, "¹" | "²" | "³") || matches!(number.as_bytes(), [b'0'..=b'9'])
    })
}
