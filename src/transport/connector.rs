//! Makes direct connections: TCP, and TLS for https.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::handshakes::{BoxError, step_by_step};
use super::resolver::SystemResolver;
use super::stream::Stream;

/// The timeout of the official clients (docs/protocol.md §13.1), raised for slow handshakes.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE: Duration = Duration::from_secs(30);
/// The pause between two keep-alive probes of TCP that are not answered.
pub(super) const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// The number of such probes after which the connection is dead.
pub(super) const PROBES: u32 = 3;
/// How long sent bytes may stay unacknowledged, where the system can limit it.
#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

type Tcp = HttpConnector<SystemResolver>;
type Made = Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Connects to the host of a URL.
#[derive(Clone)]
pub(super) enum Connector {
    /// Without TLS, for servers on this machine.
    Plain(Tcp),
    Secure(HttpsConnector<Tcp>),
}

impl Connector {
    pub(super) fn plain() -> Self {
        Connector::Plain(tcp())
    }

    /// Refuses URLs that are not https.
    pub(super) fn secure(tls: ClientConfig) -> Self {
        let mut tcp = tcp();
        tcp.enforce_http(false);
        let mut connector = HttpsConnector::from((tcp, tls));
        connector.enforce_https();
        Connector::Secure(connector)
    }
}

fn tcp() -> Tcp {
    let mut tcp = HttpConnector::new_with_resolver(SystemResolver);
    // Divided among the addresses of the host. The limit of the whole connection is in `call`.
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(PROBE_INTERVAL));
    tcp.set_keepalive_retries(Some(PROBES));
    #[cfg(any(target_os = "android", target_os = "linux"))]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Connector::Plain(tcp) => tcp.poll_ready(context).map_err(Into::into),
            Connector::Secure(tls) => tls.poll_ready(context),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Connector::Plain(tcp) => {
                let connecting = tcp.call(to);
                Box::pin(in_time(async {
                    Ok(MaybeHttpsStream::Http(connecting.await?))
                }))
            }
            Connector::Secure(tls) => {
                let host = to.authority().map(|authority| authority.as_str().into());
                let connecting = tls.call(to);
                Box::pin(in_time(
                    async move { step_by_step(connecting, host).await? },
                ))
            }
        }
    }
}

async fn in_time(connecting: impl Future<Output = Made>) -> Result<Stream, BoxError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(made) => made.map(Stream),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "operation timed out").into()),
    }
}
