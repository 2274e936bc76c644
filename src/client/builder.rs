//! The options of a client.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use url::Url;

use super::handle::Client;
use super::inner::{Inner, for_hosts};
use super::slots::Slots;
use crate::auth::cache::CredentialCache;
use crate::auth::scopes::Scopes;
use crate::credentials::{self, Environment, Variable};
use crate::endpoint::{self, Hosts};
use crate::error::{Error, Result};
use crate::log::{Level, Log, Target};
use crate::transport::{Attempts, Network, STALL, Transport};

/// The first product of the `User-Agent` header.
const PRODUCT: &str = concat!("libfal/", env!("CARGO_PKG_VERSION"));
const RESPONSE_LIMIT: usize = 256 << 20;

/// Options of a client. An option that is not set comes from the environment, or has the documented
/// default.
#[derive(Clone)]
pub struct ClientBuilder {
    credentials: credentials::Options,
    environment: Environment,
    hosts: Vec<(&'static str, String)>,
    proxy: Option<Url>,
    network: Network,
    timeout: Option<Duration>,
    attempts: Attempts,
    stall: Option<Duration>,
    response_limit: usize,
    user_agent: String,
    strict_scopes: bool,
    log: Log,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        ClientBuilder {
            credentials: credentials::Options::new(),
            environment: Environment::process(),
            hosts: Vec::new(),
            proxy: None,
            network: Network::default(),
            timeout: None,
            attempts: Attempts::default(),
            stall: Some(STALL),
            response_limit: RESPONSE_LIMIT,
            user_agent: PRODUCT.to_owned(),
            strict_scopes: false,
            log: Log::default(),
        }
    }
}

/// A host that can be replaced, here or by the variable that each role names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum HostRole {
    /// `FAL_RUN_HOST`: direct runs. Without `FAL_QUEUE_RUN_HOST` the queue is at `queue.` + this
    /// host.
    Run = 0,
    /// `FAL_QUEUE_RUN_HOST`: the queue.
    Queue = 1,
    /// `FAL_REST_HOST`: tokens and uploads.
    Rest = 2,
    /// `FAL_PLATFORM_HOST`: the Platform API.
    Platform = 3,
    /// `FAL_CDN_HOST`: files. It never receives the key.
    Cdn = 4,
    /// `FAL_EMULATOR_HOST`: a local fal-emulator that replaces all of them, over plain HTTP.
    Emulator = 5,
}

impl HostRole {
    /// Every role.
    pub const ALL: &'static [HostRole] = &[
        HostRole::Run,
        HostRole::Queue,
        HostRole::Rest,
        HostRole::Platform,
        HostRole::Cdn,
        HostRole::Emulator,
    ];

    fn variable(self) -> &'static str {
        match self {
            HostRole::Run => "FAL_RUN_HOST",
            HostRole::Queue => "FAL_QUEUE_RUN_HOST",
            HostRole::Rest => "FAL_REST_HOST",
            HostRole::Platform => "FAL_PLATFORM_HOST",
            HostRole::Cdn => "FAL_CDN_HOST",
            HostRole::Emulator => "FAL_EMULATOR_HOST",
        }
    }
}

impl ClientBuilder {
    /// Sets which credential to use. By default the first one found is used.
    pub fn credentials(mut self, options: credentials::Options) -> Self {
        self.credentials = options;
        self
    }

    /// Replaces the environment of the process, for tests and for hosts that keep their own
    /// settings.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Replaces a host (`name` or `name:port`). It overrides the variable.
    pub fn host(mut self, role: HostRole, host: &str) -> Result<Self> {
        match role {
            HostRole::Emulator => endpoint::loopback(host).map(|_| ())?,
            _ => endpoint::host(host).map(|_| ())?,
        }
        self.hosts.push((role.variable(), host.to_owned()));
        Ok(self)
    }

    /// Sends every request for fal's services to this server proxy, which holds the key
    /// (docs/protocol.md §11). Downloads go to the file's host directly. The client searches for no
    /// key on this machine. A key that is set explicitly goes to the proxy.
    pub fn proxy(mut self, url: &str) -> Result<Self> {
        self.proxy = Some(endpoint::proxy(url)?);
        Ok(self)
    }

    /// Connects through this HTTP or SOCKS proxy: `[scheme://][user:password@]host[:port]`, where
    /// the scheme is `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`. An empty URL
    /// means no proxy.
    ///
    /// By default the proxy is that of `HTTPS_PROXY`, else of `ALL_PROXY`, else of the system's
    /// settings on macOS and Windows. Scripts that find proxies (PAC, WPAD) are not run.
    /// Connections to the emulator and to the hosts in `NO_PROXY` are always direct.
    pub fn http_proxy(mut self, url: &str) -> Result<Self> {
        self.network.set_proxy(url)?;
        Ok(self)
    }

