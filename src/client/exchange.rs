//! The requests of one operation: what they carry, and what a refusal of it leads to.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Upgraded;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::Inner;
use crate::auth::cache::{Authority, Grant};
use crate::auth::denied;
use crate::codec::json;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts, Origin};
use crate::error::{Error, Repeat, Result};
use crate::key::Scope;
use crate::log::Level;
use crate::openapi;
use crate::operation::Task;
use crate::request::{Body, Request, Target};
use crate::response::Response;
use crate::service_error::with_content;
use crate::transport::{Attempts, Call, Opened, Pass, Payload, Progress, Watch};

/// The requests of one operation. Clones belong to the same one.
#[derive(Clone)]
pub(crate) struct Steps {
    pub(super) inner: Arc<Inner>,
    /// That of the client when the operation started: another one is for later operations.
    pub(super) authority: Arc<Authority>,
    pub(crate) task: Task,
    pub(crate) deadline: Instant,
    /// What is asked of us (`Retry-After`) is cut to this.
    pub(super) longest_pause: Duration,
}

impl Steps {
    /// Sends a request with the client's credential and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        let call = self.call(request)?;
        self.inner
            .perform(&self.authority, &call, &self.task.progress)
            .await
    }

    /// The same, and leaves the body of the answer to be read.
    pub(crate) async fn open(&self, request: Request) -> Result<Opened> {
        let call = self.call(request)?;
        self.open_call(&call).await
    }

    /// The same for a call that was made by hand: with another body or another [`Pass`].
    pub(crate) async fn open_call(&self, call: &Call) -> Result<Opened> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let open = |grant: Carried| async move {
            transport.open(call, grant.credential(), progress).await
        };
        self.inner
            .authorized(&self.authority, call, progress, open)
            .await
    }

    /// Sends such a call and reads the whole answer.
    pub(crate) async fn send_call(&self, call: &Call) -> Result<Response> {
        self.inner
            .perform(&self.authority, call, &self.task.progress)
            .await
    }

    /// The same where `what` has to be in the answer.
    pub(crate) async fn ask_for(&self, what: &str, call: &Call) -> Result<Response> {
        let answer = self.send_call(call).await?;
        with_content(answer, what, self.task.secrets(), call.repeat)
    }

    /// Makes a WebSocket's connection: the headers of the answer, what is left of HTTP, and the
    /// credential that opened it if it was the client's.
    pub(crate) async fn upgrade(
        &self,
        call: &Call,
    ) -> Result<(HeaderMap, Upgraded, Option<Arc<Grant>>)> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let upgrade = |grant: Carried| async move {
            let (headers, upgraded) = transport
                .upgrade(call, grant.credential(), progress)
                .await?;
            Ok((headers, upgraded, grant.0))
        };
        self.inner
            .authorized(&self.authority, call, progress, upgrade)
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
    pub(crate) fn anew(&self, time: Duration) -> Result<Steps> {
        Ok(Steps {
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
    pub(crate) fn with_pauses_up_to(&self, longest_pause: Duration) -> Steps {
        Steps {
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
    pub(crate) fn aside(&self, time: Duration) -> Result<Steps> {
        Ok(Steps {
            task: self.task.aside(),
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
    pub(crate) fn beside(&self) -> Steps {
        Steps {
            task: self.task.aside(),
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
        match self.grant().await {
            Ok(grant) => denied::explain(
                error,
                Some(endpoint),
                None,
                &grant.resolution,
                &grant.credential,
            ),
            Err(_) => error,
        }
    }

    /// The credential that the requests carry, and where it is from.
    pub(crate) async fn grant(&self) -> Result<Arc<Grant>> {
        self.authority.grant(None, &self.inner.transport).await
    }

    /// Has a credential replaced that fal refused. Whether its source may have another.
    pub(crate) async fn replace(&self, refused: &Grant) -> Result<bool> {
        Ok(self
            .authority
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
struct Carried(Option<Arc<Grant>>);

impl Carried {
    fn credential(&self) -> &Credential {
        self.0
            .as_ref()
            .map_or(&Credential::Anonymous, |grant| &grant.credential)
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
        authority: &Arc<Authority>,
        call: &Call,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let transport = &self.transport;
        let send = |grant: Carried| async move {
            transport.send(call, grant.credential(), progress).await
        };
        self.authorized(authority, call, progress, send).await
    }

    /// Sends a call with this credential, which is renewed once if it is refused and can be.
    async fn authorized<T, F>(
        &self,
        authority: &Arc<Authority>,
        call: &Call,
        progress: &Progress,
        send: impl Fn(Carried) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if call.pass != Pass::Credential {
            return send(Carried(None)).await;
        }
        call.endpoint
            .iter()
            .filter(|_| call.repeat.leaves_doubt())
            .for_each(|endpoint| progress.calls(endpoint));
        let mut grant = authority.grant(None, &self.transport).await?;
        let platform = self
            .transport
            .hosts
            .is_platform(&call.url)
            .then(|| (call.method.as_str(), call.url.path()));
        if let Some(asked) = platform {
            self.allow(asked, &grant)?;
        }
        let mut outcome = send(Carried(Some(grant.clone()))).await;
        let refused = outcome
            .as_ref()
            .err()
            .filter(|error| error.refuses_credential());
        match refused.map(|error| !error.may_have_executed() && !call.body.is_spent()) {
            // What was refused was not executed, so it can be sent once more with a new credential.
            Some(true) => {
                progress.pausing();
                if let Some(another) = authority.another(&grant, &self.transport).await? {
                    grant = another;
                    outcome = send(Carried(Some(grant.clone()))).await;
                }
            }
            // Who refused what is not certain, or there is nothing left to send: a new one is for
            // the next request.
            Some(false) => drop(authority.another(&grant, &self.transport).await),
            None => {}
        }
        if let Some(asked) = platform {
            self.scopes.observe(asked, &grant.credential, &outcome);
        }
        let (resolution, credential) = (&grant.resolution, &grant.credential);
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
    fn allow(&self, (method, path): (&str, &str), grant: &Grant) -> Result<()> {
        let known = if self.strict_scopes {
            self.scopes.known(&grant.credential)
        } else {
            None
        };
        match (openapi::needed_scope(method, path), known) {
            (Some(needed), Some(scope)) if !scope.allows(needed) => Err(denied::beforehand(
                (method, path),
                needed,
                scope,
                &grant.resolution,
                &grant.credential,
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn call(&self, request: Request, deadline: Instant) -> Result<Call> {
        let repeat = request.repeat();
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
            Body::Json(_) if repeat == Repeat::Harmless && endpoint.is_some() => {
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
            pass: Pass::Credential,
            repeat,
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
