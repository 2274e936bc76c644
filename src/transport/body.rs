//! Bodies out, watched; bodies in, bounded.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http_body::{Frame, SizeHint};

use super::incoming::{Cut, Incoming};
use super::stall::Pulse;
use super::{Call, Progress};
use crate::codec::json;
use crate::error::{Code, Error, Idempotency, Result};
use crate::system::memory;

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

/// Bytes in memory are handed over in such pieces, so that one sees them leave.
const PIECE: usize = 256 << 10;

/// A body that notes when the HTTP stack first asks for it. It asks only on a connection that
/// stands, so before that the request has provably not reached the service.
pub(crate) struct Watched {
    rest: Rest,
    progress: Arc<Progress>,
    pulse: Arc<Pulse>,
    idempotency: Idempotency,
    /// After which it is not begun any more; none once it was.
    begin_by: Option<Instant>,
}

enum Rest {
    Bytes(Bytes),
    // The HTTP stack wants a body that may be shared between threads, which pieces may not.
    Pieces {
        pieces: Mutex<Pieces>,
        left: Option<u64>,
    },
}

impl Watched {
    pub(crate) fn new(
        call: &Call,
        payload: &Payload,
        progress: Arc<Progress>,
        pulse: Arc<Pulse>,
    ) -> Result<Self> {
        let rest = match payload {
            Payload::Bytes(bytes) => Rest::Bytes(bytes.clone()),
            Payload::Source(source) => Rest::Pieces {
                left: source.length(),
                pieces: Mutex::new(source.open()?),
            },
        };
        Ok(Watched {
            rest,
            progress,
            pulse,
            idempotency: call.idempotency,
            begin_by: Some(call.deadline),
        })
    }