    /// Trusts these certificate authorities, in PEM, in addition to those of the operating system.
    pub fn add_root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        self.network.add_roots(pem)?;
        Ok(self)
    }

    /// Sets the timeout of each whole call, from the search for the credential to the decoded body,
    /// retries included. The timeout of a request overrides it.
    ///
    /// The default is one hour for a run or a stream, 24 hours for waiting for a job and for a live
    /// log, six hours for an upload or a download, and two minutes for other calls. A session is
    /// limited by the request's timeout only.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the maximum number of attempts of a call, 1 to 100; by default 5.
    /// `docs/decisions/0007-a-post-is-sent-once.md` lists which failures are retried.
    pub fn max_attempts(mut self, most: u32) -> Result<Self> {
        if !(1..=100).contains(&most) {
            return Err(Error::invalid(format!(
                "max_attempts must be 1 to 100, not {most}"
            )));
        }
        self.attempts = Attempts { most };
        Ok(self)
    }

    /// Sets how long the other side of a transfer may send or take no byte; by default 60 seconds.
    /// Zero means no limit. A transfer that stalls longer fails with
    /// [`Code::ConnectionLost`](crate::Code::ConnectionLost), and is retried where that is safe: a
    /// PUT, a part of an upload, a download, which resumes where it ended.
    ///
    /// The limit holds for uploads, for downloads of files, and for the body of any request to fal.
    /// It is ten times as long while fal assembles the parts of an upload. It does not hold for
    /// the response of an app, the queue, a stream or a session, which may be silent until the
    /// call's deadline, nor for a slow reader or disk on this side. The operating system buffers up
    /// to 4 MiB of an upload, so the limit grows by itself for each MiB sent, up to 4.
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall = Some(limit).filter(|limit| !limit.is_zero());
        self
    }

    /// Sets the most bytes that the body of a response may have; by default 256 MiB.
    pub fn max_response_bytes(mut self, most: usize) -> Self {
        self.response_limit = most;
        self
    }

    /// Adds the name of the program to the `User-Agent` header, such as `MyGame/1.2`.
    pub fn user_agent(mut self, product: &str) -> Result<Self> {
        let whole = format!("{PRODUCT} {product}");
        HeaderValue::from_str(&whole)
            .map_err(|_| Error::invalid("the user agent has a control character"))?;
        self.user_agent = whole;
        Ok(self)
    }

    /// Refuses operations of the Platform API that need the scope ADMIN without sending them, if
    /// the key in use is known to have scope API: from [`Client::check`], or from an earlier
    /// response of fal (docs/protocol.md §2.5). By default they are sent.
    ///
    /// It never refuses a call of a model, because fal's documentation contradicts itself about API
    /// keys and private apps of the same account (§16.51).
    pub fn strict_scopes(mut self, strict: bool) -> Self {
        self.strict_scopes = strict;
        self
    }

    /// Sets a function that receives each log line of at most this level, one at a time and in
    /// order, on a thread that libfal has for such functions. A slow function delays nothing but
    /// lines: up to 1024 lines or 256 KiB wait for it, and further lines are dropped, counted, and
    /// reported in a line of their own. Blocking on libfal inside the function fails with
    /// [`Code::WouldDeadlock`](crate::Code::WouldDeadlock). Lines arrive shortly after the event;
    /// [`runtime::shutdown`](crate::runtime::shutdown) and
    /// [`runtime::flush_log`](crate::runtime::flush_log) wait until all have arrived.
    pub fn log(
        mut self,
        most: Level,
        sink: impl Fn(Level, Target, &str) + Send + Sync + 'static,
    ) -> Self {
        self.log = Log::new(most, sink);
        self
    }

    /// Logs nothing, which is the default.
    pub fn without_log(mut self) -> Self {
        self.log = Log::default();
        self
    }

    #[cfg(test)]
    pub(crate) fn verifier(
        mut self,
        verifier: Arc<dyn rustls::client::danger::ServerCertVerifier>,
    ) -> Self {
        self.network.verifier = Some(verifier);
        self
    }

    /// Builds the client. Fails if an option, or a variable that names a host, is malformed.
    pub fn build(self) -> Result<Client> {
        let environment = &self.environment;
        let mut hosts = Hosts::from_lookup(|name| {
            let set = self.hosts.iter().rev().find(|(role, _)| *role == name);
            set.map(|(_, host)| host.clone())
                .or_else(|| match environment.variable(name) {
                    Variable::Set(value) => Some(value.to_string()),
                    // This is no valid host, so parsing fails with an error that names the
                    // variable.
                    Variable::NotUnicode => Some(char::REPLACEMENT_CHARACTER.into()),
                    Variable::Unset | Variable::Blank => None,
                })
        })?;
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| Error::invalid("the user agent is malformed"))?;
        let run = hosts.run_host()?;
        hosts.proxy = self.proxy;
        let mut network = self.network;
        network.read(&self.environment)?;
        let credentials = for_hosts(self.credentials, &hosts);
        let credential_cache =
            CredentialCache::new(credentials, self.environment, self.log.clone());
        let transport = Transport::new(
            hosts,
            self.log,
            self.attempts,
            self.stall,
            self.response_limit,
            user_agent,
            network,
        );
        let inner = Inner {
            credential_cache: ArcSwap::from_pointee(credential_cache),
            timeout: self.timeout,
            strict_scopes: self.strict_scopes,
            scopes: Scopes::default(),
            transport: Arc::new(transport),
            run,
            slots: Slots::default(),
        };
        Ok(Client {
            inner: Arc::new(inner),
        })
    }
}

impl Client {
    /// Returns options with every default.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
