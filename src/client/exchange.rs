//! The requests of one operation: what they carry, and what a refusal of it leads to.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Upgraded;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::Inner;
use crate::auth::cache::{ActiveCredential, CredentialCache};
use crate::auth::denied;
use crate::codec::json;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts, Origin};
use crate::error::{Error, Idempotency, Result};
use crate::key::Scope;
use crate::log::Level;
use crate::openapi;
use crate::operation::Task;
use crate::request::{Body, Request, Target};
use crate::response::Response;
use crate::service_error::with_content;
use crate::transport::{Attempts, Authorization, Call, Opened, Payload, Progress, Watch};

/// The requests of one operation. Clones belong to the same one.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(super) inner: Arc<Inner>,
    /// That of the client when the operation started: another one is for later operations.
    pub(super) credential_cache: Arc<CredentialCache>,
    pub(crate) task: Task,
    pub(crate) deadline: Instant,
    /// What is asked of us (`Retry-After`) is cut to this.
    pub(super) longest_pause: Duration,
}

impl Exchange {
    /// Sends a request with the client's credential and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        let call = self.call(request)?;
        self.inner
            .perform(&self.credential_cache, &call, &self.task.progress)
            .await
    }

    /// The same, and leaves the body of the answer to be read.
    pub(crate) async fn open(&self, request: Request) -> Result<Opened> {
        let call = self.call(request)?;
        self.open_call(&call).await
    }

    /// The same for a call that was made by hand: with another body or another [`Authorization`].
    pub(crate) async fn open_call(&self, call: &Call) -> Result<Opened> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let open = |active: SentCredential| async move {
            transport.open(call, active.credential(), progress).await
        };
        self.inner
            .authorized(&self.credential_cache, call, progress, open)
            .await
    }

    /// Sends such a call and reads the whole answer.
    pub(crate) async fn send_call(&self, call: &Call) -> Result<Response> {
        self.inner
            .perform(&self.credential_cache, call, &self.task.progress)
            .await
    }

    /// The same where `what` has to be in the answer.
    pub(crate) async fn ask_for(&self, what: &str, call: &Call) -> Result<Response> {
        let answer = self.send_call(call).await?;
        with_content(answer, what, self.task.secrets(), call.idempotency)?
            .parsed()
            .await
    }

    /// Makes a WebSocket's connection: the headers of the answer, what is left of HTTP, and the
    /// credential that opened it if it was the client's.
    pub(crate) async fn upgrade(
        &self,
        call: &Call,
    ) -> Result<(HeaderMap, Upgraded, Option<Arc<ActiveCredential>>)> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let upgrade = |active: SentCredential| async move {
            let (headers, upgraded) = transport
                .upgrade(call, active.credential(), progress)
                .await?;
            Ok((headers, upgraded, active.0))
        };
        self.inner
            .authorized(&self.credential_cache, call, progress, upgrade)
            .await
    }

    /// The call that a request makes, whose local files are uploaded.
    pub(crate) fn call(&self, request: Request) -> Result<Call> {
        let call = self.inner.call(request, self.deadline)?;
        Ok(Call {
            longest_pause: self.longest_pause,
            ..call
        })
    }

    /// The same operation, with `time` for its next requests.
    pub(crate) fn anew(&self, time: Duration) -> Result<Exchange> {
        Ok(Exchange {
            deadline: deadline(time)?,
            ..self.clone()
        })
    }

    /// Whether a pause ends before the operation's time does. One that does not is not begun: the
    /// error comes at once.
    pub(crate) fn has_time_for(&self, pause: Duration) -> bool {
        pause < self.deadline.saturating_duration_since(Instant::now())
    }

    /// The same operation, which waits between two attempts at most so long, whatever the service
    /// asks for.
    pub(crate) fn with_pauses_up_to(&self, longest_pause: Duration) -> Exchange {
        Exchange {
            longest_pause,
            ..self.clone()
        }
    }

    /// The scope of a key was found out.
    pub(crate) fn learn(&self, credential: &Credential, scope: Scope) {
        self.inner.scopes.learn(credential, scope);
    }

    /// The same client for a request of its own within `time`, beside the operation and even after
    /// its end.
    pub(crate) fn detached(&self, time: Duration) -> Result<Exchange> {
        Ok(Exchange {
            task: self.task.detached(),
            deadline: deadline(time)?,
            ..self.clone()
        })
    }

    /// What a service keeps for this client, made by the first call.
    pub(crate) fn slot<T: Any + Default + Send + Sync>(&self) -> &T {
        self.inner.slots.get()
    }

    /// Writes a line about the operation.
    pub(crate) fn log(&self, level: Level, line: std::fmt::Arguments<'_>) {
        self.inner
            .transport
            .log
            .write(level, self.task.secrets(), line);
    }

    /// The same operation for requests that are under way beside others: their stages do not mix.
    pub(crate) fn parallel(&self) -> Exchange {
        Exchange {
            task: self.task.detached(),
            ..self.clone()
        }
    }

    pub(crate) fn attempts(&self) -> Attempts {
        self.inner.transport.attempts
    }

    /// Whether a server proxy forwards what needs a key.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hosts().proxy.is_some()
    }

    /// Adds to an error of an endpoint what is known about the credential.
    pub(crate) async fn explained(&self, error: Error, endpoint: &EndpointId) -> Error {
        match self.active().await {
            Ok(active) => denied::explain(
                error,
                Some(endpoint),
                None,
                &active.resolution,
                &active.credential,
            ),
            Err(_) => error,
        }
    }

    /// The credential that the requests carry, and where it is from.
    pub(crate) async fn active(&self) -> Result<Arc<ActiveCredential>> {
        self.credential_cache
            .active(None, &self.inner.transport)
            .await
    }

    /// Has a credential replaced that fal refused. Whether its source may have another.
    pub(crate) async fn replace(&self, refused: &ActiveCredential) -> Result<bool> {
        Ok(self
            .credential_cache
            .another(refused, &self.inner.transport)
            .await?
            .is_some())
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.inner.transport.hosts
    }

    pub(crate) fn response_limit(&self) -> usize {
        self.inner.transport.response_limit
    }
}

