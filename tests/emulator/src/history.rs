//! Every request that reached an app, for the Platform API to report (docs/protocol.md §14.5,
//! §14.9).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use crate::answer::Answer;
use crate::apps::App;
use crate::body::Payload;
use crate::keys::Caller;
use crate::platform;
use crate::prices::Nano;
use crate::state::State;

/// The number of requests that are kept. Their inputs and outputs are bounded by the settings of the
/// journal: the oldest requests lose theirs.
const KEPT: usize = 100_000;

/// The size up to which an input or output is kept, in bytes: 1 MiB.
const LARGEST_KEPT: usize = 1 << 20;

/// What is known when an app starts to execute a request.
pub(crate) struct Begun<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) app: &'a App,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) method: &'a str,
    pub(crate) sent: SystemTime,
    pub(crate) input: &'a Bytes,
    /// Whether `X-Fal-Store-IO` was not 0.
    pub(crate) store: bool,
    /// The time that the runner took to start.
    pub(crate) startup: Duration,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The number of the request in the order of their start, from 1.
    pub(crate) ordinal: u64,
    pub(crate) request_id: String,
    pub(crate) endpoint_id: String,
    /// The account that owns the app.
    pub(crate) owner: String,
    /// `owner/alias`.
    pub(crate) app: String,
    /// The caller's account; `None` without a key.
    pub(crate) account: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) method: String,
    pub(crate) sent: SystemTime,
    pub(crate) started: SystemTime,
    pub(crate) ended: Option<SystemTime>,
    pub(crate) status: Option<u16>,
    /// The error type of a failure of the platform.
    pub(crate) error_type: Option<String>,
    pub(crate) startup: Duration,
    pub(crate) input: Option<Bytes>,
    pub(crate) output: Option<Bytes>,
    pub(crate) store: bool,
    /// The number of billed units.
    pub(crate) units: f64,
    /// The list price of one unit.
    pub(crate) price: Nano,
    pub(crate) unit: Arc<str>,
    /// Whether the request came through the API. Seeded requests may have come from a web page.
    pub(crate) by_api: bool,
    pub(crate) runner: String,
    pub(crate) lines: Vec<Line>,
}

/// A line of an app's log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) ordinal: u64,
    pub(crate) time: SystemTime,
    pub(crate) level: String,
    pub(crate) message: String,
}

impl Record {
    /// The seconds of execution, after the end.
    pub(crate) fn duration(&self) -> Option<f64> {
        self.ended.map(|ended| {
            ended
                .duration_since(self.started)
                .unwrap_or_default()
                .as_secs_f64()
        })
    }

    /// The seconds of waiting.
    pub(crate) fn prepare(&self) -> f64 {
        self.started
            .duration_since(self.sent)
            .unwrap_or_default()
            .as_secs_f64()
    }

    fn bytes(&self) -> u64 {
        let bytes = |kept: &Option<Bytes>| kept.as_ref().map_or(0, Bytes::len) as u64;
        bytes(&self.input) + bytes(&self.output)
    }

    /// Whether the caller owns the app. Then the time is billed, not the request.
    pub(crate) fn is_own(&self) -> bool {
        self.account.as_deref() == Some(self.owner.as_str())
    }

    /// Whether the request had the access token of a login instead of a key.
    pub(crate) fn is_login(&self) -> bool {
        self.key_id
            .as_deref()
            .is_some_and(|id| id.starts_with("fake|"))
    }

    /// `success`, `user_error` or `error`; `None` while the request runs.
    pub(crate) fn group(&self) -> Option<&'static str> {
        match self.status? {
            200..=399 => Some("success"),
            400..=499 => Some("user_error"),
            _ => Some("error"),
        }
    }

    pub(crate) fn json_input(&self) -> Value {
        parsed(self.input.as_ref())
    }

    pub(crate) fn json_output(&self) -> Value {
        parsed(self.output.as_ref())
    }
}

fn parsed(bytes: Option<&Bytes>) -> Value {
    bytes
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default()
}

