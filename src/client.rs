//! The client: what to send with, and the operations on it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use reqwest::Upgraded;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use url::Url;

use crate::authority::{Authority, Grant};
use crate::credentials::{self, Credential, Environment, Resolution, Variable};
use crate::endpoint::{self, EndpointId, Hosts, Origin};
use crate::error::{Code, Error, Result};
use crate::key::Scope;
use crate::log::{Level, Log};
use crate::op::{Op, Task};
use crate::per_runtime::{Life, PerRuntime};
use crate::platform::{self, Scopes};
use crate::queue::Waits;
use crate::refusal;
use crate::request::{Body, Request, Target};
use crate::response::Response;
use crate::storage::{self, TokenCache};
use crate::transport::{Attempts, Call, Network, Opened, Pass, Payload, Progress, Transport};
use crate::webhook;

/// fal lets an app take an hour by default (fal-protocol.md §4), so a run may.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_secs(3600);
/// For everything else; the official Python client's default (fal-protocol.md §13.1).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);
const RESPONSE_LIMIT: usize = 256 << 20;

/// A client: a credential, addresses, limits and a pool of connections. Clones share them; any number of threads may use it at once.
///
/// Making one reads nothing but the variables that name hosts. The credential is looked for at the first call.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    authority: ArcSwap<Authority>,
    timeout: Option<Duration>,
    strict_scopes: bool,
    scopes: Scopes,
    transport: Arc<Transport>,
    webhook_keys: webhook::Cache,
    waits: PerRuntime<Waits>,
    file_token: TokenCache,
}

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
            response_limit: RESPONSE_LIMIT,
            user_agent: format!("libfal/{}", crate::VERSION),
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

    /// Sends everything for fal's services to this server proxy, which holds the key (fal-protocol.md §11); files are fetched
    /// directly. No key is looked for on this machine; one that is given explicitly goes to the proxy.
    pub fn proxy(mut self, url: &str) -> Result<Self> {
        self.proxy = Some(endpoint::proxy(url)?);
        Ok(self)
    }

    /// Reaches fal through this HTTP or SOCKS proxy: `[scheme://][user:password@]host[:port]`, where the scheme is `http`, `https`,
    /// `socks4`, `socks4a`, `socks5` or `socks5h`; through none if it is empty.
    ///
    /// By default `HTTPS_PROXY` and then `ALL_PROXY` are read, and on macOS and Windows the system's settings; hosts that
    /// `NO_PROXY` names are reached directly in any case. The emulator is always reached directly.
    pub fn http_proxy(mut self, url: &str) -> Result<Self> {
        self.network.set_proxy(url)?;
        Ok(self)
    }

    /// Trusts these certificates of authorities, in PEM, besides those that the operating system trusts.
    pub fn add_root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        self.network.add_roots(pem)?;
        Ok(self)
    }

    /// The time for each whole call, from credential to decoded body, retries included. A request's own is stronger.
    ///
    /// By default one hour for a run, a day for a job that is waited for, and two minutes for any other request.
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

    /// Refuses operations of the Platform API that need the scope ADMIN before anything is sent, if the key in use is known to be
    /// of scope API: from [`Client::check`], or from what fal answered before (fal-protocol.md §2.5). By default they are sent.
    ///
    /// Never does it refuse a model: whether an API key may call its own account's private app, fal tells in two ways (§16.51).
    pub fn strict_scopes(mut self, strict: bool) -> Self {
        self.strict_scopes = strict;
        self
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
        let mut hosts = Hosts::from_lookup(|name| {
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
        hosts.proxy = self.proxy;
        let mut network = self.network;
        network.read(&self.environment)?;
        let credentials = for_hosts(self.credentials, &hosts);
        let authority = Authority::new(credentials, self.environment, self.log.clone());
        let transport = Transport::new(hosts, self.log, self.attempts, self.response_limit, user_agent, network);
        let inner = Inner {
            authority: ArcSwap::from_pointee(authority),
            timeout: self.timeout,
            strict_scopes: self.strict_scopes,
            scopes: Scopes::default(),
            transport: Arc::new(transport),
            webhook_keys: webhook::Cache::default(),
            waits: PerRuntime::default(),
            file_token: TokenCache::default(),
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
        self.inner.authority.load().explain()
    }

    /// The same, but an error unless there is a credential: [`Code::NoCredentials`] or [`Code::MalformedCredentials`].
    pub fn resolve(&self) -> Result<Resolution> {
        let resolution = self.explain();
        match resolution.problem() {
            None => Ok(resolution),
            Some(_) => Err(refusal::unresolved(&Arc::new(resolution))),
        }
    }

    /// Uses another credential from now on, for this client and its clones. Calls under way keep theirs.
    pub fn set_credentials(&self, options: credentials::Options) {
        let authority = self.inner.authority.load().with_options(for_hosts(options, self.hosts()));
        self.inner.authority.store(Arc::new(authority));
    }

    /// The scope of the key in use, if it is known: from [`check`](Client::check), or from what fal answered. `None` before the
    /// first call, and where fal did not tell.
    pub fn known_scope(&self) -> Option<Scope> {
        let grant = self.inner.authority.load().current()?;
        self.inner.scopes.known(&grant.credential)
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
            Target::Endpoint(_) | Target::Of(..) => Err(Error::invalid("a request to an endpoint is run, not sent")),
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
        let timeout = self.timeout_of(&request, usual);
        if request.is_local() {
            return self.start_steps_within(timeout, |steps| async move { steps.send(request).await });
        }
        let call = self.inner.call(request, deadline(timeout)?)?;
        self.operate(timeout, |inner, task| async move { inner.perform(&call, &task.progress).await })
    }

    /// Starts an operation that sends several requests within the client's usual time.
    pub(crate) fn start_steps<F>(&self, steps: impl FnOnce(Steps) -> F) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.start_steps_within(self.inner.timeout.unwrap_or(TIMEOUT), steps)
    }

    /// The same within `timeout`.
    pub(crate) fn start_steps_within<F>(&self, timeout: Duration, steps: impl FnOnce(Steps) -> F) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let deadline = deadline(timeout)?;
        self.operate(timeout, |inner, task| steps(Steps { inner, task, deadline }))
    }

    /// The time for a call: the request's own, else the client's, else `usual`.
    pub(crate) fn timeout_of(&self, request: &Request, usual: Duration) -> Duration {
        request.timeout.unwrap_or_else(|| self.timeout_or(usual))
    }

    /// The client's own time for a call, else `usual`.
    pub(crate) fn timeout_or(&self, usual: Duration) -> Duration {
        self.inner.timeout.unwrap_or(usual)
    }

    /// The most bytes that an answer may have.
    pub(crate) fn response_limit(&self) -> usize {
        self.inner.transport.response_limit
    }

    fn operate<F>(&self, timeout: Duration, work: impl FnOnce(Arc<Inner>, Task) -> F) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let inner = self.inner.clone();
        Op::start(|task| {
            let progress = task.progress.clone();
            // In a place of its own: each layer around it would make room for it twice.
            let work = Box::pin(work(inner, task));
            async move {
                match tokio::time::timeout(timeout, work).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        let what = format!("the {} ms for the call were over", timeout.as_millis());
                        Err(progress.cut_short(Code::Deadline, &what))
                    }
                }
            }
        })
    }
}

