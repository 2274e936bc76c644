//! The state that clones of a client share, and how it sends a call with the client's credential.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::slots::Slots;
use crate::auth::cache::{ActiveCredential, CredentialCache};
use crate::auth::denied;
use crate::auth::scopes::Scopes;
use crate::codec::json;
use crate::credentials::{self, Credential};
use crate::endpoint::{Hosts, Origin};
use crate::error::{Error, Idempotency, Result};
use crate::openapi;
use crate::request::{Body, Request, Target};
use crate::response::Response;
use crate::transport::{Authorization, Call, Payload, Progress, Transport, Watch};

pub(super) struct Inner {
    pub(super) credential_cache: ArcSwap<CredentialCache>,
    pub(super) timeout: Option<Duration>,
    pub(super) strict_scopes: bool,
    pub(super) scopes: Scopes,
    pub(super) transport: Arc<Transport>,
    /// The URL of every run but its path, parsed once.
    pub(super) run: Url,
    pub(super) slots: Slots,
}

/// The credential that a request carries. `None` if it carries none of the client's.
pub(super) struct SentCredential(pub(super) Option<Arc<ActiveCredential>>);

impl SentCredential {
    pub(super) fn credential(&self) -> &Credential {
        self.0
            .as_ref()
            .map_or(&Credential::Anonymous, |active| &active.credential)
    }
}

pub(super) fn deadline(timeout: Duration) -> Result<Instant> {
    const LONGEST: Duration = Duration::from_secs(1 << 30);
    Instant::now()
        .checked_add(timeout.min(LONGEST))
        .ok_or_else(|| Error::invalid("the timeout is too long"))
}

impl Inner {
    pub(super) async fn perform(
        &self,
        credential_cache: &Arc<CredentialCache>,
        call: &Call,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let transport = &self.transport;
        let send = |active: SentCredential| async move {
            transport.send(call, active.credential(), progress).await
        };
        self.authorized(credential_cache, call, progress, send)
            .await
    }

    /// Sends a call with the credential of this cache. If fal refuses the credential and the source
    /// has another, the call is sent once more with that.
    pub(super) async fn authorized<T, F>(
        &self,
        credential_cache: &Arc<CredentialCache>,
        call: &Call,
        progress: &Progress,
        send: impl Fn(SentCredential) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if call.authorization != Authorization::Credential {
            return send(SentCredential(None)).await;
        }
        call.endpoint
            .iter()
            .filter(|_| call.idempotency.leaves_doubt())
            .for_each(|endpoint| progress.calls(endpoint));
        let active = match credential_cache.cached(None) {
            Some(active) => active,
            None => {
                progress.seeks_key(true);
                let found = credential_cache.active(None, &self.transport).await;
                progress.seeks_key(false);
                found?
            }
        };
        let platform = self
            .transport
            .hosts
            .is_platform(&call.url)
            .then(|| (call.method.as_str(), call.url.path()));
        if let Some(asked) = platform {
            self.allow(asked, &active)?;
        }
        let outcome = send(SentCredential(Some(active.clone()))).await;
        let refused = match outcome {
            Err(error) if error.refuses_credential() => error,
            outcome => return self.told(call, platform, &active, outcome),
        };
        // Boxed, because it is rare, and the future of each call has room for it.
        let again = self.again(credential_cache, call, progress, send, active, refused);
        let (active, outcome) = Box::pin(again).await?;
        self.told(call, platform, &active, outcome)
    }

    /// Learns from the outcome of a call, and adds the facts about the credential to its error.
    fn told<T>(
        &self,
        call: &Call,
        platform: Option<(&str, &str)>,
        active: &ActiveCredential,
        outcome: Result<T>,
    ) -> Result<T> {
        if let Some(asked) = platform {
            self.scopes.observe(asked, &active.credential, &outcome);
        }
        let (resolution, credential) = (&active.resolution, &active.credential);
        outcome.map_err(|error| match self.transport.hosts.proxied(&call.url) {
            Some(proxy) => denied::by_proxy(error, proxy, &call.url),
            None => denied::explain(
                error,
                call.endpoint.as_ref(),
                platform,
                resolution,
                credential,
            ),
        })
    }

