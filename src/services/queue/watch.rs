//! Waiting for a job: by its status stream where there is one, else by asking now and then
//! (docs/protocol.md §5.3, §5.4).

use std::mem::{Discriminant, discriminant};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};

use super::ask::ask;
use super::failure;
use super::job::{Ask, Job};
use super::poll_schedule::{ActiveJobs, PollSchedule};
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
use crate::transport::{Opened, Reader};

/// A stream tells the status at once. One that does not is held up on its way, by a server proxy
/// for example.
const FIRST: Duration = Duration::from_secs(8);
/// A stream may tell nothing new while nothing happens, but not for ever: it may have died
/// unnoticed, or live and know no better. Then the status is asked for.
const IDLE: Duration = Duration::from_secs(30);
/// After the last event a stream is read on for so long, so that its connection can be used again.
const LAST: Duration = Duration::from_millis(100);
/// A job's stream that broke so often is not opened again.
const BREAKS: u32 = 5;
/// A service that asks to be left alone is, but not for longer: the job may end at any time.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Failures to be told the status are borne for so long, one after the other.
const OUTAGE: Duration = Duration::from_secs(60);

/// How a job was found to have ended.
pub(super) enum End {
    Completed(Status),
    /// The status was none that we know, but there was a result.
    Answered(Result<Response>),
}

/// What came of a stream.
enum Streamed {
    Completed(Status),
    /// What was asked beside it knows of the end, or failed.
    RequestContext(Result<End>),
    /// It broke, ended, fell silent or knew less than the status.
    Cut,
    /// There is none to be had here.
    Nowhere,
}

