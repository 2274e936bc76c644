//! Requests about a job.

use reqwest::Method;

use super::failure;
use super::job::{Ask, Job};
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Idempotency, Result};
use crate::limits::STATUS;
use crate::request::Request;
use crate::response::Response;

/// Sends a request about a job. Each can be sent twice without harm.
pub(super) async fn ask(exchange: &Exchange, job: &mut Job, what: Ask) -> Result<Response> {
    let (url, other_url) = job.urls(what, exchange.hosts())?;
    // A result comes from the app and may have any size. The rest comes from the queue.
    let (method, most) = match what {
        Ask::Status | Ask::StatusStream => (Method::GET, STATUS),
        Ask::Result => (Method::GET, usize::MAX),
        Ask::Cancel => (Method::PUT, STATUS),
    };
    let mut call = exchange.call(Request::about(job.endpoint.clone(), method, url))?;
    (call.idempotency, call.most) = (Idempotency::Safe, most);
    let mut response = exchange.send_call(&call).await;
    if let Some(url) = other_url.filter(|_| rejects_url(&response)) {
        job.forget_named_urls();
        call.url = url;
        response = exchange.send_call(&call).await;
    }
    if what != Ask::Cancel {
        return response;
    }
    let (response, secrets) = (response?, exchange.task.secrets().clone());
    let body = response.body().clone();
    json::look(body, move |_| failure::cancelled(response, &secrets)).await?
}

/// Whether fal rejects a URL that it named itself. Some endpoints reject URLs with their full id
/// (§16.2).
pub(super) fn rejects_url<T>(response: &Result<T>) -> bool {
    let status = response
        .as_ref()
        .err()
        .and_then(|error| error.http_status());
    matches!(status, Some(404 | 405))
}
