//! A WebSocket client.

use fal_emulator::Emulator;
use futures_util::{SinkExt, StreamExt};
use rmpv::Value as Packed;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::Request;

pub(crate) struct Socket<S>(pub(crate) WebSocketStream<S>);

/// Opens a WebSocket with a key or, without one, with the token in the path. A refusal is returned
/// as its status and body.
pub(crate) async fn open(
    emulator: &Emulator,
    host: &str,
    path: &str,
    key: Option<&str>,
) -> Result<Socket<TcpStream>, (u16, Value)> {
    let stream = TcpStream::connect(emulator.addr()).await.unwrap();
    open_on(stream, host, path, key).await
}

pub(crate) async fn open_on<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    path: &str,
    key: Option<&str>,
) -> Result<Socket<S>, (u16, Value)> {
    let mut request = format!("ws://{host}{path}").into_client_request().unwrap();
    if let Some(key) = key {
        request
            .headers_mut()
            .insert("Authorization", format!("Key {key}").parse().unwrap());
    }
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, response)) => {
            assert!(response.headers().contains_key("x-fal-request-id"));
            Ok(Socket(socket))
        }
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err((
                response.status().as_u16(),
                serde_json::from_slice(body).unwrap_or_default(),
            ))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Creates a token for these apps.
pub(crate) fn token(emulator: &Emulator, apps: &Value, seconds: u64) -> String {
    let body = serde_json::json!({"allowed_apps": apps, "token_expiration": seconds});
    let response = Request::new("POST", "rest.fal.ai", "/tokens/")
        .key(emulator.api_key())
        .json(&body)
        .send(emulator);
    response.json().as_str().unwrap().to_owned()
}

pub(crate) fn map(fields: &[(&str, Packed)]) -> Packed {
    Packed::Map(
        fields
            .iter()
            .map(|(name, value)| (Packed::from(*name), value.clone()))
            .collect(),
    )
}

pub(crate) fn pack(value: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Sends an input whose field `emulator` is `script`.
    pub(crate) async fn input(&mut self, number: u64, script: &[(&str, Packed)]) {
        let input = map(&[("n", number.into()), ("emulator", map(script))]);
        self.send(Message::binary(pack(&input))).await;
    }

    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        self.0.next().await
    }

    /// Reads the text of the next message.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Reads the MessagePack of the next message.
    pub(crate) async fn packed(&mut self) -> Packed {
        match self.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                rmpv::decode::read_value(&mut bytes.as_ref()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Reads the close frame that comes next, and checks that the connection ends after it. Returns
    /// its code and reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let Some(Ok(Message::Close(Some(frame)))) = self.next().await else {
            panic!("no close frame");
        };
        assert!(self.next().await.is_none());
        (frame.code.into(), frame.reason.as_str().to_owned())
    }

    /// Checks that the connection ends without a close frame.
    pub(crate) async fn broken(&mut self) {
        assert!(matches!(self.next().await, Some(Err(_))));
    }
}
