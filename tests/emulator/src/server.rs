//! Accepts connections, and selects the service of a request by its host.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};

use crate::answer::Answer;
use crate::arrivals::Entry;
use crate::connections::Connection;
use crate::current::Current;
use crate::exchange::Exchange;
use crate::state::State;
use crate::storage::{self, Blob};
use crate::stream::{SharedStream, Wire};
use crate::{auth, dashboard, gateway, platform, proxy, queue, rest};

/// A request whose body was read.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As sent, still escaped.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body if it is a file; `body` is then empty.
    pub(crate) upload: Option<Arc<Blob>>,
}

impl Request {
    /// The decoded parameters of the query.
    pub(crate) fn query_pairs(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes())
    }
}

/// The service that a Host header selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The emulator's control API.
    Control,
    Run,
    Queue,
    /// HTTP over WebSocket.
    Sockets,
    Rest,
    Platform,
    /// fal's web pages.
    Web,
    Auth,
    Cdn,
    /// The target of signed URLs for uploads.
    GoogleStorage,
    /// The old CDN, whose files no longer exist (§1.1).
    OldCdn,
    /// A web app whose server holds a key.
    Proxy,
    Unknown,
}

/// Every host that the emulator serves.
pub(crate) const HOSTS: &[(&str, Service)] = &[
    ("fal.run", Service::Run),
    ("falrun.com", Service::Run),
    ("queue.fal.run", Service::Queue),
    ("queue.falrun.com", Service::Queue),
    ("ws.fal.run", Service::Sockets),
    ("rest.fal.ai", Service::Rest),
    ("rest.alpha.fal.ai", Service::Rest),
    ("api.fal.ai", Service::Platform),
    ("fal.ai", Service::Web),
    ("auth.fal.ai", Service::Auth),
    ("v3.fal.media", Service::Cdn),
    ("v3b.fal.media", Service::Cdn),
    ("fal.media", Service::OldCdn),
    ("storage.googleapis.com", Service::GoogleStorage),
];

impl Service {
    pub(crate) fn of(host: &str, path: &str) -> Self {
        match host {
            _ if proxy::serves(host, path) => Self::Proxy,
            "127.0.0.1" | "localhost" => Self::Control,
            _ => HOSTS
                .iter()
                .find(|(known, _)| *known == host)
                .map_or(Self::Unknown, |(_, service)| *service),
        }
    }

    /// Handles a request to one of fal's hosts.
    pub(crate) async fn answer(
        self,
        state: &Arc<State>,
        host: &str,
        request: &Request,
        entry: &Entry,
    ) -> Answer {
        match self {
            Self::Run => gateway::handle(state, request, entry).await,
            Self::Platform => platform::handle(state, request, entry).await,
            Self::Web => web(state, request),
            Self::Auth => auth::handle(state, request),
            Self::Cdn => storage::cdn(state, host, request).await,
            Self::Queue => queue::handle(state, request, entry),
            Self::Rest => rest::handle(state, request, entry).await,
            Self::GoogleStorage => storage::google(state, request).await,
            Self::OldCdn => {
                Answer::detail(state.settings().old_cdn_status.status(), "File not found")
            }
            Self::Proxy => proxy::handle(state, request).await,
            // A handshake needs the connection, which the server proxy does not have.
            Self::Control | Self::Sockets | Self::Unknown => {
                let detail = format!("fal-emulator does not serve the host \"{host}\"");
                Answer::detail(StatusCode::MISDIRECTED_REQUEST, detail).unknown("no such host")
            }
        }
    }
}

fn web(state: &State, request: &Request) -> Answer {
    let answer = dashboard::handle(state, request).or_else(|| platform::openapi(state, request));
    answer.unwrap_or_else(|| {
        Answer::detail(StatusCode::NOT_FOUND, "Not Found").unknown("no such page")
    })
}

/// The host of a request in lower case, without a port; empty if there is none.
pub(crate) fn host_of<B>(request: &hyper::Request<B>) -> String {
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request
            .headers()
            .get(HOST)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

/// Accepts connections until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, current: Arc<Current>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&current)));
            }
            // The usual cause is a lack of file descriptors, which other connections release.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn connection(stream: TcpStream, current: Arc<Current>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = Arc::new(current.state().connections.accept());
    serve_wire(Wire::plain(stream), None, current, connection).await;
    Ok(())
}

/// Serves a connection to its end. Within a tunnel it serves only the host `tunnel`.
pub(crate) async fn serve_wire(
    wire: Wire,
    tunnel: Option<&'static str>,
    current: Arc<Current>,
    connection: Arc<Connection>,
) {
    let wire = Arc::new(wire);
    let io = TokioIo::new(SharedStream(Arc::clone(&wire)));
    // A weak reference, so that a request that is still being executed does not keep the socket of
    // an ended connection open.
    let weak = Arc::downgrade(&wire);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let exchange = Exchange {
            state: current.of(request.headers()),
            current: Arc::clone(&current),
            wire: weak.clone(),
            connection: Arc::clone(&connection),
            tunnel,
        };
        exchange.run(request)
    });
    // The arrivals record how the connection ended.
    match tunnel {
        None => {
            let serving = http1::Builder::new()
                .serve_connection(io, service)
                .with_upgrades();
            tokio::select! {
                _ = serving => {}
                () = wire.ended() => {}
            }
        }
        Some(_) => {
            let builder = auto::Builder::new(TokioExecutor::new());
            tokio::select! {
                _ = builder.serve_connection_with_upgrades(io, service) => {}
                () = wire.ended() => {}
            }
        }
    }
}
