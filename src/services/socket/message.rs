//! What a frame of the service means (docs/protocol.md §7.3, §7.4).

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use tokio_tungstenite::tungstenite::Message;

use super::language::Language;
use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Answer, Code, Error, clause};
use crate::operation::event::{Event, EventKind};
use crate::secrets::Secrets;

pub(super) enum Heard {
    Message(Event),
    /// Metadata, or part of the WebSocket protocol.
    Nothing,
    /// The session is over without a fault.
    Timeout,
    /// What opened the connection is not, or no longer, valid.
    Refused(Error),
    Failed(Error),
}

/// What the answer of an error has besides the message: the headers of the handshake, and what was
/// carried.
#[derive(Clone)]
pub(super) struct Shaken {
    pub(super) headers: Arc<HeaderMap>,
    pub(super) secrets: Arc<Secrets>,
}

/// Looks at a frame, however long it is, without keeping others waiting.
pub(super) async fn listen(language: Language, message: Message, shaken: &Shaken) -> Heard {
    let shaken = shaken.clone();
    json::beside(message.len(), move || hear(language, message, &shaken))
        .await
        .unwrap_or_else(Heard::Failed)
}

fn hear(language: Language, message: Message, shaken: &Shaken) -> Heard {
    match (language, message) {
        (Language::Raw, Message::Text(text)) => {
            Heard::Message(Event::text(EventKind::Message, text.into()))
        }
        (Language::Raw, Message::Binary(bytes)) => {
            Heard::Message(Event::bytes(EventKind::Message, bytes))
        }
        (Language::Realtime, Message::Text(text)) => json(text.into(), shaken),
        (Language::Realtime, Message::Binary(frame)) => packed(frame, shaken),
        (_, Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
            Heard::Nothing
        }
    }
}

fn packed(frame: Bytes, shaken: &Shaken) -> Heard {
    // An app may have a codec of its own; what is not MessagePack, or has no JSON, is handed over
    // as it is.
    let json = match msgpack::to_json(&frame) {
        Ok(Some(json)) => Bytes::from(json),
        Ok(None) => return Heard::Message(Event::bytes(EventKind::Message, frame)),
        Err(error) => return Heard::Failed(error),
    };
    control(&json, shaken).unwrap_or_else(|| Heard::Message(Event::packed(json, frame)))
}

/// JSON stays as the app wrote it: its numbers may have more digits than ours.
fn json(text: Bytes, shaken: &Shaken) -> Heard {
    control(&text, shaken).unwrap_or_else(|| {
        // What there is no memory to look at is a text.
        Heard::Message(
            Event::read(EventKind::Message, text.clone())
                .unwrap_or_else(|_| Event::text(EventKind::Message, text)),
        )
    })
}

/// A message of the platform's; an app's own has no type of this name.
fn control(message: &Bytes, shaken: &Shaken) -> Option<Heard> {
    let members = json::members(message, ["type", "error", "reason", "status"])?;
    let [kind, error, reason, status] = members.map(|member| member.and_then(json::text));
    match (kind.as_deref(), error.as_deref()) {
        (Some("x-fal-message"), _) => Some(Heard::Nothing),
        (Some("x-fal-error"), Some("TIMEOUT")) => Some(Heard::Timeout),
        (Some("x-fal-error"), kind) => {
            let reason = reason
                .as_deref()
                .map(clause)
                .filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or("no reason was given");
            let told = format!(
                "the app ended the connection: {reason} ({})",
                kind.unwrap_or("x-fal-error")
            );
            Some(Heard::Failed(
                Error::new(Code::ServiceFailed, told).with_answer(answer(kind, message, shaken)),
            ))
        }
        (None, Some("Unauthorized")) if status.as_deref() == Some("error") => {
            let error = Error::new(
                Code::Unauthenticated,
                "fal refused the connection after it was opened: Unauthorized",
            );
            Some(Heard::Refused(
                error.with_answer(answer(None, message, shaken)),
            ))
        }
        _ => None,
    }
}

/// What an error that came as a message was made from: the answer of the handshake, and the message
/// as the body.
fn answer(kind: Option<&str>, body: &Bytes, Shaken { headers, secrets }: &Shaken) -> Answer {
    Answer::new(secrets, 101, HeaderMap::clone(headers), body.clone()).with_error_type(kind)
}

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/messages.rs"]
pub(crate) mod fuzz;
