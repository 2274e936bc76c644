//! Streamed responses of an endpoint (docs/protocol.md §6).

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::run::{RUN_TIMEOUT, run_request};
use super::storage::resolve_files;
use crate::client::{Client, Exchange};
use crate::codec::json;
use crate::codec::sse::Parser;
use crate::endpoint::EndpointId;
use crate::error::{Answer, Error, Idempotency, Result, clause};
use crate::operation::Op;
use crate::operation::event::{Event, EventKind};
use crate::request::Request;
use crate::response::Response;
use crate::service_error::{RequestContext, Responder, classify};
use crate::services::workflow::{self, Failure, WorkflowResult};
use crate::transport::{Opened, Reader};

impl Client {
    /// Starts a stream: one POST to the endpoint's path `stream` ([`Request::set_path`] sets
    /// another), directly to a runner.
    ///
    /// Each event of the response becomes an event [`Item`](crate::EventKind::Item), in order:
    /// JSON, or text if the app sent text. Items wait until the host reads them. The outcome is the
    /// last item, by convention the result, or an empty response if there was no item. The stream
    /// of a workflow fails if a step failed and no output followed ([`Event::workflow`]).
    ///
    /// The content type distinguishes other responses: JSON becomes one item, which is also the
    /// outcome. Each piece of any other body becomes an item of [bytes](Event::is_bytes) when it
    /// arrives, and the outcome is empty.
    ///
    /// The request is not retried once the app may have executed it. A stream that breaks fails
    /// with [`Code::ConnectionLost`](crate::Code::ConnectionLost), and the message states how many
    /// items had arrived. So does a stream that ends inside an event, unless the part that arrived
    /// is complete JSON.
    pub fn stream_start(&self, mut request: Request) -> Result<Op> {
        let endpoint = request.endpoint()?.clone();
        let timeout = self.timeout_of(&request, RUN_TIMEOUT);
        let asks = request.asks_for_output();
        let url = request.url(self.hosts().run_url(&endpoint)?, "stream");
        request
            .headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("text/event-stream"));
        let request = request.for_endpoint(endpoint.clone(), request.method.clone(), url);
        self.start_exchange_within(timeout, move |exchange| async move {
            let opened = exchange
                .open(resolve_files(&exchange, request).await?)
                .await?;
            let opened = if asks { opened.output().await? } else { opened };
            let mut delivery = Delivery::new(exchange, endpoint);
            let outcome = delivery.read(opened).await;
            outcome.map_err(|error| delivery.explained(error))
        })
    }

    /// Streams a response and returns its last item, on any async runtime. The other items are
    /// discarded.
    pub async fn stream(&self, endpoint: &str, input: Value) -> Result<Response> {
        let request = run_request(endpoint, input)?;
        self.stream_start(request)?.outcome().await
    }
}

/// A body that arrives in pieces.
pub(crate) trait Pieces {
    /// Returns the next piece; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>>> + Send;
}

impl Pieces for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.piece().await
    }
}

/// Delivers the items of a stream to the host.
pub(crate) struct Delivery {
    exchange: Exchange,
    endpoint: EndpointId,
    items: u64,
    last: Option<Bytes>,
    /// The first failed step of a workflow, unless an output followed.
    failure: Option<Failure>,
}

impl Delivery {
    pub(crate) fn new(exchange: Exchange, endpoint: EndpointId) -> Self {
        Delivery {
            exchange,
            endpoint,
            items: 0,
            last: None,
            failure: None,
        }
    }

    async fn read(&mut self, mut opened: Opened) -> Result<Response> {
        let id = opened.headers.get("x-fal-request-id");
        if let Some(id) = id.and_then(|id| id.to_str().ok()) {
            self.exchange.task.identify(id);
        }
        match kind(&opened.headers) {
            Kind::Events => self.events(&mut opened.body).await?,
            Kind::Json => {
                let body = opened.body.rest(self.exchange.response_limit()).await?;
                self.deliver(body).await?;
            }
            Kind::Bytes => {
                while let Some(piece) = opened.body.piece().await? {
                    self.items += 1;
                    self.exchange
                        .task
                        .emit_when_room(Event::bytes(EventKind::Item, piece))
                        .await;
                }
            }
        }
        self.finish(opened.status, opened.headers).await
    }

