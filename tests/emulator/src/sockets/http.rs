//! `ws.fal.run`: the requests of one endpoint over one WebSocket (docs/protocol.md §8).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{End, Link, Overflow, accept, is_handshake};
use crate::answer::Answer;
use crate::arrivals::{Entry, Head, Outcome};
use crate::body::{Payload, Source};
use crate::gateway::{self, Admitted};
use crate::server::Request;
use crate::state::State;

/// The size of a body frame in bytes.
const PIECE: u64 = 64 * 1024;

/// Handles a handshake. Any other request is 404.
pub(crate) fn handle(
    state: &Arc<State>,
    request: &Request,
    connection: u64,
    entry: &Entry,
) -> Answer {
    let answer = gateway::authorize(state, request).and_then(|admitted| {
        if !is_handshake(request) {
            return Err(Answer::detail(
                StatusCode::NOT_FOUND,
                format!("Path {} not found", request.path),
            ));
        }
        let endpoint = request.path.trim_matches('/').to_owned();
        let serving = Serving {
            state: Arc::clone(state),
            path: request.path.clone(),
            headers: headers(&request.headers),
            admitted,
            connection,
        };
        let session = |mut link: Link| async move {
            loop {
                if let Err(end) = serving.next(&mut link).await {
                    return end;
                }
            }
        };
        Ok(accept(&request.headers, endpoint, Overflow::Keep, session))
    });
    gateway::with_request_id(answer.unwrap_or_else(|refusal| refusal), entry).0
}

/// The headers of the handshake that apply to each request too.
fn headers(handshake: &HeaderMap) -> HeaderMap {
    let mut headers = handshake.clone();
    for name in [
        CONNECTION,
        UPGRADE,
        SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION,
        SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL,
    ] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

struct Serving {
    state: Arc<State>,
    path: String,
    headers: HeaderMap,
    admitted: Admitted,
    connection: u64,
}

impl Serving {
    /// Handles one request.
    async fn next(&self, link: &mut Link) -> Result<(), End> {
        let body = match link.receive().await {
            Message::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            message => message.into_data(),
        };
        let began = Instant::now();
        let entry = self.state.arrivals.open(&Head {
            at: self.state.clock.now(),
            connection: self.connection,
            method: "POST",
            host: "ws.fal.run",
            path: &self.path,
            query: None,
            headers: &self.headers,
        });
        entry.body(&body, body.len() as u64);
        let answer = self.answer(body, &entry).await?;
        let (answer, id) = gateway::with_request_id(answer, &entry);
        let status = answer.status.as_u16();
        let start = json!({
            "type": "start", "request_id": id, "status": status, "headers": plain(&answer.headers),
        });
        link.send_text(start.to_string()).await?;
        let breaks = matches!(answer.payload, Payload::Broken(_));
        let mut source = Source::new(answer.payload);
        let mut first_byte = None;
        while let Some(piece) = source.next(PIECE).await {
            first_byte.get_or_insert_with(|| began.elapsed());
            link.send(frame(piece)).await?;
        }
        if breaks {
            entry.settle(Outcome::ClosedByFault);
            return Err(End::Gone);
        }
        let seconds = first_byte.unwrap_or_else(|| began.elapsed()).as_secs_f64();
        let end = json!({
            "type": "end", "request_id": id, "status": status, "time_to_first_byte_seconds": seconds,
        });
        entry.settle(Outcome::Status(status));
        link.send_text(end.to_string()).await
    }

    /// The response of a fault or of the app. A fault that ends a connection ends this WebSocket.
    async fn answer(&self, body: Bytes, entry: &Entry) -> Result<Answer, End> {
        let fault = self.state.faults.take("POST", "ws.fal.run", &self.path);
        let request = Request {
            method: Method::POST,
            path: self.path.clone(),
            query: None,
            headers: self.headers.clone(),
            body,
            upload: None,
        };
        if let Some(fault) = fault {
            tokio::time::sleep(std::time::Duration::from_millis(fault.delay_ms)).await;
            match fault
                .answer("")
                .map(|answer| answer.or_else(|| fault.echoed(&request, "")))
            {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) if fault.is_delay_only() => {}
                _ => return Err(End::Gone),
            }
        }
        let answer = gateway::run(&self.state, &request, self.admitted.clone(), entry).await;
        Ok(answer.unwrap_or_else(|refusal| refusal))
    }
}

fn plain(headers: &HeaderMap) -> Value {
    let headers = headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
    });
    Value::Object(headers.collect::<Map<String, Value>>())
}

/// A text message if the piece is UTF-8 and cannot be mistaken for a control frame, else a binary
/// one.
fn frame(piece: Bytes) -> Message {
    let is_control = serde_json::from_slice::<Map<String, Value>>(&piece)
        .is_ok_and(|object| object.contains_key("type") && object.contains_key("request_id"));
    match std::str::from_utf8(&piece) {
        Ok(text) if !is_control => Message::text(text),
        _ => Message::Binary(piece),
    }
}