/// A proxy holds the key, so none is looked for.
fn for_hosts(options: credentials::Options, hosts: &Hosts) -> credentials::Options {
    match hosts.proxy.is_some() && options.is_empty() {
        true => options.anonymous(true),
        false => options,
    }
}

/// The requests of one operation. Clones belong to the same one.
#[derive(Clone)]
pub(crate) struct Steps {
    inner: Arc<Inner>,
    pub(crate) task: Task,
    pub(crate) deadline: Instant,
}

impl Steps {
    /// Sends a request with the client's credential and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        let request = self.resolve_files(request).await?;
        let call = self.inner.call(request, self.deadline)?;
        self.inner.perform(&call, &self.task.progress).await
    }

    /// The same, and leaves the body of the answer to be read.
    pub(crate) async fn open(&self, request: Request) -> Result<Opened> {
        let request = self.resolve_files(request).await?;
        let call = self.inner.call(request, self.deadline)?;
        self.open_call(&call).await
    }

    /// The same for a call that was made by hand: with another body or another [`Pass`].
    pub(crate) async fn open_call(&self, call: &Call) -> Result<Opened> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let open = |grant: Carried| async move { transport.open(call, grant.credential(), progress).await };
        self.inner.authorized(call, progress, open).await
    }

    /// Sends such a call and reads the whole answer.
    pub(crate) async fn send_call(&self, call: &Call) -> Result<Response> {
        self.inner.perform(call, &self.task.progress).await
    }

    /// Makes a WebSocket's connection: the headers of the answer, and what is left of HTTP.
    pub(crate) async fn upgrade(&self, call: &Call) -> Result<(HeaderMap, Upgraded)> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let upgrade = |grant: Carried| async move { transport.upgrade(call, grant.credential(), progress).await };
        self.inner.authorized(call, progress, upgrade).await
    }

    /// Uploads the local files of a request's input, so that the request can become a call or a message. What
    /// [`send`](Self::send) and [`open`](Self::open) get they resolve themselves.
    pub(crate) async fn resolve_files(&self, request: Request) -> Result<Request> {
        if request.is_local() { storage::resolve(self, request).await } else { Ok(request) }
    }

    /// The call that a request makes, whose local files are [resolved](Self::resolve_files).
    pub(crate) fn call(&self, request: Request) -> Result<Call> {
        self.inner.call(request, self.deadline)
    }

    /// Sends a request that needs no credential, so that none is looked for.
    pub(crate) async fn send_without_key(&self, request: Request) -> Result<Response> {
        let call = Call { pass: Pass::Nothing, ..self.inner.call(request, self.deadline)? };
        self.send_call(&call).await
    }

    /// The same operation, with `time` for its next requests.
    pub(crate) fn anew(&self, time: Duration) -> Result<Steps> {
        Ok(Steps { deadline: deadline(time)?, ..self.clone() })
    }

    /// The scope of the key in use was found out.
    pub(crate) async fn learn(&self, scope: Scope) -> Result<()> {
        self.inner.scopes.learn(&self.grant().await?.credential, scope);
        Ok(())
    }

    /// The same client for a request of its own within `time`, beside the operation and even after its end.
    pub(crate) fn aside(&self, time: Duration) -> Result<Steps> {
        Ok(Steps { inner: self.inner.clone(), task: self.task.aside(), deadline: deadline(time)? })
    }

    /// The jobs that this client waits for.
    pub(crate) fn waits(&self) -> Result<Arc<Life<Waits>>> {
        self.inner.waits.get(|| Ok(Waits::default()))
    }

    pub(crate) fn log(&self) -> &Log {
        &self.inner.transport.log
    }

    /// The same operation for requests that are under way beside others: their stages do not mix.
    pub(crate) fn beside(&self) -> Steps {
        Steps { task: self.task.aside(), ..self.clone() }
    }

    pub(crate) fn file_token(&self) -> &TokenCache {
        &self.inner.file_token
    }

    pub(crate) fn attempts(&self) -> Attempts {
        self.inner.transport.attempts
    }

    /// Whether a server proxy forwards what needs a key.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hosts().proxy.is_some()
    }

    pub(crate) fn webhook_keys(&self) -> &webhook::Cache {
        &self.inner.webhook_keys
    }

    /// Adds to an error of an endpoint what is known about the credential.
    pub(crate) async fn explained(&self, error: Error, endpoint: &EndpointId) -> Error {
        match self.grant().await {
            Ok(grant) => refusal::explain(error, Some(endpoint), None, &grant.resolution, &grant.credential),
            Err(_) => error,
        }
    }

    /// The credential that the requests carry, and where it is from.
    pub(crate) async fn grant(&self) -> Result<Arc<Grant>> {
        self.inner.authority.load_full().grant(None, &self.inner.transport).await
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.inner.transport.hosts
    }

    pub(crate) fn response_limit(&self) -> usize {
        self.inner.transport.response_limit
    }
}

