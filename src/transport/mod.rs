//! The only code that talks HTTP.

mod authorize;
mod backoff;
mod body;
mod concurrency;
mod failover;
mod failure;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/addresses.rs"]
pub(crate) mod fuzz;
mod handshakes;
mod http;
mod incoming;
mod network;
mod progress;
mod redirect;
mod resolver;
mod stall;
#[cfg(any(windows, test))]
mod system_proxy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use url::Url;

pub(crate) use authorize::Authorization;
pub(crate) use backoff::Attempts;
pub(crate) use body::{Payload, Pieces, Source};
pub(crate) use network::Network;
pub(crate) use progress::{JobState, Progress};
pub(crate) use stall::{STALL, Watch};

use self::authorize::Route;
use self::body::{Unread, Watched, late};
use self::concurrency::ConcurrencyLimits;
use self::failover::Failover;
use self::failure::{Failure, broken, cut, stuck};
use self::http::{Http, Use};
use self::incoming::Incoming;
use self::stall::Pulse;
use crate::codec::json;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts};
use crate::error::{Answer, Code, Error, Idempotency, Result};
pub(crate) use crate::limits::{ERROR_BODY, SMALL};
use crate::log::{Level, Log};
use crate::response::{Response, lacking};
use crate::secrets::Masks;
use crate::service_error::{
    Classification, RequestContext, Responder, SEE_FIRST, classify, is_html, page_for_json,
    redirected, without_output,
};

/// What fal's gateway adds to each of its answers.
const REQUEST_ID: &str = "x-fal-request-id";
/// What one client sends with.
pub(crate) struct Transport {
    pub(crate) hosts: Hosts,
    pub(crate) log: Log,
    pub(crate) attempts: Attempts,
    /// How long a transfer may be silent, if there is a limit.
    pub(crate) stall: Option<Duration>,
    pub(crate) response_limit: usize,
    pub(crate) user_agent: HeaderValue,
    pub(crate) network: Network,
    pub(crate) masks: Arc<Masks>,
    http: Http,
    backups: Failover,
    limits: ConcurrencyLimits,
}

/// One request, ready but for its credential.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The endpoint that is called, if it is one.
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Payload,
    pub(crate) authorization: Authorization,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Instant,
    /// Between two attempts, whatever the service asks for.
    pub(crate) longest_pause: Duration,
    /// The most bytes of the whole answer, where that is less than the client's limit.
    pub(crate) most: usize,
    pub(crate) watch: Watch,
}

/// The head of a successful answer, and its body to read piece by piece.
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Reader,
}

impl Opened {
    /// Lets it pass if it may be an output; else an error with the beginning of what came.
    pub(crate) async fn output(mut self) -> Result<Self> {
        let Some(instead) = lacking(self.status) else {
            return Ok(self);
        };
        let body = self.body.rest(ERROR_BODY).await.unwrap_or_default();
        let answer = Answer::of_large(
            self.body.progress.secrets(),
            self.status,
            self.headers,
            body,
        )
        .await;
        Err(without_output(answer, instead, self.body.idempotency))
    }
}

/// The body of an answer while it arrives.
pub(crate) struct Reader {
    body: Incoming,
    progress: Arc<Progress>,
    idempotency: Idempotency,
    from: String,
    /// What it is the answer to.
    sent: Payload,
}

impl Reader {
    /// The next piece, decoded; none at the end. An error says whether the request may have been
    /// executed.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        let piece = self
            .body
            .piece()
            .await
            .map_err(|why| cut(why, &self.from, self.idempotency, &self.progress).error)?;
        if piece.is_none() {
            self.settled().await?;
        }
        Ok(piece)
    }

    async fn settled(&mut self) -> Result<()> {
        self.sent
            .settled()
            .await
            .map_err(|error| unsettled(error, self.idempotency))
    }

    /// What is left to read, at most `most` bytes.
    pub(crate) async fn rest(&mut self, most: usize) -> Result<Bytes> {
        let read = body::read(&mut self.body, most)
            .await
            .map_err(|unread| match unread {
                Unread::TooLarge(error) => {
                    error.with_outcome_unknown(self.idempotency.leaves_doubt())
                }
                Unread::Cut(why) => cut(why, &self.from, self.idempotency, &self.progress).error,
            })?;
        self.settled().await?;
        Ok(read)
    }

    /// Whether it comes compressed.
    pub(crate) fn is_decoded(&self) -> bool {
        self.body.is_decoded()
    }

    /// What is left to read, if the service said so and the body is not compressed.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.length()
    }
}

