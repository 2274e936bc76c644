//! A submission. If its operation ends while it is under way, no caller learns the id of the job, so
//! its answer is read on, and the job is cancelled.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::cancel_on_drop::{TIME, cancel_in_time, silent};
use super::job::Job;
use crate::client::Exchange;
use crate::codec::json;
use crate::endpoint::EndpointId;
use crate::error::Result;
use crate::log::{Level, Target};
use crate::request::Request;
use crate::response::Response;
use crate::runtime::{self, Instance};

/// What fal has accepted, and its answer.
pub(super) type Accepted = (Job, Response);

pub(super) struct Submission {
    exchange: Exchange,
    /// Obtained while the runtime runs: it cannot be obtained during a shutdown.
    runtime: Arc<Instance>,
    endpoint: EndpointId,
    keep_running: bool,
    /// `None` while it is polled, and after its end.
    sending: Option<BoxFuture<'static, Result<Accepted>>>,
}

impl Submission {
    /// The files of the request are uploaded already.
    pub(super) fn new(exchange: &Exchange, request: Request) -> Result<Self> {
        let endpoint = request.endpoint()?.clone();
        Ok(Submission {
            exchange: exchange.clone(),
            runtime: runtime::current_or_closing()?,
            keep_running: request.queue.watch.keep_running,
            sending: Some(send(exchange.clone(), endpoint.clone(), request).boxed()),
            endpoint,
        })
    }

    pub(super) async fn accepted(mut self) -> Result<Accepted> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Accepted>> {
        let Some(mut sending) = self.sending.take() else {
            return Poll::Pending;
        };
        let polled = sending.poll_unpin(context);
        if polled.is_pending() {
            self.sending = Some(sending);
        }
        polled
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        let Some(sending) = self.sending.take() else {
            return;
        };
        if self.keep_running || !self.exchange.task.progress.leave() {
            return;
        }
        let (exchange, endpoint) = (self.exchange.clone(), self.endpoint.clone());
        let undone = undo(exchange, endpoint, sending);
        self.runtime.spawn(undone.boxed());
    }
}

async fn send(exchange: Exchange, endpoint: EndpointId, request: Request) -> Result<Accepted> {
    let response = exchange.send(request).await?;
    let submitted = move |body: Bytes| Job::submitted(endpoint, &body);
    let job = json::look(response.body().clone(), submitted).await;
    // fal has accepted the request, even if its response is malformed.
    let job = job.flatten();
    let job = job.map_err(|error| error.with_outcome_unknown(true))?;
    Ok((job, response))
}

/// Waits for the answer to a submission whose operation has ended, and cancels the job.
async fn undo(
    exchange: Exchange,
    endpoint: EndpointId,
    mut sending: BoxFuture<'static, Result<Accepted>>,
) {
    let progress = &exchange.task.progress;
    // After an answer that another attempt would follow, nothing is under way.
    let answer = poll_fn(|context| match sending.poll_unpin(context) {
        Poll::Pending if !progress.expects_response() => Poll::Ready(None),
        polled => polled.map(Some),
    });
    let cause = match tokio::time::timeout(TIME, answer).await {
        Ok(Some(Ok((job, _)))) => return cancel_in_time(exchange, job, true).await,
        Ok(Some(Err(error))) if error.may_have_executed() => error.to_string(),
        Ok(_) => return,
        Err(_) => silent(),
    };
    let line = format_args!("a job of {endpoint} may run on, and its id is unknown: {cause}");
    exchange.log(Level::Warn, Target::Queue, line);
}
