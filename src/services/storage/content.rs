//! The content of an upload: a file, bytes in memory, or a reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::file::LocalFile;
use super::meter::Share;
use crate::error::{Error, Result};
use crate::request::{Content, Pull, Upload, Waiting};
use crate::transport::{Payload, Pieces, Source};

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
    pub(super) fn part(&self, from: u64, to: u64, share: Option<Arc<Share>>) -> Payload {
        Payload::Source(Arc::new(Part::of(self, from, to, share)))
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
            Opened::Data(data) => Arc::new(Part::of(data, 0, data.length(), Some(share))),
            Opened::Reader(waiting) => Arc::new(Once {
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
struct Part {
    data: Data,
    from: u64,
    to: u64,
    share: Option<Arc<Share>>,
    /// Whether the range was read to its end. The last read checks that the file has not changed.
    is_read: Arc<AtomicBool>,
}

impl Part {
    fn of(data: &Data, from: u64, to: u64, share: Option<Arc<Share>>) -> Self {
        Part {
            data: data.clone(),
            from,
            to,
            share,
            is_read: Arc::default(),
        }
    }
}

impl Source for Part {
    fn length(&self) -> Option<u64> {
        Some(self.to - self.from)
    }

    fn open(&self) -> Result<Pieces> {
        let (data, from, to, share) = (self.data.clone(), self.from, self.to, self.share.clone());
        let is_read = self.is_read.clone();
        is_read.store(false, Ordering::Relaxed);
        let pieces = stream::try_unfold(from, move |at| {
            let (data, share, is_read) = (data.clone(), share.clone(), is_read.clone());
            async move {
                if let Some(share) = share {
                    share.reach(at - from);
                }
                if at == to {
                    return Ok(None);
                }
                let most = usize::try_from(to - at).map_or(PIECE, |left| left.min(PIECE));
                let piece = data.read(at, most).await?;
                let next = at + most as u64;
                is_read.store(next == to, Ordering::Relaxed);
                Ok(Some((piece, next)))
            }
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
struct Once {
    waiting: Waiting,
    share: Arc<Share>,
}

impl Source for Once {
    fn length(&self) -> Option<u64> {
        self.waiting.size()
    }

    fn is_spent(&self) -> bool {
        self.waiting.is_spent()
    }

    fn open(&self) -> Result<Pieces> {
        // The reader is used up when the connection takes the first piece. An attempt that does not
        // connect leaves it for the next one.
        let (waiting, share) = (self.waiting.clone(), self.share.clone());
        let pull = stream::once(async move { waiting.begin() });
        let pieces = pull
            .map_ok(move |pull| pulled(pull, share.clone()))
            .try_flatten();
        Ok(pieces.boxed())
    }
}

fn pulled(pull: Pull, share: Arc<Share>) -> impl futures_util::Stream<Item = Result<Bytes>> {
    stream::try_unfold((pull, 0), move |(mut pull, at)| {
        let share = share.clone();
        async move {
            share.reach(at);
            let piece = pull.next(PIECE).await?;
            let next = at + piece.len() as u64;
            Ok::<_, Error>(if piece.is_empty() {
                None
            } else {
                Some((piece, (pull, next)))
            })
        }
    })
}
