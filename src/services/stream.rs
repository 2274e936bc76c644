//! Streamed answers of an endpoint (docs/protocol.md §6).

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::run::RUN_TIMEOUT;
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
use crate::services::workflow::{self, Failure, Said};
use crate::transport::Opened;

impl Client {
    /// Starts a stream: one POST to the endpoint's path `stream` ([`Request::set_path`] names
    /// another), straight to a runner.
    ///
    /// Each event of the answer is an event [`Item`](crate::EventKind::Item), in order: JSON, or
    /// text where the app sent something else. They wait to be read. The response is the last of
    /// them, by convention the result; it is empty if there was none. The stream of a workflow is
    /// an error if a step failed and no output came after it ([`Event::workflow`]).
    ///
    /// An answer that is no stream of events is told apart by its content type: JSON is one item,
    /// which is the response, too; of anything else each piece is an item of
    /// [bytes](Event::is_bytes) as it arrives, and the response is empty.
    ///
    /// It is never sent a second time once it may have been executed. A stream that breaks is
    /// [`Code::ConnectionLost`](crate::Code::ConnectionLost), whatever had arrived; the message
    /// says how many items had. So is one that ends inside an event, unless what there is of it is
    /// whole JSON.
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

    /// Streams an answer and waits for its last event, on any async runtime. The others are
    /// discarded.
    pub async fn stream(&self, endpoint: &str, input: Value) -> Result<Response> {
        let mut request = Request::run(endpoint)?;
        request.set_json(input);
        self.stream_start(request)?.outcome().await
    }
}

/// The way of a stream's items to the host.
pub(crate) struct Delivery {
    exchange: Exchange,
    endpoint: EndpointId,
    items: u64,
    last: Option<Bytes>,
    /// Of a workflow: the failure of a step that no output has followed.
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
        match kind(&opened.headers) {
            Kind::Events => self.events(&mut opened).await?,
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

    async fn events(&mut self, opened: &mut Opened) -> Result<()> {
        let mut parser = Parser::new(self.exchange.response_limit());
        while let Some(mut piece) = opened.body.piece().await? {
            while let Some(data) = parser.next(&mut piece).await? {
                self.deliver(data).await?;
            }
        }
        if let Some(data) = parser.finish().await? {
            self.deliver(data).await?;
        }
        Ok(())
    }

    pub(crate) async fn deliver(&mut self, data: Bytes) -> Result<()> {
        self.items += 1;
        self.last = Some(data.clone());
        let is_workflow = self.endpoint.as_str().starts_with("workflows/");
        let look = move |data: Bytes| {
            let said = is_workflow.then(|| workflow::said(&data)).flatten();
            Event::read(EventKind::Item, data).map(|event| (event, said))
        };
        let (event, said) = json::look(data, look).await??;
        match said {
            Some(Said::Output) => self.failure = None,
            // The first is the cause.
            Some(Said::Failure(failure)) if self.failure.is_none() => self.failure = Some(failure),
            _ => {}
        }
        self.exchange.task.emit_when_room(event).await;
        Ok(())
    }

    /// What the stream came to.
    pub(crate) async fn finish(&mut self, status: u16, mut headers: HeaderMap) -> Result<Response> {
        let response = Response::typed(self.last.take().unwrap_or_default(), "application/json");
        if let Some(failure) = self.failure.take() {
            return Err(self.failed_step(failure, &headers).await?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Response::new(status, headers, response.body().clone()))
    }

    /// A workflow in which a step failed, and which has no output, has failed (§3.5).
    async fn failed_step(&self, failure: Failure, headers: &HeaderMap) -> Result<Error> {
        let Failure {
            node_id,
            message,
            status,
            body,
        } = failure;
        let length = node_id.len() + message.len() + body.len();
        let secrets = self.exchange.task.secrets().clone();
        let answer = Answer::of_large(&secrets, status.unwrap_or(500), headers.clone(), body).await;
        // The headers are not those of the step.
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
        let said = Some(clause(&message))
            .filter(|said| !said.is_empty())
            .map(|said| format!("{said}: "));
        let told = format!(
            "step {node_id} of the workflow failed: {}{}",
            said.unwrap_or_default(),
            error.message()
        );
        // The steps before it have run.
        Ok(error
            .with_message(told)
            .with_outcome_unknown(true)
            .with_retryable(false))
    }

    pub(crate) fn explained(&self, error: Error) -> Error {
        let told = format!(
            "{}; {} items of the stream had arrived",
            error.message(),
            self.items
        );
        // The answer had begun, so the app had run.
        error.with_message(told).with_outcome_unknown(true)
    }
}

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
    match declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "text/event-stream" => Kind::Events,
        "application/json" => Kind::Json,
        _ => Kind::Bytes,
    }
}
