//! Waits for a job to end: by its status stream if there is one, else by polling its status
//! (docs/protocol.md §5.3, §5.4).

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};
use url::Url;

use super::ask::{ask, rejects_url};
use super::failure;
use super::job::{Ask, Job};
use super::poll_schedule::{ActiveJobs, next_pause};
use super::readiness;
use super::result::{self, PATIENCE};
use super::status::{Phase, Status, StatusReporter};
use crate::client::Exchange;
use crate::codec::json;
use crate::codec::sse::Parser;
use crate::error::{Code, Error, Result};
use crate::limits::STATUS;
use crate::request::Request;
use crate::response::Response;
use crate::runtime::per_runtime::PerRuntime;
use crate::services::stream::{Kind, kind};
use crate::transport::{Opened, Reader};

/// The timeout of the first status of a stream. fal sends it at once, unless a server in between,
/// such as a server proxy, buffers the stream.
const FIRST: Duration = Duration::from_secs(8);
/// How long a stream may report no change before the status is requested: the connection may be
/// dead, or fal may keep it open without new statuses.
const IDLE: Duration = Duration::from_secs(30);
/// How long the stream is read after its last event, so that the connection can be reused.
const LAST: Duration = Duration::from_millis(100);
/// After how many breaks a job's stream is not opened again.
const BREAKS: u32 = 5;
/// The longest pause that fal may ask for: the job may end at any time.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long requests for the status may fail in succession.
const OUTAGE: Duration = Duration::from_secs(60);

/// How a job was found to have ended.
pub(super) enum End {
    Completed(Status),
    /// The state is outside the protocol, but fal returned a result.
    Result(Result<Response>),
}

/// How a status stream ended.
enum Streamed {
    /// The job has ended, or the watching has failed.
    Ended(Result<End>),
    /// The stream broke, ended, fell silent, or lagged behind the status.
    Broken,
    /// The endpoint has no status stream.
    Unsupported,
}

