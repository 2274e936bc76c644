//! The status of a job as fal tells it (docs/protocol.md §5.3), and what of it the host is told.

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

/// What is read of a status. The host is told the first of them: no addresses, which are the
/// library's business, and no log, whose lines are events of their own.
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
const TOLD: usize = 6;

/// A host that reads slowly holds up the job's end for so long, for each status with many new
/// lines; then the oldest go.
const BURST: Duration = Duration::from_secs(2);

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// In its line, with so many ahead of it if fal says so.
    Waiting(Option<u64>),
    Running,
    Completed,
    /// A state that the protocol does not know and whose name says that it is an end, and no
    /// success.
    Failed,
    /// Something that the protocol does not know: only the result can tell.
    Unknown,
}

/// Names of such states, as other queues have them. fal documents none (docs/protocol.md §16.4).
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

/// A status.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) phase: Phase,
    /// Its name.
    state: Option<String>,
    text: Bytes,
    /// Its part of the text.
    logs: Option<Bytes>,
    /// JSON for the host.
    told: String,
    error: Option<String>,
    error_type: Option<String>,
    /// What says more in other shapes of errors.
    detail: Option<String>,
}

impl Status {
    pub(super) fn parse(text: Bytes) -> Result<Self> {
        Status::parse_or(text, None)
    }

    /// The same of an answer, without keeping others waiting.
    pub(super) async fn read(answer: Result<Response>) -> Result<Self> {
        json::look(answer?.into_body(), Status::parse).await?
    }

    /// The same where the state may be missing, and then is this.
    pub(super) fn parse_or(text: Bytes, usual: Option<&str>) -> Result<Self> {
        let members = json::members(&text, READ);
        let members =
            members.ok_or_else(|| Error::new(Code::Protocol, "the status is not a JSON object"))?;
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
        let state = state.map_or_else(|| usual.map(str::to_owned), json::text);
        let phase = match state.as_deref() {
            Some("IN_QUEUE") => {
                Phase::Waiting(position.and_then(|position| position.get().parse().ok()))
            }
            Some("IN_PROGRESS") => Phase::Running,
            Some("COMPLETED") => Phase::Completed,
            Some(state)
                if FAILED
                    .iter()
                    .any(|failed| failed.eq_ignore_ascii_case(state)) =>
            {
                Phase::Failed
            }
            _ => Phase::Unknown,
        };
        let error = error.filter(|error| !json::is_null(error));
        let error = error.map(|error| json::text(error).unwrap_or_else(|| tidy(error.get())));
        let error_type = error_type.and_then(json::text);
        let mut told = String::new();
        for (name, value) in READ.iter().zip(members).take(TOLD) {
            let value = value
                .map(|value| tidy(value.get()))
                .or_else(|| Some(format!("{:?}", usual.filter(|_| *name == "status")?)));
            if let Some(value) = value {
                // Writing into a text cannot fail.
                let _ = write!(
                    told,
                    "{}\"{name}\":{value}",
                    if told.is_empty() { '{' } else { ',' }
                );
            }
        }
        told.push_str(if told.is_empty() { "{}" } else { "}" });
        let logs = logs.map(|logs| text.slice_ref(logs.get().as_bytes()));
        let detail = detail
            .and_then(json::text)
            .or_else(|| message.and_then(json::text));
        Ok(Status {
            phase,
            state,
            text,
            logs,
            told,
            error,
            error_type,
            detail,
        })
    }

    /// Why the job failed, if the status says so: a text and fal's name for it (§12.3).
    pub(super) fn failure(&self) -> Option<(String, Option<&str>)> {
        let kind = self.error_type.as_deref();
        let text = self.error.as_deref().or(kind).or_else(|| self.detail());
        Some((text?.to_owned(), kind))
    }

    /// What a state that is a failure says besides its name, as the other shapes of errors have it
    /// (§12.1).
    fn detail(&self) -> Option<&str> {
        self.detail
            .as_deref()
            .filter(|_| self.phase == Phase::Failed)
    }

    /// The name of the state.
    pub(super) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or("unknown")
    }

    /// As it came.
    pub(super) fn body(&self) -> Bytes {
        self.text.clone()
    }
}

