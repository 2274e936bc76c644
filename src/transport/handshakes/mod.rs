//! Connections are made on helper threads: who checks a certificate may ask the network, and take
//! long, and cannot be interrupted. The thread is needed for a step at a time, so that a connection
//! that waits for its other side keeps none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::error::Result;
use crate::runtime;
use crate::runtime::blocking::{Kind, blocking_within};

tokio::task_local! {
    /// Whom a request is sent to: the HTTP stack does not say for whom it makes a connection.
    static HOST: Arc<str>;
}

/// Sends a request, whose connection is made with what the host may have of the helper threads.
pub(super) fn towards<F: Future>(url: &Url, request: F) -> impl Future<Output = F::Output> {
    HOST.scope(url.authority().into(), request)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Has the connections of an HTTP stack made so.
#[derive(Clone, Copy)]
pub(super) struct HandshakeLayer;

#[derive(Clone)]
pub(super) struct Connector<S>(S);

impl<S> Layer<S> for HandshakeLayer {
    type Service = Connector<S>;

    fn layer(&self, connector: S) -> Connector<S> {
        Connector(connector)
    }
}

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

/// Runs a future to its end, each step on a helper thread. Whoever stops waiting does so at once,
/// whatever a step takes.
async fn step_by_step<T: Send + 'static>(mut work: Boxed<T>, host: Option<Arc<str>>) -> Result<T> {
    let news = Arc::new(News::default());
    let instance = runtime::current_or_closing()?;
    let place = instance.helper_poll();
    let share = host.map(|host| instance.shares().of_host(&host));
    drop(instance);
    loop {
        let (waker, place) = (Waker::from(news.clone()), place.clone());
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
        news.0.notified().await;
    }
}

/// There is a reason for the next step. One that comes during a step is kept.
#[derive(Default)]
struct News(Notify);

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests;
