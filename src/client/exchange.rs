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
