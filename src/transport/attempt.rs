//! One attempt of a call: follows redirects, and tries fal's backup host.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, StatusCode};
use url::Url;

use super::authorize::{self, Route};
use super::call::Call;
use super::failure::{Failure, broken, cut, stuck};
use super::http::Use;
use super::incoming::{Incoming, Unread};
use super::outgoing::{Watched, late};
use super::payload::Payload;
use super::pool::Received;
use super::progress::Progress;
use super::redirect;
use super::stall::Pulse;
use super::state::Transport;
use crate::codec::json;
use crate::credentials::Credential;
use crate::endpoint::Backup;
use crate::error::{Answer, Code, Error, Idempotency};
use crate::limits::{ERROR_BODY, SMALL};
use crate::log::{Level, Target};
use crate::response::Response;
use crate::service_error::{
    Classification, RequestContext, Responder, classify, is_html, page_for_json, redirected,
};

/// The header that fal's gateway adds to each of its responses.
const REQUEST_ID: &str = "x-fal-request-id";

const ACCEPTED: &str = "application/json, */*;q=0.5";

/// Room for the headers of a request without growing.
const HEADERS: usize = 12;

type Answered = hyper::Response<Received>;

/// What one attempt of a call needs. [`run`](Self::run) may be called again for the next attempt.
pub(super) struct Attempt<'a> {
    pub(super) transport: &'a Transport,
    pub(super) call: &'a Call,
    pub(super) credential: &'a Credential,
    pub(super) progress: &'a Arc<Progress>,
    pub(super) protocol: Use,
}

/// One request of an attempt. Each redirect replaces it.
struct Hop<'a> {
    method: Method,
    url: Cow<'a, Url>,
    body: Payload,
}

