//! One request and its answer: calls of an endpoint (docs/protocol.md §4), and requests to any
//! address of fal's.

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

/// fal lets an app take an hour by default (docs/protocol.md §4), so a run may.
pub(super) const RUN_TIMEOUT: Duration = Duration::from_secs(3600);

impl Client {
    /// Starts a run: one POST to the endpoint, straight to a runner, without the queue.
    ///
    /// It is never sent a second time once it may have been executed; the error then says so
    /// ([`Error::may_have_executed`](crate::Error::may_have_executed)). A success that says itself
    /// that the output is not in it (202, 204, 205 or 206 to a POST or GET) is
    /// [`Code::Protocol`](crate::Code::Protocol).
    pub fn run_start(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Endpoint(_) => start(self, request, RUN_TIMEOUT),
            _ => Err(Error::invalid("a request to an address is sent, not run")),
        }
    }

    /// Runs an endpoint with this input and waits for its output, on any async runtime.
    ///
    /// If the future is dropped, the call is cancelled.
    pub async fn run(&self, endpoint: &str, input: Value) -> Result<Response> {
        let mut request = Request::run(endpoint)?;
        request.set_json(input);
        self.run_start(request)?.outcome().await
    }

    /// Starts a request to any address of fal's, with the key where the service takes one.
    ///
    /// The answer is a success (2xx) or an error, and so is a redirect, unless it leads from a GET,
    /// or from the run of an app by 303, to somewhere in the same origin.
    pub fn send_start(&self, request: Request) -> Result<Op> {
        match &request.target {
            Target::Address(_) | Target::Platform(_) => start(self, request, TIMEOUT),
            Target::Endpoint(_) | Target::Of(..) => {
                Err(Error::invalid("a request to an endpoint is run, not sent"))
            }
        }
    }

    /// Sends a request and waits for its answer, on any async runtime.
    pub async fn send(&self, request: Request) -> Result<Response> {
        self.send_start(request)?.outcome().await
    }
}

fn start(client: &Client, request: Request, usual: Duration) -> Result<Op> {
    let timeout = client.timeout_of(&request, usual);
    let (asks, idempotency) = (request.asks_for_output(), request.idempotency());
    let judged = async move |answer: Response, secrets: &Secrets| match lacking(answer.status())
        .filter(|_| asks)
    {
        Some(instead) => {
            let answer = answer.into_answer(secrets).await;
            Err(without_output(answer, instead, idempotency))
        }
        None => Ok(answer),
    };
    if request.is_local() {
        return client.start_exchange_within(timeout, move |exchange| async move {
            let request = resolve_files(&exchange, request).await?;
            judged(exchange.send(request).await?, exchange.task.secrets()).await
        });
    }
    // What is wrong with the request is an error at once.
    let call = client.call(request, timeout)?;
    client.start_exchange_within(timeout, move |exchange| async move {
        judged(exchange.send_call(&call).await?, exchange.task.secrets()).await
    })
}
