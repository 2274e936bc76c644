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
use crate::endpoint::EndpointId;
use crate::error::{Answer, Code, Error, Idempotency, Result};
use crate::operation::Op;
use crate::request::{Body, Request};
use crate::response::{Response, lacking};
use crate::runtime;
use crate::runtime::per_runtime::PerRuntime;
use crate::secrets::Secrets;
use crate::service_error::{
    Classification, RequestContext, Responder, SEE_FIRST, classify, without_output,
};
use crate::services::socket::open;
use crate::services::stream::{Delivery, Kind, Pieces, kind};
use crate::system::memory;
use crate::transport::{Authorization, ERROR_BODY};

/// The most requests that wait for the connection, and the most pieces of a response that wait for
/// their operation.
const WAITING: usize = 16;
/// The default interval of pings, as in a realtime session.
const PING: Duration = Duration::from_secs(30);
/// The most bytes of a request. fal documents no limit, but a frame is built in memory.
const MOST: usize = 256 << 20;

/// The requests of one endpoint over one WebSocket. All requests share a connection, and responses
/// arrive in the order of the requests. Clones share the connection. A channel is thread-safe.
///
/// The first request connects, and so does the next request after the connection has ended. The
/// connection is closed once the last clone is dropped and every response has arrived. A response
/// whose items are not read blocks the responses behind it.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

/// An open connection.
struct Connection {
    jobs: mpsc::Sender<Job>,
    /// The secrets of the operation that connected: the service may repeat them in any response.
    secrets: Arc<Secrets>,
}

struct Inner {
    client: Client,
    endpoint: EndpointId,
    url: Url,
    headers: HeaderMap,
    /// In milliseconds; 0 disables pings. Not a mutex, which a fork could leave locked.
    ping: AtomicU64,
    connection: PerRuntime<Mutex<Option<Connection>>>,
}

impl Client {
    /// Makes a channel to the endpoint of a request. The [path](Request::set_path) and the headers
    /// of the request apply to all requests of the channel. Nothing is sent yet.
    pub fn channel(&self, request: &Request) -> Result<Channel> {
        let endpoint = request.endpoint()?.clone();
        if self.hosts().proxy.is_some() {
            return Err(Error::invalid("a server proxy forwards no WebSocket")
                .with_remedy("Run each request without a channel."));
        }
        let inner = Inner {
            client: self.clone(),
            url: request.url(self.hosts().ws_url(&endpoint)?, ""),
            endpoint,
            headers: request.headers.clone(),
            ping: AtomicU64::new(millis(PING)),
            connection: PerRuntime::default(),
        };
        Ok(Channel {
            inner: Arc::new(inner),
        })
    }
}

impl Channel {
    /// Sets the interval of pings, by default 30 seconds; `None` disables them. After four
    /// intervals without traffic the connection counts as lost: its requests are not retried, and
    /// their outcome is unknown. Time in which the host does not read a response does not count.
    /// The interval applies to all clones, from the next connection on.
    pub fn set_ping(&self, idle: Option<Duration>) {
        // Less than a millisecond must not become 0, which disables pings.
        let idle = idle
            .filter(|idle| !idle.is_zero())
            .map_or(0, |idle| millis(idle).max(1));
        self.inner.ping.store(idle, Ordering::Relaxed);
    }

