//! What happens while an operation is under way: one type for all of them.

use bytes::Bytes;
use serde_json::Value;

use crate::error::Result;
use crate::response::Response;

/// What an event tells about. The numbers are those of `FAL_EVENT_*` in C and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum EventKind {
    /// The state of a queued request (fal-protocol.md §5.3): `status`, `request_id`, and `queue_position` while it waits.
    Status = 1,
    /// A line of a queued request's log (§5.3): `message`, `level`, `source`, `timestamp`.
    Log = 2,
    /// How much of a file was sent or received: `transferred` and, if it is known, `total`, in bytes.
    Progress = 3,
    /// An item of a stream (§6), as the app sent it.
    Item = 4,
    /// A message of a realtime or WebSocket connection (§7, §8).
    Message = 5,
    /// What became of such a connection: `state` is `connected`, `lost` or `dropped`.
    Connection = 6,
}

/// Something that happened during an operation.
#[derive(Debug)]
pub struct Event {
    kind: EventKind,
    content: Response,
}

impl Event {
    pub(crate) fn json(kind: EventKind, content: &Value) -> Self {
        Event { kind, content: Response::made(content) }
    }

    pub(crate) fn bytes(kind: EventKind, content: Bytes) -> Self {
        Event { kind, content: Response::of_bytes(content) }
    }

    /// What it tells about.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// What it tells: JSON for every kind but an [`Item`](EventKind::Item) or a [`Message`](EventKind::Message), which are
    /// what the app sent.
    pub fn content(&self) -> &Response {
        &self.content
    }

    /// What it tells, to keep.
    pub fn into_content(self) -> Response {
        self.content
    }

    /// The value at a JSON Pointer (RFC 6901) of what it tells, such as `/queue_position`.
    pub fn get(&self, pointer: &str) -> Result<&Value> {
        self.content.get(pointer)
    }
}
