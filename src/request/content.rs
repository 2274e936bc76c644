//! Content to send: a file, bytes in memory, or a reader.

use std::path::PathBuf;

use bytes::Bytes;

use super::reader::Waiting;

/// Content that is not opened yet.
#[derive(Clone)]
pub(crate) enum Content {
    File(PathBuf),
    Bytes(Bytes),
    Reader(Waiting),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::File(path) => write!(f, "{}", path.display()),
            Content::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Content::Reader(_) => f.write_str("a reader"),
        }
    }
}