    fn give(&self, bytes: Bytes, last: bool) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.pulse.gave(bytes.len() as u64, last);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    /// Ends the body early. The HTTP stack would only say that it ended; why, the transport finds
    /// in the progress.
    fn fail(&self, error: Error) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.progress.body_failed(error.clone());
        Poll::Ready(Some(Err(error)))
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(deadline) = self.begin_by.take() {
            if deadline <= Instant::now() {
                return self.fail(late(&self.progress));
            }
            if !self.progress.begins(self.idempotency) {
                // Nobody waits for it any more.
                return Poll::Ready(Some(Err(withdrawn())));
            }
        }
        let (pieces, left) = match &mut self.rest {
            Rest::Bytes(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Rest::Bytes(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                let last = bytes.is_empty();
                return self.give(piece, last);
            }
            Rest::Pieces { pieces, left } => (pieces, left),
        };
        let polled = pieces
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .poll_next(context);
        let Poll::Ready(piece) = polled else {
            self.pulse.waits_for_us();
            return Poll::Pending;
        };
        let known = left.is_some();
        match piece {
            Some(Ok(bytes)) => {
                let after = left.map(|left| left.checked_sub(bytes.len() as u64));
                if after == Some(None) {
                    return self.fail(changed("more"));
                }
                *left = after.flatten();
                let last = *left == Some(0);
                self.give(bytes, last)
            }
            Some(Err(error)) => self.fail(error),
            None if known && *left != Some(0) => self.fail(changed("fewer")),
            None => {
                self.pulse.gave(0, true);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.rest {
            Rest::Bytes(bytes) => bytes.is_empty(),
            // The end is asked for, so that a source with more than it promised is noticed.
            Rest::Pieces { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Rest::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Rest::Pieces {
                left: Some(left), ..
            } => SizeHint::with_exact(*left),
            Rest::Pieces { left: None, .. } => SizeHint::default(),
        }
    }
}

/// The error of a call whose time is over before a byte of it left.
pub(crate) fn late(progress: &Progress) -> Error {
    progress.cut_short(Code::Deadline, "the time for the call was over")
}

/// The error of a body that is asked for when its call is over.
fn withdrawn() -> Error {
    Error::new(Code::Cancelled, "the call ended before anything was sent")
}

fn changed(than: &str) -> Error {
    Error::new(
        Code::Io,
        format!("the body has {than} bytes than it had when the sending began"),
    )
}

/// Why a body could not be read.
pub(super) enum Unread {
    /// It is larger than the limit, or than the memory that there is.
    TooLarge(Error),
    Cut(Cut),
}

impl From<Cut> for Unread {
    fn from(cut: Cut) -> Self {
        Unread::Cut(cut)
    }
}

/// Reads a body of at most `most` bytes to its end. A body that comes in one piece is not copied.
pub(super) async fn read(body: &mut Incoming, most: usize) -> std::result::Result<Bytes, Unread> {
    // Asked before anything is read: afterwards it is what is left.
    let length = body.length().unwrap_or(0);
    check(length, most).map_err(Unread::TooLarge)?;
    let Some(first) = body.piece().await? else {
        return Ok(Bytes::new());
    };
    check(first.len() as u64, most).map_err(Unread::TooLarge)?;
    let mut next = match body.piece().await {
        Ok(Some(next)) => next,
        Ok(None) => return Ok(first),
        Err(cut) => return ended(cut, first).await,
    };
    let two = first.len() + next.len();
    check(two as u64, most).map_err(Unread::TooLarge)?;
    let mut whole = Vec::new();
    let expected = usize::try_from(length).unwrap_or(most).max(two);
    memory::reserve(&mut whole, expected).map_err(Unread::TooLarge)?;
    whole.extend_from_slice(&first);
    drop(first);
    loop {
        check((whole.len() + next.len()) as u64, most).map_err(Unread::TooLarge)?;
        memory::append(&mut whole, &next).map_err(Unread::TooLarge)?;
        match body.piece().await {
            Ok(Some(piece)) => next = piece,
            Ok(None) => return Ok(whole.into()),
            Err(cut) => return ended(cut, whole.into()).await,
        }
    }
}

/// A body that nothing frames, if what came of it says that it is all.
async fn ended(cut: Cut, came: Bytes) -> std::result::Result<Bytes, Unread> {
    let looks = matches!(cut, Cut::Unproven);
    // Without a helper thread nothing is proven.
    match looks
        && json::look(came.clone(), |came| json::ends_itself(&came))
            .await
            .unwrap_or_default()
    {
        true => Ok(came),
        false => Err(cut.into()),
    }
}

/// The first `most` bytes of a body, or as many as arrive and as there is memory for.
pub(super) async fn beginning(body: &mut Incoming, most: usize) -> Bytes {
    let mut read = Vec::new();
    while let Ok(Some(mut piece)) = body.piece().await {
        piece.truncate(most.saturating_sub(read.len()));
        if memory::append(&mut read, &piece).is_err() || read.len() >= most {
            break;
        }
    }
    read.into()
}

pub(crate) fn check(length: u64, most: usize) -> Result<()> {
    match length > most as u64 {
        true => Err(Error::new(
            Code::TooLarge,
            format!("the answer has more than the {most} bytes allowed"),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body::Body as _;
    use reqwest::Method;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::transport::{Authorization, Watch};

    fn watched(progress: &Arc<Progress>) -> Watched {
        let call = Call {
            method: Method::POST,
            url: "https://fal.run/emulator/echo".parse().unwrap(),
            endpoint: None,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{}").into(),
            authorization: Authorization::Credential,
            idempotency: Idempotency::NonIdempotent,
            deadline: Instant::now() + Duration::from_secs(3600),
            longest_pause: Duration::MAX,
            most: usize::MAX,
            watch: Watch::Nothing,
        };
        progress.connecting();
        Watched::new(
            &call,
            &call.body,
            progress.clone(),
            Arc::new(Pulse::new(true)),
        )
        .unwrap()
    }

    fn poll(body: &mut Watched) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
    }

    /// The connection lives in a task of its own, which may ask for the body until it hears that
    /// the call is over.
    #[test]
    fn a_body_of_which_it_was_said_that_nothing_was_sent_is_not_sent() {
        let progress = Arc::new(Progress::default());
        let mut body = watched(&progress);
        let told = progress.cut_short(Code::Cancelled, "the call was cancelled");
        assert!(!told.may_have_executed(), "{told}");
        assert!(
            matches!(poll(&mut body), Poll::Ready(Some(Err(_)))),
            "a byte of it would leave"
        );
        assert!(!progress.may_have_executed() && progress.take_body_failure().is_none());
        // Another attempt has a body of its own.
        let mut body = watched(&progress);
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
        let told = progress.cut_short(Code::Cancelled, "the call was cancelled");
        assert!(told.may_have_executed(), "{told}");
    }

    /// Both at once: whatever comes first, they do not both have their way.
    #[test]
    fn a_body_is_sent_or_it_is_said_that_it_was_not() {
        for _ in 0..2000 {
            let progress = Arc::new(Progress::default());
            let mut body = watched(&progress);
            let sent = std::thread::scope(|scope| {
                let sending = scope.spawn(|| matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
                let told = progress.cut_short(Code::Cancelled, "the call was cancelled");
                (sending.join().unwrap(), told.may_have_executed())
            });
            assert_eq!(sent.0, sent.1);
        }
    }
}
