//! The messages of the service (docs/protocol.md §7.3, §7.4).

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use tokio_tungstenite::tungstenite::Message;

use super::protocol::Protocol;
use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Answer, Code, Error, clause_or};
use crate::operation::event::{Event, EventKind};
use crate::secrets::Secrets;

pub(super) enum Received {
    Message(Event),
    /// Metadata, or a control frame of WebSocket.
    Nothing,
    /// The app ended the session because no input arrived.
    Timeout,
    /// The credential that opened the connection is not valid, or no longer valid.
    Refused(Error),
    Failed(Error),
}

/// The parts of an error's response besides the message: the headers of the response to the
/// handshake, and the secrets to remove.
#[derive(Clone)]
pub(super) struct Handshake {
    pub(super) headers: Arc<HeaderMap>,
    pub(super) secrets: Arc<Secrets>,
}

/// Parses a message. A long message is parsed on a helper thread, so that other tasks do not wait.
pub(super) async fn receive(
    protocol: Protocol,
    message: Message,
    handshake: &Handshake,
) -> Received {
    let handshake = handshake.clone();
    json::beside(message.len(), move || parse(protocol, message, &handshake))
        .await
        .unwrap_or_else(Received::Failed)
}

fn parse(protocol: Protocol, message: Message, handshake: &Handshake) -> Received {
    match (protocol, message) {
        (Protocol::Raw, Message::Text(text)) => {
            Received::Message(Event::text(EventKind::Message, text.into()))
        }
        (Protocol::Raw, Message::Binary(bytes)) => {
            Received::Message(Event::bytes(EventKind::Message, bytes))
        }
        (Protocol::Realtime, Message::Text(text)) => json(text.into(), handshake),
        (Protocol::Realtime, Message::Binary(frame)) => packed(frame, handshake),
        (_, Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
            Received::Nothing
        }
    }
}

fn packed(frame: Bytes, handshake: &Handshake) -> Received {
    // An app may have an encoding of its own. A message that is not MessagePack, or that JSON
    // cannot express, is delivered as bytes.
    let json = match msgpack::to_json(&frame) {
        Ok(Some(json)) => Bytes::from(json),
        Ok(None) => return Received::Message(Event::bytes(EventKind::Message, frame)),
        Err(error) => return Received::Failed(error),
    };
    control(&json, handshake).unwrap_or_else(|| Received::Message(Event::packed(json, frame)))
}

/// Keeps the JSON as the app wrote it: its numbers may have more digits than an `f64`.
fn json(text: Bytes, handshake: &Handshake) -> Received {
    control(&text, handshake).unwrap_or_else(|| {
        // Without memory to parse it, the message is delivered as a text.
        Received::Message(
            Event::read(EventKind::Message, text.clone())
                .unwrap_or_else(|_| Event::text(EventKind::Message, text)),
        )
    })
}

/// Recognizes a message of the platform by its type, which no message of an app has.
fn control(message: &Bytes, handshake: &Handshake) -> Option<Received> {
    let members = json::members(message, ["type", "error", "reason", "status"])?;
    let [kind, error, reason, status] = members.map(|member| member.and_then(json::text));
    match (kind.as_deref(), error.as_deref()) {
        (Some("x-fal-message"), _) => Some(Received::Nothing),
        (Some("x-fal-error"), Some("TIMEOUT")) => Some(Received::Timeout),
        (Some("x-fal-error"), kind) => {
            let reason = clause_or(reason.as_deref(), "no reason was given");
            let text = format!(
                "the app ended the connection: {reason} ({})",
                kind.unwrap_or("x-fal-error")
            );
            Some(Received::Failed(
                Error::new(Code::ServiceFailed, text).with_answer(answer(kind, message, handshake)),
            ))
        }
        (None, Some("Unauthorized")) if status.as_deref() == Some("error") => {
            let error = Error::new(
                Code::Unauthenticated,
                "fal refused the connection after it was opened: Unauthorized",
            );
            Some(Received::Refused(
                error.with_answer(answer(None, message, handshake)),
            ))
        }
        _ => None,
    }
}

/// Returns the response that an error in a message exposes: the headers of the handshake, and the
/// message as the body.
fn answer(kind: Option<&str>, body: &Bytes, Handshake { headers, secrets }: &Handshake) -> Answer {
    Answer::new(secrets, 101, HeaderMap::clone(headers), body.clone()).with_error_type(kind)
}

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/messages.rs"]
pub(crate) mod fuzz;
