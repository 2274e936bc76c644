//! What is uploaded, and how.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Result;
use crate::runtime::host::Kept;
use crate::services::storage::content::Content;
use crate::services::storage::lifecycle::Lifecycle;
use crate::services::storage::name;
use crate::services::storage::reader::Waiting;

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
    pub(in crate::services::storage) content: Content,
    pub(super) content_type: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) lifecycle: Lifecycle,
    pub(super) way: UploadWay,
    pub(super) timeout: Option<Duration>,
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
        Upload::of(Content::Bytes(Bytes::from_owner(Kept::new(bytes.into()))))
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

    pub(in crate::services::storage) fn of(content: Content) -> Self {
        Upload {
            content,
            content_type: None,
            file_name: None,
            lifecycle: Lifecycle::new(),
            way: UploadWay::Automatic,
            timeout: None,
        }
    }

    pub(in crate::services::storage) fn content(&self) -> &Content {
        &self.content
    }

    /// Whether both are sent the same way.
    pub(in crate::services::storage) fn is_sent_as(&self, other: &Upload) -> bool {
        self.way == other.way
    }

    /// The content type, such as `image/png`; without one it follows from the name's extension.
    pub fn content_type(mut self, content_type: &str) -> Result<Self> {
        name::checked_type(content_type)?;
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
        super::About::of(self).map(|_| ())
    }
}