/// The credential that a request carries, if it is the client's.
struct SentCredential(Option<Arc<ActiveCredential>>);

impl SentCredential {
    fn credential(&self) -> &Credential {
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

    /// Sends a call with this credential, which is renewed once if it is refused and can be.
    async fn authorized<T, F>(
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
        let mut active = credential_cache.active(None, &self.transport).await?;
        let platform = self
            .transport
            .hosts
            .is_platform(&call.url)
            .then(|| (call.method.as_str(), call.url.path()));
        if let Some(asked) = platform {
            self.allow(asked, &active)?;
        }
        let mut outcome = send(SentCredential(Some(active.clone()))).await;
        let refused = outcome
            .as_ref()
            .err()
            .filter(|error| error.refuses_credential());
        match refused.map(|error| !error.may_have_executed() && !call.body.is_spent()) {
            // What was refused was not executed, so it can be sent once more with a new credential.
            Some(true) => {
                progress.pausing();
                if let Some(another) = credential_cache.another(&active, &self.transport).await? {
                    active = another;
                    outcome = send(SentCredential(Some(active.clone()))).await;
                }
            }
            // Who refused what is not certain, or there is nothing left to send: a new one is for
            // the next request.
            Some(false) => drop(credential_cache.another(&active, &self.transport).await),
            None => {}
        }
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

    /// Refuses, where the caller asked for strictness, what the key in use is known not to be
    /// allowed.
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

    pub(super) fn call(&self, request: Request, deadline: Instant) -> Result<Call> {
        let idempotency = request.idempotency();
        let hosts = &self.transport.hosts;
        let (url, endpoint) = match request.target {
            Target::Endpoint(ref id) => (request.address(hosts.run_url(id)?, ""), Some(id.clone())),
            Target::Of(id, url) => (url, Some(id)),
            Target::Address(url) => (url, None),
            Target::Platform(path) => (hosts.platform_url(&path)?, None),
        };
        let of_app = endpoint.is_some() || hosts.is_run(&url) || hosts.is_queue(&url);
        let watch = if of_app { Watch::Nothing } else { Watch::Body };
        let mut headers = request.headers;
        let body = match request.body {
            Body::Empty => Bytes::new().into(),
            // Never sent half: whoever makes the call has to resolve it first.
            Body::Content(_) => return Err(Error::invalid("the body was not opened")),
            Body::Json(_) if !request.inputs.is_empty() => {
                return Err(Error::invalid("the input's files were not uploaded"));
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
            // A safe method takes no input: fal's clients send none either (docs/protocol.md §4).
            Body::Json(_) if idempotency == Idempotency::Safe && endpoint.is_some() => {
                Bytes::new().into()
            }
            Body::Json(value) => {
                headers
                    .entry(CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("application/json"));
                Bytes::from(json::written(&value)?).into()
            }
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

/// The proxy declares every body to be JSON (docs/protocol.md §11.2), so that bytes would arrive as
/// something else.
fn bytes_by_proxy() -> Error {
    Error::invalid("bytes cannot be sent through a server proxy, which forwards JSON only")
        .with_remedy("Send JSON, or upload the bytes and send their URL.")
}
