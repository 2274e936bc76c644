//! What happens while an operation is under way: one type for all of them.

use bytes::Bytes;
use serde_json::Value;

use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Code, Error, Result};
use crate::response::{POINTER, Response};
use crate::secrets::Secrets;

/// What an event tells about. The numbers are those of `FAL_EVENT_*` in C and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum EventKind {
    /// The state of a queued request (docs/protocol.md §5.3): `status`, `request_id`, and
    /// `queue_position` while it waits.
    Status = 1,
    /// A line of a queued request's log (§5.3): `message`, `level`, `source`, `timestamp`.
    Log = 2,
    /// How much of a file was sent or received: `transferred` and, if it is known, `total`, in
    /// bytes.
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
    packed: Packed,
}

/// The message that came as MessagePack, of which an event's content is the JSON: the frame, since
/// a tree would take forty times as much.
#[derive(Default)]
pub(crate) struct Packed(Option<Box<Bytes>>);

/// What an app sends may be private.
impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Packed").field(&self.0.is_some()).finish()
    }
}

impl Packed {
    pub(crate) fn get_bytes<'a>(
        &'a self,
        content: &'a Response,
        pointer: &str,
    ) -> Result<&'a [u8]> {
        let found = match &self.0 {
            Some(frame) => msgpack::bytes_at(frame, pointer)?,
            None => pointer.is_empty().then_some(&**content.body()),
        };
        found.ok_or_else(|| {
            Error::new(
                Code::WrongType,
                format!("the event has no bytes at {pointer:?}"),
            )
            .with_remedy(POINTER)
        })
    }
}

impl Event {
    pub(crate) fn json(kind: EventKind, content: &Value) -> Self {
        Event {
            kind,
            content: Response::made(content),
            packed: Packed::default(),
        }
    }

    /// JSON as the app sent it.
    pub(crate) fn typed(kind: EventKind, content: Bytes, content_type: &'static str) -> Self {
        Event {
            kind,
            content: Response::typed(content, content_type),
            packed: Packed::default(),
        }
    }

    /// What an app sent: JSON, if it is. Fails if there is no memory to tell.
    pub(crate) fn read(kind: EventKind, content: Bytes) -> Result<Self> {
        json::fits(&content)?;
        Ok(if json::is_json(&content) {
            Event::typed(kind, content, "application/json")
        } else {
            Event::text(kind, content)
        })
    }

    pub(crate) fn text(kind: EventKind, content: Bytes) -> Self {
        Event::typed(kind, content, "text/plain; charset=utf-8")
    }

    pub(crate) fn bytes(kind: EventKind, content: Bytes) -> Self {
        Event::typed(kind, content, "application/octet-stream")
    }

    /// A message that is MessagePack, and the same as JSON.
    pub(crate) fn packed(json: Bytes, frame: Bytes) -> Self {
        Event {
            packed: Packed(Some(Box::new(frame))),
            ..Event::typed(EventKind::Message, json, "application/json")
        }
    }

    /// The bytes that it takes while it waits to be read.
    pub(crate) fn size(&self) -> usize {
        self.content.body().len() + self.packed.0.as_ref().map_or(0, |frame| frame.len())
    }

    /// The same without a secret in its text. Bytes are what the app sent.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        let hidden = if self.is_bytes() {
            None
        } else {
            secrets.hidden(self.content.body())
        };
        self.replace(hidden.map(Bytes::from));
        self
    }

    /// The same for what may be large.
    pub(crate) async fn without_slowly(mut self, secrets: &Secrets) -> Self {
        let hidden = if self.is_bytes() {
            None
        } else {
            secrets.hidden_slowly(self.content.body()).await
        };
        self.replace(hidden);
        self
    }

    /// Of a frame only its bytes can be read.
    fn replace(&mut self, hidden: Option<Bytes>) {
        if let Some(hidden) = hidden {
            self.content.set_body(hidden);
        }
    }

    /// What it tells about.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// What it tells, with `****` in the place of a secret that the operation carried, unless it is
    /// bytes: JSON for every kind but an [`Item`](EventKind::Item) or a
    /// [`Message`](EventKind::Message), which are what the app sent; then the header `content-type`
    /// tells text (`text/plain`) and bytes (`application/octet-stream`) apart from JSON.
    pub fn content(&self) -> &Response {
        &self.content
    }

    /// What it is made of.
    #[cfg(feature = "capi")]
    pub(crate) fn into_parts(self) -> (EventKind, Response, Packed) {
        (self.kind, self.content, self.packed)
    }

    /// What it tells, to keep.
    pub fn into_content(self) -> Response {
        self.content
    }

    /// Whether the content is bytes rather than text or JSON: the binary message of a WebSocket,
    /// the piece of a stream that is none of events.
    pub fn is_bytes(&self) -> bool {
        self.content.is_typed("application/octet-stream")
    }

    /// The bytes at a JSON Pointer of a realtime app's message (§7.3), which in JSON are
    /// `{"$bytes": "<base64>"}`; at the empty pointer of any other event its whole content as it
    /// is.
    pub fn get_bytes(&self, pointer: &str) -> Result<&[u8]> {
        self.packed.get_bytes(&self.content, pointer)
    }

    /// The value at a JSON Pointer (RFC 6901) of what it tells, such as `/queue_position`.
    pub fn get(&self, pointer: &str) -> Result<&Value> {
        self.content.get(pointer)
    }
}