/// What follows a response.
enum Step<'a> {
    Accept(Answered),
    /// Boxed, because it is rare, and the future of each attempt has room for it.
    Fail(BoxFuture<'a, Failure>),
    Follow(Hop<'a>),
}

impl Attempt<'_> {
    /// Sends the call and reads the whole body of a successful response.
    pub(super) async fn response(&self) -> Result<Response, Failure> {
        let (call, progress) = (self.call, self.progress);
        let response = self.run().await?;
        progress.reading(call.idempotency);
        let status = response.status().as_u16();
        let limit = call.watch.of_response(self.transport.stall);
        let (headers, mut body) = Incoming::of(response, limit);
        match body
            .read(call.most.min(self.transport.response_limit))
            .await
        {
            Ok(body) => Ok(Response::new(status, headers, body)),
            Err(Unread::TooLarge(error)) => {
                let error = error.with_outcome_unknown(call.idempotency.leaves_doubt());
                // With the id, a caller can fetch the response from the queue by other means.
                let id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
                Err(Failure::last(
                    id.into_iter().fold(error, Error::with_request_id),
                ))
            }
            Err(Unread::Cut(why)) => Err(cut(why, self.context().host, call.idempotency, progress)),
        }
    }

    /// Sends the call, follows redirects, and returns as soon as the headers of a successful
    /// response have arrived.
    pub(super) async fn run(&self) -> Result<Answered, Failure> {
        let mut executed = false;
        let outcome = self.follow(&mut executed).await;
        // A failure after a followed redirect must not repeat the request that was redirected.
        outcome.map_err(|failure| match executed {
            true => failure.after_execution(),
            false => failure,
        })
    }

    /// Sets `executed` when it follows the redirect of a request that has side effects.
    async fn follow(&self, executed: &mut bool) -> Result<Answered, Failure> {
        let call = self.call;
        let mut hop = Hop {
            method: call.method.clone(),
            url: Cow::Borrowed(&call.url),
            body: call.body.clone(),
        };
        for _ in 0..=redirect::MOST {
            let response = self.send_once(&hop).await?;
            let failure = match self.step(&hop, response) {
                Step::Accept(response) => return Ok(response),
                Step::Fail(failure) => failure,
                Step::Follow(next) => {
                    hop = next;
                    if call.idempotency.leaves_doubt() {
                        *executed = true;
                        self.progress.doubting();
                    }
                    continue;
                }
            };
            return Err(failure.await);
        }
        Err(Failure::last(Error::new(
            Code::Redirect,
            format!("more than {} redirects", redirect::MOST),
        )))
    }

    /// Decides what follows a response.
    fn step(&self, hop: &Hop<'_>, response: Answered) -> Step<'_> {
        let (call, hosts) = (self.call, &self.transport.hosts);
        let (status, headers) = (response.status(), response.headers());
        // Without fal's request id, the server proxy itself sent the redirect, which is then
        // relative to the URL of the proxy.
        let proxy = hosts
            .proxied(&hop.url)
            .filter(|_| !headers.contains_key(REQUEST_ID));
        let Some(to) = redirect::target(status, headers, proxy.unwrap_or(&hop.url)) else {
            return match self.accepts(&response) {
                true => Step::Accept(response),
                false => Step::Fail(Box::pin(self.refused(response))),
            };
        };
        let carries = redirect::Carries {
            authorization: &call.authorization,
            content: !hop.body.is_empty(),
        };
        let method = redirect::method(hosts, &carries, status, &hop.method, &hop.url, &to);
        let Some(method) = method else {
            return Step::Fail(Box::pin(self.redirected(response, to)));
        };
        let body = match method == hop.method {
            true => hop.body.clone(),
            false => Payload::default(),
        };
        Step::Follow(Hop {
            method,
            url: Cow::Owned(to),
            body,
        })
    }

    /// Sends one request and returns the head of its response. Tries the backup host if fal's own
    /// host cannot be reached, or the other way round.
    async fn send_once(&self, hop: &Hop<'_>) -> Result<Answered, Failure> {
        let hosts = &self.transport.hosts;
        let mut route = authorize::route(
            hosts,
            &hop.url,
            self.credential,
            &self.call.authorization,
            self.progress.secrets(),
        )
        .map_err(Failure::last)?;
        let backup = match (self.protocol, hosts.emulator) {
            (Use::Requests, None) => hosts.backup(&hop.url),
            // The emulator is every host.
            _ => None,
        };
        let backup = backup.filter(|_| route.url.host() == hop.url.host());
        let preferred = backup.filter(|backup| self.transport.backups.is_preferred(*backup));
        if let Some(backup) = preferred {
            route = route.at(backup.host()).map_err(Failure::last)?;
        }
        let outcome = self.request(hop, &route).await;
        let (failure, backup) = match (outcome, backup) {
            (Err(failure), Some(backup)) if failure.error.code() == Code::Connect => {
                (failure, backup)
            }
            (outcome, _) => return outcome,
        };
        Box::pin(self.elsewhere(hop, route, backup, failure)).await
    }

    /// Sends a request to the other of two hosts, after `failure`: the host of `first` cannot be
    /// reached.
    async fn elsewhere(
        &self,
        hop: &Hop<'_>,
        first: Route<'_>,
        backup: Backup,
        failure: Failure,
    ) -> Result<Answered, Failure> {
        let is_first = first.url.host_str() == Some(backup.host());
        let other = match is_first {
            true => hop.url.host_str().unwrap_or_default(),
            false => backup.host(),
        };
        let second = first.at(other).map_err(Failure::last)?;
        self.log(
            Level::Warn,
            format_args!("{}; trying {}", failure.error, second.url.authority()),
        );
        match self.request(hop, &second).await {
            // If neither can be reached, the first error names the cause (§13.4).
            Err(again) if again.error.code() == Code::Connect => Err(failure),
            // Nothing is known about a host that this process had no descriptor for.
            Err(again) if again.error.code() == Code::Io => Err(again),
            outcome => {
                self.transport.backups.prefer(backup, !is_first);
                outcome
            }
        }
    }

    async fn request(&self, hop: &Hop<'_>, route: &Route<'_>) -> Result<Answered, Failure> {
        let (call, progress, transport) = (self.call, self.progress, self.transport);
        // A call that goes on without its operation ends with the request under way.
        if call.deadline <= Instant::now() || progress.is_left() {
            return Err(Failure::last(late(progress)));
        }
        let pool = transport
            .http
            .pool(&transport.network, route.is_plain(), self.protocol)
            .await
            .map_err(Failure::last)?;
        let reached = match route.emulator {
            None => route.url.authority(),
            Some(_) => hop.url.authority(),
        };
        let mut headers = HeaderMap::with_capacity(HEADERS);
        for (name, value) in [
            (ACCEPT, HeaderValue::from_static(ACCEPTED)),
            (ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
            (USER_AGENT, transport.user_agent.clone()),
        ] {
            if !call.headers.contains_key(&name) {
                headers.insert(name, value);
            }
        }
        if matches!(hop.body, Payload::Json(_)) && !call.headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &call.headers {
            headers.append(name, value.clone());
        }
        for (name, value) in &route.headers {
            headers.insert(name, value.clone());
        }
        self.log(
            Level::Debug,
            format_args!("{} {}", hop.method, authorize::shown(&hop.url)),
        );
        let has_bytes = !hop.body.has_no_byte();
        let pulse = Arc::new(Pulse::new(has_bytes));
        // The HTTP stack never polls a body of length 0, so the stage is set here.
        match has_bytes {
            true => progress.connecting(),
            false => progress.sending(call.idempotency),
        }
        let body = Watched::new(
            &hop.body,
            call.idempotency,
            call.deadline,
            progress.clone(),
            pulse.clone(),
        )
        .map_err(Failure::last)?;
        let sent = pool.send(hop.method.clone(), route, headers, body);
        let started = Instant::now();
        let outcome = tokio::select! {
            biased;
            outcome = sent => outcome,
            stalled = pulse.stalled(call.watch, transport.stall) => {
                return Err(stuck(&stalled, reached, call.idempotency, progress));
            }
        };
        let response =
            outcome.map_err(|error| broken(error, reached, call.idempotency, progress))?;
        let (status, elapsed) = (response.status(), started.elapsed());
        self.log(
            Level::Debug,
            format_args!("{} after {} ms", status.as_u16(), elapsed.as_millis()),
        );
        // An app may respond before it has read the whole body. A success from any other server
        // confirms what was sent, so it is false if part of the body has not been sent.
        let untaken = pulse.untaken().filter(|_| {
            has_bytes && status.is_success() && !transport.hosts.answers_by_app(&call.url)
        });
        match untaken {
            Some(taken) => Err(Failure::last(self.early(status, reached, taken))),
            None => Ok(response),
        }
    }

    /// Whether a response is a success of what was called.
    fn accepts(&self, response: &Answered) -> bool {
        let (call, hosts, headers) = (self.call, &self.transport.hosts, response.headers());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return self.protocol == Use::WebSocket;
        }
        let not_fals = || hosts.answers_with_id(&call.url) && !headers.contains_key(REQUEST_ID);
        let is_page =
            is_html(headers) && (hosts.answers_json(&call.url, &call.method) || not_fals());
        response.status().is_success() && !is_page
    }

    /// Returns the error for a response that is not accepted.
    async fn refused(&self, response: Answered) -> Failure {
        let (call, hosts) = (self.call, &self.transport.hosts);
        let (status, context) = (response.status(), self.context());
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Failure::last(unasked(context.host, call.idempotency));
        }
        let answer = self.answer(response).await;
        if status.is_success() {
            return Failure::last(page_for_json(answer, context));
        }
        let (body, host) = (answer.body().clone(), context.host.to_owned());
        let about_job = context.about_job;
        let secrets = self.progress.secrets().clone();
        let judge = move |_| {
            let context = RequestContext {
                host: &host,
                ..context
            };
            let mut classified = classify(answer, context);
            classified.error = classified.error.masked(&secrets);
            classified
        };
        let Classification { error, again, rule } = match json::look(body, judge).await {
            Ok(classified) => classified,
            Err(error) => return Failure::last(error),
        };
        self.log(
            Level::Debug,
            format_args!("{} (docs/protocol.md {})", rule.why, rule.source),
        );
        // The queue stores the failure of a job and returns it each time (docs/protocol.md §5.5,
        // §13.1).
        let kept = call.idempotency == Idempotency::Safe
            && !about_job
            && hosts.is_queue(&call.url)
            && status.is_server_error()
            && error.header(REQUEST_ID).is_some();
        Failure {
            error,
            again: again && !kept,
        }
    }

    /// Returns the error for a redirect that is not followed.
    async fn redirected(&self, response: Answered, to: Url) -> Failure {
        let answer = self.answer(response).await;
        let to = authorize::shown(&to).to_string();
        Failure::last(redirected(answer, to, self.context()))
    }

    /// The service that the call addresses.
    pub(super) fn context(&self) -> RequestContext<'_> {
        let (call, hosts) = (self.call, &self.transport.hosts);
        let whose = match hosts.answers_by_app(&call.url) {
            false => Responder::Service,
            // A server proxy may respond on its own, even with the body of a response from fal.
            true if hosts.is_queue(&call.url) && hosts.proxy.is_none() => Responder::Queue,
            true => Responder::App,
        };
        RequestContext {
            host: hosts.proxied(&call.url).unwrap_or(&call.url).authority(),
            service: hosts.is_service(&call.url),
            idempotency: call.idempotency,
            about_job: call.idempotency == Idempotency::Safe && hosts.is_about_job(&call.url),
            whose,
        }
    }

    /// Reads a response for an error, with as much of the body as arrives.
    async fn answer(&self, response: Answered) -> Answer {
        let status = response.status().as_u16();
        let most = self.call.most.min(self.transport.response_limit);
        let (headers, mut body) = Incoming::of(response, self.transport.stall);
        let body = body.beginning(most.clamp(SMALL, ERROR_BODY)).await;
        Answer::of_large(self.progress.secrets(), status, headers, body).await
    }

    /// The error of a success that arrived before the whole body was sent.
    fn early(&self, status: StatusCode, host: &str, taken: u64) -> Error {
        let error = self.progress.take_body_failure().unwrap_or_else(|| {
            let status = status.as_u16();
            Error::new(
                Code::Protocol,
                format!(
                    "{host} returned status {status} after it had read only {taken} bytes of the body"
                ),
            )
        });
        error.with_outcome_unknown(self.call.idempotency.leaves_doubt())
    }

    pub(super) fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        self.transport
            .log
            .write(level, Target::Transport, self.progress.secrets(), line);
    }
}

/// The error of a response that switches to another protocol without a request for it.
fn unasked(host: &str, idempotency: Idempotency) -> Error {
    let message = format!("{host} returned status 101, although no other protocol was requested");
    Error::new(Code::Protocol, message).with_outcome_unknown(idempotency.leaves_doubt())
}
