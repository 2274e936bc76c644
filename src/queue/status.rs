//! The status of a job as fal tells it (fal-protocol.md §5.3), and what of it the host is told.

use serde_json::{Map, Value};

use super::logs::Seen;
use crate::error::{Code, Error, Result};
use crate::event::{Event, EventKind};
use crate::op::Task;

/// What the host is told of a status: no addresses, which are the library's business, and no log, whose lines are events of
/// their own.
const TOLD: [&str; 6] = ["status", "request_id", "queue_position", "metrics", "error", "error_type"];

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In its line, with so many ahead of it if fal says so.
    Waiting(Option<u64>),
    Running,
    Completed,
    /// A state that the protocol does not know and whose name says that it is an end, and no success.
    Failed,
    /// Something that the protocol does not know: only the result can tell.
    Unknown,
}

/// Names of such states, as other queues have them. fal documents none (fal-protocol.md §16.4).
const FAILED: [&str; 10] =
    ["FAILED", "FAILURE", "ERROR", "ERRORED", "CANCELLED", "CANCELED", "TIMED_OUT", "TIMEOUT", "EXPIRED", "ABORTED"];

/// A status.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) phase: Phase,
    body: Map<String, Value>,
}

impl Status {
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let parsed = serde_json::from_slice(text).ok();
        let body: Map<String, Value> =
            parsed.ok_or_else(|| Error::new(Code::Protocol, "the status is not a JSON object"))?;
        let phase = match body.get("status").and_then(Value::as_str) {
            Some("IN_QUEUE") => Phase::Waiting(body.get("queue_position").and_then(Value::as_u64)),
            Some("IN_PROGRESS") => Phase::Running,
            Some("COMPLETED") => Phase::Completed,
            Some(state) if FAILED.iter().any(|failed| failed.eq_ignore_ascii_case(state)) => Phase::Failed,
            _ => Phase::Unknown,
        };
        Ok(Status { phase, body })
    }

    /// Why the job failed, if the status says so: a text and fal's name for it (§12.3).
    pub(super) fn failure(&self) -> Option<(String, Option<&str>)> {
        let kind = self.body.get("error_type").and_then(Value::as_str);
        let text = match self.body.get("error") {
            None | Some(Value::Null) => kind.or_else(|| self.detail())?.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Some((text, kind))
    }

    /// What a state that is a failure says besides its name, as the other shapes of errors have it (§12.1).
    fn detail(&self) -> Option<&str> {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str);
        text("detail").or_else(|| text("message")).filter(|_| self.phase == Phase::Failed)
    }

    /// The name of the state.
    pub(super) fn state(&self) -> &str {
        self.body.get("status").and_then(Value::as_str).unwrap_or("unknown")
    }

    pub(super) fn body(&self) -> Vec<u8> {
        Value::Object(self.body.clone()).to_string().into_bytes()
    }
}

/// Tells the host what is new in each status.
pub(super) struct Teller<'a> {
    task: &'a Task,
    last: Option<Value>,
    seen: Seen,
}

impl<'a> Teller<'a> {
    pub(super) fn new(task: &'a Task) -> Self {
        Teller { task, last: None, seen: Seen::default() }
    }

    /// The lines come first, so that the end of a job comes after the last of them.
    pub(super) fn tell(&mut self, status: &Status) {
        for line in self.seen.news(status.body.get("logs")) {
            self.task.tell(Event::json(EventKind::Log, line));
        }
        let told = TOLD.iter().filter_map(|name| Some(((*name).to_owned(), status.body.get(*name)?.clone())));
        let told = Value::Object(told.collect());
        if self.last.as_ref() != Some(&told) {
            self.task.tell(Event::json(EventKind::Status, &told));
            self.last = Some(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_decides_and_nothing_else_is_needed() {
        for (text, phase) in [
            (r#"{"status":"IN_QUEUE","queue_position":3}"#, Phase::Waiting(Some(3))),
            (r#"{"status":"IN_QUEUE"}"#, Phase::Waiting(None)),
            (r#"{"status":"IN_PROGRESS","logs":null}"#, Phase::Running),
            (r#"{"status":"COMPLETED","logs":{}}"#, Phase::Completed),
            (r#"{"status":"FAILED"}"#, Phase::Failed),
            (r#"{"status":"canceled"}"#, Phase::Failed),
            (r#"{"status":"PAUSED"}"#, Phase::Unknown),
            (r#"{"status":7}"#, Phase::Unknown),
            ("{}", Phase::Unknown),
        ] {
            assert_eq!(Status::parse(text.as_bytes()).unwrap().phase, phase, "{text}");
        }
        for text in ["", "[]", "null", "<html>", r#"{"status":"#] {
            assert_eq!(Status::parse(text.as_bytes()).unwrap_err().code(), Code::Protocol, "{text}");
        }
    }

    #[test]
    fn a_failure_has_a_text_or_a_type() {
        let failure = |text: &str| {
            let status = Status::parse(text.as_bytes()).unwrap();
            status.failure().map(|(text, kind)| (text, kind.map(str::to_owned)))
        };
        assert_eq!(failure(r#"{"status":"COMPLETED"}"#), None);
        assert_eq!(failure(r#"{"error":null}"#), None);
        assert_eq!(failure(r#"{"error":"gone"}"#), Some(("gone".into(), None)));
        let timed_out = Some(("Timed out".into(), Some("request_timeout".into())));
        assert_eq!(failure(r#"{"error":"Timed out","error_type":"request_timeout"}"#), timed_out);
        assert_eq!(failure(r#"{"error_type":"x"}"#), Some(("x".into(), Some("x".into()))));
        assert_eq!(failure(r#"{"error":{"a":1}}"#), Some((r#"{"a":1}"#.into(), None)));
        assert_eq!(failure(r#"{"status":"FAILED","error":"gone"}"#), Some(("gone".into(), None)));
        assert_eq!(failure(r#"{"status":"FAILED"}"#), None);
        assert_eq!(failure(r#"{"status":"ERROR","detail":"no memory"}"#), Some(("no memory".into(), None)));
        assert_eq!(failure(r#"{"status":"COMPLETED","detail":"of the run"}"#), None);
    }
}
