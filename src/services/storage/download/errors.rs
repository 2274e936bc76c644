//! The errors of downloads.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::{Code, Error};
use crate::system::{codes, descriptors};

pub(super) fn too_large(most: u64) -> Error {
    let message = format!("the file has more than the {most} bytes allowed");
    Error::new(Code::TooLarge, message)
        .with_remedy("Raise the download's limit if a file of this size is expected.")
}

pub(super) fn missing(folder: &Path) -> Error {
    let message = format!("the folder {folder:?} does not exist");
    Error::new(Code::Io, message)
        .with_path(folder)
        .with_os_code(Some(codes::NO_FOLDER))
}

pub(super) fn exists(path: &Path) -> Error {
    Error::new(Code::Io, format!("the file {path:?} exists already"))
        .with_path(path)
        .with_os_code(Some(codes::EXISTS))
        .with_remedy("Choose another path, or allow the download to overwrite the file.")
}

pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let message = format!("cannot {what} {path:?}: {error}");
    let failed = Error::new(Code::Io, message)
        .with_path(path)
        .with_cause(error);
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "Make room on the disk, or choose a path on another disk."
        }
        ErrorKind::ResourceBusy if cfg!(windows) => {
            "Close the program that has the file open, or choose another path."
        }
        ErrorKind::FileTooLarge => {
            "Choose a path on another disk, or raise this process's limit for the size of files."
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "Choose a folder in which this program may create files."
        }
        _ if descriptors::are_used_up(error) => descriptors::REMEDY,
        _ => return failed,
    };
    failed.with_remedy(remedy)
}

pub(super) fn kept_as(error: &Error, what: &str, at: &Path) -> Error {
    let message = format!("{}; {what} kept as {at:?}", error.message());
    error.clone().with_message(message)
}

/// Adds to the remedy how to find an output that was not saved.
pub(super) fn see_history(error: Error) -> Error {
    let remedy = format!(
        "{} Look for the output in fal's history: call models.requests.by_endpoint with this request_id and expand \
         \"payloads\".",
        error.remedy()
    );
    error.with_remedy(remedy)
}