#[derive(Default)]
struct Table {
    records: VecDeque<Arc<Record>>,
    by_id: HashMap<String, u64>,
    last_ordinal: u64,
    last_line: u64,
    /// The bytes of all inputs and outputs, and how many there may be.
    bytes: u64,
    limit: u64,
    /// The number of records at the front that must not keep theirs.
    bare: usize,
}

impl Table {
    fn position(&self, request_id: &str) -> Option<usize> {
        let ordinal = *self.by_id.get(request_id)?;
        let first = self.records.front()?.ordinal;
        usize::try_from(ordinal.checked_sub(first)?).ok()
    }

    fn find(&self, request_id: &str) -> Option<&Arc<Record>> {
        self.records.get(self.position(request_id)?)
    }

    /// Changes a record. Returns false if there is none.
    fn change(&mut self, request_id: &str, change: impl FnOnce(&mut Record)) -> bool {
        let Some(index) = self.position(request_id) else {
            return false;
        };
        let Some(record) = self.records.get_mut(index).map(Arc::make_mut) else {
            return false;
        };
        self.bytes -= record.bytes();
        change(record);
        self.bytes += record.bytes();
        self.trim();
        true
    }

    fn trim(&mut self) {
        while self.bytes > self.limit && self.bare < self.records.len() {
            let record = Arc::make_mut(&mut self.records[self.bare]);
            self.bytes -= record.bytes();
            (record.input, record.output) = (None, None);
            self.bare += 1;
        }
    }

    fn push(&mut self, mut record: Record) {
        self.last_ordinal += 1;
        record.ordinal = self.last_ordinal;
        self.by_id.insert(record.request_id.clone(), record.ordinal);
        self.bytes += record.bytes();
        self.records.push_back(Arc::new(record));
        if self.records.len() > KEPT
            && let Some(forgotten) = self.records.pop_front()
        {
            self.by_id.remove(&forgotten.request_id);
            self.bytes -= forgotten.bytes();
            self.bare = self.bare.saturating_sub(1);
        }
        self.trim();
    }

    fn log(&mut self, request_id: &str, line: (SystemTime, &str, String)) {
        self.last_line += 1;
        let (time, level, message) = line;
        let line = Line {
            ordinal: self.last_line,
            time,
            level: level.to_owned(),
            message,
        };
        self.change(request_id, |record| record.lines.push(line));
    }
}

/// All requests of all accounts.
pub(crate) struct History {
    table: Mutex<Table>,
    changed: watch::Sender<()>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }
}

