//! The content of an upload: a file, bytes in memory, or a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};

use super::file::LocalFile;
use super::meter::Share;
use crate::error::{Error, Result};
use crate::request::{Content, Upload, Waiting};
use crate::transport::{Pieces, Source};

/// The most bytes of one read.
const PIECE: usize = 256 << 10;

/// Content that can be read at any position, any number of times.
#[derive(Clone)]
pub(super) enum Data {
    File(Arc<LocalFile>),
    Bytes(Bytes),
}

impl Data {
    pub(super) fn length(&self) -> u64 {
        match self {
            Data::File(file) => file.stamp().length,
            Data::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes `from..to` as a body. `share` counts the bytes that the connection has taken.
    pub(super) fn part(&self, from: u64, to: u64, share: Option<Arc<Share>>) -> Arc<dyn Source> {
        Arc::new(Part {
            data: self.clone(),
            from,
            to,
            share,
            is_read: Arc::default(),
        })
    }

    /// Fails if the content has changed since it was opened.
    pub(super) async fn unchanged(&self) -> Result<()> {
        match self {
            Data::File(file) => file.unchanged().await,
            Data::Bytes(_) => Ok(()),
        }
    }

    /// The whole content, in memory.
    pub(super) async fn whole(&self) -> Result<Bytes> {
        match self {
            Data::File(file) if file.stamp().length > 0 => {
                let length = usize::try_from(file.stamp().length)
                    .map_err(|_| Error::invalid("the file is too large for the memory"))?;
                file.read(0, length).await
            }
            Data::File(_) => Ok(Bytes::new()),
            Data::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    async fn read(&self, at: u64, most: usize) -> Result<Bytes> {
        match self {
            Data::File(file) => file.read(at, most).await,
            // An offset into memory fits into a usize.
            Data::Bytes(bytes) => Ok(bytes.slice(at as usize..at as usize + most)),
        }
    }
}

/// The content of an upload, opened.
#[derive(Clone)]
pub(super) enum Opened {
    Data(Data),
    Reader(Waiting),
}

impl Opened {
    pub(super) async fn of(upload: &Upload) -> Result<Self> {
        Ok(match &upload.content {
            Content::File(path) => Opened::Data(Data::File(LocalFile::open(path.clone()).await?)),
            Content::Bytes(bytes) => Opened::Data(Data::Bytes(bytes.clone())),
            Content::Reader(waiting) => Opened::Reader(waiting.clone()),
        })
    }

    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Opened::Data(data) => Some(data.length()),
            Opened::Reader(waiting) => waiting.size(),
        }
    }

    /// The whole content as a body. `share` counts the bytes that the connection has taken.
    pub(super) fn source(&self, share: Arc<Share>) -> Arc<dyn Source> {
        match self {
            Opened::Data(data) => data.part(0, data.length(), Some(share)),
            Opened::Reader(waiting) => Arc::new(ReaderBody {
                waiting: waiting.clone(),
                share,
            }),
        }
    }

    /// Fails if the content has changed since it was opened. Call it after the response: a file may
    /// change after its last byte was read.
    pub(super) async fn unchanged(&self) -> Result<()> {
        match self {
            Opened::Data(data) => data.unchanged().await,
            Opened::Reader(_) => Ok(()),
        }
    }
}

/// A range of bytes as a body.
#[derive(Clone)]
struct Part {
    data: Data,
    from: u64,
    to: u64,
    share: Option<Arc<Share>>,
    /// Whether the range was read to its end. The last read checks that the file has not changed.
    is_read: Arc<AtomicBool>,
}

impl Source for Part {
    fn length(&self) -> Option<u64> {
        Some(self.to - self.from)
    }

    fn open(&self) -> Result<Pieces> {
        self.is_read.store(false, Ordering::Relaxed);
        let pieces = stream::try_unfold((self.clone(), self.from), |(part, at)| async move {
            if let Some(share) = &part.share {
                share.reach(at - part.from);
            }
            if at == part.to {
                return Ok(None);
            }
            let most = usize::try_from(part.to - at).map_or(PIECE, |left| left.min(PIECE));
            let piece = part.data.read(at, most).await?;
            let next = at + most as u64;
            part.is_read.store(next == part.to, Ordering::Relaxed);
            Ok(Some((piece, (part, next))))
        });
        Ok(pieces.boxed())
    }

    fn settled(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            if self.is_read.load(Ordering::Relaxed) {
                Ok(())
            } else {
                self.data.unchanged().await
            }
        })
    }
}

/// The content of a reader, as a body that can be sent once.
struct ReaderBody {
    waiting: Waiting,
    share: Arc<Share>,
}

impl Source for ReaderBody {
    fn length(&self) -> Option<u64> {
        self.waiting.size()
    }

    fn is_spent(&self) -> bool {
        self.waiting.is_spent()
    }

    fn open(&self) -> Result<Pieces> {
        let state = (self.waiting.clone(), self.share.clone(), None, 0);
        let pieces = stream::try_unfold(state, |(waiting, share, pull, at)| async move {
            share.reach(at);
            let mut pull = match pull {
                Some(pull) => pull,
                // The reader is used up when the connection takes the first piece. An attempt that
                // does not connect leaves it for the next one.
                None => waiting.begin()?,
            };
            let piece = pull.next(PIECE).await?;
            let next = at + piece.len() as u64;
            Ok((!piece.is_empty()).then(|| (piece, (waiting, share, Some(pull), next))))
        });
        Ok(pieces.boxed())
    }
}
