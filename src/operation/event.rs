//! The events of an operation.

use bytes::Bytes;
use serde_json::Value;

use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Code, Error, Result};
use crate::response::{POINTER, Response};
use crate::secrets::Secrets;

/// The kind of an event. The numbers are those of `FAL_EVENT_*` in C and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum EventKind {
    /// The state of a queued request (docs/protocol.md §5.3): `status`, `request_id`, and
    /// `queue_position` while it waits.
    Status = 1,
    /// A line of a queued request's log (§5.3): `message`, `level`, `source`, `timestamp`.
    Log = 2,
    /// How much of a file was sent or received, in bytes: `transferred` and, if known, `total`.
    Progress = 3,
    /// An item of a stream (§6), as the app sent it.
    Item = 4,
    /// A message of a realtime or WebSocket connection (§7, §8).
    Message = 5,
    /// The state of such a connection: `state` is `connected`, `lost` or `dropped`.
    Connection = 6,
}

impl EventKind {
    pub(crate) fn queue_position(self, content: &Response) -> Option<u64> {
        self.number(EventKind::Status, content, "/queue_position")
    }

    pub(crate) fn transferred(self, content: &Response) -> Option<u64> {
        self.number(EventKind::Progress, content, "/transferred")
    }

    pub(crate) fn total(self, content: &Response) -> Option<u64> {
        self.number(EventKind::Progress, content, "/total")
    }

    pub(crate) fn message(self, content: &Response) -> Option<&str> {
        let is_log = self == EventKind::Log;
        is_log.then(|| content.get_str("/message").ok()).flatten()
    }

    fn number(self, of: EventKind, content: &Response, pointer: &str) -> Option<u64> {
        (self == of)
            .then(|| content.get(pointer).ok()?.as_u64())
            .flatten()
    }
}

/// Something that happened during an operation.
#[derive(Debug)]
pub struct Event {
    kind: EventKind,
    content: Response,
    packed: Packed,
}

/// The MessagePack frame of a message whose content is the JSON form. The frame is stored because a
/// tree of values would be forty times as large.
#[derive(Default)]
pub(crate) struct Packed(Option<Box<Bytes>>);

/// The data of an app may be private, so `Debug` omits it.
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
        Event::of(kind, Response::made(content))
    }

    fn of(kind: EventKind, content: Response) -> Self {
        Event {
            kind,
            content,
            packed: Packed::default(),
        }
    }

    /// An event with the bytes as the app sent them.
    pub(crate) fn typed(kind: EventKind, content: Bytes, content_type: &'static str) -> Self {
        Event::of(kind, Response::typed(content, content_type))
    }

    /// An event that is JSON if `content` is valid JSON, and text otherwise. Fails if there is not
    /// enough memory to parse it.
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

    /// A message that arrived as MessagePack, with its JSON form.
    pub(crate) fn packed(json: Bytes, frame: Bytes) -> Self {
        Event {
            packed: Packed(Some(Box::new(frame))),
            ..Event::typed(EventKind::Message, json, "application/json")
        }
    }

    /// The size in bytes, for the limit of the event queue.
    pub(crate) fn size(&self) -> usize {
        self.content.body().len() + self.packed.0.as_ref().map_or(0, |frame| frame.len())
    }

    /// Masks the secrets in text and JSON. Bytes are passed on as the app sent them, and so is a
    /// frame, of which only the bytes can be read.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        if !self.is_bytes()
            && let Some(masked) = secrets.hidden(self.content.body())
        {
            self.content.set_body(masked.into());
        }
        self
    }

    /// Like [`without`](Self::without), for an event that may be large.
    pub(crate) async fn without_slowly(mut self, secrets: &Secrets) -> Self {
        if !self.is_bytes()
            && let Some(masked) = secrets.hidden_slowly(self.content.body()).await
        {
            self.content.set_body(masked);
        }
        self
    }

    /// Returns the kind of the event.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// Returns the content. Secrets of the operation are replaced by `****`, except in bytes.
    ///
    /// The content of an [`Item`](EventKind::Item) or a [`Message`](EventKind::Message) is what the
    /// app sent. Its header `content-type` is `application/json`, `text/plain` for text or
    /// `application/octet-stream` for bytes. The content of every other kind is JSON.
    pub fn content(&self) -> &Response {
        &self.content
    }

    #[cfg(feature = "capi")]
    pub(crate) fn into_parts(self) -> (EventKind, Response, Packed) {
        (self.kind, self.content, self.packed)
    }

    /// Converts the event into its content.
    pub fn into_content(self) -> Response {
        self.content
    }

    /// Whether the content is bytes, not text or JSON: a binary message of a WebSocket, or a piece
    /// of a stream that does not consist of server-sent events.
    pub fn is_bytes(&self) -> bool {
        self.content.is_typed("application/octet-stream")
    }

    /// Returns the bytes at a JSON Pointer of a realtime message (§7.3), whose JSON has
    /// `{"$bytes": "<base64>"}` there. Any other event has bytes only at the empty pointer: its
    /// whole content.
    pub fn get_bytes(&self, pointer: &str) -> Result<&[u8]> {
        self.packed.get_bytes(&self.content, pointer)
    }

    /// Returns the MessagePack frame of a realtime message (§7.3), as the app sent it: secrets that it
    /// repeats are not masked, as in any bytes.
    pub fn frame(&self) -> Option<&Bytes> {
        self.packed.0.as_deref()
    }

    /// Returns the number of requests ahead of a job, of a [`Status`](EventKind::Status) while it is
    /// queued.
    pub fn queue_position(&self) -> Option<u64> {
        self.kind.queue_position(&self.content)
    }

    /// Returns how many bytes of a file were sent or received, of a
    /// [`Progress`](EventKind::Progress).
    pub fn transferred(&self) -> Option<u64> {
        self.kind.transferred(&self.content)
    }

    /// Returns the size of that file in bytes, if it is known.
    pub fn total(&self) -> Option<u64> {
        self.kind.total(&self.content)
    }

    /// Returns the text of a [`Log`](EventKind::Log).
    pub fn message(&self) -> Option<&str> {
        self.kind.message(&self.content)
    }

    /// Returns the value at a JSON Pointer (RFC 6901) of the content, such as `/queue_position`.
    pub fn get(&self, pointer: &str) -> Result<&Value> {
        self.content.get(pointer)
    }
}
