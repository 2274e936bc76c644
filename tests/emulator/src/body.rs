//! The bytes of a response, and how they are sent.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use crate::arrivals::{Entry, KEPT_BODY, Outcome};
use crate::storage::Stored;

/// The number of bytes handed to the socket at once, small enough to notice a client that
/// disconnects.
const CHUNK: u64 = 64 * 1024;

/// The bytes of a response.
#[derive(Debug)]
pub(crate) enum Payload {
    Bytes(Bytes),
    /// This many bytes of a repeating pattern, produced as they are sent.
    Pattern(u64),
    /// The bytes `from..to` of an uploaded file on disk.
    Stored {
        stored: Stored,
        from: u64,
        to: u64,
    },
    /// Everything that is sent through the channel until the sender is dropped. The response has no
    /// Content-Length. Sending fails after the client has disconnected.
    Stream(mpsc::Receiver<Bytes>),
    /// Like a stream, but the response is broken off at its end: without the last chunk, or with
    /// RST_STREAM.
    Broken(mpsc::Receiver<Bytes>),
}

/// The response is broken off here.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response breaks off here")
    }
}

impl std::error::Error for BrokenOff {}

impl Default for Payload {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Payload {
    /// The length in bytes; `None` for a stream.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Pattern(size) => Some(*size),
            Self::Stored { from, to, .. } => Some(to - from),
            Self::Stream(_) | Self::Broken(_) => None,
        }
    }

    /// The bytes `from..to`, which must be within the payload. A stream or a pattern stays whole.
    pub(crate) fn part(self, from: u64, to: u64) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(from as usize..to as usize)),
            Self::Stored {
                stored,
                from: begin,
                ..
            } => Self::Stored {
                stored,
                from: begin + from,
                to: begin + to,
            },
            whole => whole,
        }
    }

    /// The same payload. A stream keeps `guard` until it ends or its client disconnects.
    pub(crate) fn held_by(self, guard: impl Send + 'static) -> Self {
        match self {
            Self::Stream(receiver) => Self::Stream(passed_on(receiver, guard)),
            Self::Broken(receiver) => Self::Broken(passed_on(receiver, guard)),
            whole => whole,
        }
    }

    /// The payload in memory: a stream is read to its end.
    pub(crate) async fn kept(self) -> Self {
        let Self::Stream(mut receiver) = self else {
            return self;
        };
        let mut all = Vec::new();
        while let Some(bytes) = receiver.recv().await {
            all.extend_from_slice(&bytes);
        }
        Self::Bytes(all.into())
    }

    /// A copy of the payload. A stream can be read only once, so its copy is empty.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Self::Pattern(size) => Self::Pattern(*size),
            Self::Stored { stored, from, to } => Self::Stored {
                stored: stored.clone(),
                from: *from,
                to: *to,
            },
            Self::Stream(_) | Self::Broken(_) => Self::default(),
        }
    }
}

fn passed_on(
    mut receiver: mpsc::Receiver<Bytes>,
    guard: impl Send + 'static,
) -> mpsc::Receiver<Bytes> {
    let (sender, passed_on) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = receiver.recv() => next,
                () = sender.closed() => None,
            };
            let Some(bytes) = next else {
                break;
            };
            if sender.send(bytes).await.is_err() {
                break;
            }
        }
        // Dropped before the client can have read the end.
        drop(guard);
    });
    passed_on
}

/// A payload that is read piece by piece.
#[derive(Debug)]
pub(crate) struct Source {
    payload: Payload,
    /// The number of bytes read.
    position: u64,
    /// Bytes received from a stream and not yet read.
    pending: Bytes,
}

impl Source {
    pub(crate) fn new(payload: Payload) -> Self {
        Self {
            payload,
            position: 0,
            pending: Bytes::new(),
        }
    }

    /// The number of bytes left, if known.
    fn left(&self) -> Option<u64> {
        self.payload
            .size()
            .map(|size| size.saturating_sub(self.position))
    }

    /// Reads between 1 and `most` bytes; `None` at the end.
    pub(crate) async fn next(&mut self, most: u64) -> Option<Bytes> {
        std::future::poll_fn(|cx| self.poll_next(most, cx)).await
    }

    fn poll_next(&mut self, most: u64, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let from = self.position;
        let to = from.saturating_add(self.left().map_or(most, |left| left.min(most)));
        let bytes = match &mut self.payload {
            _ if from == to => return Poll::Ready(None),
            Payload::Bytes(bytes) => bytes.slice(from as usize..to as usize),
            Payload::Pattern(_) => (from..to).map(|at| (at % 251) as u8).collect(),
            // The body ends before Content-Length, so hyper breaks off the connection.
            Payload::Stored {
                stored,
                from: begin,
                ..
            } => match stored.read(*begin + from, *begin + to) {
                Ok(bytes) => bytes,
                Err(_) => return Poll::Ready(None),
            },
            Payload::Stream(receiver) | Payload::Broken(receiver) => {
                while self.pending.is_empty() {
                    match ready!(receiver.poll_recv(cx)) {
                        Some(bytes) => self.pending = bytes,
                        None => return Poll::Ready(None),
                    }
                }
                self.pending
                    .split_to(most.min(self.pending.len() as u64) as usize)
            }
        };
        self.position = from.saturating_add(bytes.len() as u64);
        Poll::Ready(Some(bytes))
    }
}