/// The credential that a request carries, if it is the client's.
struct Carried(Option<Arc<Grant>>);

impl Carried {
    fn credential(&self) -> &Credential {
        self.0.as_ref().map_or(&Credential::Anonymous, |grant| &grant.credential)
    }
}

fn deadline(timeout: Duration) -> Result<Instant> {
    Instant::now().checked_add(timeout).ok_or_else(|| Error::invalid("the timeout is too long"))
}

impl Inner {
    async fn perform(&self, call: &Call, progress: &Arc<Progress>) -> Result<Response> {
        let transport = &self.transport;
        let send = |grant: Carried| async move { transport.send(call, grant.credential(), progress).await };
        self.authorized(call, progress, send).await
    }

    /// Sends a call with the client's credential, which is renewed once if it is refused and can be.
    async fn authorized<T, F>(&self, call: &Call, progress: &Progress, send: impl Fn(Carried) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let authority = self.authority.load_full();
        if call.pass != Pass::Credential {
            return send(Carried(None)).await;
        }
        let mut grant = authority.grant(None, &self.transport).await?;
        let platform = self.transport.hosts.is_platform(&call.url).then(|| (call.method.as_str(), call.url.path()));
        if let Some(asked) = platform {
            self.allow(asked, &grant)?;
        }
        let mut outcome = send(Carried(Some(grant.clone()))).await;
        let refused = outcome.as_ref().is_err_and(|error| error.code() == Code::Unauthenticated);
        if refused && grant.renews() {
            // What was refused was not executed, so it can be sent once more with a new credential.
            progress.pausing();
            grant = authority.grant(Some(&grant), &self.transport).await?;
            outcome = send(Carried(Some(grant.clone()))).await;
        }
        if let Some(asked) = platform {
            self.scopes.observe(asked, &grant.credential, &outcome);
        }
        let (resolution, credential) = (&grant.resolution, &grant.credential);
        outcome.map_err(|error| match self.transport.hosts.proxied(&call.url) {
            Some(proxy) => refusal::by_proxy(error, proxy, &call.url),
            None => refusal::explain(error, call.endpoint.as_ref(), platform, resolution, credential),
        })
    }

