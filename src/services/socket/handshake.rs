//! The opening handshake (RFC 6455). The transport sends it, and handles keys, proxies and TLS.

use reqwest::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Method, Upgraded};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self};
use url::Url;

use super::activity::{Pulse, Wire};
use crate::auth::cache::ActiveCredential;
use crate::client::Exchange;
use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Idempotency, Result};
use crate::transport::{Authorization, Call, SMALL, Watch};

/// The time limit of the handshake, as in the official clients (docs/protocol.md §7.2).
const TIMEOUT: Duration = Duration::from_secs(90);

/// A WebSocket whose handshake succeeded.
pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<Wire<Upgraded>>,
    /// The headers of the response to the handshake.
    pub(crate) headers: HeaderMap,
    pub(crate) pulse: Arc<Pulse>,
    /// The client's credential, if the handshake used it.
    pub(crate) active: Option<Arc<ActiveCredential>>,
}

/// How many bytes may wait to be sent in addition to one message: responses to pings. A hostile
/// server may send pings without reading the responses.
const CONTROL_FRAMES: usize = 1 << 20;

/// Opens a WebSocket that receives messages of at most `most` bytes, and sends messages of at most
/// `most_out` bytes.
pub(crate) async fn open(
    exchange: &Exchange,
    url: &Url,
    endpoint: &EndpointId,
    headers: &HeaderMap,
    authorization: Authorization,
    most: usize,
    most_out: usize,
) -> Result<Socket> {
    let key = generate_key();
    let mut headers = headers.clone();
    for (name, value) in [
        (CONNECTION, "Upgrade"),
        (UPGRADE, "websocket"),
        (SEC_WEBSOCKET_VERSION, "13"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(SEC_WEBSOCKET_KEY, value(&key)?);
    let call = Call {
        method: Method::GET,
        url: url.clone(),
        endpoint: Some(endpoint.clone()),
        headers,
        body: bytes::Bytes::new().into(),
        authorization,
        idempotency: Idempotency::Safe,
        // A server that responds that it is busy for longer than this is reported as busy, not as
        // slow.
        deadline: exchange.deadline.min(Instant::now() + TIMEOUT),
        longest_pause: Duration::MAX,
        most: SMALL,
        watch: Watch::Nothing,
    };
    let upgraded = tokio::time::timeout(TIMEOUT, exchange.upgrade(&call)).await;
    let (headers, upgraded, active) = upgraded.map_err(|_| slow())??;
    check(
        &headers,
        &SEC_WEBSOCKET_ACCEPT,
        Some(&derive_accept_key(key.as_bytes())),
    )?;
    check(&headers, &SEC_WEBSOCKET_EXTENSIONS, None)?;
    let mut config = WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    // The limit includes the header of the frame.
    config.max_write_buffer_size = most_out.saturating_add(CONTROL_FRAMES);
    let wire = Wire::new(upgraded);
    let pulse = wire.pulse();
    let stream = WebSocketStream::from_raw_socket(wire, Role::Client, Some(config)).await;
    Ok(Socket {
        stream,
        headers,
        pulse,
        active,
    })
}

fn value(key: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(key).map_err(|_| {
        Error::new(
            Code::Protocol,
            "the key of the WebSocket handshake is not a valid header value",
        )
    })
}

fn slow() -> Error {
    let message = format!(
        "the WebSocket handshake took more than {} s",
        TIMEOUT.as_secs()
    );
    Error::new(Code::Deadline, message).with_retryable(true)
}

fn check(headers: &HeaderMap, name: &HeaderName, expected: Option<&str>) -> Result<()> {
    match headers.get(name).map(HeaderValue::as_bytes) == expected.map(str::as_bytes) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Protocol,
            format!("the response to the WebSocket handshake has a wrong {name}"),
        )),
    }
}

/// Returns the error of a connection that failed.
pub(crate) fn broken(error: tungstenite::Error) -> Error {
    use tungstenite::Error as Broken;
    let (code, message) = match &error {
        Broken::Capacity(_) => (
            Code::TooLarge,
            "a message is larger than allowed".to_owned(),
        ),
        Broken::WriteBufferFull(_) => (
            Code::ConnectionLost,
            "the server stopped reading".to_owned(),
        ),
        Broken::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
        )
        | Broken::ConnectionClosed
        | Broken::AlreadyClosed
        | Broken::Io(_) => (
            Code::ConnectionLost,
            format!("the connection broke: {error}"),
        ),
        _ => (
            Code::Protocol,
            format!("the server violated the WebSocket protocol: {error}"),
        ),
    };
    Error::new(code, message).with_source(error)
}
