//! What is uploaded, and how.

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

/// How the bytes get to fal (docs/protocol.md §9). The numbers are those of `FAL_UPLOAD_*` in C and
/// never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum UploadWay {
    /// [`Signed`](Self::Signed) up to 90 MiB and through a server proxy, else
    /// [`SignedParts`](Self::SignedParts). What a reader gives is sent in parts above 10 MiB.
    #[default]
    Automatic = 0,
    /// Way A: announced, then one PUT to a signed address.
    Signed = 1,
    /// Way B: the same at Google's storage.
    SignedGoogle = 2,
    /// Way C: one POST to fal's file host with a token. It is not repeated when the connection
    /// breaks.
    Direct = 3,
    /// Way D1: parts to fal's file host with a token.
    DirectParts = 4,
    /// Way D2: parts to a signed address.
    SignedParts = 5,
    /// Way D3: parts, each to a signed address of its own at Google's storage.
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

/// An upload: what is sent, and how. At most 40 MiB of it are in memory, whatever its size; bytes
/// that are given in memory are not copied.
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
    /// The file at a path, opened when the upload begins. It must be a regular file that nobody
    /// changes meanwhile.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Upload::of(Content::File(path.into()))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        // They may be the host's own, and run its code when they end.
        Upload::of(Content::Bytes(Bytes::from_owner(HostOwned::new(
            bytes.into(),
        ))))
    }

    /// What a reader gives, read once. So many bytes, or (`None`) up to its end. It is read on a
    /// thread that it may block: two are for readers alone, so that one that blocks keeps other
    /// readers waiting and nothing else.
    ///
    /// In one request without a known size nothing can be sent, except by [`UploadWay::Automatic`]
    /// up to 10 MiB.
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

    /// Whether both are sent the same way.
    pub(crate) fn is_sent_as(&self, other: &Upload) -> bool {
        self.way == other.way
    }

    /// The content type, such as `image/png`; without one it follows from the name's extension.
    pub fn content_type(mut self, content_type: &str) -> Result<Self> {
        file_name::checked_type(content_type)?;
        self.content_type = Some(content_type.to_owned());
        Ok(self)
    }

    /// The name that fal is told, without folders and odd characters; without one the file's own,
    /// or `upload.png` and the like.
    pub fn file_name(mut self, name: &str) -> Self {
        self.file_name = Some(name.to_owned());
        self
    }

    /// How long the file is kept and who may read it.
    pub fn lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = lifecycle;
        self
    }

    /// How the bytes get to fal.
    pub fn way(mut self, way: UploadWay) -> Self {
        self.way = way;
        self
    }

    /// The time for all of it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn into_content(self) -> Content {
        self.content
    }

    /// What can be known before anything is sent.
    pub(crate) fn check(&self) -> Result<()> {
        FileInfo::of(self).map(|_| ())
    }
}

/// What fal is told about a file.
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
