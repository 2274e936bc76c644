//! Calls of the Platform API by name.

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

/// Live logs go on until the caller has enough.
const STREAM_TIME: Duration = Duration::from_secs(24 * 3600);

impl Client {
    /// Starts an operation of the Platform API (docs/protocol.md §14) by its
    /// [name](super::operations), such as `models.pricing`.
    ///
    /// `params` is a JSON object of its parameters, wherever they go: path, query, header or body;
    /// null for none. They are checked first: what is missing, unknown, of a wrong type or out of
    /// bounds is [`Code::InvalidArgument`](crate::Code), and nothing is sent. The answer is what
    /// fal sent: JSON, nothing, a file, CSV or text. `serverless.logs.stream` gives each line as an
    /// event [`Item`](EventKind::Item), until it is cancelled.
    ///
    /// GET is repeated freely, and so is an operation that takes an idempotency key, of which a
    /// random one is sent unless `idempotency_key` gives another. No other is sent twice once it
    /// may have been executed.
    ///
    /// The answer of `keys.create` holds a secret, so it is refused here: see
    /// [`Client::create_key`].
    pub fn platform_start(&self, name: &str, params: Value) -> Result<Op> {
        let operation = find(name)?;
        if operation.name == CREATE {
            return Err(wrong(
                operation,
                "the answer holds a secret, which a response is not made for; nothing was sent",
            )
            .with_remedy(
                "Use create_key (in C: fal_client_create_key), whose result keeps the secret safe.",
            ));
        }
        let arguments = Arguments::check(operation, &params)?;
        self.start_operation(operation, arguments)
    }

    /// Calls such an operation and waits for its answer, on any async runtime.
    pub async fn platform(&self, name: &str, params: Value) -> Result<Response> {
        self.platform_start(name, params)?.outcome().await
    }

    pub(super) fn start_operation(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
    ) -> Result<Op> {
        let usual = if operation.answer == Answer::Events {
            STREAM_TIME
        } else {
            TIMEOUT
        };
        let timeout = self.timeout_or(usual);
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
                    answered(operation, answer, &exchange, idempotency).await
                }
            }
        })
    }
}

/// Lets an answer pass that may be the one to this operation: with something in it where there has
/// to be, and without a failure that is told with success.
async fn answered(
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
        let is_none = success.is_some_and(|success| success.get() == "false");
        (json::is_json(&body), is_none)
    };
    let error = match json::look(answer.body().clone(), look).await? {
        (true, true) if idempotency.leaves_doubt() => {
            let told = format!(
                "fal answered {} to {name}: success is false",
                answer.status()
            );
            Error::new(Code::ServiceFailed, told)
        }
        (true, _) => return Ok(answer),
        (false, _) => fields::wrong(name, &"it is not JSON"),
    };
    let answer = answer.into_answer(secrets).await;
    Err(error
        .with_answer(answer)
        .with_outcome_unknown(idempotency.leaves_doubt()))
}

/// Gives each event of a stream to the host as it arrives.
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
        let told = format!("fal answered {kind:?} where a stream of events was expected");
        return Err(Error::new(crate::Code::Protocol, told));
    }
    // A line of the log: JSON, as far as is known (docs/protocol.md §16.41).
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
