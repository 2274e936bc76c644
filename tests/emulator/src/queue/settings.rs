//! What the sources leave open about the queue, and how much may run at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// `logs` of a status whose logs were not asked for (§16.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnaskedLogs {
    /// `null`.
    #[default]
    Null,
    /// No such member: the official Python client and the CLI fail.
    Absent,
    /// `[]`.
    Empty,
}

/// Which lines of the log an answer shows (§5.3, §16.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogWindow {
    /// All.
    Whole,
    /// Those that no answer of the same kind has shown before.
    New,
    /// So many of the end.
    Last(usize),
}

/// What a cancellation answers (§16.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAnswer {
    /// 202 or 400 with `{"status": …}`, as the guide says.
    #[default]
    Status,
    /// 200 `{"success": …}`, as the OpenAPI documents say.
    Success,
}

/// What a result is answered with that is not handed out yet although the request has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateResult {
    /// 400, as before the end.
    #[default]
    BadRequest,
    /// 202.
    Accepted,
    /// 404, as if nobody knew the request.
    NotFound,
}

/// What a status stream sends that has no news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heartbeat {
    /// A comment.
    #[default]
    Comment,
    /// The last event once more.
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
    /// None at all.
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

/// The queue's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Requests of one account that run at once, apart from those of its own apps (§15); `None`:
    /// any number.
    pub concurrent_requests: Option<u32>,
    /// Whether a direct run over that limit is 429 (§4). Off, because programs under test may run
    /// more than 2.
    pub refuse_runs: bool,
    /// Milliseconds that a runner takes to start, before each attempt.
    pub startup_ms: u64,
    /// Milliseconds between a failed attempt and the next.
    pub retry_pause_ms: u64,
    /// Whether the status of an unfinished request is 200 too, and not 202 (§16.1).
    pub status_always_200: bool,
    /// Whether URLs in answers contain the full endpoint id; they are served only then (§16.2).
    pub full_id_urls: bool,
    /// Whether `response_url` ends with `/response` (§16.2); both forms are always served.
    pub response_suffix: bool,
    /// Members that the answer to a submission lacks (§16.3).
    pub submit_omits: BTreeSet<String>,
    /// Members that a status lacks (§5.3).
    pub status_omits: BTreeSet<String>,
    /// Whether a status shows `error` and `error_type` for failures that the app itself answered
    /// (§16.6).
    pub app_errors_in_status: bool,
    /// `logs` where they were not asked for.
    pub unasked_logs: UnaskedLogs,
    /// The lines that a status shows.
    pub status_logs: LogWindow,
    /// The lines that an event of the status stream shows.
    pub stream_logs: LogWindow,
    /// Whether a comment precedes every event of the status stream (§5.4).
    pub stream_comments: bool,
    /// The status stream ends, in order, after so many events, finished or not; `None`: only after
    /// `COMPLETED`.
    pub stream_events: Option<u32>,
    /// Milliseconds between heartbeats: all that the status stream of a request sends once it has
    /// told that it runs, so that it hides the end. `None`: it tells everything.
    pub stream_heartbeat_ms: Option<u64>,
    /// What such a heartbeat is.
    pub heartbeat: Heartbeat,
    /// Milliseconds after a request's end in which its result is not handed out …
    pub late_result_ms: u64,
    /// … and what it is answered with meanwhile.
    pub late_result: LateResult,
    /// Whether the result of an unfinished request is 202, and not 400 (§16.4).
    pub unfinished_result_202: bool,
    /// What a cancellation answers.
    pub cancel_answer: CancelAnswer,
    /// The `error_type` of a missed start deadline.
    pub missed_start: MissedStart,
    /// Whether the windows of §5.5 end every result, and not only large ones and those that are not
    /// stored (§16.34).
    pub all_results_expire: bool,
    /// Whether an expired result is 410, and not 404 (§16.34).
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
