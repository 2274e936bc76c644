//! HTTP over WebSocket: the requests of one endpoint over one connection (docs/protocol.md §8).

mod driver;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use tokio::sync::{Mutex, mpsc};
use url::Url;

use self::driver::{Job, Piece, drive};
use super::run::RUN_TIMEOUT;
use super::storage::resolve_files;
use crate::client::{Client, Exchange};
use crate::codec::json;
use crate::codec::sse::Parser;
use crate::endpoint::EndpointId;
use crate::error::{Answer, Code, Error, Idempotency, Result};
use crate::operation::Op;
use crate::request::{Body, Request};
use crate::response::{Response, lacking};
use crate::runtime;
use crate::runtime::per_runtime::PerRuntime;
use crate::secrets::Secrets;
use crate::service_error::SEE_FIRST;
use crate::service_error::{Classification, RequestContext, Responder, classify, without_output};
use crate::services::socket::open;
use crate::services::stream::{Delivery, Kind, kind};
use crate::system::memory;
use crate::transport::{Authorization, ERROR_BODY};

/// Requests that wait for the connection, and pieces of an answer that wait for their operation.
const WAITING: usize = 16;
/// As long as a session's.
const PING: Duration = Duration::from_secs(30);
/// The most bytes of a request: fal documents no limit, and frames are made in the memory.
const MOST: usize = 256 << 20;

/// The requests of one endpoint over one WebSocket: a connection is made once for all of them, and
/// answers come in the order of the requests. Clones share the connection; any number of threads
/// may use it at once.
///
/// It connects with the first request, and again with the next one if the connection has ended
/// meanwhile. Once the last clone is dropped and every answer has come, the connection is closed.
/// An answer whose items are not read holds up those behind it.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

/// The way to the connection.
struct Line {
    jobs: mpsc::Sender<Job>,
    /// Of the operation that opened it: the service may repeat them to any other.
    secrets: Arc<Secrets>,
}

struct Inner {
    client: Client,
    endpoint: EndpointId,
    url: Url,
    headers: HeaderMap,
    /// In milliseconds; 0 for none. No lock, which a fork could leave locked.
    ping: AtomicU64,
    line: PerRuntime<Mutex<Option<Line>>>,
}

impl Client {
    /// A channel to the endpoint of a request, whose [path](Request::set_path) and headers hold for
    /// all requests of the channel. Nothing is sent yet.
    pub fn channel(&self, request: &Request) -> Result<Channel> {
        let endpoint = request.endpoint()?.clone();
        if self.hosts().proxy.is_some() {
            return Err(Error::invalid("a server proxy forwards no WebSocket")
                .with_remedy("Run the requests one by one."));
        }
        let url = request.url(self.hosts().ws_url(&endpoint)?, "");
        let headers = request.headers.clone();
        let ping = AtomicU64::new(millis(PING));
        let inner = Inner {
            client: self.clone(),
            endpoint,
            url,
            headers,
            ping,
            line: PerRuntime::default(),
        };
        Ok(Channel {
            inner: Arc::new(inner),
        })
    }
}

impl Channel {
    /// How often a ping is sent, by default every 30 seconds; `None` sends none. Once the other
    /// side has moved nothing for four times as long, the connection counts as lost: requests under
    /// way on it are not sent again, and their outcome is unknown. While the host does not read an
    /// answer, silence does not count. It holds for all clones, from the next connection on.
    pub fn set_ping(&self, idle: Option<Duration>) {
        // What is shorter than a millisecond is one.
        let idle = idle
            .filter(|idle| !idle.is_zero())
            .map_or(0, |idle| millis(idle).max(1));
        self.inner.ping.store(idle, Ordering::Relaxed);
    }