    /// Starts a run over the channel. The request sets the input and the timeout; its other parts
    /// are ignored. Its endpoint must be the channel's.
    ///
    /// The outcome is that of [`Client::run_start`]. If the endpoint streams events, the outcome
    /// and the events are those of [`Client::stream_start`]. Cancelling the operation leaves the
    /// connection and its other requests alone. The request is not retried once the app may have
    /// executed it.
    pub fn run_start(&self, request: Request) -> Result<Op> {
        let inner = self.inner.clone();
        if request.endpoint()? != &inner.endpoint {
            return Err(Error::invalid(format!(
                "the endpoint of the request must be {}, as the channel's",
                inner.endpoint
            )));
        }
        if !matches!(request.body, Body::Json(_) | Body::Text(_)) {
            return Err(no_json());
        }
        let timeout = self.inner.client.timeout_of(&request, RUN_TIMEOUT);
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
        let text = request.json_text()?.ok_or_else(no_json)?;
        let text = std::str::from_utf8(&text)
            .map_err(|e| Error::invalid(format!("the input is not JSON: {e}")))?;
        if text.len() > MOST {
            return Err(Error::invalid(format!(
                "the input must have at most {MOST} bytes on a channel, not {}",
                text.len()
            )));
        }
        let mut made = 0;
        loop {
            let failure = match self.attempt(&exchange, text).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            made += 1;
            let pause = exchange.attempts().pause(made, failure.error.retry_after());
            let Some(pause) = pause.filter(|pause| failure.retry && exchange.has_time_for(*pause))
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
        let jobs = self.connect(exchange).await?;
        exchange.task.progress.connecting();
        let (response, mut pieces) = mpsc::channel(WAITING);
        let job = Job {
            text: text.to_owned(),
            progress: exchange.task.progress.clone(),
            response,
        };
        let unsent = || Failure {
            error: Error::new(
                Code::Connect,
                "the connection ended before the request was sent",
            ),
            retry: true,
        };
        jobs.send(job).await.map_err(|_| unsent())?;
        // The last sender keeps the connection open.
        drop(jobs);
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
        let instead = lacking(status);
        if instead.is_some() || !(200..300).contains(&status) {
            let body = rest(pieces, ERROR_BODY).await.unwrap_or_default();
            let answer = Answer::of_large(exchange.task.secrets(), status, headers, body).await;
            if let Some(instead) = instead {
                return Err(without_output(answer, instead, Idempotency::NonIdempotent).into());
            }
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
        if !matches!(kind(&headers), Kind::Events) {
            let body = rest(pieces, exchange.response_limit()).await?;
            return Ok(Response::new(status, headers, body));
        }
        let mut delivery = Delivery::new(exchange.clone(), self.endpoint.clone());
        let outcome = match delivery.events(pieces).await {
            Ok(()) => delivery.finish(status, headers).await,
            Err(error) => Err(error),
        };
        Ok(outcome.map_err(|error| delivery.explained(error))?)
    }

    /// Returns the sender of the connection, and connects if there is none.
    async fn connect(&self, exchange: &Exchange) -> Result<mpsc::Sender<Job>> {
        let place = self.connection.get(|| Ok(Mutex::new(None)))?;
        let mut connection = place.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.jobs.is_closed()) {
            exchange.task.secrets().share(&open.secrets);
            return Ok(open.jobs.clone());
        }
        let socket = open(
            exchange,
            &self.url,
            &self.endpoint,
            &self.headers,
            Authorization::Credential,
            exchange.response_limit(),
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
        *connection = Some(Connection {
            jobs: sender.clone(),
            secrets: exchange.task.secrets().clone(),
        });
        Ok(sender)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn no_json() -> Error {
    Error::invalid("the input of a channel must be JSON")
}

struct Failure {
    error: Error,
    /// The request was not sent, so it may be sent again.
    retry: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            retry: false,
        }
    }
}

/// The error of a response over a channel. A start frame has the status of the endpoint, which has
/// the request by then (§8). A status that elsewhere proves that no app ran proves nothing here.
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
        "the connection ended before the whole response arrived",
    )
    .with_outcome_unknown(true)
}

impl Pieces for mpsc::Receiver<Piece> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.recv().await {
            Some(Piece::Body(bytes)) => Ok(Some(bytes)),
            Some(Piece::End) => Ok(None),
            Some(Piece::Lost(error)) => Err(error),
            Some(Piece::Start { .. }) | None => Err(lost()),
        }
    }
}

async fn rest(pieces: &mut mpsc::Receiver<Piece>, most: usize) -> Result<Bytes> {
    let mut body = Vec::new();
    while let Some(piece) = pieces.next().await? {
        if body.len() + piece.len() > most {
            let message = format!("the response has more than the {most} bytes allowed");
            return Err(Error::new(Code::TooLarge, message).with_outcome_unknown(true));
        }
        memory::append(&mut body, &piece).map_err(|error| error.with_outcome_unknown(true))?;
    }
    Ok(body.into())
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) fn is_control(text: &str) -> bool {
    driver::control(text.as_bytes()).is_some()
}
