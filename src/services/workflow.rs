//! The events of a workflow's stream (docs/protocol.md §3.5).

use bytes::Bytes;
use serde_json::Value;

use crate::codec::json;
use crate::operation::event::{Event, EventKind};
use crate::response::Response;

/// An event of a workflow. A member that only some of fal's sources document is optional.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WorkflowEvent<'a> {
    /// A step was submitted to its app.
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
        /// The app, if fal names it.
        app_id: Option<&'a str>,
        /// The step's output.
        output: &'a Value,
    },
    /// The workflow has finished.
    Output {
        /// The step that made the output, if fal names it.
        node_id: Option<&'a str>,
        /// The workflow's output.
        output: &'a Value,
    },
    /// A step has failed.
    Error {
        /// The step.
        node_id: &'a str,
        /// A description of the failure.
        message: &'a str,
        /// The HTTP status of the step's response.
        status: Option<u16>,
        /// The body of the step's response.
        body: &'a Value,
    },
}

/// The part of an event that decides how the stream ends.
pub(crate) enum WorkflowResult {
    Output,
    Failure(Failure),
}

/// Reads the result of a workflow from an event, without a tree of the whole event.
pub(crate) fn result(event: &Bytes) -> Option<WorkflowResult> {
    let [kind] = json::members(event, ["type"])?;
    match json::text(kind?)?.as_str() {
        "output" => Some(WorkflowResult::Output),
        "error" => Failure::read(event).map(WorkflowResult::Failure),
        _ => None,
    }
}

/// The failure of a step, read without a tree of the event.
pub(crate) struct Failure {
    pub(crate) node_id: String,
    pub(crate) message: String,
    pub(crate) status: Option<u16>,
    /// The JSON body of the step's response.
    pub(crate) body: Bytes,
}

impl Failure {
    /// Returns `None` for any other event.
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
    /// Returns the item of a workflow's stream; `None` for any other event.
    pub fn workflow(&self) -> Option<WorkflowEvent<'_>> {
        WorkflowEvent::of(self.kind(), self.content())
    }
}

impl<'a> WorkflowEvent<'a> {
    pub(crate) fn of(kind: EventKind, content: &'a Response) -> Option<Self> {
        let is_item = kind == EventKind::Item;
        WorkflowEvent::read(is_item.then(|| content.json().ok())??)
    }

    pub(crate) fn read(event: &'a Value) -> Option<Self> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        Some(match text("type")? {
            "submit" => WorkflowEvent::Submit {
                node_id: text("node_id")?,
                app_id: text("app_id")?,
                request_id: text("request_id")?,
            },
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
