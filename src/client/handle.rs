//! The client.

/// For everything else; the official Python client's default (docs/protocol.md §13.1).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// A client: a credential, addresses, limits and a pool of connections. Clones share them; any
/// number of threads may use it at once.
///
/// Making one reads nothing but the variables that name hosts. The credential is looked for at the
/// first call.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

impl Client {
    /// Where the credential comes from, resolved anew: every source in order. It reads variables
    /// and files and uses no network.
    ///
    /// A key is kept once it is found; if another one is found now, a note says with which one
    /// calls go on.
    pub fn explain(&self) -> Resolution {
        self.inner.credential_cache.load().explain()
    }

    /// The same, but an error unless there is a credential: [`Code::NoCredentials`] or
    /// [`Code::MalformedCredentials`].
    pub fn resolve(&self) -> Result<Resolution> {
        let resolution = self.explain();
        match resolution.problem() {
            None => Ok(resolution),
            Some(_) => Err(denied::unresolved(&Arc::new(resolution))),
        }
    }

    /// Uses another credential from now on, for this client and its clones. Operations under way
    /// keep theirs, for all of their requests.
    pub fn set_credentials(&self, options: credentials::Options) {
        let credential_cache = self
            .inner
            .credential_cache
            .load()
            .with_options(for_hosts(options, self.hosts()));
        self.inner
            .credential_cache
            .store(Arc::new(credential_cache));
    }

    /// The scope of the key in use, if it is known: from [`check`](Client::check), or from what fal
    /// answered. `None` before the first call, and where fal did not tell.
    pub fn known_scope(&self) -> Option<Scope> {
        let active = self.inner.credential_cache.load().current()?;
        self.inner.scopes.known(&active.credential)
    }

    /// The addresses that this client uses.
    pub fn hosts(&self) -> &Hosts {
        &self.inner.transport.hosts
    }

    /// The call that a request makes, which has to be sent within `timeout` from now.
    pub(crate) fn call(&self, request: Request, timeout: Duration) -> Result<Call> {
        self.inner.call(request, deadline(timeout)?)
    }

    /// Starts an operation that sends several requests within the client's usual time.
    pub(crate) fn start_exchange<F>(&self, exchange: impl FnOnce(Exchange) -> F) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.start_exchange_within(self.inner.timeout.unwrap_or(TIMEOUT), exchange)
    }

    /// The same within `timeout`.
    pub(crate) fn start_exchange_within<F>(
        &self,
        timeout: Duration,
        exchange: impl FnOnce(Exchange) -> F,
    ) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let deadline = deadline(timeout)?;
        let credential_cache = self.credential_cache();
        self.operate(timeout, |inner, task| {
            exchange(Exchange {
                inner,
                credential_cache,
                task,
                deadline,
                longest_pause: Duration::MAX,
            })
        })
    }

    /// The credential that an operation uses from here on.
    fn credential_cache(&self) -> Arc<CredentialCache> {
        let credential_cache = self.inner.credential_cache.load_full();
        credential_cache.look();
        credential_cache
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
        let deadline = deadline(timeout)?;
        let secrets = Arc::new(Secrets::of(&self.inner.transport.masks));
        Op::start(secrets, |task| {
            let progress = task.progress.clone();
            // In a place of its own: each layer around it would make room for it twice.
            let work = Box::pin(work(inner, task));
            async move {
                let over = || {
                    let what = format!("the {} ms for the call were over", timeout.as_millis());
                    Err(progress.cut_short(Code::Deadline, &what))
                };
                // Nothing is begun that cannot end in time.
                if deadline <= Instant::now() {
                    return over();
                }
                tokio::time::timeout_at(deadline.into(), work)
                    .await
                    .unwrap_or_else(|_| over())
            }
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("hosts", self.hosts())
            .finish_non_exhaustive()
    }
}
