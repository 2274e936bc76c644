//! What the stream of a workflow tells (docs/protocol.md §3.5).

use bytes::Bytes;
use serde_json::Value;

use crate::codec::json;
use crate::operation::event::{Event, EventKind};
use crate::response::Response;

/// An event of a workflow. Members that only some of fal's sources have may be missing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WorkflowEvent<'a> {
    /// A step was given to its app.
    Submit {
        /// The step.
        node_id: &'a str,
        /// The app.
        app_id: &'a str,
        /// fal's id of the step's request.
        request_id: &'a str,
    },
    /// A step has finished.
    Completion {
        /// The step.
        node_id: &'a str,
        /// The app, if it is told.
        app_id: Option<&'a str>,
        /// The step's output.
        output: &'a Value,
    },
    /// The workflow has finished.
    Output {
        /// The step of the output, if it is told.
        node_id: Option<&'a str>,
        /// The workflow's output.
        output: &'a Value,
    },
    /// A step has failed.
    Error {
        /// The step.
        node_id: &'a str,
        /// What happened, for people.
        message: &'a str,
        /// The HTTP status of the step's answer.
        status: Option<u16>,
        /// The body of the step's answer.
        body: &'a Value,
    },
}

/// What an event says that decides how the stream ends.
pub(crate) enum Said {
    Output,
    Failure(Failure),
}

/// Makes nothing of the rest of an event.
pub(crate) fn said(event: &Bytes) -> Option<Said> {
    let [kind] = json::members(event, ["type"])?;
    match json::text(kind?)?.as_str() {
        "output" => Some(Said::Output),
        "error" => Failure::read(event).map(Said::Failure),
        _ => None,
    }
}

/// The event of a step that failed, of which no tree is made.
pub(crate) struct Failure {
    pub(crate) node_id: String,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    /// JSON, as the step answered.
    pub(crate) body: Bytes,
}

impl Failure {
    /// None if it is another event.
    pub(crate) fn read(event: &Bytes) -> Option<Self> {
        let [kind, node_id, message, error] =
            json::members(event, ["type", "node_id", "message", "error"])?;
        if json::text(kind?)? != "error" {
            return None;
        }
        let parts =
            error.and_then(|error| json::members(error.get().as_bytes(), ["status", "body"]));
        let [status, body] = parts.unwrap_or_default();
        Some(Failure {
            node_id: node_id
                .and_then(json::text)
                .unwrap_or_else(|| "?".to_owned()),
            message: message.and_then(json::text).unwrap_or_default(),
            status: status.and_then(|status| status.get().parse().ok()),
            body: body.map_or(Bytes::from_static(b"null"), |body| {
                event.slice_ref(body.get().as_bytes())
            }),
        })
    }
}

impl Event {
    /// What an item of a workflow's stream says; `None` for any other event.
    pub fn workflow(&self) -> Option<WorkflowEvent<'_>> {
        WorkflowEvent::of(self.kind(), self.content())
    }
}

impl<'a> WorkflowEvent<'a> {
    pub(crate) fn of(kind: EventKind, content: &'a Response) -> Option<Self> {
        (kind == EventKind::Item)
            .then(|| content.json().ok())
            .flatten()
            .and_then(WorkflowEvent::read)
    }

    pub(crate) fn read(event: &'a Value) -> Option<Self> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        Some(match text("type")? {
            "submit" => {
                let (node_id, app_id, request_id) =
                    (text("node_id")?, text("app_id")?, text("request_id")?);
                WorkflowEvent::Submit {
                    node_id,
                    app_id,
                    request_id,
                }
            }
            "completion" => WorkflowEvent::Completion {
                node_id: text("node_id")?,
                app_id: text("app_id"),
                output: event.get("output")?,
            },
            "output" => WorkflowEvent::Output {
                node_id: text("node_id"),
                output: event.get("output")?,
            },
            "error" => {
                let status = event.pointer("/error/status").and_then(Value::as_u64);
                WorkflowEvent::Error {
                    node_id: text("node_id")?,
                    message: text("message").unwrap_or_default(),
                    status: status.and_then(|status| u16::try_from(status).ok()),
                    body: event.pointer("/error/body").unwrap_or(&Value::Null),
                }
            }
            _ => return None,
        })
    }
}
