//! The client, and how its operations start.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use super::inner::{Inner, deadline, for_hosts};
use crate::auth::cache::CredentialCache;
use crate::auth::denied;
use crate::credentials::{self, Resolution};
use crate::endpoint::Hosts;
use crate::error::Result;
use crate::key::Scope;
use crate::operation::{Limit, Op};
use crate::request::Request;
use crate::response::Response;
use crate::secrets::Secrets;
use crate::transport::Call;

/// The default timeout of short calls: the official Python client's (docs/protocol.md §13.1).
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// A client: a credential, hosts, limits and a pool of connections. Clones share them, and any
/// number of threads may use it at once.
///
/// Building a client reads only the variables that name hosts and proxies. The first call searches
/// for the credential.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

impl Client {
    /// Returns where the credential comes from. It searches every source in order, reads variables
    /// and files, and uses no network.
    ///
    /// A client keeps the key that it found first. If the search now finds another, a note in the
    /// result says which one the calls use.
    pub fn explain(&self) -> Resolution {
        self.inner.credential_cache.load().explain()
    }

    /// Like [`explain`](Self::explain), and fails with [`Code::NoCredentials`](crate::Code::NoCredentials)
    /// or [`Code::MalformedCredentials`](crate::Code::MalformedCredentials) if there is no credential.
    pub fn resolve(&self) -> Result<Resolution> {
        let resolution = self.explain();
        match resolution.problem() {
            None => Ok(resolution),
            Some(_) => Err(denied::unresolved(&Arc::new(resolution))),
        }
    }

    /// Replaces the credential of this client and its clones. Operations under way keep the old one
    /// for all of their requests.
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

    /// Returns the scope of the key in use, if [`check`](Client::check) or a response of fal showed
    /// it. `None` before the first call.
    pub fn known_scope(&self) -> Option<Scope> {
        let active = self.inner.credential_cache.load().current()?;
        self.inner.scopes.known(&active.credential)
    }

    /// Returns the hosts that this client uses.
    pub fn hosts(&self) -> &Hosts {
        &self.inner.transport.hosts
    }

    /// Returns the call that a request makes, with its deadline `timeout` from now.
    pub(crate) fn call(&self, request: Request, timeout: Duration) -> Result<Call> {
        self.inner.call(request, deadline(timeout)?)
    }

    /// Starts an operation that may send several requests, within the client's timeout.
    pub(crate) fn start_exchange<F>(&self, exchange: impl FnOnce(Exchange) -> F) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        self.start_exchange_within(self.inner.timeout.unwrap_or(TIMEOUT), exchange)
    }

    /// Starts an operation that may send several requests, within `timeout`.
    pub(crate) fn start_exchange_within<F>(
        &self,
        timeout: Duration,
        exchange: impl FnOnce(Exchange) -> F,
    ) -> Result<Op>
    where
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let deadline = deadline(timeout)?;
        let (inner, credential_cache) = (self.inner.clone(), self.credential_cache());
        let secrets = Arc::new(Secrets::of(&self.inner.transport.masks));
        Op::start(secrets, Some(Limit { timeout, deadline }), |task| {
            exchange(Exchange {
                inner,
                credential_cache,
                task,
                deadline,
                longest_pause: Duration::MAX,
            })
        })
    }

    /// Returns the cache that an operation uses, and starts the search for a credential.
    fn credential_cache(&self) -> Arc<CredentialCache> {
        let credential_cache = self.inner.credential_cache.load_full();
        credential_cache.look();
        credential_cache
    }

    /// Returns the timeout of a call: the request's, else the client's, else `usual`.
    pub(crate) fn timeout_of(&self, request: &Request, usual: Duration) -> Duration {
        request.timeout.unwrap_or_else(|| self.timeout_or(usual))
    }

    /// Returns the client's timeout, else `usual`.
    pub(crate) fn timeout_or(&self, usual: Duration) -> Duration {
        self.inner.timeout.unwrap_or(usual)
    }

    /// Returns the most bytes that the body of a response may have.
    pub(crate) fn response_limit(&self) -> usize {
        self.inner.transport.response_limit
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("hosts", self.hosts())
            .finish_non_exhaustive()
    }
}
