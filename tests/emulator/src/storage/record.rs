//! Files as tests see them.

use serde::Serialize;

use ring::digest::{SHA256, digest};

use super::acl::Acl;
use super::files::Content;
use super::uploads::UploadRecord;
use super::{disk, now};
use crate::clock;
use crate::state::State;

/// A file that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its address, on one of its two hosts.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// Of its content, in hex.
    pub sha256: String,
    /// Its media type.
    pub content_type: String,
    /// The account that uploaded it, or whose run made it.
    pub owner: Option<String>,
    /// As the client gave it; the URL has a harmless form of it.
    pub file_name: Option<String>,
    /// RFC 3339, or `None` if it never expires.
    pub expires: Option<String>,
    /// Who may read it besides its owner.
    pub acl: Acl,
}

/// All files that have not expired, oldest first. Pictures are drawn for it.
pub(crate) fn file_records(state: &State) -> Vec<StoredFile> {
    let files = state.storage.files.all(now(state));
    let record = |file: &super::File| {
        let (size, sha256) = match &file.content {
            Content::Stored(stored) => (stored.size, stored.sha256.clone()),
            Content::Picture(picture) => {
                let bytes = picture.png().unwrap_or_default();
                (bytes.len() as u64, disk::hex(&digest(&SHA256, &bytes)))
            }
        };
        StoredFile {
            url: file.url.clone(),
            size,
            sha256,
            content_type: String::from_utf8_lossy(file.content_type.as_bytes()).into_owned(),
            owner: file.owner.clone(),
            file_name: file.file_name.clone(),
            expires: file.expires.map(clock::rfc3339),
            acl: file.acl.clone(),
        }
    };
    files.iter().map(|file| record(file)).collect()
}

/// All uploads but direct ones, in the order in which they began.
pub(crate) fn upload_records(state: &State) -> Vec<UploadRecord> {
    state.storage.uploads.records()
}
