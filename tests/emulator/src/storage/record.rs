//! Files and uploads in the form that tests read.

use serde::Serialize;

use ring::digest::{SHA256, digest};

use super::acl::Acl;
use super::files::Content;
use super::uploads::UploadRecord;
use super::{disk, now};
use crate::clock;
use crate::state::State;

/// A file that can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// The URL on one of its two hosts.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// The media type.
    pub content_type: String,
    /// The account that uploaded the file, or whose run created it.
    pub owner: Option<String>,
    /// The name that the client gave. The URL has a sanitized form of it.
    pub file_name: Option<String>,
    /// The time of expiry in RFC 3339; `None` if the file never expires.
    pub expires: Option<String>,
    /// The permissions for readers other than the owner.
    pub acl: Acl,
}

/// All files that have not expired, oldest first. Pictures are drawn to get their sizes and hashes.
pub(crate) fn file_records(state: &State) -> Vec<StoredFile> {
    let files = state.storage.files.all(now(state));
    let record = |file: &super::File| {
        let (size, sha256) = match &file.content {
            Content::Stored(stored) => (stored.size, stored.sha256.clone()),
            Content::Bytes(bytes) => hashed(bytes),
            Content::Media(media) => hashed(&media.encode().unwrap_or_default()),
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

fn hashed(bytes: &[u8]) -> (u64, String) {
    (bytes.len() as u64, disk::hex(&digest(&SHA256, bytes)))
}

/// All uploads except direct ones, in the order in which they started.
pub(crate) fn upload_records(state: &State) -> Vec<UploadRecord> {
    state.storage.uploads.records()
}
