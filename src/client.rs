//! The client: what to send with, and the operations on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use crate::credentials::{self, Credential, Environment, Resolution, Variable};
use crate::endpoint::{self, Hosts};
use crate::error::{Code, Error, Result};
use crate::log::{Level, Log};
use crate::op::Op;
use crate::refusal;
use crate::request::{Body, Request, Target};
use crate::response::Response;
use crate::transport::{Attempts, Call, Progress, Transport};

/// fal lets an app take an hour by default (fal-protocol.md §4), so a run may.
const RUN_TIMEOUT: Duration = Duration::from_secs(3600);
/// For everything else; the official Python client's default (fal-protocol.md §13.1).
const TIMEOUT: Duration = Duration::from_secs(120);
const RESPONSE_LIMIT: usize = 256 << 20;

/// A client: a credential, addresses, limits and a pool of connections. Clones share them; any number of threads may use it at once.
///
/// Making one reads nothing but the variables that name hosts. The credential is looked for at the first call.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    credentials: credentials::Options,
    environment: Environment,
    timeout: Option<Duration>,
    transport: Transport,
    resolved: ArcSwapOption<Resolution>,
}

/// Options of a client. What is not set comes from the environment or is the documented default.
#[derive(Clone)]
pub struct ClientBuilder {
    credentials: credentials::Options,
    environment: Environment,
    hosts: Vec<(&'static str, String)>,
    timeout: Option<Duration>,
    attempts: Attempts,
    response_limit: usize,
    user_agent: String,
    log: Log,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        ClientBuilder {
            credentials: credentials::Options::new(),
            environment: Environment::process(),
            hosts: Vec::new(),
            timeout: None,
            attempts: Attempts::default(),
            response_limit: RESPONSE_LIMIT,
            user_agent: format!("libfal/{}", crate::VERSION),
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
    /// `FAL_EMULATOR_HOST`: a local fal-emulator that takes the place of all of them, in plain HTTP.
    Emulator = 5,
}

impl HostRole {
    /// Every role.
    pub const ALL: &'static [HostRole] =
        &[HostRole::Run, HostRole::Queue, HostRole::Rest, HostRole::Platform, HostRole::Cdn, HostRole::Emulator];

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

    /// Another environment than the process's, for tests and for hosts that keep their own settings.
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

    /// The time for each whole call, from credential to decoded body, retries included. A request's own is stronger.
    ///
    /// By default one hour for a run and two minutes for any other request.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often a call is tried at the most, 1 to 100; by default 5. See `DESIGN.md` for what is tried again.
    pub fn max_attempts(mut self, most: u32) -> Result<Self> {
        if !(1..=100).contains(&most) {
            return Err(Error::invalid(format!("{most} attempts: 1 to 100 are possible")));
        }
        self.attempts = Attempts { most };
        Ok(self)
    }

    /// The most bytes that the body of an answer may have; by default 256 MiB.
    pub fn max_response_bytes(mut self, most: usize) -> Self {
        self.response_limit = most;
        self
    }

    /// Adds the host program's name to the header `User-Agent`, such as `MyGame/1.2`.
    pub fn user_agent(mut self, product: &str) -> Result<Self> {
        let whole = format!("libfal/{} {product}", crate::VERSION);
        HeaderValue::from_str(&whole).map_err(|_| Error::invalid("the user agent has a control character"))?;
        self.user_agent = whole;
        Ok(self)
    }

    /// Has `sink` called with each log line of at most this level, on any thread. It must not wait for libfal.
    pub fn log(mut self, most: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        self.log = Log::new(most, Arc::new(sink));
        self
    }

    /// Logs nothing, as by default.
    pub fn without_log(mut self) -> Self {
        self.log = Log::default();
        self
    }

    /// Makes the client. Fails if an option or a variable that names a host is malformed.
    pub fn build(self) -> Result<Client> {
        let environment = &self.environment;
        let hosts = Hosts::from_lookup(|name| {
            let set = self.hosts.iter().rev().find(|(role, _)| *role == name);
            set.map(|(_, host)| host.clone()).or_else(|| match environment.variable(name) {
                Variable::Set(value) => Some(value.to_string()),
                // No host is spelled like this, so the error names the variable.
                Variable::NotUnicode => Some(char::REPLACEMENT_CHARACTER.into()),
                Variable::Unset | Variable::Blank => None,
            })
        })?;
        let user_agent =
            HeaderValue::from_str(&self.user_agent).map_err(|_| Error::invalid("the user agent is malformed"))?;
        let inner = Inner {
            credentials: self.credentials,
            environment: self.environment,
            timeout: self.timeout,
            transport: Transport::new(hosts, self.log, self.attempts, self.response_limit, user_agent),
            resolved: ArcSwapOption::empty(),
        };
        Ok(Client { inner: Arc::new(inner) })
    }
}

impl Client {
    /// Options to make a client with.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Where the credential comes from, resolved anew: every source in order. It reads variables and files and uses no network.
    pub fn explain(&self) -> Resolution {
        self.inner.resolve()
    }

    /// The same, but an error unless there is a credential: [`Code::NoCredentials`] or [`Code::MalformedCredentials`].
    pub fn resolve(&self) -> Result<Resolution> {
        let resolution = Arc::new(self.inner.resolve());
        match resolution.credential() {
            Some(_) => Ok(Arc::unwrap_or_clone(resolution)),
            None => Err(refusal::unresolved(&resolution)),
        }
    }

    /// The addresses that this client uses.
    pub fn hosts(&self) -> &Hosts {
        &self.inner.transport.hosts
    }

    /// Starts a request to any address of fal's, with the key where the service takes one.
    ///
    /// The answer is a success (2xx) or an error; a redirect to another origin is an error too.
    pub fn send_start(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Address(_) | Target::Platform(_) => self.start(request, TIMEOUT),
            Target::Endpoint(_) => Err(Error::invalid("a request to an endpoint is run, not sent")),
        }
    }

    /// Sends a request and waits for its answer, on any async runtime.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.send_start(request)?.outcome().await
    }

