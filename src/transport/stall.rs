//! When a transfer has stalled: the other side has moved no byte for too long.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// By default.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// What the connection has taken may wait in buffers of the operating system, where nobody sees it
/// move: up to so many MiB (Linux's `tcp_wmem`), each of which is given the same time once more.
const HIDDEN: u64 = 4;

/// What of a call silence is a fault in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// In nothing: an app may compute for an hour, and the queue hold a request for longer.
    Nothing,
    /// In the body that is sent; the answer may take its time.
    Body,
    /// In the answer as well: a file comes or goes.
    Transfer,
    /// In all, but the answer may take ten times as long: fal puts a file together from its parts.
    Assembly,
}

impl Watch {
    /// How long the answer, or its next piece, may take.
    pub(super) fn of_answer(self, limit: Option<Duration>) -> Option<Duration> {
        match self {
            Watch::Nothing | Watch::Body => None,
            Watch::Transfer => limit,
            Watch::Assembly => limit.map(|limit| limit.saturating_mul(10)),
        }
    }

    /// How long the next piece of the body may take to leave.
    fn of_body(self, limit: Option<Duration>) -> Option<Duration> {
        limit.filter(|_| self != Watch::Nothing)
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Turn {
    /// The connection is made, or our own side has to give the next piece: that is nobody's
    /// silence.
    Ours,
    /// The other side's: the body has not left.
    Taking,
    /// The same: it has, and the answer has not begun.
    Answering,
}

/// How an exchange gets on, up to the head of its answer.
pub(super) struct Pulse {
    begun: Instant,
    turn: AtomicU8,
    /// The last move, in milliseconds since it began.
    moved: AtomicU64,
    taken: AtomicU64,
}

/// An exchange that stalled.
#[derive(Debug)]
pub(super) struct Stalled {
    /// For how long nothing moved.
    pub(super) time: Duration,
    /// How much of the body was taken, if it was not all of it.
    pub(super) taken: Option<u64>,
}

impl Pulse {
    /// A request without a body gives no sign of when it leaves, so that its time includes
    /// connecting.
    pub(super) fn new(has_body: bool) -> Self {
        let turn = if has_body {
            Turn::Ours
        } else {
            Turn::Answering
        };
        Pulse {
            begun: Instant::now(),
            turn: AtomicU8::new(turn as u8),
            moved: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// The connection asks for a piece, which has to be waited for.
    pub(super) fn waits_for_us(&self) {
        self.set(Turn::Ours);
    }

    /// The connection got a piece, the last one or not.
    pub(super) fn gave(&self, bytes: u64, last: bool) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        self.set(if last { Turn::Answering } else { Turn::Taking });
    }

    /// How much of the body was taken, if it was not all of it.
    pub(super) fn untaken(&self) -> Option<u64> {
        (self.turn() != Turn::Answering).then(|| self.taken.load(Ordering::Relaxed))
    }

    /// Ends when nothing has moved for too long, which may be never.
    pub(super) async fn stalled(&self, watch: Watch, limit: Option<Duration>) -> Stalled {
        let Some(usual) = watch.of_body(limit) else {
            return std::future::pending().await;
        };
        loop {
            let (turn, hidden) = (self.turn(), self.taken.load(Ordering::Relaxed) >> 20);
            let allowed = match turn {
                Turn::Ours | Turn::Taking => Some(usual),
                Turn::Answering => watch.of_answer(limit),
            };
            let Some(allowed) = allowed else {
                return std::future::pending().await;
            };
            // At most five times as long.
            let allowed = allowed.saturating_mul(1 + hidden.min(HIDDEN) as u32);
            let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
            let left = allowed.saturating_sub(self.begun.elapsed().saturating_sub(moved));
            match turn {
                // Looked at again then.
                Turn::Ours => tokio::time::sleep(usual).await,
                Turn::Taking | Turn::Answering if !left.is_zero() => tokio::time::sleep(left).await,
                Turn::Taking => {
                    return Stalled {
                        time: allowed,
                        taken: Some(self.taken.load(Ordering::Relaxed)),
                    };
                }
                Turn::Answering => {
                    return Stalled {
                        time: allowed,
                        taken: None,
                    };
                }
            }
        }
    }

    fn set(&self, turn: Turn) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
        self.turn.store(turn as u8, Ordering::Release);
    }

    fn turn(&self) -> Turn {
        let turn = self.turn.load(Ordering::Acquire);
        [Turn::Taking, Turn::Answering]
            .into_iter()
            .find(|known| *known as u8 == turn)
            .unwrap_or(Turn::Ours)
    }
}