    /// Delivers each event of an event stream.
    pub(crate) async fn events(&mut self, body: &mut impl Pieces) -> Result<()> {
        let mut parser = Parser::new(self.exchange.response_limit());
        while let Some(mut piece) = body.next().await? {
            while let Some(data) = parser.next(&mut piece).await? {
                self.deliver(data).await?;
            }
        }
        if let Some(data) = parser.finish().await? {
            self.deliver(data).await?;
        }
        Ok(())
    }

    async fn deliver(&mut self, data: Bytes) -> Result<()> {
        self.items += 1;
        self.last = Some(data.clone());
        let is_workflow = self.endpoint.as_str().starts_with("workflows/");
        let look = move |data: Bytes| {
            let result = is_workflow.then(|| workflow::result(&data)).flatten();
            Event::read(EventKind::Item, data).map(|event| (event, result))
        };
        let (event, result) = json::look(data, look).await??;
        match result {
            Some(WorkflowResult::Output) => self.failure = None,
            // The first failure is the cause of later ones.
            Some(WorkflowResult::Failure(failure)) => {
                self.failure.get_or_insert(failure);
            }
            None => {}
        }
        self.exchange.task.emit_when_room(event).await;
        Ok(())
    }

    /// The outcome of the stream.
    pub(crate) async fn finish(&mut self, status: u16, mut headers: HeaderMap) -> Result<Response> {
        if let Some(failure) = self.failure.take() {
            return Err(self.failed_step(failure, &headers).await?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = self.last.take().unwrap_or_default();
        Ok(Response::new(status, headers, body))
    }

    /// The error of a workflow in which a step failed and that has no output (§3.5).
    async fn failed_step(&self, failure: Failure, headers: &HeaderMap) -> Result<Error> {
        let Failure {
            node_id,
            message,
            status,
            body,
        } = failure;
        let length = node_id.len() + message.len() + body.len();
        let secrets = self.exchange.task.secrets().clone();
        // The headers are those of the workflow's response; the step's are unknown.
        let answer = Answer::of_large(&secrets, status.unwrap_or(500), headers.clone(), body).await;
        let host = self.exchange.hosts().run.clone();
        let judge = move || {
            let asked = RequestContext {
                host: &host,
                service: true,
                idempotency: Idempotency::NonIdempotent,
                about_job: false,
                whose: Responder::Service,
            };
            (
                classify(answer, asked).error.masked(&secrets),
                [node_id, message].map(|text| secrets.quoted(text)),
            )
        };
        let (error, [node_id, message]) = json::beside(length, judge).await?;
        let cause = match clause(&message) {
            "" => error.message().to_owned(),
            reason => format!("{reason}: {}", error.message()),
        };
        // The steps before the failed one have run.
        Ok(error
            .with_message(format!("step {node_id} of the workflow failed: {cause}"))
            .with_outcome_unknown(true)
            .with_retryable(false))
    }

    /// Adds the number of delivered items to an error that ended the stream.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let message = format!(
            "{}; {} items of the stream had arrived",
            error.message(),
            self.items
        );
        // The app sent the head of the response, so it had started.
        error.with_message(message).with_outcome_unknown(true)
    }
}

/// How a body is delivered, by its content type.
pub(crate) enum Kind {
    Events,
    Json,
    Bytes,
}

pub(crate) fn kind(headers: &HeaderMap) -> Kind {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = declared.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("text/event-stream") {
        Kind::Events
    } else if media_type.eq_ignore_ascii_case("application/json") {
        Kind::Json
    } else {
        Kind::Bytes
    }
}