/// One wait for a job.
pub(super) struct Watch<'a> {
    exchange: &'a Exchange,
    job: &'a mut Job,
    reporter: StatusReporter<'a>,
    began: Instant,
    /// The last known position of the job in its queue.
    position: Option<u64>,
    /// How often the stream broke.
    breaks: u32,
    /// When a status last reported anything new.
    changed: Instant,
    /// The phase of the last status.
    state: Option<Discriminant<Phase>>,
    /// Since when every request for the status fails.
    failing: Option<Instant>,
    /// Since when fal contradicts itself about the job.
    contradicting: Option<Instant>,
    /// The pause that the stream asked for before it is opened again.
    retry: Option<Duration>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(exchange: &'a Exchange, job: &'a mut Job) -> Self {
        let reporter = StatusReporter::new(&exchange.task);
        Watch {
            exchange,
            job,
            reporter,
            began: Instant::now(),
            position: None,
            breaks: 0,
            changed: Instant::now(),
            state: None,
            failing: None,
            contradicting: None,
            retry: None,
        }
    }

    /// Reports a status to the host, and adapts the polling to the position of the job.
    pub(super) async fn notice(&mut self, status: &Status) {
        if self.reporter.report(status).await {
            self.changed = Instant::now();
        }
        self.state = Some(discriminant(&status.phase));
        self.position = match status.phase {
            Phase::Waiting(position) => position,
            _ => None,
        };
    }

    /// Waits for the end of the job.
    pub(super) async fn end(&mut self) -> Result<End> {
        let active_jobs = self
            .exchange
            .slot::<PerRuntime<ActiveJobs>>()
            .get(|| Ok(ActiveJobs::new()))?;
        let _counted = active_jobs.job();
        loop {
            match self.try_stream(&active_jobs).await {
                Some(Streamed::Ended(end)) => return end,
                Some(Streamed::Unsupported) => active_jobs.give_up_streams(),
                Some(Streamed::Broken) => self.breaks += 1,
                None => self.pause(&active_jobs).await,
            }
            // The status contains what a broken stream missed, above all lines of the log.
            if let Some(end) = self.ask().await? {
                return Ok(end);
            }
            if self.breaks > 0 && self.breaks < BREAKS {
                self.pause(&active_jobs).await;
            }
        }
    }

    async fn try_stream(&mut self, active_jobs: &ActiveJobs) -> Option<Streamed> {
        if self.breaks >= BREAKS {
            return None;
        }
        let _counted = active_jobs.stream()?;
        // Boxed, because few jobs have a stream: the others save its memory.
        Some(Box::pin(self.stream()).await)
    }

    async fn pause(&mut self, active_jobs: &ActiveJobs) {
        let pause = next_pause(self.began.elapsed(), self.position, active_jobs.jobs());
        let retry = self.retry.take().unwrap_or_default().min(LONGEST_PAUSE);
        tokio::time::sleep(pause.max(retry)).await;
    }

    /// Requests the status once. Returns the end of the job, if it has ended.
    async fn ask(&mut self) -> Result<Option<End>> {
        // Boxed, because most jobs are between two requests: those save its memory.
        let response = Box::pin(ask(self.exchange, self.job, Ask::Status)).await;
        let status = match Status::read(response).await {
            Ok(status) => status,
            // Without the log the status is small.
            Err(error) if error.code() == Code::TooLarge && self.job.options.logs => {
                self.job.options.logs = false;
                return Ok(None);
            }
            Err(error) if self.tolerates(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.failing = None;
        self.notice(&status).await;
        Ok(match status.phase {
            Phase::Completed | Phase::Failed => Some(End::Completed(status)),
            Phase::Unknown => self.unknown().await,
            Phase::Waiting(_) | Phase::Running => {
                self.contradicting = None;
                None
            }
        })
    }

    /// Whether polling continues after an error: for a while after one that may pass, and after a
    /// 404 for a job that fal has reported before.
    fn tolerates(&mut self, error: &Error) -> bool {
        if error.http_status() == Some(404) && self.state.is_some() {
            return self.is_patient();
        }
        failure::may_pass(error) && self.failing.get_or_insert_with(Instant::now).elapsed() < OUTAGE
    }

    fn is_patient(&mut self) -> bool {
        let since = self.contradicting.get_or_insert_with(Instant::now);
        since.elapsed() < PATIENCE
    }

    /// Handles a state outside the protocol: the job has ended if there is a result (§16.4).
    async fn unknown(&mut self) -> Option<End> {
        let response = Box::pin(ask(self.exchange, self.job, Ask::Result)).await;
        let is_doubtful = readiness::is_doubtful(&response);
        let is_early = match &response {
            Ok(response) if response.status() == 202 => true,
            Ok(success) => (is_doubtful || readiness::is_empty(success)) && self.is_patient(),
            Err(error) => match error.http_status() {
                Some(400) => is_doubtful,
                Some(404) => is_doubtful && self.is_patient(),
                _ => self.tolerates(error),
            },
        };
        (!is_early).then(|| End::Result(result::in_doubt(response)))
    }

    async fn stream(&mut self) -> Streamed {
        let Ok(opened) = tokio::time::timeout(FIRST, self.open()).await else {
            return Streamed::Unsupported;
        };
        let mut body = match opened {
            Ok(opened) if matches!(kind(&opened.headers), Kind::Events) => opened.body,
            Ok(_) => return Streamed::Unsupported,
            Err(error) if error.code() == Code::Protocol => return Streamed::Unsupported,
            Err(error) => match error.http_status() {
                Some(404..=406 | 501) => return Streamed::Unsupported,
                _ => return Streamed::Broken,
            },
        };
        let mut parser = Parser::new(STATUS);
        let mut activity = Activity {
            has_status: false,
            has_data: false,
            since: Instant::now(),
        };
        loop {
            // Comments and repeated statuses do not extend the limit.
            let limit = if activity.has_status { IDLE } else { FIRST };
            let left = limit.saturating_sub(activity.since.max(self.changed).elapsed());
            if left.is_zero() {
                if !activity.has_status {
                    return Streamed::Unsupported;
                }
                if !activity.has_data {
                    return Streamed::Broken;
                }
                if let Some(streamed) = self.compare().await {
                    return streamed;
                }
                activity = Activity {
                    has_status: true,
                    has_data: false,
                    since: Instant::now(),
                };
                continue;
            }
            let mut piece = match tokio::time::timeout(left, body.piece()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(_) => return Streamed::Broken,
                Err(_) => continue,
            };
            activity.has_data = true;
            match self.events(&mut parser, &mut piece, &mut activity).await {
                Some(streamed) => {
                    if matches!(streamed, Streamed::Ended(_)) {
                        let _ = tokio::time::timeout(LAST, drain(&mut body)).await;
                    }
                    return streamed;
                }
                None => self.retry = parser.retry(),
            }
        }
    }

    /// Requests the status during a stream that reports no change. Returns `None` if the status
    /// agrees with the stream.
    async fn compare(&mut self) -> Option<Streamed> {
        let before = self.state;
        match self.ask().await.transpose() {
            Some(end) => Some(Streamed::Ended(end)),
            None => (self.state != before).then_some(Streamed::Broken),
        }
    }

    async fn open(&mut self) -> Result<Opened> {
        let (url, other_url) = self.job.urls(Ask::StatusStream, self.exchange.hosts())?;
        let request = |url: Url| {
            let mut request = Request::about(self.job.endpoint.clone(), Method::GET, url);
            let accepted = HeaderValue::from_static("text/event-stream");
            request.headers.insert(ACCEPT, accepted);
            request
        };
        let opened = self.exchange.open(request(url)).await;
        match other_url.filter(|_| rejects_url(&opened)) {
            Some(url) => self.exchange.open(request(url)).await,
            None => opened,
        }
    }

    /// Reads the events of a piece, up to one that ends the stream.
    async fn events(
        &mut self,
        parser: &mut Parser,
        piece: &mut Bytes,
        activity: &mut Activity,
    ) -> Option<Streamed> {
        loop {
            let data = match parser.next(piece).await {
                Ok(Some(data)) => data,
                Ok(None) => return None,
                Err(_) => return Some(Streamed::Broken),
            };
            let Ok(Ok(status)) = json::look(data, Status::parse).await else {
                return Some(Streamed::Broken);
            };
            self.notice(&status).await;
            activity.has_status = true;
            match status.phase {
                Phase::Completed | Phase::Failed => {
                    return Some(Streamed::Ended(Ok(End::Completed(status))));
                }
                Phase::Unknown => return Some(Streamed::Broken),
                Phase::Waiting(_) | Phase::Running => {}
            }
        }
    }
}

/// What a stream has sent.
struct Activity {
    /// A status.
    has_status: bool,
    /// Anything since `since`.
    has_data: bool,
    /// When the stream was opened, or the status was last requested.
    since: Instant,
}

async fn drain(body: &mut Reader) {
    while let Ok(Some(_)) = body.piece().await {}
}
