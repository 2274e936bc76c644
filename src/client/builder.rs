//! The options that a client is made with.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::HeaderValue;
use url::Url;

use super::slots::Slots;
use super::{Client, Inner};
use crate::auth::cache::CredentialCache;
use crate::auth::scopes::Scopes;
use crate::credentials::{self, Environment, Variable};
use crate::endpoint::{self, Hosts};
use crate::error::{Error, Result};
use crate::log::{Level, Log};
use crate::transport::{Attempts, Network, STALL, Transport};

/// What the user agent begins with.
const PRODUCT: &str = concat!("libfal/", env!("CARGO_PKG_VERSION"));
const RESPONSE_LIMIT: usize = 256 << 20;

/// Options of a client. What is not set comes from the environment or is the documented default.
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

/// A host that can be replaced. Each is also read from the variable of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum HostRole {
    /// `FAL_RUN_HOST`: synchronous calls; the queue's host follows as `queue.` + this one.
    Run = 0,
    /// `FAL_QUEUE_RUN_HOST`: the queue.
    Queue = 1,
    /// `FAL_REST_HOST`: tokens and uploads.
    Rest = 2,
    /// `FAL_PLATFORM_HOST`: the Platform API.
    Platform = 3,
    /// `FAL_CDN_HOST`: files. It never sees the key.
    Cdn = 4,
    /// `FAL_EMULATOR_HOST`: a local fal-emulator that takes the place of all of them, in plain
    /// HTTP.
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
    /// Which credential to use; by default the first that the environment offers.
    pub fn credentials(mut self, options: credentials::Options) -> Self {
        self.credentials = options;
        self
    }

    /// Another environment than the process's, for tests and for hosts that keep their own
    /// settings.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Replaces a host (`name` or `name:port`); stronger than its variable.
    pub fn host(mut self, role: HostRole, host: &str) -> Result<Self> {
        match role {
            HostRole::Emulator => endpoint::loopback(host).map(|_| ())?,
            _ => endpoint::host(host).map(|_| ())?,
        }
        self.hosts.push((role.variable(), host.to_owned()));
        Ok(self)
    }

    /// Sends everything for fal's services to this server proxy, which holds the key
    /// (docs/protocol.md §11); files are fetched directly. No key is looked for on this machine;
    /// one that is given explicitly goes to the proxy.
    pub fn proxy(mut self, url: &str) -> Result<Self> {
        self.proxy = Some(endpoint::proxy(url)?);
        Ok(self)
    }

    /// Reaches fal through this HTTP or SOCKS proxy: `[scheme://][user:password@]host[:port]`,
    /// where the scheme is `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`; through
    /// none if it is empty.
    ///
    /// By default `HTTPS_PROXY` and then `ALL_PROXY` are read, and on macOS and Windows the
    /// system's settings, but for a script that finds proxies (PAC, WPAD), which is not run. Hosts
    /// that `NO_PROXY` names are reached directly in any case, and so is the emulator.
    pub fn http_proxy(mut self, url: &str) -> Result<Self> {
        self.network.set_proxy(url)?;
        Ok(self)
    }

    /// Trusts these certificates of authorities, in PEM, besides those that the operating system
    /// trusts.
    pub fn add_root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        self.network.add_roots(pem)?;
        Ok(self)
    }

    /// The time for each whole call, from credential to decoded body, retries included. A request's
    /// own is stronger.
    ///
    /// By default one hour for a run or a stream, 24 hours for a job that is waited for and for the
    /// lines of a live log, six for an upload or a download, two minutes for anything else. Of a
    /// session only the request's own time counts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often a call is tried at the most, 1 to 100; by default 5.
    /// `docs/decisions/0007-a-post-is-sent-once.md` says what is tried again.
    pub fn max_attempts(mut self, most: u32) -> Result<Self> {
        if !(1..=100).contains(&most) {
            return Err(Error::invalid(format!(
                "{most} attempts: 1 to 100 are possible"
            )));
        }
        self.attempts = Attempts { most };
        Ok(self)
    }

    /// How long the other side of a transfer may move no byte; by default 60 seconds, without a
    /// limit if it is zero. The connection is then given up with
    /// [`Code::ConnectionLost`](crate::Code::ConnectionLost), and what may be sent again is: a PUT,
    /// a part, a download, which goes on where it ended.
    ///
    /// It holds for uploads, which wait ten times as long while fal puts parts together, for
    /// downloads but those of an app's answer, and for the body of any request to fal but its
    /// answer. An app, the queue, a stream and a session may be silent for as long as the call may
    /// take, and so may this side: a reader of the host's, a disk. Of an upload the buffers of the
    /// operating system hide up to 4 MiB, so that for each MiB that was sent, up to 4, the same
    /// time is added.
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall = Some(limit).filter(|limit| !limit.is_zero());
        self
    }

    /// The most bytes that the body of an answer may have; by default 256 MiB.
    pub fn max_response_bytes(mut self, most: usize) -> Self {
        self.response_limit = most;
        self
    }

    /// Adds the host program's name to the header `User-Agent`, such as `MyGame/1.2`.
    pub fn user_agent(mut self, product: &str) -> Result<Self> {
        let whole = format!("{PRODUCT} {product}");
        HeaderValue::from_str(&whole)
            .map_err(|_| Error::invalid("the user agent has a control character"))?;
        self.user_agent = whole;
        Ok(self)
    }

    /// Refuses operations of the Platform API that need the scope ADMIN before anything is sent, if
    /// the key in use is known to be of scope API: from [`Client::check`], or from what fal
    /// answered before (docs/protocol.md §2.5). By default they are sent.
    ///
    /// Never does it refuse a model: whether an API key may call its own account's private app, fal
    /// tells in two ways (§16.51).
    pub fn strict_scopes(mut self, strict: bool) -> Self {
        self.strict_scopes = strict;
        self
    }

    /// Has `sink` called with each log line of at most this level, in the order in which they arose
    /// and one at a time, on a thread that is there for such functions. It may take its time, which
    /// holds up nothing but lines: 1024 of them, or 256 KiB, wait for it, and what comes then is
    /// dropped and counted in a line of its own. Waiting for libfal in it is refused
    /// ([`Code::WouldDeadlock`](crate::Code::WouldDeadlock)). A line is delivered a moment after
    /// what it tells of; [`runtime::shutdown`](crate::runtime::shutdown) and
    /// [`runtime::flush_log`](crate::runtime::flush_log) wait for all of them.
    pub fn log(mut self, most: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        self.log = Log::new(most, sink);
        self
    }

    /// Logs nothing, as by default.
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

    /// Makes the client. Fails if an option or a variable that names a host is malformed.
    pub fn build(self) -> Result<Client> {
        let environment = &self.environment;
        let mut hosts = Hosts::from_lookup(|name| {
            let set = self.hosts.iter().rev().find(|(role, _)| *role == name);
            set.map(|(_, host)| host.clone())
                .or_else(|| match environment.variable(name) {
                    Variable::Set(value) => Some(value.to_string()),
                    // No host is spelled like this, so the error names the variable.
                    Variable::NotUnicode => Some(char::REPLACEMENT_CHARACTER.into()),
                    Variable::Unset | Variable::Blank => None,
                })
        })?;
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| Error::invalid("the user agent is malformed"))?;
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
            slots: Slots::default(),
        };
        Ok(Client {
            inner: Arc::new(inner),
        })
    }
}

impl Client {
    /// Options to make a client with.
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
