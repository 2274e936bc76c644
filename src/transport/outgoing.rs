//! The body of a request while it is sent.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::payload::{Payload, Pieces};
use super::progress::Progress;
use super::stall::Pulse;
use crate::error::{Code, Error, Idempotency, Result};

/// The size of a piece of a body in memory. Small pieces show how much has left.
const PIECE: usize = 256 << 10;

/// A body that records when the HTTP stack first polls it. The stack polls it only on an
/// established connection, so before the first poll the request has provably not reached the
/// service.
pub(crate) struct Watched {
    rest: Rest,
    progress: Arc<Progress>,
    pulse: Arc<Pulse>,
    idempotency: Idempotency,
    /// The deadline of the first poll. `None` after that poll.
    begin_by: Option<Instant>,
}

enum Rest {
    Bytes(Bytes),
    // The HTTP stack requires `Sync`, which the pieces are not.
    Pieces {
        pieces: Mutex<Pieces>,
        left: Option<u64>,
    },
}

impl Watched {
    pub(crate) fn new(
        payload: &Payload,
        idempotency: Idempotency,
        deadline: Instant,
        progress: Arc<Progress>,
        pulse: Arc<Pulse>,
    ) -> Result<Self> {
        let rest = match payload {
            Payload::Bytes(bytes) | Payload::Json(bytes) => Rest::Bytes(bytes.clone()),
            Payload::Source(source) => Rest::Pieces {
                left: source.length(),
                pieces: Mutex::new(source.open()?),
            },
        };
        Ok(Watched {
            rest,
            progress,
            pulse,
            idempotency,
            begin_by: Some(deadline),
        })
    }

    fn give(&self, bytes: Bytes, last: bool) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.pulse.gave(bytes.len() as u64, last);
        if last {
            self.progress.sent();
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    /// Ends the body with an error. The HTTP stack reports only that the body failed, so the
    /// progress keeps the cause.
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
                // The call has returned already.
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
            self.pulse.waits_for_body();
            return Poll::Pending;
        };
        match (piece, *left) {
            (Some(Ok(bytes)), Some(before)) => {
                let Some(after) = before.checked_sub(bytes.len() as u64) else {
                    return self.fail(changed("more"));
                };
                *left = Some(after);
                self.give(bytes, after == 0)
            }
            (Some(Ok(bytes)), None) => self.give(bytes, false),
            (Some(Err(error)), _) => self.fail(error),
            (None, Some(1..)) => self.fail(changed("fewer")),
            (None, _) => {
                self.pulse.gave(0, true);
                self.progress.sent();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.rest {
            Rest::Bytes(bytes) => bytes.is_empty(),
            // The stack must poll the end, so that a source with too many bytes is noticed.
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

/// The error of a call whose deadline passes before its first byte is sent.
pub(crate) fn late(progress: &Progress) -> Error {
    progress.cut_short(Code::Deadline, "the deadline of the call passed")
}

/// The error of a body that is polled after its call has ended.
fn withdrawn() -> Error {
    Error::new(Code::Cancelled, "the call ended before anything was sent")
}

fn changed(than: &str) -> Error {
    Error::new(
        Code::Io,
        format!("the body changed while it was sent: it has {than} bytes than before"),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body::Body as _;

    use super::*;

    fn watched(progress: &Arc<Progress>) -> Watched {
        progress.connecting();
        let body = Bytes::from_static(b"{}").into();
        let (deadline, pulse) = (Instant::now() + Duration::from_secs(3600), Pulse::new(true));
        let idempotency = Idempotency::NonIdempotent;
        Watched::new(&body, idempotency, deadline, progress.clone(), pulse.into()).unwrap()
    }

    fn poll(body: &mut Watched) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
    }

    /// The task that drives the connection may poll the body until it learns that the call has
    /// ended.
    #[test]
    fn a_body_of_which_it_was_said_that_nothing_was_sent_is_not_sent() {
        let progress = Arc::new(Progress::default());
        let mut body = watched(&progress);
        let told = progress.cut_short(Code::Cancelled, "the call was cancelled");
        assert!(!told.may_have_executed(), "{told}");
        assert!(
            matches!(poll(&mut body), Poll::Ready(Some(Err(_)))),
            "a byte of the body would be sent"
        );
        assert!(!progress.may_have_executed() && progress.take_body_failure().is_none());
        // The next attempt has a new body.
        let mut body = watched(&progress);
        assert!(matches!(poll(&mut body), Poll::Ready(Some(Ok(_)))));
        let told = progress.cut_short(Code::Cancelled, "the call was cancelled");
        assert!(told.may_have_executed(), "{told}");
    }

    /// Sending and cancelling run concurrently.
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
