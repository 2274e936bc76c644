//! The WebSockets that are open, and what went over them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// Messages of one endpoint; pings, pongs and closes are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageCounts {
    /// From clients.
    pub received: u64,
    /// To clients.
    pub sent: u64,
}

type Counts = Arc<Mutex<BTreeMap<String, MessageCounts>>>;

fn locked(counts: &Counts) -> MutexGuard<'_, BTreeMap<String, MessageCounts>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All WebSockets.
pub(crate) struct Sockets {
    counts: Counts,
    /// How often all were cut.
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
    /// One more that is open, as long as this lives.
    pub(super) fn open(&self) -> Cut {
        Cut(self.cut.subscribe())
    }

    pub(crate) fn count(&self) -> usize {
        self.cut.receiver_count()
    }

    /// Ends all that are open, without a closing handshake. How many there were.
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

/// Tells one WebSocket that it is cut.
pub(super) struct Cut(watch::Receiver<u64>);

impl Cut {
    pub(super) async fn wait(&mut self) {
        // Without a sender the emulator itself has ended.
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
