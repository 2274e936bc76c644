//! The body of a request.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::error::Result;

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Payload {
    Bytes(Bytes),
    /// A JSON text, which is declared as such unless the call has another content type.
    Json(Bytes),
    Source(Arc<dyn Source>),
}

/// A body that is produced while it is sent.
pub(crate) trait Source: Send + Sync {
    /// The length in bytes. `None` if it is not known beforehand.
    fn length(&self) -> Option<u64>;

    /// Opens the body from its start; called once for each attempt. A source that can be read only
    /// once fails the second time.
    fn open(&self) -> Result<Pieces>;

    /// Whether another call of [`open`](Self::open) would fail.
    fn is_spent(&self) -> bool {
        false
    }

    /// Fails if the pieces that were read may mix two versions of the source. Only a body that was
    /// not read to its end needs this check; the others fail while they are read.
    fn settled(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The pieces of a body, in order.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes>>;

impl Payload {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Payload::Bytes(bytes) | Payload::Json(bytes) if bytes.is_empty())
    }

    /// Whether the length is known to be 0.
    pub(super) fn has_no_byte(&self) -> bool {
        match self {
            Payload::Bytes(bytes) | Payload::Json(bytes) => bytes.is_empty(),
            Payload::Source(source) => source.length() == Some(0),
        }
    }

    /// Whether the body cannot be sent again.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self, Payload::Source(source) if source.is_spent())
    }

    /// Fails if the part that was sent may mix two versions of its source.
    pub(super) async fn settled(&self) -> Result<()> {
        match self {
            Payload::Bytes(_) | Payload::Json(_) => Ok(()),
            Payload::Source(source) => source.settled().await,
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Payload::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Payload::Bytes(bytes)
    }
}
