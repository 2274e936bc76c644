//! Uploads.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use reqwest::header::HeaderMap;

use super::content::Content;
use super::file_name;
use super::lifecycle::Lifecycle;
use super::reader::Waiting;
use crate::error::Result;
use crate::runtime::host_functions::HostOwned;

/// The protocol of an upload (docs/protocol.md §9). The numbers are those of `FAL_UPLOAD_*` in C
/// and never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum UploadWay {
    /// [`Signed`](Self::Signed) up to 90 MiB and through a server proxy, else
    /// [`SignedParts`](Self::SignedParts). The content of a reader is sent in parts above 10 MiB.
    #[default]
    Automatic = 0,
    /// Way A: one request that announces the file, then one PUT to a signed URL.
    Signed = 1,
    /// Way B: like [`Signed`](Self::Signed), to Google's storage.
    SignedGoogle = 2,
    /// Way C: one POST to fal's file host with a token. It is not retried after a lost connection.
    Direct = 3,
    /// Way D1: parts to fal's file host with a token.
    DirectParts = 4,
    /// Way D2: parts to a signed URL.
    SignedParts = 5,
    /// Way D3: parts, each to a signed URL of its own at Google's storage.
    GoogleParts = 6,
}

impl UploadWay {
    /// Every way.
    pub const ALL: &'static [UploadWay] = &[
        UploadWay::Automatic,
        UploadWay::Signed,
        UploadWay::SignedGoogle,
        UploadWay::Direct,
        UploadWay::DirectParts,
        UploadWay::SignedParts,
        UploadWay::GoogleParts,
    ];
}

/// An upload: its content and its options. libfal holds at most 40 MiB of a file in memory,
/// whatever its size. Bytes in memory are not copied.
#[derive(Clone, Debug)]
pub struct Upload {
    pub(crate) content: Content,
    pub(crate) content_type: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) way: UploadWay,
    pub(crate) timeout: Option<Duration>,
}

impl Upload {
    /// Returns an upload of the file at a path, which is opened when the upload begins. It must be
    /// a regular file, and must not change during the upload.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Upload::of(Content::File(path.into()))
    }

    /// Returns an upload of bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        // Dropping the bytes may run code of the host.
        Upload::of(Content::Bytes(Bytes::from_owner(HostOwned::new(
            bytes.into(),
        ))))
    }

    /// Returns an upload of the content of a reader, which is read once: `size` bytes, or up to its
    /// end for `None`. The reader may block. All readers share two threads, so a reader that blocks
    /// delays other readers and nothing else.
    ///
    /// Without a size the upload must be sent in parts, or by [`UploadWay::Automatic`].
    pub fn reader(reader: impl Read + Send + 'static, size: Option<u64>) -> Self {
        Upload::of(Content::Reader(Waiting::new(Box::new(reader), size)))
    }

    pub(crate) fn of(content: Content) -> Self {
        Upload {
            content,
            content_type: None,
            file_name: None,
            lifecycle: Lifecycle::new(),
            way: UploadWay::Automatic,
            timeout: None,
        }
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    /// Whether both use the same protocol.
    pub(crate) fn is_sent_as(&self, other: &Upload) -> bool {
        self.way == other.way
    }

    /// Sets the content type, such as `image/png`. By default it follows from the extension of the
    /// name.
    pub fn content_type(mut self, content_type: &str) -> Result<Self> {
        file_name::checked_type(content_type)?;
        self.content_type = Some(content_type.to_owned());
        Ok(self)
    }

    /// Sets the file name for fal. Folders and unsafe characters are removed. By default it is the
    /// name of the file, or one like `upload.png`.
    pub fn file_name(mut self, name: &str) -> Self {
        self.file_name = Some(name.to_owned());
        self
    }

    /// Sets how long fal keeps the file, and who may read it.
    pub fn lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    /// Sets the protocol of the upload.
    pub fn way(mut self, way: UploadWay) -> Self {
        self.way = way;
        self
    }

    /// Sets the timeout of the whole upload.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn into_content(self) -> Content {
        self.content
    }

    /// Checks the options before anything is sent.
    pub(crate) fn check(&self) -> Result<()> {
        FileInfo::of(self).map(|_| ())
    }
}

/// The facts about a file that fal receives.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct FileInfo {
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    pub(crate) headers: HeaderMap,
}

impl FileInfo {
    pub(crate) fn of(upload: &Upload) -> Result<Self> {
        let of_path = match &upload.content {
            Content::File(path) => path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned()),
            Content::Bytes(_) | Content::Reader(_) => None,
        };
        let given = upload
            .file_name
            .clone()
            .or(of_path)
            .and_then(|name| file_name::sanitized(&name));
        let guess = || file_name::guessed_type(given.as_deref().unwrap_or_default()).to_owned();
        let content_type = upload.content_type.clone().unwrap_or_else(guess);
        let file_name = given.unwrap_or_else(|| file_name::made_up("upload", &content_type));
        let mut headers = HeaderMap::new();
        upload.lifecycle.write(&mut headers)?;
        Ok(FileInfo {
            file_name,
            content_type,
            headers,
        })
    }
}
