//! All arrivals, in order, and who waits for them.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::arrival::{Arrival, ArrivedBody, Authorization, Head, Outcome, plain_headers};
use super::shown::Credentials;
use crate::tokens;

/// The number of arrivals that are kept by default.
pub const KEPT_ARRIVALS: usize = 100_000;

/// The number of arrivals with which a new one may share its credentials.
const RECENT: usize = 16;

/// How much the journal of arrivals holds, so that a server can run for days. The oldest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalSettings {
    /// The number of arrivals, at least 1; [`KEPT_ARRIVALS`] by default. Beyond it a tenth is
    /// removed at once.
    pub arrivals: usize,
    /// The number of bytes of bodies of requests and responses; 64 MiB by default. Beyond it the
    /// oldest arrivals lose their bodies. The history of requests holds as many again.
    pub body_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            arrivals: KEPT_ARRIVALS,
            body_bytes: 64 << 20,
        }
    }
}

/// The position of a log in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Grows with each change.
    pub(crate) revision: u64,
    /// How often the log was cleared.
    pub(crate) clearings: u64,
    /// The arrivals removed since then, because the journal was full.
    pub(crate) dropped: u64,
    /// The arrivals that are kept without their bodies.
    pub(crate) dropped_bodies: u64,
}

#[derive(Default)]
struct Records {
    arrivals: Vec<Arrival>,
    last_ordinal: u64,
    limits: JournalSettings,
    tally: Tally,
    /// The bytes of all bodies that are kept.
    bytes: u64,
    /// The number of arrivals at the front that must not keep bodies.
    bare: usize,
}

impl Records {
    fn trim(&mut self) {
        let most = self.limits.arrivals.max(1);
        let excess = self.arrivals.len().saturating_sub(most);
        if excess > 0 {
            // A tenth at once, so that the rest seldom moves.
            let excess = excess.max(most / 10);
            for gone in self.arrivals.drain(..excess) {
                self.bytes -= gone.weight();
                self.tally.dropped_bodies -= u64::from(gone.dropped);
            }
            self.bare = self.bare.saturating_sub(excess);
            self.tally.dropped += excess as u64;
        }
        while self.bytes > self.limits.body_bytes && self.bare < self.arrivals.len() {
            self.strip(self.bare);
            self.bare += 1;
        }
    }

    /// The credentials of a request, shared with a recent one that has the same.
    fn credentials(&self, head: &Head<'_>) -> Arc<Credentials> {
        let found = Credentials::of(head);
        let recent = self.arrivals.iter().rev().take(RECENT);
        let mut recent = recent.map(|arrival| &arrival.credentials);
        let same = recent.find(|known| ***known == found);
        same.map_or_else(|| Arc::new(found), Arc::clone)
    }

    fn strip(&mut self, index: usize) {
        let arrival = &mut self.arrivals[index];
        let weight = arrival.weight();
        if weight > 0 {
            self.bytes -= weight;
            self.tally.dropped_bodies += u64::from(!arrival.dropped);
            arrival.strip();
        }
    }

    fn clear(&mut self) {
        self.arrivals.clear();
        (self.bytes, self.bare) = (0, 0);
        self.tally = Tally {
            revision: self.tally.revision + 1,
            clearings: self.tally.clearings + 1,
            ..Tally::default()
        };
    }
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
        records.last_ordinal += 1;
        records.tally.revision += 1;
        let (ordinal, revision) = (records.last_ordinal, records.tally.revision);
        let credentials = records.credentials(head);
        records.arrivals.push(Arrival {
            ordinal,
            at: head.at,
            duration: None,
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
            response: ArrivedBody::Empty,
            response_length: 0,
            dropped: false,
            unknown: None,
            outcome: Outcome::Pending,
            executed: false,
            made: false,
            request_id: None,
            credentials,
            began: Instant::now(),
            revision,
        });
        records.trim();
        drop(records);
        self.notify();
        Entry {
            log: Arc::clone(self),
            ordinal,
            settled: false,
            hears: false,
        }
    }

    fn update(&self, ordinal: u64, change: impl FnOnce(&mut Arrival)) {
        let mut records = self.records();
        let found = records
            .arrivals
            .binary_search_by_key(&ordinal, |arrival| arrival.ordinal);
        if let Ok(index) = found {
            records.tally.revision += 1;
            let revision = records.tally.revision;
            let arrival = &mut records.arrivals[index];
            arrival.revision = revision;
            let before = arrival.weight();
            change(arrival);
            let after = arrival.weight();
            records.bytes = records.bytes - before + after;
            if index < records.bare {
                records.strip(index);
            }
            records.trim();
        }
        drop(records);
        self.notify();
    }

    pub(crate) fn limit(&self, limits: JournalSettings) {
        let mut records = self.records();
        records.limits = limits;
        records.trim();
    }

    pub(crate) fn all(&self) -> Vec<Arrival> {
        self.look(|arrivals, _| arrivals.to_vec())
    }

    /// Calls `f` with all arrivals. Nothing arrives until it returns.
    pub(crate) fn look<T>(&self, f: impl FnOnce(&[Arrival], Tally) -> T) -> T {
        let records = self.records();
        f(&records.arrivals, records.tally)
    }

    /// Resolves after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn clear(&self) {
        self.records().clear();
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
    /// Whether the response is kept.
    hears: bool,
}

impl Entry {
    /// Keeps the response, which must not contain a secret.
    pub(crate) fn hearing(mut self, hears: bool) -> Self {
        self.hears = hears;
        self
    }

    /// Keeps nothing of the response.
    pub(crate) fn deaf(self) -> Self {
        self.hearing(false)
    }

    pub(crate) fn hears(&self) -> bool {
        self.hears
    }

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
            hears: false,
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

    /// Records the beginning of the response, and its `length` in bytes.
    pub(crate) fn response(&self, kept: &[u8], length: u64) {
        let kept = ArrivedBody::new(kept);
        self.log.update(self.ordinal, |arrival| {
            arrival.response_length = length;
            arrival.response = kept;
        });
    }

    /// Records that the emulator has nothing that could answer the request.
    pub(crate) fn unknown(&self, why: &str) {
        self.log.update(self.ordinal, |arrival| {
            arrival.unknown = Some(why.to_owned());
        });
    }

    /// Tells those who wait for changes that there is one, in what the arrival led to.
    pub(crate) fn touch(&self) {
        self.log.update(self.ordinal, |_| {});
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
        self.log.update(self.ordinal, |arrival| {
            arrival.outcome = outcome;
            arrival.duration = Some(arrival.began.elapsed());
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.settled {
            self.record(Outcome::ClientClosed);
        }
    }
}