/// JSON in one way of writing it, whoever wrote it, so that the same is known to be the same. What
/// is very long stays as it is.
fn tidy(text: &str) -> String {
    let tree = if text.len() <= TIDIED {
        json::tree(text.as_bytes()).ok().and_then(|read| read.ok())
    } else {
        None
    };
    tree.map_or_else(|| text.to_owned(), |tree| tree.to_string())
}

/// An answer that is a status, whatever state it names.
pub(super) async fn whole(answer: Response) -> Result<Response> {
    match json::look(answer.body().clone(), Status::parse)
        .await??
        .state
    {
        Some(_) => Ok(answer),
        None => Err(Error::new(Code::Protocol, "the status names no state")),
    }
}

/// Tells the host what is new in each status.
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

    /// The lines come first, so that the end of a job comes after the last of them. There may be
    /// many, so others have their turn in between. Whether there was anything new.
    pub(super) async fn report(&mut self, status: &Status) -> bool {
        let mut window = self.seen.window();
        let (mut burst, mut is_news) = (self.task.burst(BURST), false);
        let newest = |logs: Bytes| -> Vec<Bytes> {
            let text = std::str::from_utf8(&logs).unwrap_or_default();
            lines(text)
                .into_iter()
                .map(|line| logs.slice_ref(line.as_bytes()))
                .collect()
        };
        // Without a runtime there is nobody to tell.
        let newest = json::look(status.logs.clone().unwrap_or_default(), newest)
            .await
            .unwrap_or_default();
        for line in newest {
            tokio::task::consume_budget().await;
            let line = tidy(std::str::from_utf8(&line).unwrap_or_default());
            if window.is_new(&line) {
                burst
                    .emit(Event::typed(
                        EventKind::Log,
                        line.into(),
                        "application/json",
                    ))
                    .await;
                is_news = true;
            }
        }
        if self.last.as_ref() != Some(&status.told) {
            let told = Event::typed(
                EventKind::Status,
                status.told.clone().into(),
                "application/json",
            );
            self.task.emit_slowly(told).await;
            self.last = Some(status.told.clone());
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
        let told = |text: &str| parse(text).unwrap().told;
        assert_eq!(
            told(r#"{"status":"X","metrics":{"b":1,"a":2},"logs":[],"status_url":"u"}"#),
            told("{ \"metrics\": {\"a\": 2, \"b\": 1}, \"status\": \"\\u0058\"}")
        );
        assert_eq!(told("{}"), "{}");
        let first = Status::parse_or(
            Bytes::from_static(b"{\"request_id\":\"r\"}"),
            Some("IN_QUEUE"),
        )
        .unwrap();
        assert_eq!(
            (first.told.as_str(), first.phase),
            (
                r#"{"request_id":"r","status":"IN_QUEUE"}"#,
                Phase::Waiting(None)
            )
        );
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
        let failure = |text: &str| {
            let status = parse(text).unwrap();
            status
                .failure()
                .map(|(text, kind)| (text, kind.map(str::to_owned)))
        };
        assert_eq!(failure(r#"{"status":"COMPLETED"}"#), None);
        assert_eq!(failure(r#"{"error":null}"#), None);
        assert_eq!(failure(r#"{"error":"gone"}"#), Some(("gone".into(), None)));
        let timed_out = Some(("Timed out".into(), Some("request_timeout".into())));
        assert_eq!(
            failure(r#"{"error":"Timed out","error_type":"request_timeout"}"#),
            timed_out
        );
        assert_eq!(
            failure(r#"{"error_type":"x"}"#),
            Some(("x".into(), Some("x".into())))
        );
        assert_eq!(
            failure(r#"{"error":{"a":1}}"#),
            Some((r#"{"a":1}"#.into(), None))
        );
        assert_eq!(
            failure(r#"{"status":"FAILED","error":"gone"}"#),
            Some(("gone".into(), None))
        );
        assert_eq!(failure(r#"{"status":"FAILED"}"#), None);
        assert_eq!(
            failure(r#"{"status":"ERROR","detail":"no memory"}"#),
            Some(("no memory".into(), None))
        );
        assert_eq!(
            failure(r#"{"status":"COMPLETED","detail":"of the run"}"#),
            None
        );
    }
}