    /// Asks the source of a refused credential for another, and sends the call once more with that.
    async fn again<T, F>(
        &self,
        credential_cache: &Arc<CredentialCache>,
        call: &Call,
        progress: &Progress,
        send: impl Fn(SentCredential) -> F,
        active: Arc<ActiveCredential>,
        refused: Error,
    ) -> Result<(Arc<ActiveCredential>, Result<T>)>
    where
        F: Future<Output = Result<T>>,
    {
        // The app may have refused it after executing it, or the body cannot be sent again. The
        // renewed credential serves the next request.
        if refused.may_have_executed() || call.body.is_spent() {
            drop(credential_cache.another(&active, &self.transport).await);
            return Ok((active, Err(refused)));
        }
        // fal did not execute a request that it refused, so sending it again is safe.
        progress.pausing();
        match credential_cache.another(&active, &self.transport).await? {
            Some(another) => {
                let outcome = send(SentCredential(Some(another.clone()))).await;
                Ok((another, outcome))
            }
            None => Ok((active, Err(refused))),
        }
    }

    /// Fails if the client is strict about scopes and the key's known scope does not allow the
    /// operation.
    fn allow(&self, (method, path): (&str, &str), active: &ActiveCredential) -> Result<()> {
        let known = if self.strict_scopes {
            self.scopes.known(&active.credential)
        } else {
            None
        };
        match (openapi::needed_scope(method, path), known) {
            (Some(needed), Some(scope)) if !scope.allows(needed) => Err(denied::beforehand(
                (method, path),
                needed,
                scope,
                &active.resolution,
                &active.credential,
            )),
            _ => Ok(()),
        }
    }

    /// Returns the call that a request makes. The bodies of the request are open, and its files are
    /// uploaded.
    pub(super) fn call(&self, request: Request, deadline: Instant) -> Result<Call> {
        let idempotency = request.idempotency();
        let hosts = &self.transport.hosts;
        let (url, endpoint) = match request.target {
            Target::Endpoint(ref id) => {
                let mut url = self.run.clone();
                url.set_path(id.as_str());
                (request.url(url, ""), Some(id.clone()))
            }
            Target::Of(id, url) => (url, Some(id)),
            Target::Address(url) => (url, None),
            Target::Platform(path) => (hosts.platform_url(&path)?, None),
        };
        let of_app = endpoint.is_some() || hosts.is_run(&url) || hosts.is_queue(&url);
        let watch = if of_app { Watch::Nothing } else { Watch::Body };
        let headers = request.headers;
        let body = match request.body {
            Body::Empty => Bytes::new().into(),
            // A body that is opened later could turn out unreadable after a part of it was sent.
            Body::Content(_) => {
                return Err(Error::invalid("the body was not opened before the call"));
            }
            Body::Json(_) | Body::Text(_) if !request.inputs.is_empty() => {
                return Err(Error::invalid(
                    "the files of the input were not uploaded before the call",
                ));
            }
            Body::Bytes(_) | Body::Source(_)
                if hosts.proxy.is_some()
                    && hosts.origin(&url) == Origin::Key
                    && !is_json(&headers) =>
            {
                return Err(bytes_by_proxy());
            }
            Body::Bytes(bytes) => bytes.into(),
            Body::Source(source) => Payload::Source(source),
            // A safe method has no input, and fal's clients send none (docs/protocol.md §4).
            Body::Json(_) | Body::Text(_)
                if idempotency == Idempotency::Safe && endpoint.is_some() =>
            {
                Bytes::new().into()
            }
            Body::Json(value) => Payload::Json(json::written(&value)?.into()),
            Body::Text(text) => Payload::Json(text),
        };
        Ok(Call {
            method: request.method,
            url,
            endpoint,
            headers,
            body,
            authorization: Authorization::Credential,
            idempotency,
            deadline,
            longest_pause: Duration::MAX,
            most: usize::MAX,
            watch,
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    declared
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Returns the error for bytes: the proxy declares every body to be JSON (docs/protocol.md §11.2).
fn bytes_by_proxy() -> Error {
    Error::invalid("cannot send bytes through a server proxy: it forwards JSON only")
        .with_remedy("Send JSON, or upload the bytes and send their URL.")
}
/// Adds anonymity where a server proxy holds the key: the client then searches for none.
pub(super) fn for_hosts(options: credentials::Options, hosts: &Hosts) -> credentials::Options {
    match hosts.proxy.is_some() && options.is_empty() {
        true => options.anonymous(true),
        false => options,
    }
}
