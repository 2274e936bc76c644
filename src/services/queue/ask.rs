//! One request about a job.

use reqwest::Method;

use super::failure;
use super::job::{Ask, Job};
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Idempotency, Result};
use crate::limits::STATUS;
use crate::request::Request;
use crate::response::Response;

/// Asks one thing of a job. All of it can be sent twice without harm.
pub(super) async fn ask(exchange: &Exchange, job: &mut Job, what: Ask) -> Result<Response> {
    let (address, built) = (
        job.address(what, exchange.hosts())?,
        job.built(what, exchange.hosts())?,
    );
    let method = if what == Ask::Cancel {
        Method::PUT
    } else {
        Method::GET
    };
    let other = address != built;
    let mut call = exchange.call(Request::about(job.endpoint.clone(), method, address))?;
    call.idempotency = Idempotency::Safe;
    // A result is the app's, of any size; all else is the queue's own.
    call.most = if what == Ask::Result {
        usize::MAX
    } else {
        STATUS
    };
    let answer = match exchange.send_call(&call).await {
        // Some endpoints refuse addresses with the full id, although fal's answers name them
        // (§16.2).
        Err(error) if other && matches!(error.http_status(), Some(404 | 405)) => {
            job.forget_addresses();
            call.url = built;
            exchange.send_call(&call).await
        }
        answer => answer,
    };
    if what == Ask::Cancel {
        let (answer, secrets) = (answer?, exchange.task.secrets().clone());
        json::look(answer.body().clone(), move |_| {
            failure::cancelled(answer, &secrets)
        })
        .await?
    } else {
        answer
    }
}
