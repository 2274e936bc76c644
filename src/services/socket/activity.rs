//! A connection that records when the peer last sent or accepted a byte, to distinguish a slow peer
//! from a dead one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The peer counts as gone if no byte moves for this many ping intervals.
const SILENT_INTERVALS: u32 = 4;
/// Written bytes may wait in buffers of the operating system, where their progress is invisible: up
/// to this many MiB (`tcp_wmem` of Linux). Each MiB extends the time limit by its initial length.
const HIDDEN_MIB: u32 = 4;
/// The ping interval if pings are disabled, and the longest one.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The activity of a connection.
pub(crate) struct Pulse {
    begun: Instant,
    /// When the last byte moved, in milliseconds after `begun`.
    moved: AtomicU64,
    /// The number of bytes that were written after the last read.
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

    fn record_move(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(now, Ordering::Relaxed);
    }

    /// Returns how long no byte has moved, if it is too long for this ping interval. Time before
    /// `free`, when the host did not read its events, does not count.
    fn silence(&self, ping: Duration, free: Instant) -> Option<Duration> {
        let moved = self.begun + Duration::from_millis(self.moved.load(Ordering::Relaxed));
        let hidden = u32::try_from(self.unanswered.load(Ordering::Relaxed) >> 20)
            .unwrap_or(HIDDEN_MIB)
            .min(HIDDEN_MIB);
        let silence = moved.max(free).elapsed();
        (silence > ping.saturating_mul(SILENT_INTERVALS * (1 + hidden))).then_some(silence)
    }

    /// Waits until the peer counts as gone, and returns how long no byte has moved. `free` returns
    /// since when the host has been reading its events, or `None` if it is not.
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

/// Returns the time between pings.
pub(crate) fn pause(ping: Option<Duration>) -> Duration {
    ping.unwrap_or(NEVER).min(NEVER)
}

/// A read yields to other tasks after this many bytes. tungstenite assembles a message without a
/// pause, and a message may have any number of empty frames of two bytes each.
const TURN: usize = 16 << 10;

/// A connection that records its activity.
pub(crate) struct Wire<S> {
    inner: S,
    /// The number of bytes read since the last yield.
    read: usize,
    yielding: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pulse: Arc<Pulse>,
    /// Whether the last write had to wait. The next successful write then shows that the peer
    /// accepted bytes.
    full: bool,
}

impl<S> Wire<S> {
    pub(super) fn new(inner: S) -> Self {
        Wire {
            inner,
            read: 0,
            yielding: None,
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
            let yielding = self
                .yielding
                .get_or_insert_with(|| Box::pin(tokio::task::yield_now()));
            std::task::ready!(yielding.as_mut().poll(cx));
            (self.read, self.yielding) = (0, None);
        }
        let most = buffer.remaining().min(TURN);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let polled = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        let read = part.filled().len();
        buffer.advance(read);
        if read > 0 {
            self.read += read;
            self.pulse.unanswered.store(0, Ordering::Relaxed);
            self.pulse.record_move();
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
                    self.pulse.record_move();
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
