//! A connection that notes when the other side moved its last byte, so that a slow one is told from
//! a dead one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Nothing moves for so many intervals between pings, and the other side counts as gone.
const SILENT_INTERVALS: u32 = 4;
/// What was written may wait in buffers of the operating system, where nobody sees it move: up to
/// so many MiB (Linux's `tcp_wmem`), each of which is given the same time once more.
const HIDDEN: u32 = 4;
/// In the place of no pings, and of pauses that no clock can count.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How a connection gets on.
pub(crate) struct Pulse {
    begun: Instant,
    /// The last move, in milliseconds since it began.
    moved: AtomicU64,
    /// Bytes that were written since the last ones were read.
    unanswered: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Pulse {
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
        }
    }

    fn moves(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// How long nothing has moved, if that is too long for a connection with this time between
    /// pings. `free` is since when the host has let us read: before, silence was ours.
    fn silence(&self, ping: Duration, free: Instant) -> Option<Duration> {
        let moved = self.begun + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let hidden = u32::try_from(self.unanswered.load(Ordering::Relaxed) >> 20)
            .unwrap_or(HIDDEN)
            .min(HIDDEN);
        let silence = moved.max(free).elapsed();
        (silence > ping.saturating_mul(SILENT_INTERVALS * (1 + hidden))).then_some(silence)
    }

    /// Waits until the other side counts as gone, and says for how long nothing has moved. `free`
    /// is none while the host takes its time.
    pub(crate) async fn lost(
        &self,
        ping: Option<Duration>,
        free: impl Fn() -> Option<Instant>,
    ) -> Duration {
        let ping = pause(ping);
        loop {
            tokio::time::sleep(ping).await;
            if let Some(silence) = free().and_then(|free| self.silence(ping, free)) {
                return silence;
            }
        }
    }
}

/// The time between pings.
pub(crate) fn pause(ping: Option<Duration>) -> Duration {
    ping.unwrap_or(NEVER).min(NEVER)
}

/// Of what is read in one go others have their turn after so many bytes: two of them are a frame,
/// and a message may have any number of empty ones, which are put together below us without a
/// pause.
const TURN: usize = 16 << 10;

/// A connection, and its pulse.
pub(crate) struct Wire<S> {
    inner: S,
    /// How much was read since others had their turn.
    read: usize,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pulse: Arc<Pulse>,
    /// The last write had to wait: once there is room, the other side has taken something.
    full: bool,
}

impl<S> Wire<S> {
    pub(super) fn new(inner: S) -> Self {
        Wire {
            inner,
            read: 0,
            turn: None,
            pulse: Arc::new(Pulse::new()),
            full: false,
        }
    }

    pub(super) fn pulse(&self) -> Arc<Pulse> {
        self.pulse.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read >= TURN {
            let turn = self
                .turn
                .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
            std::task::ready!(turn.as_mut().poll(cx));
            (self.read, self.turn) = (0, None);
        }
        let most = buffer.remaining().min(TURN);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let polled = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        let read = part.filled().len();
        buffer.advance(read);
        if read > 0 {
            self.read += read;
            self.pulse.unanswered.store(0, Ordering::Relaxed);
            self.pulse.moves();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        match polled {
            Poll::Ready(Ok(written)) => {
                self.pulse
                    .unanswered
                    .fetch_add(written as u64, Ordering::Relaxed);
                if std::mem::take(&mut self.full) {
                    self.pulse.moves();
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.full = true,
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
