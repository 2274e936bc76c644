//! All arrivals, in order, and who waits for them.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::AUTHORIZATION;
use tokio::sync::watch;

use super::arrival::{Arrival, ArrivedBody, Authorization, Head, Outcome, plain_headers};
use crate::tokens;

/// The number of arrivals that are kept. Beyond it the oldest tenth is removed, so that a server
/// can run for days.
pub const KEPT_ARRIVALS: usize = 100_000;

#[derive(Default)]
struct Records {
    arrivals: Vec<Arrival>,
    last_ordinal: u64,
}

/// All arrivals, and the threads and tasks that wait for them.
pub(crate) struct Log {
    records: Mutex<Records>,
    changed: Condvar,
    version: watch::Sender<u64>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            records: Mutex::default(),
            changed: Condvar::new(),
            version: watch::Sender::new(0),
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.changed.notify_all();
        self.version
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Records a request whose head was read.
    pub(crate) fn open(self: &Arc<Self>, head: &Head<'_>) -> Entry {
        let mut records = self.records();
        if records.arrivals.len() >= KEPT_ARRIVALS {
            records.arrivals.drain(..KEPT_ARRIVALS / 10);
        }
        records.last_ordinal += 1;
        let ordinal = records.last_ordinal;
        records.arrivals.push(Arrival {
            ordinal,
            connection: head.connection,
            method: head.method.to_owned(),
            host: head.host.to_owned(),
            path: head.path.to_owned(),
            query: head.query.map(tokens::masked),
            headers: plain_headers(head.headers),
            authorization: head
                .headers
                .get(AUTHORIZATION)
                .map(|value| Authorization::parse(&String::from_utf8_lossy(value.as_bytes()))),
            token: head.query.is_some_and(tokens::present),
            proxied: head.headers.contains_key("x-fal-client-proxy"),
            body_length: 0,
            body: ArrivedBody::Empty,
            outcome: Outcome::Pending,
            executed: false,
            made: false,
            request_id: None,
        });
        drop(records);
        self.notify();
        Entry {
            log: Arc::clone(self),
            ordinal,
            settled: false,
        }
    }

    fn update(&self, ordinal: u64, change: impl FnOnce(&mut Arrival)) {
        let mut records = self.records();
        if let Ok(index) = records
            .arrivals
            .binary_search_by_key(&ordinal, |arrival| arrival.ordinal)
        {
            change(&mut records.arrivals[index]);
        }
        drop(records);
        self.notify();
    }

    pub(crate) fn all(&self) -> Vec<Arrival> {
        self.records().arrivals.clone()
    }

    pub(crate) fn clear(&self) {
        self.records().arrivals.clear();
        self.notify();
    }

    /// Blocks the thread until `enough` returns true. Fails with `TimedOut`.
    pub(crate) fn wait_until(
        &self,
        timeout: Duration,
        mut enough: impl FnMut(&[Arrival]) -> bool,
    ) -> io::Result<Vec<Arrival>> {
        let end = Instant::now() + timeout;
        let mut records = self.records();
        while !enough(&records.arrivals) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!("{} arrivals in {timeout:?}", records.arrivals.len());
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            records = self
                .changed
                .wait_timeout(records, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(records.arrivals.clone())
    }

    /// Like [`Log::wait_until`], without blocking the thread. Returns false after the timeout.
    pub(crate) async fn settled_when(
        &self,
        timeout: Duration,
        mut enough: impl FnMut(&[Arrival]) -> bool,
    ) -> bool {
        let mut version = self.version.subscribe();
        let waiting = async {
            while !enough(&self.records().arrivals) {
                if version.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(timeout, waiting).await.is_ok()
    }
}

/// The record of a request that is being executed. Dropping it unsettled means that the client
/// disconnected: hyper drops the exchange when the socket ends.
pub(crate) struct Entry {
    log: Arc<Log>,
    ordinal: u64,
    settled: bool,
}

impl Entry {
    /// Records the body that was read, and its `length` in bytes.
    pub(crate) fn body(&self, body: &Bytes, length: u64) {
        let kept = ArrivedBody::new(body);
        self.log.update(self.ordinal, |arrival| {
            arrival.body_length = length;
            arrival.body = kept;
        });
    }

    /// An entry for a model that runs after the response: it records the execution, but not the end
    /// of the request.
    pub(crate) fn for_later(&self) -> Self {
        Self {
            log: Arc::clone(&self.log),
            ordinal: self.ordinal,
            settled: true,
        }
    }

    /// Records that a model started to run.
    pub(crate) fn executed(&self) {
        self.log
            .update(self.ordinal, |arrival| arrival.executed = true);
    }

    /// Records that the request created or changed something.
    pub(crate) fn made(&self) {
        self.log.update(self.ordinal, |arrival| arrival.made = true);
    }

    pub(crate) fn request_id(&self, id: &str) {
        self.log.update(self.ordinal, |arrival| {
            arrival.request_id = Some(id.to_owned());
        });
    }

    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        self.settled = true;
        self.log
            .update(self.ordinal, |arrival| arrival.outcome = outcome);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.settled {
            self.record(Outcome::ClientClosed);
        }
    }
}
