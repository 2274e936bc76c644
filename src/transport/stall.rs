//! Detects transfers in which the server has neither read nor sent a byte for too long. The
//! timeouts of the HTTP stack do not cover the request body.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The default time without a byte after which a transfer has stalled.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// The number of MiB that may be in the operating system's send buffers (Linux's `tcp_wmem`), where
/// libfal cannot see them leave. Each MiB that was sent extends the time limit by its original
/// length, up to this number.
const HIDDEN: u64 = 4;

/// The parts of a call in which a stall is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// No part. An app may compute for an hour, and the queue may hold a request for longer.
    Nothing,
    /// The request body. The response may take any time.
    Body,
    /// The request body and the response: the call sends or receives a file.
    Transfer,
    /// Like `Transfer`, but the response may take ten times as long: fal assembles a file from its
    /// parts.
    Assembly,
}

impl Watch {
    /// The time limit of the response, and of each piece of it.
    pub(super) fn of_response(self, limit: Option<Duration>) -> Option<Duration> {
        match self {
            Watch::Nothing | Watch::Body => None,
            Watch::Transfer => limit,
            Watch::Assembly => limit.map(|limit| limit.saturating_mul(10)),
        }
    }

    /// The time limit of each piece of the request body.
    fn of_body(self, limit: Option<Duration>) -> Option<Duration> {
        limit.filter(|_| self != Watch::Nothing)
    }
}

/// What the exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The connection, or the next piece of the request body. Such waiting is not a stall.
    Client,
    /// The server, which has not yet taken the whole body.
    Taking,
    /// The server, which has taken the whole body but has not begun to respond.
    Responding,
}

/// The progress of an exchange, up to the head of the response. Thread-safe.
pub(super) struct Pulse(Mutex<State>);

#[derive(Clone, Copy)]
struct State {
    turn: Turn,
    /// The time of the last movement.
    moved: Instant,
    /// The bytes of the body that the connection has taken.
    taken: u64,
}

/// An exchange that stalled.
#[derive(Debug)]
pub(super) struct Stalled {
    /// How long no byte moved.
    pub(super) time: Duration,
    /// The bytes of the body that were taken, unless it was the whole body.
    pub(super) taken: Option<u64>,
}

impl State {
    /// The bytes of the body that were taken, unless it was the whole body.
    fn untaken(self) -> Option<u64> {
        (self.turn != Turn::Responding).then_some(self.taken)
    }
}

impl Pulse {
    /// Without a body, libfal cannot tell when the request is sent, so the time limit includes the
    /// connecting.
    pub(super) fn new(has_body: bool) -> Self {
        Pulse(Mutex::new(State {
            turn: match has_body {
                true => Turn::Client,
                false => Turn::Responding,
            },
            moved: Instant::now(),
            taken: 0,
        }))
    }

    /// Records that the connection waits for the next piece of the body.
    pub(super) fn waits_for_body(&self) {
        self.move_to(Turn::Client, 0);
    }

    /// Records that the connection has taken a piece of the body.
    pub(super) fn gave(&self, bytes: u64, last: bool) {
        let turn = match last {
            true => Turn::Responding,
            false => Turn::Taking,
        };
        self.move_to(turn, bytes);
    }

    /// Returns the bytes of the body that were taken, or `None` if it was the whole body.
    pub(super) fn untaken(&self) -> Option<u64> {
        self.state().untaken()
    }

    /// Completes when no byte has moved for too long. May never complete.
    pub(super) async fn stalled(&self, watch: Watch, limit: Option<Duration>) -> Stalled {
        let Some(usual) = watch.of_body(limit) else {
            return std::future::pending().await;
        };
        loop {
            let state = *self.state();
            let limit = match state.turn {
                Turn::Client | Turn::Taking => Some(usual),
                Turn::Responding => watch.of_response(limit),
            };
            let Some(limit) = limit else {
                return std::future::pending().await;
            };
            let time = limit.saturating_mul(1 + (state.taken >> 20).min(HIDDEN) as u32);
            let left = time.saturating_sub(state.moved.elapsed());
            match state.turn {
                Turn::Client => tokio::time::sleep(usual).await,
                _ if !left.is_zero() => tokio::time::sleep(left).await,
                _ => {
                    let taken = state.untaken();
                    return Stalled { time, taken };
                }
            }
        }
    }

    fn move_to(&self, turn: Turn, bytes: u64) {
        let mut state = self.state();
        state.turn = turn;
        state.moved = Instant::now();
        state.taken += bytes;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