    /// Refuses, where the caller asked for strictness, what the key in use is known not to be allowed.
    fn allow(&self, (method, path): (&str, &str), grant: &Grant) -> Result<()> {
        let known = if self.strict_scopes { self.scopes.known(&grant.credential) } else { None };
        match (platform::needed_scope(method, path), known) {
            (Some(needed), Some(scope)) if !scope.allows(needed) => {
                Err(refusal::beforehand((method, path), needed, scope, &grant.resolution, &grant.credential))
            }
            _ => Ok(()),
        }
    }

    fn call(&self, request: Request, deadline: Instant) -> Result<Call> {
        let safe = request.is_safe();
        let hosts = &self.transport.hosts;
        let (url, endpoint) = match request.target {
            Target::Endpoint(ref id) => (request.address(hosts.run_url(id)?, ""), Some(id.clone())),
            Target::Of(id, url) => (url, Some(id)),
            Target::Address(url) => (url, None),
            Target::Platform(path) => (hosts.platform_url(&path)?, None),
        };
        let mut headers = request.headers;
        let body = match request.body {
            Body::Empty => Bytes::new().into(),
            // Never sent half: whoever makes the call has to resolve it first.
            Body::Content(_) => return Err(Error::invalid("the body was not opened")),
            Body::Json(_) if !request.inputs.is_empty() => {
                return Err(Error::invalid("the input's files were not uploaded"));
            }
            Body::Bytes(_) | Body::Source(_)
                if hosts.proxy.is_some() && hosts.origin(&url) == Origin::Key && !is_json(&headers) =>
            {
                return Err(bytes_by_proxy());
            }
            Body::Bytes(bytes) => bytes.into(),
            Body::Source(source) => Payload::Source(source),
            // A safe method takes no input: fal's clients send none either (fal-protocol.md §4).
            Body::Json(_) if safe && endpoint.is_some() => Bytes::new().into(),
            Body::Json(value) => {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                let text =
                    serde_json::to_vec(&*value).map_err(|e| Error::invalid(format!("the input is not JSON: {e}")))?;
                Bytes::from(text).into()
            }
        };
        Ok(Call { method: request.method, url, endpoint, headers, body, pass: Pass::Credential, safe, deadline })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The proxy declares every body to be JSON (fal-protocol.md §11.2), so that bytes would arrive as something else.
fn bytes_by_proxy() -> Error {
    Error::invalid("bytes cannot be sent through a server proxy, which forwards JSON only")
        .with_remedy("Send JSON, or upload the bytes and send their URL.")
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
