//! The behaviours of the queue that the sources leave open, and the limits of concurrent runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// `logs` of a status that was requested without logs (§16.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnaskedLogs {
    /// `null`.
    #[default]
    Null,
    /// The member is absent. The official Python client and the CLI fail.
    Absent,
    /// `[]`.
    Empty,
}

/// The lines of the log that a response shows (§5.3, §16.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWindow {
    /// All lines.
    Whole,
    /// The lines that no earlier response of the same kind has shown.
    New,
    /// This many lines at the end.
    Last(usize),
}

/// The response to a cancellation (§16.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAnswer {
    /// 202 or 400 with `{"status": …}`, as the guide describes.
    #[default]
    Status,
    /// 200 `{"success": …}`, as the OpenAPI documents describe.
    Success,
}

/// The response for a result that is not yet available although the request has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateResult {
    /// 400, as before the end of the request.
    #[default]
    BadRequest,
    /// 202.
    Accepted,
    /// 404, as for an unknown request.
    NotFound,
}

/// What a status stream sends if the status has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heartbeat {
    /// A comment.
    #[default]
    Comment,
    /// The last event again.
    Repeat,
}

/// The `error_type` of a missed start deadline (§16.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedStart {
    /// `request_timeout`.
    #[default]
    RequestTimeout,
    /// `startup_timeout`.
    StartupTimeout,
    /// No `error_type`.
    Absent,
}

impl MissedStart {
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::RequestTimeout => Some("request_timeout"),
            Self::StartupTimeout => Some("startup_timeout"),
            Self::Absent => None,
        }
    }
}

/// The settings of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// The number of requests of one account that run at once, without those to its own apps (§15);
    /// `None` means no limit.
    pub concurrent_requests: Option<u32>,
    /// Whether a direct run over that limit is 429 (§4). False by default, because programs under
    /// test may run more than 2.
    pub refuse_runs: bool,
    /// The milliseconds that a runner takes to start, before each attempt.
    pub startup_ms: u64,
    /// The milliseconds between a failed attempt and the next.
    pub retry_pause_ms: u64,
    /// Whether the status of an unfinished request is 200 instead of 202 (§16.1).
    pub status_always_200: bool,
    /// Whether URLs in responses contain the full endpoint id. Such URLs are served only in this
    /// case (§16.2).
    pub full_id_urls: bool,
    /// Whether `response_url` ends with `/response`. Both forms are always served (§16.2).
    pub response_suffix: bool,
    /// The members that the response to a submission omits (§16.3).
    pub submit_omits: BTreeSet<String>,
    /// The members that a status omits (§5.3).
    pub status_omits: BTreeSet<String>,
    /// Whether a status shows `error` and `error_type` for failures that the app reported (§16.6).
    pub app_errors_in_status: bool,
    /// `logs` of a status that was requested without logs.
    pub unasked_logs: UnaskedLogs,
    /// The log lines that a status shows.
    pub status_logs: LogWindow,
    /// The log lines that an event of the status stream shows.
    pub stream_logs: LogWindow,
    /// Whether a comment precedes every event of the status stream (§5.4).
    pub stream_comments: bool,
    /// The number of events after which the status stream ends without an error, even if the
    /// request is unfinished; `None`: only after `COMPLETED`.
    pub stream_events: Option<u32>,
    /// The milliseconds between heartbeats. The status stream then sends only heartbeats after it
    /// has reported that the request runs, and does not report the end; `None` reports everything.
    pub stream_heartbeat_ms: Option<u64>,
    /// The form of a heartbeat.
    pub heartbeat: Heartbeat,
    /// The milliseconds after the end of a request during which its result is not available.
    pub late_result_ms: u64,
    /// The response for the result during this time.
    pub late_result: LateResult,
    /// Whether the result of an unfinished request is 202 instead of 400 (§16.4).
    pub unfinished_result_202: bool,
    /// The response to a cancellation.
    pub cancel_answer: CancelAnswer,
    /// The `error_type` of a missed start deadline.
    pub missed_start: MissedStart,
    /// Whether every result expires after the times of §5.5, not only large ones and those that are
    /// not stored (§16.34).
    pub all_results_expire: bool,
    /// Whether an expired result is 410 instead of 404 (§16.34).
    pub expired_is_gone: bool,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            concurrent_requests: Some(2),
            refuse_runs: false,
            startup_ms: 0,
            retry_pause_ms: 0,
            status_always_200: false,
            full_id_urls: false,
            response_suffix: false,
            submit_omits: BTreeSet::new(),
            status_omits: BTreeSet::new(),
            app_errors_in_status: false,
            unasked_logs: UnaskedLogs::default(),
            status_logs: LogWindow::Whole,
            stream_logs: LogWindow::New,
            stream_comments: false,
            stream_events: None,
            stream_heartbeat_ms: None,
            heartbeat: Heartbeat::default(),
            late_result_ms: 0,
            late_result: LateResult::default(),
            unfinished_result_202: false,
            cancel_answer: CancelAnswer::default(),
            missed_start: MissedStart::default(),
            all_results_expire: false,
            expired_is_gone: false,
        }
    }
}