/// One hop of an attempt: redirects change it.
struct Hop {
    method: Method,
    url: Url,
    body: Payload,
}

impl Transport {
    pub(crate) fn new(
        hosts: Hosts,
        log: Log,
        attempts: Attempts,
        stall: Option<Duration>,
        response_limit: usize,
        user_agent: HeaderValue,
        network: Network,
    ) -> Self {
        let (masks, http, backups, limits) = (
            Arc::default(),
            Http::default(),
            Failover::default(),
            ConcurrencyLimits::default(),
        );
        Transport {
            hosts,
            log,
            attempts,
            stall,
            response_limit,
            user_agent,
            network,
            masks,
            http,
            backups,
            limits,
        }
    }

    /// Sends a call until it succeeds, must not be repeated, or the attempts or the time are used
    /// up.
    pub(crate) async fn send(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let mut made = 0;
        loop {
            let permit = self.limits.enter(self.hosts.is_run(&call.url)).await?;
            // Those who wait in the lane, who may be many, need no room for it.
            let outcome = Box::pin(async {
                match self
                    .attempt(call, credential, progress, Use::Requests)
                    .await
                {
                    Ok(response) => self.whole(response, call, progress).await,
                    Err(failure) => Err(failure),
                }
            });
            let outcome = outcome.await;
            drop(permit);
            match outcome {
                Ok(response) => return settled(response, call, progress).await,
                Err(failure) => self.pause(&mut made, failure, call, progress).await?,
            }
        }
    }

