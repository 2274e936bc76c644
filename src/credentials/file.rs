//! Reads files that may contain a secret.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::system::replace;

/// The maximum size of a file, in bytes.
pub(super) const MAX_SIZE: usize = 1 << 20;

/// The text of a file, without a byte order mark.
pub(super) struct SecretFile {
    pub(super) text: Zeroizing<String>,
    /// Whether the file starts with a byte order mark.
    pub(super) has_mark: bool,
    /// A remark and a remedy if other users have access to the file.
    pub(super) exposed: Option<String>,
}

/// Why a file cannot be used. Contains no part of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileProblem {
    Missing,
    DanglingLink,
    NotRegular(&'static str),
    TooLarge,
    Utf16,
    NotUtf8 { valid_bytes: usize },
    Io(ErrorKind),
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::DanglingLink => f.write_str("a symbolic link to a file that does not exist"),
            Self::NotRegular(kind) => write!(f, "{kind}, not a regular file"),
            Self::TooLarge => write!(f, "larger than {MAX_SIZE} bytes"),
            Self::Utf16 => f.write_str("UTF-16 text: save it as UTF-8"),
            Self::NotUtf8 { valid_bytes } => {
                write!(f, "not UTF-8 text at byte {}", valid_bytes + 1)
            }
            Self::Io(kind) => f.write_str(&replace::said(*kind)),
        }
    }
}

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            kind => Self::Io(kind),
        }
    }
}

/// Reads a regular file.
///
/// Refuses FIFOs and devices without opening them, so it never blocks on one.
pub(super) fn read(path: &Path) -> Result<SecretFile, FileProblem> {
    if is_device(path) {
        return Err(FileProblem::NotRegular("a device"));
    }
    let metadata = fs::metadata(path).map_err(|error| missing_or(path, error))?;
    check_regular(&metadata)?;
    let mut file = replace::patiently(|| open(path))?;
    // The path may name another file by now.
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    let bytes = read_all(&mut file, &metadata)?;
    let text = decode(&bytes)?;
    let has_mark = bytes.len() > text.len();
    Ok(SecretFile {
        text,
        has_mark,
        exposed: exposed(path, &metadata),
    })
}

/// Returns whether the file name is that of a Windows device, such as `NUL`. Windows ignores the
/// folder of such a path.
pub(super) fn is_device(path: &Path) -> bool {
    cfg!(windows)
        && path
            .file_name()
            .and_then(OsStr::to_str)
            .is_some_and(replace::names_device)
}

fn missing_or(path: &Path, error: io::Error) -> FileProblem {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    match FileProblem::from(error) {
        FileProblem::Missing if is_link => FileProblem::DanglingLink,
        problem => problem,
    }
}

fn check_regular(metadata: &Metadata) -> Result<(), FileProblem> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(FileProblem::NotRegular("a directory"))
    } else {
        Err(FileProblem::NotRegular(special_kind(metadata)))
    }
}

#[cfg(unix)]
fn special_kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special_kind(_: &Metadata) -> &'static str {
    "a device"
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    careful(options.read(true));
    options.open(path)
}

/// Makes a new file private, and prevents a FIFO that has replaced the file from blocking the open.
#[cfg(unix)]
pub(super) fn careful(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options
        .mode(0o600)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
}

#[cfg(not(unix))]
pub(super) fn careful(_: &mut OpenOptions) {}

fn read_all(file: &mut File, metadata: &Metadata) -> Result<Zeroizing<Vec<u8>>, FileProblem> {
    let too_large = |size: u64| size > MAX_SIZE as u64;
    if too_large(metadata.len()) {
        return Err(FileProblem::TooLarge);
    }
    // One buffer with room for a file that grows during the read. A vector that grows leaves copies
    // of the secret in memory.
    let size = usize::try_from(metadata.len())
        .unwrap_or(MAX_SIZE)
        .max(SPARE)
        + SPARE;
    let mut bytes = Zeroizing::new(vec![0; size.min(MAX_SIZE + 1)]);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match replace::patiently(|| file.read(rest)) {
            Ok(0) => {
                bytes.truncate(filled);
                return Ok(bytes);
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(FileProblem::TooLarge)
}

/// By how many bytes a file may grow while it is read.
const SPARE: usize = 4096;

fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, FileProblem> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(FileProblem::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| FileProblem::NotUtf8 {
        valid_bytes: error.valid_up_to(),
    })?;
    Ok(Zeroizing::new(
        text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
    ))
}

#[cfg(unix)]
fn exposed(path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    let access = match mode {
        _ if mode & 0o044 != 0 => "readable",
        _ if mode & 0o022 != 0 => "writable",
        _ => return None,
    };
    Some(format!(
        "{access} by others (mode {mode:04o}): chmod 600 {}",
        shown(path)
    ))
}

#[cfg(windows)]
fn exposed(path: &Path, _: &Metadata) -> Option<String> {
    let who = replace::who_else_reads(path)?;
    let path = shown(path);
    Some(format!(
        "readable by {who}: icacls \"{path}\" /inheritance:r /grant:r \"%USERNAME%:F\" SYSTEM:F"
    ))
}

/// Returns a path in printable form: without control characters. A text that may be a key instead
/// of a path is replaced by a placeholder.
pub(super) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let text = if cfg!(windows) { plain(text) } else { text };
    let rooted = path.is_absolute() || text.starts_with(['~', '.']);
    let has_separator = text.contains(std::path::is_separator);
    if rooted || (has_separator && !text.contains(':')) || path.exists() {
        text.chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect()
    } else {
        "(path not shown: it may be a key)".to_owned()
    }
}

/// Removes the prefix `\\?\` of a Windows path.
fn plain(path: String) -> String {
    match path.strip_prefix(r"\\?\") {
        Some(rest) => rest
            .strip_prefix(r"UNC\")
            .map_or(rest.to_owned(), |share| format!(r"\\{share}")),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_are_shown_as_people_know_them() {
        for (path, shown) in [
            (r"\\?\C:\Users\a\config.toml", r"C:\Users\a\config.toml"),
            (r"\\?\UNC\server\share\a", r"\\server\share\a"),
            (r"\\server\share\a", r"\\server\share\a"),
            (r"C:\a", r"C:\a"),
        ] {
            assert_eq!(plain(path.to_owned()), shown);
        }
    }

    #[cfg(windows)]
    #[test]
    fn a_device_is_not_opened() {
        for name in ["NUL", "con", "C:\\none\\aux.toml"] {
            assert_eq!(
                read(Path::new(name)).err(),
                Some(FileProblem::NotRegular("a device")),
                "{name}"
            );
        }
    }

    #[cfg(windows)]
    #[test]
    fn a_file_that_another_program_holds_is_waited_for_and_that_is_said() {
        use std::os::windows::fs::OpenOptionsExt;

        use crate::system::replace::tests::held_for_a_moment;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "text").unwrap();
        let read = held_for_a_moment(&path, || read(&path)).unwrap();
        assert_eq!(read.text.as_str(), "text");
        let _holder = OpenOptions::new()
            .read(true)
            .share_mode(0)
            .open(&path)
            .unwrap();
        let problem = super::read(&path).err().unwrap();
        assert_eq!(problem.to_string(), "in use by another program");
    }
}
