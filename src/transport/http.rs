//! The HTTP connection pools of a client: one set for each instance of the runtime.
//!
//! A pool never outlives its runtime, whose tasks drive the connections, and is never used after a
//! fork, because parent and child would write to the same sockets.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use tower_layer::layer_fn;

use super::concurrency::WIDTH;
use super::connector::{CONNECT_TIMEOUT, Connector, KEEPALIVE, PROBE_INTERVAL, PROBES};
use super::handshakes;
use super::network::Network;
use super::pool::Pool;
use super::resolver::SystemResolver;
use crate::error::{Code, Error, Result};
use crate::runtime::blocking::{Kind, blocking};
use crate::runtime::per_runtime::PerRuntime;

/// Short, because a POST on a connection that the server has just closed cannot be repeated.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum number of idle connections to one host: as many as a client's runs use at once.
const IDLE: usize = WIDTH;
/// The limit of an HTTP/2 header list in bytes. fal sends at most 16 KB (docs/protocol.md §5.8).
const HEADERS: u32 = 64 << 10;

#[derive(Default)]
pub(crate) struct Http {
    requests: Pools,
    /// WebSockets need HTTP/1.1 (RFC 6455) even if the server offers HTTP/2.
    sockets: Pools,
}

#[derive(Default)]
struct Pools {
    secure: Slot,
    /// Without TLS, for servers on this machine: the emulator, or a server proxy in development.
    plain: Slot,
}

type Slot = PerRuntime<OnceCell<Arc<Pool>>>;

/// The protocol that a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Requests,
    WebSocket,
}

impl Use {
    fn protocols(self) -> &'static [&'static str] {
        match self {
            Use::Requests => &["h2", "http/1.1"],
            Use::WebSocket => &["http/1.1"],
        }
    }
}

impl Http {
    /// Returns the connection pool of the current runtime. `plain`: without TLS.
    pub(super) async fn pool(
        &self,
        network: &Network,
        plain: bool,
        what: Use,
    ) -> Result<Arc<Pool>> {
        let pools = match what {
            Use::Requests => &self.requests,
            Use::WebSocket => &self.sockets,
        };
        let slot = if plain { &pools.plain } else { &pools.secure };
        let pool = slot.get(|| Ok(OnceCell::new()))?;
        if let Some(pool) = pool.get() {
            return Ok(pool.clone());
        }
        let make = async || match plain {
            // Servers on this machine are reached without a proxy.
            true => Ok(Arc::new(direct(Connector::plain()))),
            false => {
                let network = network.clone();
                // It reads the files of the trust store, which may block.
                blocking(Kind::Handshakes, move || secure(&network, what))
                    .await?
                    .map(Arc::new)
            }
        };
        Box::pin(pool.get_or_try_init(make)).await.cloned()
    }
}

/// With TLS. All connections are made by reqwest if some may go through a proxy.
fn secure(network: &Network, what: Use) -> Result<Pool> {
    let tls = network.tls(what.protocols())?;
    match network.proxied(reqwest::Client::builder())? {
        Some(builder) => proxied(builder, tls, what, network.proxy_name()),
        None => Ok(direct(Connector::secure(tls))),
    }
}

/// The connector decides about HTTP/2.
fn direct(connector: Connector) -> Pool {
    let client = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE)
        .http2_adaptive_window(true)
        // A dead HTTP/2 connection would delay many calls, so keep-alive detects it.
        .http2_keep_alive_interval(KEEPALIVE)
        .http2_keep_alive_timeout(KEEPALIVE)
        .http2_max_header_list_size(HEADERS)
        .build(connector);
    Pool::Direct(Box::new(client))
}

fn proxied(
    builder: ClientBuilder,
    tls: ClientConfig,
    what: Use,
    proxy: Option<Arc<str>>,
) -> Result<Pool> {
    let builder = match what {
        Use::Requests => builder
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE)
            .http2_max_header_list_size(HEADERS),
        Use::WebSocket => builder.http1_only(),
    };
    let builder = builder
        .https_only(true)
        .tls_backend_preconfigured(tls)
        .connector_layer(layer_fn(handshakes::Connector))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .dns_resolver(Arc::new(SystemResolver))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(PROBE_INTERVAL)
        .tcp_keepalive_retries(PROBES)
        .tcp_nodelay(true)
        .referer(false);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let builder = builder.tcp_user_timeout(super::connector::UNACKNOWLEDGED);
    let client = builder
        .build()
        .map_err(|e| Error::new(Code::Io, format!("cannot set up the HTTP client: {e}")))?;
    Ok(Pool::Proxied(client, proxy))
}
