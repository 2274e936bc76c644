//! The requests of one operation: they share its credential, its deadline and its progress.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Upgraded;
use reqwest::header::HeaderMap;

use super::inner::{Inner, SentCredential, deadline};
use crate::auth::cache::{ActiveCredential, CredentialCache};
use crate::auth::denied;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts};
use crate::error::{Error, Result};
use crate::key::Scope;
use crate::log::{Level, Target};
use crate::operation::Task;
use crate::request::Request;
use crate::response::Response;
use crate::service_error::with_content;
use crate::transport::{Attempts, Call, Opened};

/// The requests of one operation. Clones belong to the same operation.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(super) inner: Arc<Inner>,
    /// The client's cache when the operation started. A replacement serves later operations only.
    pub(super) credential_cache: Arc<CredentialCache>,
    pub(crate) task: Task,
    pub(crate) deadline: Instant,
    /// A longer `Retry-After` is cut to this.
    pub(super) longest_pause: Duration,
}

impl Exchange {
    /// Sends a request with the client's credential and reads the whole response.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        let call = self.call(request)?;
        self.inner
            .perform(&self.credential_cache, &call, &self.task.progress)
            .await
    }

    /// Sends a request and returns the response with its body unread.
    pub(crate) async fn open(&self, request: Request) -> Result<Opened> {
        let call = self.call(request)?;
        self.open_call(&call).await
    }

    /// Sends a call and returns the response with its body unread.
    pub(crate) async fn open_call(&self, call: &Call) -> Result<Opened> {
        let (transport, progress) = (&self.inner.transport, &self.task.progress);
        let open = |active: SentCredential| async move {
            transport.open(call, active.credential(), progress).await
        };
        self.inner
            .authorized(&self.credential_cache, call, progress, open)
            .await
    }

    /// Sends a call and reads the whole response.
    pub(crate) async fn send_call(&self, call: &Call) -> Result<Response> {
        self.inner
            .perform(&self.credential_cache, call, &self.task.progress)
            .await
    }

    /// Sends a call whose response must have a body of JSON. `what` names it in the error.
    pub(crate) async fn ask_for(&self, what: &str, call: &Call) -> Result<Response> {
        let answer = self.send_call(call).await?;
        with_content(answer, what, self.task.secrets(), call.idempotency)?
            .parsed()
            .await
    }

    /// Opens a WebSocket. Returns the headers of the response, the connection, and the credential
    /// of the handshake if it was the client's.
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

    /// Returns the call that a request makes. Its local files are uploaded already.
    pub(crate) fn call(&self, request: Request) -> Result<Call> {
        let call = self.inner.call(request, self.deadline)?;
        Ok(Call {
            longest_pause: self.longest_pause,
            ..call
        })
    }

    /// Returns the same operation with a new deadline, `time` from now.
    pub(crate) fn anew(&self, time: Duration) -> Result<Exchange> {
        Ok(Exchange {
            deadline: deadline(time)?,
            ..self.clone()
        })
    }

    /// Whether a pause ends before the operation's deadline. If it does not, the caller fails at
    /// once instead of pausing.
    pub(crate) fn has_time_for(&self, pause: Duration) -> bool {
        pause < self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns the same operation with a limit for each pause between two attempts, whatever the
    /// service asks for.
    pub(crate) fn with_pauses_up_to(&self, longest_pause: Duration) -> Exchange {
        Exchange {
            longest_pause,
            ..self.clone()
        }
    }

    /// Stores the scope of a key.
    pub(crate) fn learn(&self, credential: &Credential, scope: Scope) {
        self.inner.scopes.learn(credential, scope);
    }

    /// Returns an exchange for requests that are independent of the operation and may outlive it.
    pub(crate) fn detached(&self, time: Duration) -> Result<Exchange> {
        Ok(Exchange {
            task: self.task.detached(),
            deadline: deadline(time)?,
            ..self.clone()
        })
    }

    /// Returns the value of this type that a service keeps for the client, made by the first call.
    pub(crate) fn slot<T: Any + Default + Send + Sync>(&self) -> &T {
        self.inner.slots.get()
    }

    /// Writes a line about the operation.
    pub(crate) fn log(&self, level: Level, target: Target, line: std::fmt::Arguments<'_>) {
        self.inner
            .transport
            .log
            .write(level, target, self.task.secrets(), line);
    }

    /// Returns the same operation for requests that run concurrently with others. Their progress is
    /// tracked apart.
    pub(crate) fn parallel(&self) -> Exchange {
        Exchange {
            task: self.task.detached(),
            ..self.clone()
        }
    }

    pub(crate) fn attempts(&self) -> Attempts {
        self.inner.transport.attempts
    }

    /// Whether a server proxy forwards the requests that need a key.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hosts().proxy.is_some()
    }

    /// Adds the facts about the credential to an error of an endpoint.
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

    /// Returns the credential that the requests carry, and its origin.
    pub(crate) async fn active(&self) -> Result<Arc<ActiveCredential>> {
        self.credential_cache
            .active(None, &self.inner.transport)
            .await
    }

    /// Replaces a credential that fal refused. Returns whether its source has another.
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
