//! WebSockets: the handshake, and the session after it.

mod http;
mod link;
mod realtime;
mod registry;
mod script;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::answer::Answer;
use crate::connections::Connection;
use crate::server::Request;
use crate::state::State;
pub(crate) use http::handle;
pub(crate) use link::{End, Link, Overflow};
pub(crate) use realtime::{raw, realtime, unauthorized};
use registry::Cut;
pub use registry::MessageCounts;
pub(crate) use registry::Sockets;

/// The largest message that a client may send, in bytes: 64 MiB.
const LARGEST_MESSAGE: usize = 64 << 20;

/// The timeout for the client's part of a closing handshake.
const PATIENCE: Duration = Duration::from_secs(10);

type Running = Pin<Box<dyn Future<Output = End> + Send>>;

/// The session that runs on a WebSocket.
pub(crate) struct Session {
    endpoint: String,
    overflow: Overflow,
    run: Box<dyn FnOnce(Link) -> Running + Send>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.endpoint)
    }
}

/// Whether a request asks for a WebSocket (RFC 6455 §4.2.1).
pub(crate) fn is_handshake(request: &Request) -> bool {
    let names = |header, token: &str| {
        request
            .headers
            .get_all(header)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(token))
            })
    };
    request.method == Method::GET
        && names(UPGRADE, "websocket")
        && names(CONNECTION, "upgrade")
        && request.headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Responds with 101. `run` starts when the client has received the response. Messages are counted
/// for `endpoint`.
pub(crate) fn accept<F>(
    headers: &HeaderMap,
    endpoint: String,
    overflow: Overflow,
    run: impl FnOnce(Link) -> F + Send + 'static,
) -> Answer
where
    F: Future<Output = End> + Send + 'static,
{
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key)) else {
        return Answer::empty(StatusCode::BAD_REQUEST);
    };
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    answer
        .headers
        .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    answer
        .headers
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    answer.session = Some(Box::new(Session {
        endpoint,
        overflow,
        run: Box::new(|link| Box::pin(run(link))),
    }));
    answer
}

/// Runs a session on the connection that `upgrade` resolves to, until it ends or a test cuts it.
pub(crate) fn spawn(
    upgrade: OnUpgrade,
    session: Box<Session>,
    state: Arc<State>,
    connection: Arc<Connection>,
) {
    // Counted before the response to the handshake is sent, so that a client that has it finds its
    // WebSocket open.
    let cut = state.sockets.open();
    tokio::spawn(run(upgrade, session, state, connection, cut));
}

async fn run(
    upgrade: OnUpgrade,
    session: Box<Session>,
    state: Arc<State>,
    connection: Arc<Connection>,
    mut cut: Cut,
) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let Session {
        endpoint,
        overflow,
        run,
    } = *session;
    let counter = state.sockets.counter(endpoint);
    let (link, reader) = link::link(socket, overflow, counter);
    let serving = async {
        tokio::pin!(reader);
        let end = tokio::select! {
            end = run(link) => end,
            () = &mut reader => End::Gone,
        };
        if end == End::Closed {
            let _ = tokio::time::timeout(PATIENCE, reader).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = cut.wait() => {}
    }
    drop(connection);
}
