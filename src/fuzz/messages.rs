//! Fuzzes the messages of a WebSocket: messages of an app, and control messages of the platform.

use super::*;
use crate::fuzz::input::Input;
use crate::fuzz::spent::bounded;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.byte();
    let bytes = Bytes::copy_from_slice(input.rest());
    let text = std::str::from_utf8(&bytes).ok().map(str::to_owned);
    let message = match (kind % 2, &text) {
        (0, Some(text)) => Message::text(text.clone()),
        _ => Message::binary(bytes.clone()),
    };
    let protocol = if kind & 2 == 0 {
        Protocol::Realtime
    } else {
        Protocol::Raw
    };
    let is_text = message.is_text();
    let handshake = Handshake {
        headers: Arc::default(),
        secrets: Arc::default(),
    };
    let received = bounded(bytes.len(), 512, 16 * 1024, || {
        parse(protocol, message, &handshake)
    });
    match received {
        Received::Message(event) => {
            assert!(event.size() <= 13 * bytes.len() + 64);
            // Text is delivered unchanged, also if it is JSON.
            assert!(!is_text || event.content().body() == &bytes);
            assert!(protocol == Protocol::Realtime || event.content().body() == &bytes);
        }
        Received::Failed(error) | Received::Refused(error) => {
            assert!(
                protocol == Protocol::Realtime
                    && error.message().len() <= crate::limits::MESSAGE + 4
            );
        }
        Received::Nothing | Received::Timeout => assert!(protocol == Protocol::Realtime),
    }
    if let Some(text) = text {
        crate::services::channel::is_control(&text);
        let failure = crate::services::workflow::Failure::read(&text.clone().into());
        assert!(failure.is_none_or(|failure| failure.body.len() <= text.len().max(4)));
    }
}
