//! The status of a job (docs/protocol.md §5.3), and the events that report it to the host.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;

use super::logs::{Seen, lines};
use crate::codec::json;
use crate::error::{Code, Error, Result};
use crate::limits::TIDIED;
use crate::operation::Task;
use crate::operation::event::{Event, EventKind};
use crate::response::Response;

/// The members of a status that are read. The first [`REPORTED`] are reported to the host: no URLs,
/// which only the library uses, and no log, whose lines are events of their own.
const READ: [&str; 9] = [
    "error",
    "error_type",
    "metrics",
    "queue_position",
    "request_id",
    "status",
    "logs",
    "detail",
    "message",
];
const REPORTED: usize = 6;

/// How long the lines of one status wait for a slow host to read events, before the oldest are
/// dropped. The end of the job waits meanwhile.
const BURST: Duration = Duration::from_secs(2);

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In the queue, at this position if fal states one.
    Waiting(Option<u64>),
    Running,
    Completed,
    /// A state outside the protocol whose name denotes a failure.
    Failed,
    /// A state outside the protocol. Only the result shows whether the job has ended.
    Unknown,
}

/// Names of states that other queues use for a failure. fal documents no such state
/// (docs/protocol.md §16.4).
const FAILED: [&str; 10] = [
    "FAILED",
    "FAILURE",
    "ERROR",
    "ERRORED",
    "CANCELLED",
    "CANCELED",
    "TIMED_OUT",
    "TIMEOUT",
    "EXPIRED",
    "ABORTED",
];

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) phase: Phase,
    state: Option<String>,
    text: Bytes,
    /// The part of `text` with the log.
    logs: Option<Bytes>,
    /// The JSON that is reported to the host.
    reported: String,
    error: Option<String>,
    error_type: Option<String>,
    /// The `detail` or `message` of other shapes of errors.
    detail: Option<String>,
}

impl Status {
    pub(super) fn parse(text: Bytes) -> Result<Self> {
        Status::parse_or(text, None)
    }

    /// Parses the body of a response. A long body does not block the runtime.
    pub(super) async fn read(response: Result<Response>) -> Result<Self> {
        json::look(response?.into_body(), Status::parse).await?
    }

    /// Parses the response to a submission, which may lack the state (§16.3).
    pub(super) async fn of_submission(response: &Response) -> Result<Self> {
        let parse = |text| Status::parse_or(text, Some("IN_QUEUE"));
        json::look(response.body().clone(), parse).await?
    }

    fn parse_or(text: Bytes, default_state: Option<&str>) -> Result<Self> {
        let members = json::members(&text, READ)
            .ok_or_else(|| Error::new(Code::Protocol, "the status is not a JSON object"))?;
        let [
            error,
            error_type,
            _,
            position,
            _,
            state,
            logs,
            detail,
            message,
        ] = members;
        let state = state.map_or_else(|| default_state.map(str::to_owned), json::text);
        let phase = match state.as_deref() {
            Some("IN_QUEUE") => Phase::Waiting(position.and_then(|at| at.get().parse().ok())),
            Some("IN_PROGRESS") => Phase::Running,
            Some("COMPLETED") => Phase::Completed,
            Some(state) if FAILED.iter().any(|name| name.eq_ignore_ascii_case(state)) => {
                Phase::Failed
            }
            _ => Phase::Unknown,
        };
        let error = error.filter(|error| !json::is_null(error));
        let error = error.map(|error| json::text(error).unwrap_or_else(|| tidy(error.get())));
        let detail = detail.and_then(json::text);
        let detail = detail.or_else(|| message.and_then(json::text));
        let mut reported = String::new();
        for (name, value) in READ.iter().zip(members).take(REPORTED) {
            let default = default_state.filter(|_| *name == "status");
            let default = default.map(|state| format!("{state:?}"));
            if let Some(value) = value.map(|value| tidy(value.get())).or(default) {
                let before = if reported.is_empty() { '{' } else { ',' };
                // Writing to a string does not fail.
                let _ = write!(reported, "{before}\"{name}\":{value}");
            }
        }
        reported.push_str(if reported.is_empty() { "{}" } else { "}" });
        Ok(Status {
            phase,
            state,
            logs: logs.map(|logs| text.slice_ref(logs.get().as_bytes())),
            reported,
            error,
            error_type: error_type.and_then(json::text),
            detail,
            text,
        })
    }

    /// Why the job failed, if the status says so: a text and fal's error type (§12.3). The detail,
    /// which other shapes of errors have (§12.1), counts only in a failed state.
    pub(super) fn failure(&self) -> Option<(String, Option<&str>)> {
        let kind = self.error_type.as_deref();
        let detail = self.detail.as_deref();
        let detail = detail.filter(|_| self.phase == Phase::Failed);
        let text = self.error.as_deref().or(kind).or(detail)?;
        Some((text.to_owned(), kind))
    }

    /// The name of the state.
    pub(super) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or("unknown")
    }

    /// The text as fal sent it.
    pub(super) fn body(&self) -> Bytes {
        self.text.clone()
    }
}

/// Formats JSON uniformly, so that equal values have equal texts. A long text stays as it is.
fn tidy(text: &str) -> String {
    let tree = (text.len() <= TIDIED).then(|| json::tree(text.as_bytes()));
    match tree {
        Some(Ok(Ok(tree))) => tree.to_string(),
        _ => text.to_owned(),
    }
}