    pub(crate) fn start_run(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Endpoint(_) => self.start(request, RUN_TIMEOUT),
            _ => Err(Error::invalid("a request to an address is sent, not run")),
        }
    }

    fn start(&self, request: Request, usual: Duration) -> Result<Op> {
        let timeout = request.timeout.or(self.inner.timeout).unwrap_or(usual);
        let call = self.inner.call(request, timeout)?;
        let inner = self.inner.clone();
        Op::start(|progress| async move {
            let deadline = tokio::time::Instant::from_std(call.deadline);
            let work = inner.perform(&call, &progress);
            match tokio::time::timeout_at(deadline, work).await {
                Ok(outcome) => outcome,
                Err(_) => Err(progress
                    .cut_short(Code::Deadline, &format!("the {} ms for the call were over", timeout.as_millis()))),
            }
        })
    }
}

impl Inner {
    async fn perform(self: &Arc<Self>, call: &Call, progress: &Arc<Progress>) -> Result<Response> {
        let resolution = self.resolution().await?;
        let credential = resolution.credential().unwrap_or(&Credential::Anonymous);
        let outcome = self.transport.send(call, credential, progress).await;
        let platform = self.transport.hosts.is_platform(&call.url).then(|| (call.method.as_str(), call.url.path()));
        outcome.map_err(|error| refusal::explain(error, call.endpoint.as_ref(), platform, &resolution))
    }

    /// The credential, looked for once. Without one the next call looks again: the user may have set it by then.
    async fn resolution(self: &Arc<Self>) -> Result<Arc<Resolution>> {
        if let Some(resolved) = self.resolved.load_full() {
            return Ok(resolved);
        }
        let inner = self.clone();
        let resolving = tokio::task::spawn_blocking(move || inner.resolve());
        let resolution =
            resolving.await.map_err(|e| Error::new(Code::Panic, format!("the credential chain failed: {e}")))?;
        let resolution = Arc::new(resolution);
        if resolution.credential().is_none() {
            return Err(refusal::unresolved(&resolution));
        }
        self.log_credential(&resolution);
        self.resolved.store(Some(resolution.clone()));
        Ok(resolution)
    }

    fn resolve(&self) -> Resolution {
        credentials::resolve(&self.credentials, &self.environment)
    }

    fn log_credential(&self, resolution: &Resolution) {
        let log = &self.transport.log;
        match resolution.used() {
            Some(used) => {
                let id = used.key_id.as_deref().unwrap_or("-");
                log.write(Level::Info, format_args!("key {id} from {}", used.source));
            }
            None => log.write(Level::Info, format_args!("no key is used")),
        }
    }

    fn call(&self, request: Request, timeout: Duration) -> Result<Call> {
        let safe = request.is_safe();
        let hosts = &self.transport.hosts;
        let (url, endpoint) = match request.target {
            Target::Endpoint(id) => (hosts.run_url(&id)?, Some(id)),
            Target::Address(url) => (url, None),
            Target::Platform(path) => (hosts.platform_url(&path)?, None),
        };
        let mut headers = request.headers;
        let body = match request.body {
            Body::Empty => Bytes::new(),
            Body::Bytes(bytes) => bytes,
            // A safe method takes no input: fal's clients send none either (fal-protocol.md §4).
            Body::Json(_) if safe && endpoint.is_some() => Bytes::new(),
            Body::Json(value) => {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                let text =
                    serde_json::to_vec(&*value).map_err(|e| Error::invalid(format!("the input is not JSON: {e}")))?;
                text.into()
            }
        };
        let deadline = Instant::now().checked_add(timeout).ok_or_else(|| Error::invalid("the timeout is too long"))?;
        Ok(Call { method: request.method, url, endpoint, headers, body, safe, deadline })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("hosts", self.hosts()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}