    /// The same, but leaves the body of the answer to be read. Once it is handed over, nothing is
    /// repeated.
    pub(crate) async fn open(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<Opened> {
        let response = self.head(call, credential, progress, Use::Requests).await?;
        progress.reading(call.idempotency);
        let status = response.status().as_u16();
        let (headers, body) = Incoming::of(response, call.watch.of_answer(self.stall));
        if body.is_decoded()
            && call
                .headers
                .get(ACCEPT_ENCODING)
                .is_some_and(|coding| coding == "identity")
        {
            let (log, secrets) = (&self.log, progress.secrets());
            log.write(
                Level::Warn,
                secrets,
                format_args!("the answer is gzip, which was not asked for; it is decoded"),
            );
        }
        let from = self.asked(call).host.to_owned();
        let body = Reader {
            body,
            progress: progress.clone(),
            idempotency: call.idempotency,
            from,
            sent: call.body.clone(),
        };
        Ok(Opened {
            status,
            headers,
            body,
        })
    }

    /// Asks for another protocol on the connection, and hands the connection over.
    pub(crate) async fn upgrade(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<(HeaderMap, reqwest::Upgraded)> {
        let mut response = self
            .head(call, credential, progress, Use::WebSocket)
            .await?;
        let headers = std::mem::take(response.headers_mut());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let message = format!(
                "fal answered {} where a WebSocket was asked for",
                response.status().as_u16()
            );
            return Err(Error::new(Code::Protocol, message));
        }
        let upgraded = response.upgrade().await;
        let upgraded = upgraded.map_err(|error| {
            broken(error, call.url.authority(), call.idempotency, progress).error
        })?;
        Ok((headers, upgraded))
    }

    /// Tries until the head of a successful answer is there.
    async fn head(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
        what: Use,
    ) -> Result<reqwest::Response> {
        let mut made = 0;
        loop {
            match self.attempt(call, credential, progress, what).await {
                Ok(response) => return Ok(response),
                Err(failure) => self.pause(&mut made, failure, call, progress).await?,
            }
        }
    }

    /// Pauses after attempt number `made` + 1, or fails if there is to be no other.
    async fn pause(
        &self,
        made: &mut u32,
        failure: Failure,
        call: &Call,
        progress: &Progress,
    ) -> Result<()> {
        *made += 1;
        let error = failure.error;
        let asked = error
            .retry_after()
            .map(|asked| asked.min(call.longest_pause));
        let pause = if failure.again && !call.body.is_spent() {
            self.attempts.pause(*made, asked)
        } else {
            None
        };
        let Some(pause) =
            pause.filter(|pause| *pause < call.deadline.saturating_duration_since(Instant::now()))
        else {
            self.log.write(
                Level::Error,
                progress.secrets(),
                format_args!("{}: {error}", error.code()),
            );
            return Err(error);
        };
        let (log, secrets) = (&self.log, progress.secrets());
        log.write(
            Level::Warn,
            secrets,
            format_args!("attempt {made}: {error}; again in {} ms", pause.as_millis()),
        );
        match error.may_have_executed() {
            true => progress.doubting(),
            false => progress.pausing(),
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// One attempt, redirects included, up to the head of a successful answer.
    async fn attempt(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
        what: Use,
    ) -> std::result::Result<reqwest::Response, Failure> {
        let mut hop = Hop {
            method: call.method.clone(),
            url: call.url.clone(),
            body: call.body.clone(),
        };
        let mut executed = false;
        let outcome = async {
            for _ in 0..=redirect::MOST {
                let response = self
                    .send_once(call, &hop, credential, progress, what)
                    .await?;
                let (status, headers) = (response.status(), response.headers());
                // Without fal's id it is the proxy's own redirect, from its own address.
                let proxy = self
                    .hosts
                    .proxied(&hop.url)
                    .filter(|_| !headers.contains_key(REQUEST_ID));
                let Some(to) = redirect::target(status, headers, proxy.unwrap_or(&hop.url)) else {
                    return self.accepted(response, call, progress, what).await;
                };
                let carries = redirect::Carries {
                    authorization: &call.authorization,
                    content: !hop.body.is_empty(),
                };
                let Some(method) =
                    redirect::method(&self.hosts, &carries, status, &hop.method, &hop.url, &to)
                else {
                    let answer = self.answer(response, call, progress).await;
                    return Err(Failure::last(redirected(
                        answer,
                        authorize::shown(&to),
                        self.asked(call),
                    )));
                };
                let body = if method == hop.method {
                    std::mem::take(&mut hop.body)
                } else {
                    Payload::default()
                };
                hop = Hop {
                    method,
                    url: to,
                    body,
                };
                if call.idempotency.leaves_doubt() {
                    executed = true;
                    progress.doubting();
                }
            }
            Err(Failure::last(Error::new(
                Code::Redirect,
                format!("more than {} redirects", redirect::MOST),
            )))
        };
        let outcome = outcome.await;
        // The first request was answered. Whatever became of what its answer led to is no reason to
        // send it again.
        outcome.map_err(|failure| {
            if executed {
                failure.after_execution()
            } else {
                failure
            }
        })
    }

    /// One request and the head of its answer, from the backup host if fal's own cannot be reached.
    async fn send_once(
        &self,
        call: &Call,
        hop: &Hop,
        credential: &Credential,
        progress: &Arc<Progress>,
        what: Use,
    ) -> std::result::Result<reqwest::Response, Failure> {
        let route = authorize::route(
            &self.hosts,
            &hop.url,
            credential,
            &call.authorization,
            progress.secrets(),
        )
        .map_err(Failure::last)?;
        let backup = self
            .hosts
            .backup(&hop.url)
            .filter(|_| what == Use::Requests && route.url.host() == hop.url.host());
        let Some(backup) = backup else {
            return self.request(call, hop, route, progress, what).await;
        };
        let away = route.at(backup.host()).map_err(Failure::last)?;
        let (first, second) = if self.backups.is_preferred(backup) {
            (away, route)
        } else {
            (route, away)
        };
        let preferred = first.url.host_str() == Some(backup.host());
        let failure = match self.request(call, hop, first, progress, what).await {
            Err(failure) if failure.error.code() == Code::Connect => failure,
            outcome => return outcome,
        };
        let (log, secrets) = (&self.log, progress.secrets());
        log.write(
            Level::Warn,
            secrets,
            format_args!("{}; trying {}", failure.error, second.url.authority()),
        );
        match self.request(call, hop, second, progress, what).await {
            // Neither can be reached: the first error says why (§13.4).
            Err(again) if again.error.code() == Code::Connect => Err(failure),
            outcome => {
                self.backups.prefer(backup, !preferred);
                outcome
            }
        }
    }

    async fn request(
        &self,
        call: &Call,
        hop: &Hop,
        route: Route,
        progress: &Arc<Progress>,
        what: Use,
    ) -> std::result::Result<reqwest::Response, Failure> {
        if call.deadline <= Instant::now() {
            return Err(Failure::last(late(progress)));
        }
        let client = self
            .http
            .client(&self.network, &route.url, what)
            .map_err(Failure::last)?;
        // Under the emulator every host is the emulator.
        let reached = if self.hosts.emulator.is_some() {
            &hop.url
        } else {
            &route.url
        }
        .authority()
        .to_owned();
        let mut request = reqwest::Request::new(hop.method.clone(), route.url);
        let headers = request.headers_mut();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, */*;q=0.5"),
        );
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.extend(call.headers.clone());
        headers.extend(route.headers);
        let (log, secrets) = (&self.log, progress.secrets());
        log.write(
            Level::Debug,
            secrets,
            format_args!("{} {}", hop.method, authorize::shown(&hop.url)),
        );
        let pulse = Arc::new(Pulse::new(!hop.body.has_no_byte()));
        // The HTTP stack does not ask for a body of which nothing has to be taken.
        match hop.body.has_no_byte() {
            true => progress.sending(call.idempotency),
            false => progress.connecting(),
        }
        if !hop.body.is_empty() {
            let watched = Watched::new(call, &hop.body, progress.clone(), pulse.clone())
                .map_err(Failure::last)?;
            *request.body_mut() = Some(reqwest::Body::wrap(watched));
        }
        let started = Instant::now();
        let url = request.url().clone();
        let outcome = tokio::select! {
            biased;
            outcome = handshakes::towards(&url, client.execute(request)) => outcome,
            stalled = pulse.stalled(call.watch, self.stall) => {
                return Err(stuck(&stalled, &reached, call.idempotency, progress));
            }
        };
        let response =
            outcome.map_err(|error| broken(error, &reached, call.idempotency, progress))?;
        let (status, elapsed) = (response.status(), started.elapsed());
        log.write(
            Level::Debug,
            secrets,
            format_args!("{} after {} ms", status.as_u16(), elapsed.as_millis()),
        );
        // What an app answers is its answer, whatever it has read. Anybody else confirms what was
        // sent, which has to be there first.
        let untaken = pulse
            .untaken()
            .filter(|_| !hop.body.has_no_byte() && !self.hosts.answers_by_app(&call.url));
        match untaken.filter(|_| status.is_success()) {
            Some(taken) => Err(Failure::last(early(
                status, &reached, taken, call, progress,
            ))),
            None => Ok(response),
        }
    }

    /// Lets a success pass, and makes the error of anything else.
    async fn accepted(
        &self,
        response: reqwest::Response,
        call: &Call,
        progress: &Progress,
        what: Use,
    ) -> std::result::Result<reqwest::Response, Failure> {
        let status = response.status();
        let asked = self.asked(call);
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return match what {
                Use::WebSocket => Ok(response),
                Use::Requests => Err(Failure::last(unasked(asked.host, call.idempotency))),
            };
        }
        if !status.is_success() {
            let answer = self.answer(response, call, progress).await;
            let body = answer.body().clone();
            let (
                host,
                RequestContext {
                    service,
                    idempotency,
                    about_job,
                    whose,
                    ..
                },
            ) = (asked.host.to_owned(), asked);
            let masking = progress.secrets().clone();
            let judge = move |_| {
                let classified = classify(
                    answer,
                    RequestContext {
                        host: &host,
                        service,
                        idempotency,
                        about_job,
                        whose,
                    },
                );
                Classification {
                    error: classified.error.masked(&masking),
                    ..classified
                }
            };
            let Classification { error, again, rule } =
                json::look(body, judge).await.map_err(Failure::last)?;
            let (log, secrets) = (&self.log, progress.secrets());
            log.write(
                Level::Debug,
                secrets,
                format_args!("{} (docs/protocol.md {})", rule.why, rule.source),
            );
            // The queue keeps how a job failed, and answers the same each time (docs/protocol.md
            // §5.5, §13.1).
            let kept = call.idempotency == Idempotency::Safe
                && !asked.about_job
                && self.hosts.is_queue(&call.url)
                && status.is_server_error()
                && error.header("x-fal-request-id").is_some();
            return Err(Failure {
                error,
                again: again && !kept,
            });
        }
        let nobodys =
            self.hosts.answers_with_id(&call.url) && !response.headers().contains_key(REQUEST_ID);
        if is_html(response.headers())
            && (nobodys || self.hosts.answers_json(&call.url, &call.method))
        {
            return Err(Failure::last(page_for_json(
                self.answer(response, call, progress).await,
                asked,
            )));
        }
        Ok(response)
    }

    /// Who is asked by a call.
    fn asked<'a>(&'a self, call: &'a Call) -> RequestContext<'a> {
        let host = self
            .hosts
            .proxied(&call.url)
            .unwrap_or(&call.url)
            .authority();
        let about_job = call.idempotency == Idempotency::Safe && self.hosts.is_about_job(&call.url);
        let whose = match self.hosts.answers_by_app(&call.url) {
            false => Responder::Service,
            // A proxy may answer by itself, and with what it was answered.
            true if self.hosts.is_queue(&call.url) && self.hosts.proxy.is_none() => {
                Responder::Queue
            }
            true => Responder::App,
        };
        RequestContext {
            host,
            service: self.hosts.is_service(&call.url),
            idempotency: call.idempotency,
            about_job,
            whose,
        }
    }

    /// Reads the body of a successful answer to its end.
    async fn whole(
        &self,
        response: reqwest::Response,
        call: &Call,
        progress: &Progress,
    ) -> std::result::Result<Response, Failure> {
        progress.reading(call.idempotency);
        let status = response.status().as_u16();
        let (headers, mut body) = Incoming::of(response, call.watch.of_answer(self.stall));
        match body::read(&mut body, call.most.min(self.response_limit)).await {
            Ok(body) => Ok(Response::new(status, headers, body)),
            Err(Unread::TooLarge(error)) => {
                let error = error.with_outcome_unknown(call.idempotency.leaves_doubt());
                // Who has the room may ask for it elsewhere.
                let id = headers
                    .get("x-fal-request-id")
                    .and_then(|id| id.to_str().ok());
                Err(Failure::last(
                    id.into_iter().fold(error, Error::with_request_id),
                ))
            }
            Err(Unread::Cut(why)) => {
                Err(cut(why, self.asked(call).host, call.idempotency, progress))
            }
        }
    }

    /// An answer for an error. As much of the body as arrives is kept.
    async fn answer(
        &self,
        response: reqwest::Response,
        call: &Call,
        progress: &Progress,
    ) -> Answer {
        let status = response.status().as_u16();
        let most = call.most.min(self.response_limit).clamp(SMALL, ERROR_BODY);
        let (headers, mut body) = Incoming::of(response, self.stall);
        let body = body::beginning(&mut body, most).await;
        Answer::of_large(progress.secrets(), status, headers, body).await
    }
}

/// The error of a success that came before the body was taken to its end: nobody can have what was
/// not sent.
fn early(status: StatusCode, host: &str, taken: u64, call: &Call, progress: &Progress) -> Error {
    let error = progress.take_body_failure().unwrap_or_else(|| {
        let status = status.as_u16();
        Error::new(
            Code::Protocol,
            format!("{host} answered {status} when it had taken only {taken} bytes of the body"),
        )
    });
    error.with_outcome_unknown(call.idempotency.leaves_doubt())
}

/// Lets an answer pass that is to one version of what was sent. An app may answer before it has
/// read a body to its end; of a file that was changed meanwhile it may have read two.
async fn settled(response: Response, call: &Call, progress: &Progress) -> Result<Response> {
    let Err(error) = call.body.settled().await else {
        return Ok(response);
    };
    let answer = response.into_answer(progress.secrets()).await;
    let message = format!(
        "{}; what was answered all the same is the body of this error",
        error.message()
    );
    Err(unsettled(error, call.idempotency)
        .with_message(message)
        .with_answer(answer))
}

/// The error of a body of two versions that was answered.
fn unsettled(error: Error, idempotency: Idempotency) -> Error {
    let error = error.with_remedy(format!("{SEE_FIRST} Send a file that nobody writes to."));
    error.with_outcome_unknown(idempotency.leaves_doubt())
}

/// The error of a connection that went over to another protocol where none was asked for.
fn unasked(host: &str, idempotency: Idempotency) -> Error {
    let message =
        format!("{host} answered 101 and went over to another protocol, which was not asked for");
    Error::new(Code::Protocol, message).with_outcome_unknown(idempotency.leaves_doubt())
}
