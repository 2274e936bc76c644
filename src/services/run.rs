//! One request and its response: runs of an endpoint (docs/protocol.md §4), and requests to any URL
//! of fal.

use std::time::Duration;

use serde_json::Value;

use super::storage::resolve_files;
use crate::client::{Client, TIMEOUT};
use crate::error::{Error, Result};
use crate::operation::Op;
use crate::request::{Request, Target};
use crate::response::{Response, lacking};
use crate::secrets::Secrets;
use crate::service_error::without_output;

/// The default time limit of an app (docs/protocol.md §4).
pub(super) const RUN_TIMEOUT: Duration = Duration::from_secs(3600);

impl Client {
    /// Starts a run: one POST to the endpoint, directly to a runner, without the queue.
    ///
    /// The request is not retried once the app may have executed it
    /// ([`Error::may_have_executed`](crate::Error::may_have_executed)). A success whose status
    /// denies that the body is the output (202, 204, 205 or 206 to a POST or GET) fails with
    /// [`Code::Protocol`](crate::Code::Protocol).
    pub fn run_start(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Endpoint(_) => start(self, request, RUN_TIMEOUT),
            _ => Err(Error::invalid(
                "cannot run a request to a URL; send it instead",
            )),
        }
    }

    /// Runs an endpoint with this input and waits for its output, on any async runtime.
    ///
    /// If the future is dropped, the call is cancelled.
    pub async fn run(&self, endpoint: &str, input: Value) -> Result<Response> {
        let request = run_request(endpoint, input)?;
        self.run_start(request)?.outcome().await
    }

    /// Starts a request to any URL of fal, with the key if the service at that URL takes one.
    ///
    /// The outcome is a success (2xx) or an error. A redirect is an error, too, unless it is to the
    /// same origin and either the method is GET, or a run of an app is redirected by 303.
    pub fn send_start(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Address(_) | Target::Platform(_) => start(self, request, TIMEOUT),
            Target::Endpoint(_) | Target::Of(..) => Err(Error::invalid(
                "cannot send a request to an endpoint; run it instead",
            )),
        }
    }

    /// Sends a request and waits for the response, on any async runtime.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.send_start(request)?.outcome().await
    }
}

/// A run of an endpoint with this input.
pub(super) fn run_request(endpoint: &str, input: Value) -> Result<Request> {
    let mut request = Request::run(endpoint)?;
    request.set_json(input);
    Ok(request)
}

fn start(client: &Client, request: Request, usual: Duration) -> Result<Op> {
    let timeout = client.timeout_of(&request, usual);
    let (asks, idempotency) = (request.asks_for_output(), request.idempotency());
    let judged = async move |response: Response, secrets: &Secrets| match lacking(response.status())
        .filter(|_| asks)
    {
        Some(instead) => {
            let answer = Box::pin(response.into_answer(secrets)).await;
            Err(without_output(answer, instead, idempotency))
        }
        None => Ok(response),
    };
    if request.is_local() {
        return client.start_exchange_within(timeout, move |exchange| async move {
            let request = resolve_files(&exchange, request).await?;
            judged(exchange.send(request).await?, exchange.task.secrets()).await
        });
    }
    // An invalid request fails here, on the caller's thread.
    let call = client.call(request, timeout)?;
    client.start_exchange_within(timeout, move |exchange| async move {
        judged(exchange.send_call(&call).await?, exchange.task.secrets()).await
    })
}
