//! The numbers of inputs and messages of a connection and of a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::protocol::Protocol;
use crate::error::Idempotency;
use crate::operation::Task;
use crate::transport::Progress;

/// How long the peer may take to close the connection.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The counters of one connection. The tasks that send, receive and watch share them.
pub(super) struct Counters {
    protocol: Protocol,
    progress: Arc<Progress>,
    counts: Mutex<Counts>,
}

struct Counts {
    sent: u64,
    received: u64,
    /// The number of inputs sent since the last message arrived.
    since: u64,
    /// When the host finished reading the last message.
    read: Instant,
    /// Whether a message waits for the host, so that silence is not the fault of the peer.
    delivering: bool,
    closing: bool,
}

impl Counters {
    pub(super) fn new(protocol: Protocol, progress: Arc<Progress>) -> Self {
        progress.reading(Idempotency::Safe);
        let counts = Counts {
            sent: 0,
            received: 0,
            since: 0,
            read: Instant::now(),
            delivering: false,
            closing: false,
        };
        Counters {
            protocol,
            progress,
            counts: Mutex::new(counts),
        }
    }

    /// Counts an input. Call it before the input is sent: from then on it may be executed.
    pub(super) fn sent(&self) {
        let mut counts = self.counts();
        counts.sent += 1;
        counts.since += 1;
        self.progress.sending(Idempotency::NonIdempotent);
    }

    pub(super) fn delivering(&self) {
        let mut counts = self.counts();
        counts.received += 1;
        counts.since = 0;
        counts.delivering = true;
        if self.open(&counts) == 0 {
            self.progress.reading(Idempotency::Safe);
        }
    }

    pub(super) fn delivered(&self) {
        let mut counts = self.counts();
        counts.delivering = false;
        counts.read = Instant::now();
    }

    /// Records that the host closes the session.
    pub(super) fn close(&self) {
        self.counts().closing = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.counts().closing
    }

    /// Waits while the peer still sends messages and the host still reads them, and for [`GRACE`]
    /// after that. Without a reader, waits for [`GRACE`] only.
    pub(super) async fn grace(&self, task: &Task) {
        loop {
            tokio::time::sleep(GRACE).await;
            let counts = self.counts();
            if !task.has_reader() || (!counts.delivering && counts.read.elapsed() >= GRACE) {
                return;
            }
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.counts().received
    }

    /// Returns since when no message waits for the host. `None`: a message waits.
    pub(super) fn free(&self) -> Option<Instant> {
        let counts = self.counts();
        (!counts.delivering).then_some(counts.read)
    }

    /// Returns how many inputs may have no result yet. fal does not say which message is the result
    /// of which input (docs/protocol.md §7.3). The inputs after the last message always count. With
    /// the realtime protocol, in which an input usually has one result, so does the difference.
    fn open(&self, counts: &Counts) -> u64 {
        match self.protocol {
            Protocol::Realtime => counts
                .sent
                .saturating_sub(counts.received)
                .max(counts.since),
            Protocol::Raw => counts.since,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The totals of a session.
#[derive(Default)]
pub(super) struct Totals {
    connections: u64,
    sent: u64,
    received: u64,
    pub(super) unanswered: u64,
}

impl Totals {
    /// Adds a connection that has ended, and returns how many of its inputs may have no result.
    pub(super) fn add(&mut self, counters: &Counters) -> u64 {
        let counts = counters.counts();
        let open = counters.open(&counts);
        self.connections += 1;
        self.sent += counts.sent;
        self.received += counts.received;
        self.unanswered += open;
        open
    }

    pub(super) fn summary(&self, ended: &str, unsent: u64) -> Value {
        json!({
            "ended": ended, "connections": self.connections, "sent": self.sent, "received": self.received,
            "unanswered": self.unanswered, "unsent": unsent,
        })
    }
}
