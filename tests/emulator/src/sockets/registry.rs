//! The open WebSockets, and the number of their messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// The messages of one endpoint, without pings, pongs and close frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageCounts {
    /// The number of messages from clients.
    pub received: u64,
    /// The number of messages to clients.
    pub sent: u64,
}

type Counts = Arc<Mutex<BTreeMap<String, MessageCounts>>>;

fn locked(counts: &Counts) -> MutexGuard<'_, BTreeMap<String, MessageCounts>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All WebSockets.
pub(crate) struct Sockets {
    counts: Counts,
    /// How often all WebSockets were cut.
    cut: watch::Sender<u64>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            cut: watch::Sender::new(0),
        }
    }
}

impl Sockets {
    /// Counts an open WebSocket until the returned value is dropped.
    pub(super) fn open(&self) -> Cut {
        Cut(self.cut.subscribe())
    }

    pub(crate) fn count(&self) -> usize {
        self.cut.receiver_count()
    }

    /// Ends all open WebSockets without a closing handshake, and returns their number.
    pub(crate) fn cut(&self) -> usize {
        let open = self.count();
        self.cut.send_modify(|times| *times += 1);
        open
    }

    pub(super) fn counter(&self, endpoint: String) -> Counter {
        Counter {
            counts: Arc::clone(&self.counts),
            endpoint,
        }
    }

    pub(crate) fn messages(&self) -> BTreeMap<String, MessageCounts> {
        locked(&self.counts).clone()
    }
}

/// Notifies one WebSocket that it is cut.
pub(super) struct Cut(watch::Receiver<u64>);

impl Cut {
    pub(super) async fn wait(&mut self) {
        // The sender is dropped only when the emulator ends.
        let _ = self.0.changed().await;
    }
}

/// Counts the messages of one endpoint.
#[derive(Clone)]
pub(super) struct Counter {
    counts: Counts,
    endpoint: String,
}

impl Counter {
    pub(super) fn received(&self) {
        locked(&self.counts)
            .entry(self.endpoint.clone())
            .or_default()
            .received += 1;
    }

    pub(super) fn sent(&self) {
        locked(&self.counts)
            .entry(self.endpoint.clone())
            .or_default()
            .sent += 1;
    }
}