/// Somebody who waits for a job.
pub(super) struct Watch<'a> {
    exchange: &'a Exchange,
    job: &'a mut Job,
    teller: StatusReporter<'a>,
    pace: PollSchedule,
    /// The job's place in its line, as far as is known.
    place: Option<u64>,
    breaks: u32,
    /// When something new was told last, and of which state.
    news: Instant,
    state: Option<Discriminant<Phase>>,
    failing: Option<Instant>,
    /// Since when fal contradicts itself about the job.
    contradicting: Option<Instant>,
    /// What the stream asked to wait before it is opened again.
    asked: Option<Duration>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(exchange: &'a Exchange, job: &'a mut Job) -> Self {
        let teller = StatusReporter::new(&exchange.task);
        Watch {
            exchange,
            job,
            teller,
            pace: PollSchedule::new(),
            place: None,
            breaks: 0,
            news: Instant::now(),
            state: None,
            failing: None,
            contradicting: None,
            asked: None,
        }
    }

    /// The host is told, and a job that is behind many is asked for less often.
    pub(super) async fn notice(&mut self, status: &Status) {
        if self.teller.report(status).await {
            self.news = Instant::now();
        }
        self.state = Some(discriminant(&status.phase));
        self.place = match status.phase {
            Phase::Waiting(place) => place,
            _ => None,
        };
    }

    pub(super) async fn end(&mut self) -> Result<End> {
        let active_jobs = self
            .exchange
            .slot::<PerRuntime<ActiveJobs>>()
            .get(|| Ok(ActiveJobs::default()))?;
        let _one = active_jobs.job();
        loop {
            match self.look(&active_jobs).await {
                Some(Streamed::Completed(status)) => return Ok(End::Completed(status)),
                Some(Streamed::RequestContext(end)) => return end,
                Some(Streamed::Nowhere) => active_jobs.give_up_streams(),
                Some(Streamed::Cut) => self.breaks += 1,
                None => self.pause(&active_jobs).await,
            }
            // What a broken stream did not bring, the lines of the log above all, is in the status.
            if let ControlFlow::Break(end) = self.ask().await? {
                return Ok(end);
            }
            if self.breaks > 0 && self.breaks < BREAKS {
                self.pause(&active_jobs).await;
            }
        }
    }

    async fn look(&mut self, active_jobs: &ActiveJobs) -> Option<Streamed> {
        if self.breaks >= BREAKS {
            return None;
        }
        let _leave = active_jobs.stream()?;
        // Few jobs have a stream, so that the others have no room for one.
        Some(Box::pin(self.stream()).await)
    }

    async fn pause(&mut self, active_jobs: &ActiveJobs) {
        let pause = self.pace.next(self.place, active_jobs.jobs());
        let asked = self.asked.take().unwrap_or_default().min(LONGEST_PAUSE);
        tokio::time::sleep(pause.max(asked)).await;
    }

    /// Asks for the status once.
    async fn ask(&mut self) -> Result<ControlFlow<End>> {
        let answer = ask(self.exchange, self.job, Ask::Status).await;
        let status = match Status::read(answer).await {
            Ok(status) => status,
            // The job is worth more than its log.
            Err(error) if error.code() == Code::TooLarge && self.job.options.logs => {
                self.job.options.logs = false;
                return Ok(ControlFlow::Continue(()));
            }
            Err(error) if self.bears(&error) => return Ok(ControlFlow::Continue(())),
            Err(error) => return Err(error),
        };
        self.failing = None;
        self.notice(&status).await;
        Ok(match status.phase {
            Phase::Completed | Phase::Failed => ControlFlow::Break(End::Completed(status)),
            Phase::Unknown => self.unknown().await,
            Phase::Waiting(_) | Phase::Running => {
                self.contradicting = None;
                ControlFlow::Continue(())
            }
        })
    }

    /// Whether an error may pass by itself. So may a 404 of a job that fal has told of.
    fn bears(&mut self, error: &Error) -> bool {
        if error.http_status() == Some(404) && self.state.is_some() {
            return self.is_patient();
        }
        failure::may_pass(error) && self.failing.get_or_insert_with(Instant::now).elapsed() < OUTAGE
    }

    fn is_patient(&mut self) -> bool {
        self.contradicting
            .get_or_insert_with(Instant::now)
            .elapsed()
            < PATIENCE
    }

    /// A state that we do not know: if there is a result, it was an end (§16.4).
    async fn unknown(&mut self) -> ControlFlow<End> {
        let answer = ask(self.exchange, self.job, Ask::Result).await;
        let is_early = match &answer {
            Ok(answer) if answer.status() == 202 => true,
            Ok(_) => {
                (readiness::is_doubtful(&answer) || readiness::is_nothing(&answer))
                    && self.is_patient()
            }
            Err(error) if error.http_status() == Some(400) => readiness::is_doubtful(&answer),
            Err(error) if error.http_status() == Some(404) => {
                readiness::is_doubtful(&answer) && self.is_patient()
            }
            Err(error) => self.bears(error),
        };
        match is_early {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(End::Answered(result::in_doubt(answer))),
        }
    }

    async fn stream(&mut self) -> Streamed {
        let Ok(opened) = tokio::time::timeout(FIRST, self.open()).await else {
            return Streamed::Nowhere;
        };
        let mut body = match opened {
            Ok(opened) if is_stream(&opened) => opened.body,
            Ok(_) => return Streamed::Nowhere,
            Err(error) if error.code() == Code::Protocol => return Streamed::Nowhere,
            Err(error) if matches!(error.http_status(), Some(404..=406 | 501)) => {
                return Streamed::Nowhere;
            }
            Err(_) => return Streamed::Cut,
        };
        let mut parser = Parser::new(STATUS);
        let mut life = Life {
            spoke: false,
            moved: false,
            since: Instant::now(),
        };
        loop {
            // Silence is counted from the last news: comments, and a status that is told again, are
            // none.
            let limit = if life.spoke { IDLE } else { FIRST };
            let left = limit.saturating_sub(life.since.max(self.news).elapsed());
            if left.is_zero() {
                match life {
                    Life { spoke: false, .. } => return Streamed::Nowhere,
                    Life { moved: false, .. } => return Streamed::Cut,
                    _ => {}
                }
                if let Some(streamed) = self.ask_beside().await {
                    return streamed;
                }
                life = Life {
                    spoke: true,
                    moved: false,
                    since: Instant::now(),
                };
                continue;
            }
            let mut piece = match tokio::time::timeout(left, body.piece()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(_) => return Streamed::Cut,
                Err(_) => continue,
            };
            life.moved = true;
            match self.events(&mut parser, &mut piece, &mut life).await {
                Some(Streamed::Completed(status)) => {
                    let _ = tokio::time::timeout(LAST, to_the_end(&mut body)).await;
                    return Streamed::Completed(status);
                }
                Some(streamed) => return streamed,
                None => self.asked = parser.retry(),
            }
        }
    }

    /// Asks for the status beside a stream that lives and tells nothing new. `None` if the stream
    /// was right so far.
    async fn ask_beside(&mut self) -> Option<Streamed> {
        let before = self.state;
        match self.ask().await {
            Ok(ControlFlow::Break(end)) => Some(Streamed::RequestContext(Ok(end))),
            Err(error) => Some(Streamed::RequestContext(Err(error))),
            Ok(ControlFlow::Continue(())) => (self.state != before).then_some(Streamed::Cut),
        }
    }

    async fn open(&mut self) -> Result<Opened> {
        let hosts = self.exchange.hosts();
        let (address, built) = (
            self.job.address(Ask::StatusStream, hosts)?,
            self.job.built(Ask::StatusStream, hosts)?,
        );
        let mut request = Request::about(self.job.endpoint.clone(), Method::GET, address.clone());
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let opened = self.exchange.open(request.clone()).await;
        match opened {
            Err(error) if address != built && matches!(error.http_status(), Some(404 | 405)) => {
                self.exchange
                    .open(request.for_endpoint(self.job.endpoint.clone(), Method::GET, built))
                    .await
            }
            opened => opened,
        }
    }

    /// Reads the events of a piece, up to one that ends the stream.
    async fn events(
        &mut self,
        parser: &mut Parser,
        piece: &mut Bytes,
        life: &mut Life,
    ) -> Option<Streamed> {
        loop {
            let data = match parser.next(piece).await {
                Ok(Some(data)) => data,
                Ok(None) => return None,
                Err(_) => return Some(Streamed::Cut),
            };
            let Ok(Ok(status)) = json::look(data, Status::parse).await else {
                return Some(Streamed::Cut);
            };
            self.notice(&status).await;
            life.spoke = true;
            match status.phase {
                Phase::Completed | Phase::Failed => return Some(Streamed::Completed(status)),
                Phase::Unknown => return Some(Streamed::Cut),
                Phase::Waiting(_) | Phase::Running => {}
            }
        }
    }
}

/// Signs of life of a stream.
struct Life {
    /// It has told a status.
    spoke: bool,
    /// Something came since then.
    moved: bool,
    /// It was opened, or the status was asked for beside it.
    since: Instant,
}

fn is_stream(opened: &Opened) -> bool {
    let declared = opened
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    declared
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

async fn to_the_end(body: &mut Reader) {
    while let Ok(Some(_)) = body.piece().await {}
}
