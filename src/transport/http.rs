//! The HTTP connection pools of a client: one set for each instance of the runtime.
//!
//! A pool never outlives its runtime, whose tasks drive the connections, and is never used after a
//! fork, because parent and child would write to the same sockets.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::network::Network;
use super::resolver::SystemResolver;
use super::tls::no_tls;
use crate::error::{Code, Error, Result};
use crate::runtime::per_runtime::PerRuntime;

/// The timeout of the official clients (docs/protocol.md §13.1), raised for slow handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Short, because a POST on a connection that the server has just closed cannot be repeated.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum number of idle connections to one host.
const IDLE: usize = 64;
const KEEPALIVE: Duration = Duration::from_secs(30);
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
    secure: PerRuntime<reqwest::Client>,
    /// Without TLS, for servers on this machine: the emulator, or a server proxy in development.
    plain: PerRuntime<reqwest::Client>,
}

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
    /// Returns the connection pool of the current runtime for the URL `to`.
    pub(crate) fn client(&self, network: &Network, to: &Url, what: Use) -> Result<reqwest::Client> {
        let pools = match what {
            Use::Requests => &self.requests,
            Use::WebSocket => &self.sockets,
        };
        let plain = to.scheme() == "http";
        let pool = if plain { &pools.plain } else { &pools.secure };
        Ok(reqwest::Client::clone(
            &*pool.get(|| build(network, plain, what))?,
        ))
    }
}

/// Builds a connection pool. `plain` is without TLS and without a proxy.
fn build(network: &Network, plain: bool, what: Use) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder();
    let builder = match what {
        // A dead HTTP/2 connection would delay many calls, so keep-alive detects it.
        Use::Requests => builder
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE)
            .http2_max_header_list_size(HEADERS),
        Use::WebSocket => builder.http1_only(),
    };
    let builder = builder
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .dns_resolver(Arc::new(SystemResolver))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true)
        .referer(false);
    let builder = match plain {
        true => builder.no_proxy().tls_backend_preconfigured(no_tls()?),
        false => network.apply(builder.https_only(true), what.protocols())?,
    };
    builder
        .build()
        .map_err(|e| Error::new(Code::Io, format!("cannot set up the HTTP client: {e}")))
}