/// Returns the response if it is a status with a state, whatever the state is.
pub(super) async fn with_state(response: Response) -> Result<Response> {
    let status = json::look(response.body().clone(), Status::parse).await??;
    match status.state {
        Some(_) => Ok(response),
        None => Err(Error::new(Code::Protocol, "the status has no state")),
    }
}

/// Reports to the host what changes from status to status.
pub(super) struct StatusReporter<'a> {
    task: &'a Task,
    last: Option<String>,
    seen: Seen,
}

impl<'a> StatusReporter<'a> {
    pub(super) fn new(task: &'a Task) -> Self {
        StatusReporter {
            task,
            last: None,
            seen: Seen::default(),
        }
    }

    /// Emits the new log lines and then the status, so that the last line precedes the end of the
    /// job. Returns whether anything was new.
    pub(super) async fn report(&mut self, status: &Status) -> bool {
        let event = |kind, json: String| Event::typed(kind, json.into(), "application/json");
        let mut window = self.seen.window();
        let (mut burst, mut is_news) = (self.task.burst(BURST), false);
        let newest = |logs: Bytes| -> Vec<Bytes> {
            let text = std::str::from_utf8(&logs).unwrap_or_default();
            lines(text)
                .into_iter()
                .map(|line| logs.slice_ref(line.as_bytes()))
                .collect()
        };
        // This fails only without a runtime, and then no host reads the events.
        let newest = json::look(status.logs.clone().unwrap_or_default(), newest)
            .await
            .unwrap_or_default();
        for line in newest {
            tokio::task::consume_budget().await;
            let line = tidy(std::str::from_utf8(&line).unwrap_or_default());
            if window.is_new(&line) {
                burst.emit(event(EventKind::Log, line)).await;
                is_news = true;
            }
        }
        if self.last.as_ref() != Some(&status.reported) {
            let event = event(EventKind::Status, status.reported.clone());
            self.task.emit_slowly(event).await;
            self.last = Some(status.reported.clone());
            is_news = true;
        }
        is_news
    }
}

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/statuses.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Status> {
        Status::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn what_is_told_is_the_same_however_it_was_written() {
        let reported = |text: &str| parse(text).unwrap().reported;
        assert_eq!(
            reported(r#"{"status":"X","metrics":{"b":1,"a":2},"logs":[],"status_url":"u"}"#),
            reported("{ \"metrics\": {\"a\": 2, \"b\": 1}, \"status\": \"\\u0058\"}")
        );
        assert_eq!(reported("{}"), "{}");
        let submission = Bytes::from_static(b"{\"request_id\":\"r\"}");
        let first = Status::parse_or(submission, Some("IN_QUEUE")).unwrap();
        assert_eq!(first.reported, r#"{"request_id":"r","status":"IN_QUEUE"}"#);
        assert_eq!(first.phase, Phase::Waiting(None));
    }

    #[test]
    fn the_field_decides_and_nothing_else_is_needed() {
        for (text, phase) in [
            (
                r#"{"status":"IN_QUEUE","queue_position":3}"#,
                Phase::Waiting(Some(3)),
            ),
            (r#"{"status":"IN_QUEUE"}"#, Phase::Waiting(None)),
            (r#"{"status":"IN_PROGRESS","logs":null}"#, Phase::Running),
            (r#"{"status":"COMPLETED","logs":{}}"#, Phase::Completed),
            (r#"{"status":"FAILED"}"#, Phase::Failed),
            (r#"{"status":"canceled"}"#, Phase::Failed),
            (r#"{"status":"PAUSED"}"#, Phase::Unknown),
            (r#"{"status":7}"#, Phase::Unknown),
            ("{}", Phase::Unknown),
        ] {
            assert_eq!(parse(text).unwrap().phase, phase, "{text}");
        }
        for text in ["", "[]", "null", "<html>", r#"{"status":"#] {
            assert_eq!(parse(text).unwrap_err().code(), Code::Protocol, "{text}");
        }
    }

    #[test]
    fn a_failure_has_a_text_or_a_type() {
        for (text, expected) in [
            (r#"{"status":"COMPLETED"}"#, None),
            (r#"{"error":null}"#, None),
            (r#"{"error":"gone"}"#, Some(("gone", None))),
            (
                r#"{"error":"Timed out","error_type":"request_timeout"}"#,
                Some(("Timed out", Some("request_timeout"))),
            ),
            (r#"{"error_type":"x"}"#, Some(("x", Some("x")))),
            (r#"{"error":{"a":1}}"#, Some((r#"{"a":1}"#, None))),
            (
                r#"{"status":"FAILED","error":"gone"}"#,
                Some(("gone", None)),
            ),
            (r#"{"status":"FAILED"}"#, None),
            (
                r#"{"status":"ERROR","detail":"no memory"}"#,
                Some(("no memory", None)),
            ),
            (r#"{"status":"COMPLETED","detail":"of the run"}"#, None),
        ] {
            let status = parse(text).unwrap();
            let failure = status.failure();
            let failure = failure.as_ref().map(|(text, kind)| (text.as_str(), *kind));
            assert_eq!(failure, expected, "{text}");
        }
    }
}
