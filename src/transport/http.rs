//! The HTTP stack: one connection pool per client and life of the runtime.
//!
//! A pool never outlives its runtime and never crosses a fork: its connections are driven by tasks
//! of that runtime, and a child that wrote to its parent's sockets would mix two conversations.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::network::Network;
use super::resolver::Names;
use super::tls::no_tls;
use crate::error::{Code, Error, Result};
use crate::runtime::per_runtime::PerRuntime;

/// As in the official clients (docs/protocol.md §13.1), with room for a slow handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Short, because a POST on a connection that the server has just given up cannot be repeated.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// The most unused connections to one host.
const IDLE: usize = 64;
const KEEPALIVE: Duration = Duration::from_secs(30);
/// fal sends 16 KB of headers at the most (docs/protocol.md §5.8).
const HEADERS: u32 = 64 << 10;

#[derive(Default)]
pub(crate) struct Http {
    requests: Pools,
    /// WebSockets begin with HTTP/1.1 (RFC 6455), whatever else the server offers.
    sockets: Pools,
}

#[derive(Default)]
struct Pools {
    secure: PerRuntime<reqwest::Client>,
    /// For what is on this machine: the emulator, a server proxy under development.
    plain: PerRuntime<reqwest::Client>,
}

/// What a connection is for.
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
    /// The connection pool of the running runtime for an address that a request was routed to.
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

/// `plain` is for this machine: no TLS is set up, no proxy asked.
fn build(network: &Network, plain: bool, what: Use) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder();
    let builder = match what {
        // A connection that carries many calls has to be known to be alive.
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
        .dns_resolver(Arc::new(Names))
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
        .map_err(|e| Error::new(Code::Io, format!("the HTTP stack could not be set up: {e}")))
}
