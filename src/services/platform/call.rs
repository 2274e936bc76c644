//! Calls the operations of the Platform API by name.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::arguments::{Arguments, wrong};
use super::fields;
use super::key_guards::{self, CREATE};
use super::multipart::Form;
use super::request::{find, request};
use crate::client::{Client, Exchange, TIMEOUT};
use crate::codec::json;
use crate::codec::sse::Parser;
use crate::error::{Code, Error, Idempotency, Result};
use crate::openapi::{Answer, Body, Operation};
use crate::operation::Op;
use crate::operation::event::{Event, EventKind};
use crate::request::Request;
use crate::response::Response;
use crate::service_error::{confirming, with_content};

/// The default time limit of live logs, which have no end.
const STREAM_TIME: Duration = Duration::from_secs(24 * 3600);

impl Client {
    /// Starts an operation of the Platform API (docs/protocol.md §14) by its
    /// [name](super::operations), such as `models.pricing`.
    ///
    /// `params` is a JSON object with the parameters, whether they belong to the path, the query, a
    /// header or the body; or null. They are checked first: if one is missing, unknown, of a wrong
    /// type or out of bounds, the call fails with [`Code::InvalidArgument`](crate::Code), and
    /// nothing is sent. The response is that of fal: JSON, nothing, a file, CSV or text.
    /// `serverless.logs.stream` returns each line as an event [`Item`](EventKind::Item) until it is
    /// cancelled.
    ///
    /// A GET is retried, and so is an operation that takes an idempotency key. The key is random,
    /// unless the parameter `idempotency_key` sets it. Any other operation is not sent again once
    /// it may have been executed.
    ///
    /// `keys.create` is refused, because its response contains a secret: see
    /// [`Client::create_key`].
    pub fn platform_start(&self, name: &str, params: Value) -> Result<Op> {
        let operation = find(name)?;
        if operation.name == CREATE {
            return Err(wrong(
                operation,
                "the response contains a secret, which a response object does not protect; nothing was sent",
            )
            .with_remedy(
                "Call create_key (in C: fal_client_create_key()), whose result protects the secret.",
            ));
        }
        let arguments = Arguments::check(operation, &params)?;
        self.start_operation(operation, arguments)
    }

    /// Calls an operation like [`platform_start`](Self::platform_start), and returns its response.
    /// It works on any async runtime.
    pub async fn platform(&self, name: &str, params: Value) -> Result<Response> {
        self.platform_start(name, params)?.outcome().await
    }

    pub(super) fn start_operation(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
    ) -> Result<Op> {
        let timeout = self.timeout_or(match operation.answer {
            Answer::Events => STREAM_TIME,
            _ => TIMEOUT,
        });
        let request = request(operation, &arguments, timeout)?;
        let form = match operation.body {
            Body::Form => Some(Form::read(operation, &arguments)?),
            _ => None,
        };
        self.start_exchange_within(timeout, move |exchange| async move {
            key_guards::confirm(operation, &arguments, &exchange).await?;
            match (&operation.answer, form) {
                (Answer::Events, _) => events(exchange, request).await,
                (_, Some(form)) => form.send(&exchange, request).await,
                _ => {
                    let idempotency = request.idempotency();
                    let answer = exchange.send(request).await?;
                    check_response(operation, answer, &exchange, idempotency).await
                }
            }
        })
    }
}

/// Checks a 2xx response: it has a body if the operation requires one, and the body reports no
/// failure.
async fn check_response(
    operation: &Operation,
    answer: Response,
    exchange: &Exchange,
    idempotency: Idempotency,
) -> Result<Response> {
    let (name, secrets) = (operation.name, exchange.task.secrets());
    if operation.answer == Answer::None {
        return confirming(answer, name, secrets, idempotency);
    }
    let answer = with_content(answer, name, secrets, idempotency)?;
    if !matches!(operation.answer, Answer::Json(_)) {
        return Ok(answer);
    }
    let look = |body: Bytes| {
        let [success] = json::members(&body, ["success"]).unwrap_or_default();
        let is_failure = success.is_some_and(|success| success.get() == "false");
        (json::is_json(&body), is_failure)
    };
    let error = match json::look(answer.body().clone(), look).await? {
        (true, true) if idempotency.leaves_doubt() => {
            let message = format!(
                "fal answered {} to {name}: success is false",
                answer.status()
            );
            Error::new(Code::ServiceFailed, message)
        }
        (true, _) => return Ok(answer),
        (false, _) => fields::wrong(name, &"the body is not JSON"),
    };
    let answer = answer.into_answer(secrets).await;
    Err(error
        .with_answer(answer)
        .with_outcome_unknown(idempotency.leaves_doubt()))
}

/// Delivers each event of a stream to the host as it arrives.
async fn events(exchange: Exchange, request: Request) -> Result<Response> {
    let mut opened = exchange.open(request).await?.output().await?;
    let kind = opened
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/event-stream")
    {
        let message = format!("fal answered with {kind:?} to a request for a stream of events");
        return Err(Error::new(Code::Protocol, message));
    }
    // A line of the log is JSON, as far as is known (docs/protocol.md §16.41).
    let read = |data| json::look(data, |data| Event::read(EventKind::Item, data));
    let mut parser = Parser::new(exchange.response_limit());
    let mut count = 0_u64;
    while let Some(mut piece) = opened.body.piece().await? {
        while let Some(data) = parser.next(&mut piece).await? {
            count += 1;
            exchange.task.emit_when_room(read(data).await??).await;
        }
    }
    if let Some(data) = parser.finish().await? {
        count += 1;
        exchange.task.emit_when_room(read(data).await??).await;
    }
    Ok(Response::made(&serde_json::json!({ "items": count })))
}
