//! Makes connections on helper threads: the check of a certificate may access the network, block
//! for long, and cannot be interrupted. Each poll runs on a helper thread, so a connection that
//! waits for the server occupies none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tower_service::Service;

use crate::error::Result;
use crate::runtime;
use crate::runtime::blocking::{Kind, blocking_within};

tokio::task_local! {
    /// The host of the current request, which reqwest does not pass to its connector.
    static HOST: Arc<str>;
}

/// Sends a request of reqwest's. A new connection uses only the share of the helper threads that
/// each host has.
pub(super) fn towards<F: Future>(host: Arc<str>, request: F) -> impl Future<Output = F::Output> {
    HOST.scope(host, request)
}

/// The error of a connector.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Wraps the connector of reqwest.
#[derive(Clone)]
pub(super) struct Connector<S>(pub(super) S);

impl<S, To> Service<To> for Connector<S>
where
    S: Service<To, Error = BoxError, Response: Send + 'static, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Boxed<std::result::Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: To) -> Self::Future {
        let connecting = Box::pin(self.0.call(to));
        let host = HOST.try_with(Clone::clone).ok();
        Box::pin(async move { step_by_step(connecting, host).await? })
    }
}

/// Runs a future to completion, each poll on a helper thread. The caller can be dropped at any
/// time, even during a poll.
pub(super) async fn step_by_step<T: Send + 'static>(
    mut work: Boxed<T>,
    host: Option<Arc<str>>,
) -> Result<T> {
    let woken = Arc::new(Woken::default());
    let instance = runtime::current_or_closing()?;
    let place = instance.helper_poll();
    let share = host.map(|host| instance.shares().of_host(&host));
    drop(instance);
    loop {
        let (waker, place) = (Waker::from(woken.clone()), place.clone());
        let step = move || {
            let polled = place.poll(|| work.as_mut().poll(&mut Context::from_waker(&waker)))?;
            Some((work, polled))
        };
        match blocking_within(share.as_ref(), Kind::Handshakes, step)
            .await?
            .ok_or_else(runtime::shut_down)?
        {
            (_, Poll::Ready(end)) => return Ok(end),
            (rest, Poll::Pending) => work = rest,
        }
        woken.0.notified().await;
    }
}

/// Wakes the task that starts the next poll. A wake-up during a poll is stored.
#[derive(Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests;
