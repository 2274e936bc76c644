//! What a frame of the service means (fal-protocol.md §7.3, §7.4).

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::session::Language;
use crate::error::{Answer, Code, Error, clause};
use crate::event::{Event, EventKind};
use crate::packed;
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

/// `shaken` is what the answer of an error has besides the message: the headers of the handshake, and what was carried.
pub(super) fn hear(language: Language, message: Message, shaken: (&HeaderMap, &Secrets)) -> Heard {
    match (language, message) {
        (Language::Raw, Message::Text(text)) => Heard::Message(Event::text(EventKind::Message, text.into())),
        (Language::Raw, Message::Binary(bytes)) => Heard::Message(Event::bytes(EventKind::Message, bytes)),
        (Language::Realtime, Message::Text(text)) => json(text.into(), shaken),
        (Language::Realtime, Message::Binary(frame)) => packed(frame, shaken),
        (_, Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => Heard::Nothing,
    }
}

fn packed(frame: Bytes, shaken: (&HeaderMap, &Secrets)) -> Heard {
    // An app may have a codec of its own; what is not MessagePack is handed over as it is.
    let Some(value) = packed::unpack(&frame) else { return Heard::Message(Event::bytes(EventKind::Message, frame)) };
    let json = packed::to_json(&value);
    let text = json.to_string();
    control(&json, text.as_bytes(), shaken).unwrap_or_else(|| Heard::Message(Event::packed(&json, value)))
}

fn json(text: Bytes, shaken: (&HeaderMap, &Secrets)) -> Heard {
    let Ok(json) = serde_json::from_slice::<Value>(&text) else {
        return Heard::Message(Event::text(EventKind::Message, text));
    };
    control(&json, &text, shaken).unwrap_or_else(|| Heard::Message(Event::json(EventKind::Message, &json)))
}

/// A message of the platform's; an app's own has no type of this name.
fn control(message: &Value, body: &[u8], shaken: (&HeaderMap, &Secrets)) -> Option<Heard> {
    let field = |name: &str| message.get(name).and_then(Value::as_str);
    match (field("type"), field("error")) {
        (Some("x-fal-message"), _) => Some(Heard::Nothing),
        (Some("x-fal-error"), Some("TIMEOUT")) => Some(Heard::Timeout),
        (Some("x-fal-error"), kind) => {
            let reason = field("reason").map(clause).filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or("no reason was given");
            let message = format!("the app ended the connection: {reason} ({})", kind.unwrap_or("x-fal-error"));
            Some(Heard::Failed(Error::new(Code::ServiceFailed, message).with_answer(answer(kind, body, shaken))))
        }
        (None, Some("Unauthorized")) if field("status") == Some("error") => {
            let error =
                Error::new(Code::Unauthenticated, "fal refused the connection after it was opened: Unauthorized");
            Some(Heard::Refused(error.with_answer(answer(None, body, shaken))))
        }
        _ => None,
    }
}

/// What an error that came as a message was made from: the answer of the handshake, and the message as the body.
fn answer(kind: Option<&str>, body: &[u8], (headers, secrets): (&HeaderMap, &Secrets)) -> Answer {
    Answer::new(secrets, 101, headers.clone(), Bytes::copy_from_slice(body)).with_error_type(kind)
}
