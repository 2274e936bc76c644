//! One request of the queue: its input, its options and its progress (docs/protocol.md §5.1).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;

use super::controls::{Controls, Priority};
use super::retry::Spent;
use crate::answer::Answer;
use crate::apps::App;
use crate::arrivals::Entry;
use crate::body::Payload;
use crate::cassettes::Chosen;
use crate::clock;
use crate::keys::Caller;
use crate::server::Request;

/// The position of a job in its endpoint's line and in its account's order.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) endpoint: String,
    pub(super) priority: Priority,
    pub(super) rank: usize,
    /// The order among all jobs.
    pub(super) order: u64,
}

/// A request that the queue accepted.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) app: Arc<App>,
    pub(crate) caller: Option<Caller>,
    pub(crate) controls: Controls,
    pub(crate) webhook: Option<Url>,
    pub(super) submitted: SystemTime,
    pub(super) place: Place,
    /// The arrival of the submission, which records that the app runs.
    pub(super) entry: Entry,
    /// The recording that answers, if any.
    pub(super) tape: Option<Chosen>,
    progress: Mutex<Progress>,
    changed: watch::Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In its line, or between two attempts.
    Waiting,
    /// The runner is starting.
    Starting,
    Running,
    Done,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
    /// The message and the type of a failure of the platform.
    pub(crate) error: Option<(String, Option<String>)>,
    /// In seconds.
    pub(crate) inference_time: Option<f64>,
    pub(crate) completed: SystemTime,
}

impl Outcome {
    fn without_payload(&self) -> Self {
        Self {
            status: self.status,
            headers: self.headers.clone(),
            payload: Payload::default(),
            error: self.error.clone(),
            inference_time: self.inference_time,
            completed: self.completed,
        }
    }

    /// The response with the result. It can be built any number of times.
    pub(super) fn answer(&self) -> Answer {
        let mut answer = Answer::empty(self.status);
        *answer.headers = self.headers.clone();
        answer.payload = self.payload.again();
        answer
    }
}

pub(super) struct Progress {
    pub(super) phase: Phase,
    input: Option<Arc<Request>>,
    pub(super) attempts: u32,
    pub(super) gateway_request_id: String,
    pub(super) began: Option<SystemTime>,
    pub(super) spent: Spent,
    pub(super) log: Vec<Value>,
    /// The number of log lines that a status has shown.
    pub(super) shown: usize,
    cancelled: bool,
    /// `None` until the job has ended.
    pub(super) outcome: Option<Arc<Outcome>>,
    pub(super) expired: bool,
}

impl Job {
    pub(super) fn new(wanted: super::submit::Wanted, id: String, place: Place) -> Self {
        let progress = Progress {
            phase: Phase::Waiting,
            input: Some(wanted.request),
            attempts: 0,
            gateway_request_id: id.clone(),
            began: None,
            spent: Spent::default(),
            log: Vec::new(),
            shown: 0,
            cancelled: false,
            outcome: None,
            expired: false,
        };
        Self {
            id,
            app: wanted.app,
            caller: wanted.caller,
            controls: wanted.controls,
            webhook: wanted.webhook,
            submitted: wanted.submitted,
            place,
            entry: wanted.entry,
            tape: wanted.tape,
            progress: Mutex::new(progress),
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn notify(&self) {
        self.changed.send_replace(());
    }

    /// The account that may see the job; `None` for a request without a key.
    pub(crate) fn account(&self) -> Option<&str> {
        self.caller.as_ref().map(|caller| caller.account.as_str())
    }

    pub(crate) fn gateway_request_id(&self) -> String {
        self.progress().gateway_request_id.clone()
    }

    /// The start deadline.
    pub(super) fn deadline(&self) -> Option<SystemTime> {
        self.controls
            .start_within
            .map(|time| clock::later(self.submitted, time))
    }

    pub(crate) fn submitted(&self) -> SystemTime {
        self.submitted
    }

    /// What a status reported so far, each with its time.
    pub(crate) fn states(&self) -> Vec<(&'static str, SystemTime)> {
        let progress = self.progress();
        let completed = progress.outcome.as_ref().map(|outcome| outcome.completed);
        [
            ("IN_QUEUE", Some(self.submitted)),
            ("IN_PROGRESS", progress.began),
            ("COMPLETED", completed),
        ]
        .into_iter()
        .filter_map(|(state, time)| Some((state, time?)))
        .collect()
    }

    /// Whether the app has yet to start.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.progress().phase, Phase::Waiting | Phase::Starting)
    }

    /// Moves the job from its line to a runner, and returns the request for the app; `None` if the
    /// job has ended.
    pub(super) fn start(&self) -> Option<Arc<Request>> {
        let mut progress = self.progress();
        if progress.phase != Phase::Waiting {
            return None;
        }
        progress.phase = Phase::Starting;
        progress.attempts += 1;
        if progress.attempts > 1 {
            progress.gateway_request_id = Uuid::new_v4().to_string();
        }
        progress.input.clone()
    }

    /// Records that the app starts. Returns false if the job has ended.
    pub(super) fn begin(&self, now: SystemTime) -> bool {
        let mut progress = self.progress();
        if progress.phase != Phase::Starting {
            return false;
        }
        progress.phase = Phase::Running;
        progress.began = Some(now);
        drop(progress);
        self.notify();
        true
    }

    /// Returns the job to its line after a failed attempt.
    pub(super) fn requeue(&self) {
        let mut progress = self.progress();
        progress.phase = Phase::Waiting;
        progress.began = None;
        drop(progress);
        self.notify();
    }

    /// Ends the job if it is in one of the phases `from`.
    pub(super) fn end(&self, from: &[Phase], outcome: &Arc<Outcome>) -> bool {
        let mut progress = self.progress();
        if !from.contains(&progress.phase) {
            return false;
        }
        progress.phase = Phase::Done;
        progress.input = None;
        progress.outcome = Some(Arc::clone(outcome));
        drop(progress);
        self.notify();
        true
    }

    /// Resolves when the job has ended.
    pub(super) async fn ended(&self) {
        self.once(|progress| progress.phase == Phase::Done).await;
    }

    /// Asks the app to stop.
    pub(super) fn cancel(&self) {
        self.progress().cancelled = true;
        self.notify();
    }

    /// Resolves when the caller has cancelled the running job.
    pub(crate) async fn cancelled(&self) {
        self.once(|progress| progress.cancelled).await;
    }

    async fn once(&self, holds: impl Fn(&Progress) -> bool) {
        let mut changes = self.changes();
        // The channel closes only when the job is dropped.
        while !holds(&self.progress()) && changes.changed().await.is_ok() {}
    }

    /// Adds a line to the app's log (§5.3).
    pub(crate) fn log(&self, message: &str, level: &str, now: SystemTime) {
        self.log_line(json!({
            "message": message, "level": level, "source": "USER", "timestamp": clock::rfc3339_millis(now),
        }));
    }

    /// Adds a whole line to the log.
    pub(crate) fn log_line(&self, line: Value) {
        self.progress().log.push(line);
        self.notify();
    }

    /// The number of the running attempt, counted from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.progress().attempts
    }

    /// Removes the expired result.
    pub(super) fn expire(&self) {
        let mut progress = self.progress();
        let kept = progress.outcome.take();
        progress.outcome = kept.map(|outcome| Arc::new(outcome.without_payload()));
        progress.expired = true;
    }
}