/// The speed at which a body is sent.
#[derive(Debug)]
pub(crate) struct Pace {
    chunk: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(chunk: u64, pause: Duration) -> Self {
        Self {
            chunk: chunk.max(1),
            pause,
            sleep: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(self.pause)));
        sleep.as_mut().poll(cx)
    }
}

/// A body that records how its response ended: sent, or dropped because the client disconnected.
pub(crate) struct TrackedBody {
    source: Source,
    status: StatusCode,
    entry: Option<Entry>,
    pace: Option<Pace>,
    /// Whether the bytes before a break have been flushed.
    flushed: bool,
    /// The beginning of what was sent, for the journal.
    heard: Vec<u8>,
}

impl TrackedBody {
    /// If `bodiless`, only the head is sent.
    pub(crate) fn new(
        payload: Payload,
        status: StatusCode,
        entry: Option<Entry>,
        pace: Option<Pace>,
        bodiless: bool,
    ) -> Self {
        let mut body = Self {
            source: Source::new(payload),
            status,
            entry,
            pace,
            flushed: false,
            heard: Vec::new(),
        };
        if bodiless || body.is_end_stream() {
            body.settle();
        }
        body
    }

    fn settle(&mut self) {
        let outcome = Outcome::Status(self.status.as_u16());
        if let Some(entry) = self.told() {
            entry.settle(outcome);
        }
    }

    fn hear(&mut self, bytes: &Bytes) {
        if self.entry.as_ref().is_some_and(Entry::hears) {
            let room = KEPT_BODY.saturating_sub(self.heard.len());
            self.heard
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// The entry, which knows now what was sent.
    fn told(&mut self) -> Option<Entry> {
        let entry = self.entry.take()?;
        if self.source.position > 0 {
            entry.response(&self.heard, self.source.position);
        }
        Some(entry)
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        // What is left of the entry records that the client disconnected.
        drop(self.told());
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        let mut chunk = CHUNK;
        if let Some(pace) = &mut this.pace {
            if this.source.position > 0 {
                ready!(pace.poll(cx));
            }
            chunk = pace.chunk;
        }
        let next = ready!(this.source.poll_next(chunk, cx));
        if let Some(pace) = &mut this.pace {
            pace.sleep = None;
        }
        if next.is_none() && matches!(this.source.payload, Payload::Broken(_)) {
            // If a body fails, hyper drops the bytes that it has not written yet.
            if !std::mem::replace(&mut this.flushed, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(entry) = this.told() {
                entry.settle(Outcome::ClosedByFault);
            }
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        if let Some(bytes) = &next {
            this.hear(bytes);
        }
        if next.is_none() || this.is_end_stream() {
            // Settled before the last bytes or the end mark of a stream are sent, so that a client
            // that has read the response finds it recorded.
            this.settle();
        }
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.source.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.source
            .left()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use hyper::header::HeaderMap;
    use tokio::sync::mpsc;

    use super::*;
    use crate::arrivals::{Head, Log};

    fn streamed(log: &Arc<Log>, pace: Option<Pace>) -> (mpsc::Sender<Bytes>, TrackedBody) {
        let headers = &HeaderMap::new();
        let entry = log.open(&Head {
            at: std::time::SystemTime::now(),
            connection: 1,
            method: "GET",
            host: "fal.run",
            path: "/",
            query: None,
            headers,
        });
        let (sender, receiver) = mpsc::channel(4);
        (
            sender,
            TrackedBody::new(
                Payload::Stream(receiver),
                StatusCode::OK,
                Some(entry),
                pace,
                false,
            ),
        )
    }

    #[tokio::test]
    async fn a_stream_is_settled_when_its_sender_ends_it() {
        let log = Arc::new(Log::new());
        let (sender, mut body) = streamed(&log, None);
        assert_eq!(body.size_hint().exact(), None);
        sender.send(Bytes::from_static(b"one")).await.unwrap();
        sender.send(Bytes::from_static(b"two")).await.unwrap();
        for expected in ["one", "two"] {
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                expected
            );
        }
        assert_eq!(log.all()[0].outcome, Outcome::Pending);
        drop(sender);
        assert!(body.frame().await.is_none());
        assert_eq!(log.all()[0].outcome, Outcome::Status(200));
    }

    #[tokio::test]
    async fn a_stream_whose_client_left_takes_no_more() {
        let log = Arc::new(Log::new());
        let (sender, body) = streamed(&log, None);
        drop(body);
        assert!(sender.send(Bytes::from_static(b"one")).await.is_err());
        assert_eq!(log.all()[0].outcome, Outcome::ClientClosed);
    }

    #[tokio::test]
    async fn a_slow_stream_comes_in_small_pieces() {
        let log = Arc::new(Log::new());
        let (sender, mut body) = streamed(&log, Some(Pace::new(2, Duration::from_millis(1))));
        sender.send(Bytes::from_static(b"three")).await.unwrap();
        drop(sender);
        for expected in ["th", "re", "e"] {
            assert_eq!(
                body.frame().await.unwrap().unwrap().into_data().unwrap(),
                expected
            );
        }
        assert!(body.frame().await.is_none());
    }
}