    /// Starts a run over the channel with the input and the time limit of a request to its
    /// endpoint; its other parts are not used.
    ///
    /// The outcome is that of [`Client::run_start`]; if the endpoint streams events, it is that of
    /// [`Client::stream_start`], with the same events. Cancelling leaves the connection, and the
    /// others on it, alone. A request is not sent again once it may have been executed.
    pub fn run_start(&self, request: Request) -> Result<Op> {
        if request.endpoint()? != &self.inner.endpoint {
            let ours = &self.inner.endpoint;
            return Err(Error::invalid(format!(
                "the channel is one to {ours}, the request to another endpoint"
            )));
        }
        if !matches!(request.body, Body::Json(_)) {
            return Err(Error::invalid("a channel sends JSON"));
        }
        let timeout = self.inner.client.timeout_of(&request, RUN_TIMEOUT);
        let inner = self.inner.clone();
        self.inner
            .client
            .start_exchange_within(timeout, move |exchange| async move {
                inner.run(exchange, request).await
            })
    }
}

impl Inner {
    async fn run(&self, exchange: Exchange, request: Request) -> Result<Response> {
        let request = resolve_files(&exchange, request).await?;
        let Body::Json(input) = &request.body else {
            return Err(Error::invalid("a channel sends JSON"));
        };
        let text = json::written_text(input)?;
        if text.len() > MOST {
            return Err(Error::invalid(format!(
                "the input has more than the {MOST} bytes that a channel sends at once"
            )));
        }
        let mut made = 0;
        loop {
            let failure = match self.attempt(&exchange, &text).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            made += 1;
            let pause = exchange.attempts().pause(made, failure.error.retry_after());
            let Some(pause) = pause.filter(|pause| failure.again && exchange.has_time_for(*pause))
            else {
                return Err(exchange.explained(failure.error, &self.endpoint).await);
            };
            exchange.task.progress.pausing();
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        exchange: &Exchange,
        text: &str,
    ) -> std::result::Result<Response, Failure> {
        let line = self.line(exchange).await?;
        exchange.task.progress.connecting();
        let (answer, mut pieces) = mpsc::channel(WAITING);
        let job = Job {
            text: text.to_owned(),
            progress: exchange.task.progress.clone(),
            answer,
        };
        let unsent = || Failure {
            error: Error::new(
                Code::Connect,
                "the connection ended before the request was sent",
            ),
            again: true,
        };
        line.send(job).await.map_err(|_| unsent())?;
        drop(line);
        match pieces.recv().await {
            Some(Piece::Start { status, headers }) => {
                exchange.task.progress.reading(Idempotency::NonIdempotent);
                Ok(self.read(exchange, status, headers, &mut pieces).await?)
            }
            Some(Piece::Lost(error)) => Err(error.into()),
            _ if exchange.task.progress.withdraw() => Err(unsent()),
            _ => Err(lost().into()),
        }
    }

    async fn read(
        &self,
        exchange: &Exchange,
        status: u16,
        headers: HeaderMap,
        pieces: &mut mpsc::Receiver<Piece>,
    ) -> std::result::Result<Response, Failure> {
        if !(200..300).contains(&status) {
            let body = rest(pieces, ERROR_BODY).await.unwrap_or_default();
            let answer = Answer::of_large(exchange.task.secrets(), status, headers, body).await;
            let secrets = exchange.task.secrets().clone();
            let (host, length) = (self.url.authority().to_owned(), answer.body().len());
            let judge = move || {
                let asked = RequestContext {
                    host: &host,
                    service: true,
                    idempotency: Idempotency::NonIdempotent,
                    about_job: false,
                    whose: Responder::App,
                };
                of_the_endpoint(classify(answer, asked)).masked(&secrets)
            };
            return Err(json::beside(length, judge).await?.into());
        }
        if let Some(instead) = lacking(status) {
            let body = rest(pieces, ERROR_BODY).await.unwrap_or_default();
            let answer = Answer::of_large(exchange.task.secrets(), status, headers, body).await;
            return Err(without_output(answer, instead, Idempotency::NonIdempotent).into());
        }
        if !matches!(kind(&headers), Kind::Events) {
            return Ok(Response::new(
                status,
                headers,
                rest(pieces, exchange.response_limit()).await?,
            ));
        }
        let mut delivery = Delivery::new(exchange.clone(), self.endpoint.clone());
        let outcome = events(&mut delivery, pieces, exchange.response_limit()).await;
        let outcome = match outcome {
            Ok(()) => delivery.finish(status, headers).await,
            Err(error) => Err(error),
        };
        Ok(outcome.map_err(|error| delivery.explained(error))?)
    }

    /// The way to the connection, which is made if there is none.
    async fn line(&self, exchange: &Exchange) -> Result<mpsc::Sender<Job>> {
        let place = self.line.get(|| Ok(Mutex::new(None)))?;
        let mut line = place.lock().await;
        if let Some(line) = line.as_ref().filter(|line| !line.jobs.is_closed()) {
            exchange.task.secrets().share(&line.secrets);
            return Ok(line.jobs.clone());
        }
        let most = exchange.response_limit();
        let socket = open(
            exchange,
            &self.url,
            &self.endpoint,
            &self.headers,
            Authorization::Credential,
            most,
            MOST,
        )
        .await?;
        let (sender, jobs) = mpsc::channel(WAITING);
        let instance = runtime::current()?;
        let closing = instance.closing().clone();
        let ping = Some(self.ping.load(Ordering::Relaxed))
            .filter(|ping| *ping > 0)
            .map(Duration::from_millis);
        instance.spawn(async move {
            tokio::select! {
                () = drive(socket, jobs, ping) => {}
                () = closing.cancelled() => {}
            }
        });
        *line = Some(Line {
            jobs: sender.clone(),
            secrets: exchange.task.secrets().clone(),
        });
        Ok(sender)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

struct Failure {
    error: Error,
    again: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            again: false,
        }
    }
}

/// The error of an answer over a channel. A start frame has the status of the endpoint, which had
/// the request by then (§8): what says anywhere else that no app ran proves nothing here.
fn of_the_endpoint(classify: Classification) -> Error {
    let Classification { error, rule, .. } = classify;
    let denies = rule.post || matches!(error.http_status(), Some(401 | 504));
    if !denies || error.may_have_executed() {
        return error;
    }
    let remedy = format!("{SEE_FIRST} {}", error.remedy());
    error.with_remedy(remedy).with_outcome_unknown(true)
}

fn lost() -> Error {
    Error::new(
        Code::ConnectionLost,
        "the connection ended before the whole answer arrived",
    )
    .with_outcome_unknown(true)
}

/// The next piece of a body; none at its end.
async fn next(pieces: &mut mpsc::Receiver<Piece>) -> Result<Option<Bytes>> {
    match pieces.recv().await {
        Some(Piece::Body(bytes)) => Ok(Some(bytes)),
        Some(Piece::End) => Ok(None),
        Some(Piece::Lost(error)) => Err(error),
        Some(Piece::Start { .. }) | None => Err(lost()),
    }
}

async fn rest(pieces: &mut mpsc::Receiver<Piece>, most: usize) -> Result<Bytes> {
    let mut body = Vec::new();
    while let Some(piece) = next(pieces).await? {
        if body.len() + piece.len() > most {
            let message = format!("the answer has more than the {most} bytes allowed");
            return Err(Error::new(Code::TooLarge, message).with_outcome_unknown(true));
        }
        memory::append(&mut body, &piece).map_err(|error| error.with_outcome_unknown(true))?;
    }
    Ok(body.into())
}

async fn events(
    delivery: &mut Delivery,
    pieces: &mut mpsc::Receiver<Piece>,
    most: usize,
) -> Result<()> {
    let mut parser = Parser::new(most);
    while let Some(mut piece) = next(pieces).await? {
        while let Some(data) = parser.next(&mut piece).await? {
            delivery.deliver(data).await?;
        }
    }
    if let Some(data) = parser.finish().await? {
        delivery.deliver(data).await?;
    }
    Ok(())
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}

/// Whether this would be a word of the channel's own.
#[cfg(any(test, fuzzing))]
pub(crate) fn heard(text: &str) -> bool {
    driver::control(text.as_bytes()).is_some()
}
