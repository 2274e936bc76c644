//! What went over one connection, and how much of it is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::language::Language;
use crate::error::Idempotency;
use crate::operation::Task;
use crate::transport::Progress;

/// How long the other side may take to close.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Counts for one connection; shared by those who send, receive and watch.
pub(super) struct Counters {
    language: Language,
    progress: Arc<Progress>,
    counts: Mutex<Counts>,
}

struct Counts {
    sent: u64,
    received: u64,
    /// Sent since the last message came.
    since: u64,
    /// When the host had read the last message.
    read: Instant,
    /// The host takes its time, so silence is ours.
    delivering: bool,
    closing: bool,
}

impl Counters {
    pub(super) fn new(language: Language, progress: Arc<Progress>) -> Self {
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
            language,
            progress,
            counts: Mutex::new(counts),
        }
    }

    /// An input is about to leave; from here on it may be executed.
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

    /// The host has asked for the end.
    pub(super) fn close(&self) {
        self.counts().closing = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.counts().closing
    }

    /// Lets the other side say what it has to say, and the host read it. Where nobody reads, it
    /// need not be heard out.
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

    /// Since when the host has let us read; none while it takes its time.
    pub(super) fn free(&self) -> Option<Instant> {
        let counts = self.counts();
        (!counts.delivering).then_some(counts.read)
    }

    /// How many inputs may be without an answer. Nothing says which message answers which input
    /// (docs/protocol.md §7.3): where one brings one, it is their difference; in any case those
    /// after which nothing came.
    fn open(&self, counts: &Counts) -> u64 {
        match self.language {
            Language::Realtime => counts
                .sent
                .saturating_sub(counts.received)
                .max(counts.since),
            Language::Raw => counts.since,
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sums of a session.
#[derive(Default)]
pub(super) struct Totals {
    connections: u64,
    sent: u64,
    received: u64,
    pub(super) unanswered: u64,
}

impl Totals {
    /// Adds a connection that has ended, and returns how many of its inputs are without an answer.
    pub(super) fn add(&mut self, counters: &Counters) -> u64 {
        let counts = counters.counts();
        let open = counters.open(&counts);
        self.connections += 1;
        self.sent += counts.sent;
        self.received += counts.received;
        self.unanswered += open;
        open
    }

    pub(super) fn told(&self, ended: &str, unsent: u64) -> Value {
        json!({
            "ended": ended, "connections": self.connections, "sent": self.sent, "received": self.received,
            "unanswered": self.unanswered, "unsent": unsent,
        })
    }
}