impl History {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// All records, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Record>> {
        self.table().records.iter().cloned().collect()
    }

    pub(crate) fn find(&self, request_id: &str) -> Option<Arc<Record>> {
        self.table().find(request_id).cloned()
    }

    /// Adds records that no request caused.
    pub(crate) fn seed(&self, records: impl IntoIterator<Item = Record>) {
        let mut table = self.table();
        for record in records {
            table.push(record);
        }
        drop(table);
        self.changed.send_replace(());
    }

    /// Keeps at most this many bytes of inputs and outputs.
    pub(crate) fn limit(&self, bytes: u64) {
        let mut table = self.table();
        table.limit = bytes;
        table.trim();
    }

    /// Removes the input and the output of a request. No effect without such a request.
    pub(crate) fn erase(&self, request_id: &str) {
        self.table().change(request_id, |record| {
            (record.input, record.output) = (None, None);
        });
    }

    /// Adds a line to the app's log.
    pub(crate) fn log(&self, request_id: &str, message: &str, level: &str, now: SystemTime) {
        self.table()
            .log(request_id, (now, level, message.to_owned()));
        self.changed.send_replace(());
    }

    /// Records that a request reached its app. Dropping the returned value records the end.
    pub(crate) fn begin(state: &Arc<State>, begun: Begun<'_>) -> Running {
        let now = state.clock.now();
        let price = begun.app.price();
        let record = Record {
            ordinal: 0,
            request_id: begun.request_id.to_owned(),
            endpoint_id: begun.app.id.clone(),
            owner: begun.app.account.clone(),
            app: begun.app.name.clone(),
            account: begun.caller.map(|caller| caller.account.clone()),
            key_id: begun.caller.map(|caller| caller.key_id.clone()),
            method: begun.method.to_owned(),
            sent: begun.sent,
            started: now,
            ended: None,
            status: None,
            error_type: None,
            startup: begun.startup,
            input: kept(begun.input).filter(|_| begun.store),
            output: None,
            store: begun.store,
            units: 0.0,
            price: price.unit_price,
            unit: price.unit,
            by_api: true,
            runner: Uuid::new_v4().to_string(),
            lines: Vec::new(),
        };
        let request_id = record.request_id.clone();
        {
            let mut table = state.history.table();
            // A further attempt replaces the failed one.
            if table.find(&request_id).is_some() {
                table.change(&request_id, |known| {
                    *known = Record {
                        ordinal: known.ordinal,
                        lines: std::mem::take(&mut known.lines),
                        ..record
                    };
                });
            } else {
                table.push(record);
            }
            table.log(
                &request_id,
                (now, "INFO", format!("Request {request_id} started")),
            );
        }
        state.history.changed.send_replace(());
        Running {
            state: Arc::clone(state),
            request_id,
            end: None,
            forgotten: false,
        }
    }

    fn end(&self, request_id: &str, end: End, now: SystemTime) -> Option<Arc<Record>> {
        let mut table = self.table();
        let status = end.status;
        table.change(request_id, |record| {
            record.ended = Some(now);
            record.status = Some(status);
            record.error_type = end.error_type;
            record.units = end.units;
            record.output = end.output.filter(|_| record.store);
        });
        let seconds = table.find(request_id)?.duration().unwrap_or_default();
        let level = if status >= 500 { "ERROR" } else { "INFO" };
        let message = format!("Request {request_id} ended with {status} after {seconds:.3} s");
        table.log(request_id, (now, level, message));
        let record = table.find(request_id).cloned();
        drop(table);
        self.changed.send_replace(());
        record
    }

    fn forget(&self, request_id: &str) {
        // The record stays, so that the positions of later ones do not change.
        self.table().change(request_id, |record| {
            (record.account, record.key_id, record.owner, record.app) =
                (None, None, String::new(), String::new());
        });
    }
}

fn kept(bytes: &Bytes) -> Option<Bytes> {
    (bytes.len() <= LARGEST_KEPT).then(|| bytes.clone())
}

struct End {
    status: u16,
    error_type: Option<String>,
    units: f64,
    output: Option<Bytes>,
}

/// A request that an app executes. Dropping it without a response records that its client
/// disconnected.
pub(crate) struct Running {
    state: Arc<State>,
    request_id: String,
    end: Option<End>,
    forgotten: bool,
}

impl Running {
    /// The app has responded. Of a stream, only the beginning is known.
    pub(crate) fn answered(&mut self, answer: &Answer) {
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let units = header("x-fal-billable-units")
            .and_then(|units| units.parse().ok())
            .unwrap_or_default();
        let output = match &answer.payload {
            Payload::Bytes(bytes) => kept(bytes),
            _ => None,
        };
        // A failure on fal's side is not billed (§15).
        let units = if answer.status.is_server_error() {
            0.0
        } else {
            units
        };
        let error_type = header("x-fal-error-type").map(str::to_owned);
        self.end = Some(End {
            status: answer.status.as_u16(),
            error_type,
            units,
            output,
        });
    }

    /// Removes the record: it was a connection and not a request.
    pub(crate) fn forget(mut self) {
        self.forgotten = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.forgotten {
            self.state.history.forget(&self.request_id);
            return;
        }
        let left = || End {
            status: 499,
            error_type: Some("client_disconnected".into()),
            units: 0.0,
            output: None,
        };
        let end = self.end.take().unwrap_or_else(left);
        if let Some(record) = self
            .state
            .history
            .end(&self.request_id, end, self.state.clock.now())
        {
            platform::remember(&self.state, &record);
        }
    }
}
