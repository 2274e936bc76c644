//! The HTTP stack: one connection pool per client and life of the runtime.
//!
//! A pool never outlives its runtime and never crosses a fork: its connections are driven by tasks of
//! that runtime, and a child that wrote to its parent's sockets would mix two conversations.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Code, Error, Result};
use crate::per_runtime::PerRuntime;

/// As in the official clients (fal-protocol.md §13.1), with room for a slow handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Short, because a POST on a connection that the server has just given up cannot be repeated.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const KEEPALIVE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Http {
    pool: PerRuntime<reqwest::Client>,
    /// WebSockets begin with HTTP/1.1 (RFC 6455), whatever else the server offers.
    sockets: PerRuntime<reqwest::Client>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Requests,
    WebSocket,
}

impl Http {
    /// The connection pool of the running runtime.
    pub(crate) fn client(&self, plain: bool, what: Use) -> Result<reqwest::Client> {
        let pool = match what {
            Use::Requests => &self.pool,
            Use::WebSocket => &self.sockets,
        };
        Ok(reqwest::Client::clone(&*pool.get(|| build(plain, what))?))
    }
}

/// `plain` is for the emulator: no TLS is set up, no proxy asked.
fn build(plain: bool, what: Use) -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder();
    let builder = match what {
        Use::Requests => builder,
        Use::WebSocket => builder.http1_only(),
    };
    let builder = builder
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_keepalive(KEEPALIVE)
        .tcp_nodelay(true)
        .referer(false);
    let builder = match plain {
        true => builder.no_proxy().tls_backend_preconfigured(no_tls()?),
        false => builder.https_only(true).tls_backend_preconfigured(tls()?),
    };
    builder.build().map_err(|e| Error::new(Code::Io, format!("the HTTP stack could not be set up: {e}")))
}

/// rustls with the operating system's trust store. The provider is named, not installed for the whole process.
fn tls() -> Result<ClientConfig> {
    let config = versions()?.with_platform_verifier().map_err(tls_error)?;
    Ok(config.with_no_client_auth())
}

/// reqwest wants a TLS set-up even where none is used; this one trusts nobody.
fn no_tls() -> Result<ClientConfig> {
    Ok(versions()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(tls_error)
}

fn tls_error(error: rustls::Error) -> Error {
    Error::new(Code::Io, format!("TLS could not be set up: {error}"))
}
