//! The body of a request.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::error::Result;

/// What is sent.
#[derive(Clone)]
pub(crate) enum Payload {
    Bytes(Bytes),
    Source(Arc<dyn Source>),
}

/// A body that is made while it is sent.
pub(crate) trait Source: Send + Sync {
    /// How many bytes it has; none if that is not known beforehand.
    fn length(&self) -> Option<u64>;

    /// Begins it anew, for each attempt. A source that cannot be read twice fails the second time.
    fn open(&self) -> Result<Pieces>;

    /// Whether it can no longer be begun anew.
    fn is_spent(&self) -> bool {
        false
    }

    /// Fails if what was read of it may be of two versions, and nobody has said so: its end was not
    /// read.
    fn settled(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The pieces of a body, in order.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes>>;

impl Payload {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Payload::Bytes(bytes) if bytes.is_empty())
    }

    /// Whether nothing of it has to be taken, although it may be sent as a body.
    pub(super) fn has_no_byte(&self) -> bool {
        match self {
            Payload::Bytes(bytes) => bytes.is_empty(),
            Payload::Source(source) => source.length() == Some(0),
        }
    }

    /// Whether it cannot be sent again.
    pub(crate) fn is_spent(&self) -> bool {
        matches!(self, Payload::Source(source) if source.is_spent())
    }

    /// Fails if it was answered before its end was read, and what was read of it may be of two
    /// versions.
    pub(super) async fn settled(&self) -> Result<()> {
        match self {
            Payload::Bytes(_) => Ok(()),
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
