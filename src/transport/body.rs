//! Bodies out, watched; bodies in, bounded.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::Progress;
use crate::error::{Code, Error, Result};

/// A body that notes when the HTTP stack first asks for it. It asks only on a connection that stands,
/// so before that the request has provably not reached the service.
pub(crate) struct Watched {
    bytes: Option<Bytes>,
    progress: Arc<Progress>,
    safe: bool,
}

impl Watched {
    pub(crate) fn new(bytes: Bytes, progress: Arc<Progress>, safe: bool) -> Self {
        Watched { bytes: Some(bytes), progress, safe }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        self.progress.sending(self.safe);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Why a body could not be read.
pub(crate) enum Unread {
    TooLarge(Error),
    Broken(reqwest::Error),
}

/// Reads a body of at most `most` bytes. A body that comes in one piece is not copied.
pub(crate) async fn read(response: &mut reqwest::Response, most: usize) -> std::result::Result<Bytes, Unread> {
    check(response.content_length().unwrap_or(0), most).map_err(Unread::TooLarge)?;
    let Some(first) = response.chunk().await.map_err(Unread::Broken)? else { return Ok(Bytes::new()) };
    check(first.len() as u64, most).map_err(Unread::TooLarge)?;
    let Some(mut next) = response.chunk().await.map_err(Unread::Broken)? else { return Ok(first) };
    let expected = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(most));
    let mut whole = BytesMut::with_capacity(expected.clamp(first.len() + next.len(), most.max(first.len())));
    whole.extend_from_slice(&first);
    loop {
        check((whole.len() + next.len()) as u64, most).map_err(Unread::TooLarge)?;
        whole.extend_from_slice(&next);
        match response.chunk().await.map_err(Unread::Broken)? {
            Some(chunk) => next = chunk,
            None => return Ok(whole.freeze()),
        }
    }
}

fn check(length: u64, most: usize) -> Result<()> {
    match length > most as u64 {
        true => Err(Error::new(Code::TooLarge, format!("the answer has more than the {most} bytes allowed"))),
        false => Ok(()),
    }
}
