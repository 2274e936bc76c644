//! The only code that talks HTTP.

mod body;
mod http;
mod outgoing;
mod progress;
mod redirect;
mod retry;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use url::Url;

pub(crate) use progress::Progress;
pub(crate) use retry::Attempts;

use self::body::{Unread, Watched};
use self::http::Http;
use crate::credentials::Credential;
use crate::endpoint::{EndpointId, Hosts};
use crate::error::service::{Verdict, verdict};
use crate::error::{Answer, Code, Error, Result};
use crate::log::{Level, Log};
use crate::response::Response;

/// An error's body is kept up to here.
const ERROR_BODY: usize = 1 << 20;

/// What one client sends with.
pub(crate) struct Transport {
    pub(crate) hosts: Hosts,
    pub(crate) log: Log,
    pub(crate) attempts: Attempts,
    pub(crate) response_limit: usize,
    pub(crate) user_agent: HeaderValue,
    http: Http,
}

/// One request, ready but for its credential.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The endpoint that is called, if it is one.
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether sending it twice can do no harm.
    pub(crate) safe: bool,
    pub(crate) deadline: Instant,
}

/// An attempt that did not succeed.
struct Failure {
    error: Error,
    again: bool,
}

impl Failure {
    fn last(error: Error) -> Self {
        Failure { error, again: false }
    }
}

/// One hop of an attempt: redirects change it.
struct Hop {
    method: Method,
    url: Url,
    body: Bytes,
}

impl Transport {
    pub(crate) fn new(
        hosts: Hosts,
        log: Log,
        attempts: Attempts,
        response_limit: usize,
        user_agent: HeaderValue,
    ) -> Self {
        Transport { hosts, log, attempts, response_limit, user_agent, http: Http::default() }
    }

    /// Sends a call until it succeeds, must not be repeated, or the attempts or the time are used up.
    pub(crate) async fn send(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let mut made = 0;
        loop {
            made += 1;
            let failure = match self.attempt(call, credential, progress).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let pause = match failure.again {
                true => self.attempts.pause(made, failure.error.retry_after()),
                false => None,
            };
            let Some(pause) = pause.filter(|pause| *pause < call.deadline.saturating_duration_since(Instant::now()))
            else {
                self.log.write(Level::Error, format_args!("{}: {}", failure.error.code(), failure.error));
                return Err(failure.error);
            };
            let error = &failure.error;
            self.log.write(Level::Warn, format_args!("attempt {made}: {error}; again in {} ms", pause.as_millis()));
            progress.pausing();
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> std::result::Result<Response, Failure> {
        let mut hop = Hop { method: call.method.clone(), url: call.url.clone(), body: call.body.clone() };
        for _ in 0..=redirect::MOST {
            let response = self.exchange(call, &hop, credential, progress).await?;
            let (status, headers) = (response.status(), response.headers());
            let Some(to) = redirect::target(status, headers, &hop.url) else {
                return self.finish(response, call, credential, progress).await;
            };
            let Some(method) = redirect::method(&self.hosts, status, &hop.method, &hop.url, &to) else {
                return Err(Failure::last(not_followed(response, &to, credential).await));
            };
            let body = if method == hop.method { hop.body } else { Bytes::new() };
            hop = Hop { method, url: to, body };
        }
        Err(Failure::last(Error::new(Code::Redirect, format!("more than {} redirects", redirect::MOST))))
    }

    /// One request and the head of its answer.
    async fn exchange(
        &self,
        call: &Call,
        hop: &Hop,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> std::result::Result<reqwest::Response, Failure> {
        let route = outgoing::route(&self.hosts, &hop.url, credential).map_err(Failure::last)?;
        let client = self.http.client(self.hosts.emulator.is_some()).map_err(Failure::last)?;
        let mut request = reqwest::Request::new(hop.method.clone(), route.url);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers.extend(call.headers.clone());
        headers.extend(route.headers);
        match hop.body.is_empty() {
            true => progress.sending(call.safe),
            false => {
                progress.connecting();
                let watched = Watched::new(hop.body.clone(), progress.clone(), call.safe);
                *request.body_mut() = Some(reqwest::Body::wrap(watched));
            }
        }
        self.log.write(Level::Debug, format_args!("{} {}", hop.method, outgoing::shown(&hop.url)));
        let started = Instant::now();
        let outcome = client.execute(request).await;
        let response = outcome.map_err(|error| self.broken(error, call, progress))?;
        let (status, elapsed) = (response.status().as_u16(), started.elapsed());
        self.log.write(Level::Debug, format_args!("{status} after {} ms", elapsed.as_millis()));
        Ok(response)
    }

    async fn finish(
        &self,
        mut response: reqwest::Response,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> std::result::Result<Response, Failure> {
        let status = response.status();
        if !status.is_success() {
            let answer = answer(response, credential).await;
            let Verdict { error, not_taken } = verdict(answer, call.safe);
            let again = not_taken || (call.safe && error.is_retryable());
            return Err(Failure { error, again });
        }
        progress.reading(call.safe);
        match body::read(&mut response, self.response_limit).await {
            Ok(body) => Ok(Response::new(status.as_u16(), std::mem::take(response.headers_mut()), body)),
            Err(Unread::TooLarge(error)) => Err(Failure::last(error.with_outcome_unknown(!call.safe))),
            Err(Unread::Broken(error)) => Err(self.broken(error, call, progress)),
        }
    }

    /// The failure of an exchange that brought no whole answer.
    fn broken(&self, error: reqwest::Error, call: &Call, progress: &Progress) -> Failure {
        let reason = innermost(&error);
        let error = error.without_url();
        if error.is_connect() || progress.nothing_sent() {
            let message = format!("no connection to {}: {reason}", call.url.authority());
            let error = Error::new(Code::Connect, message).with_source(error).with_retryable(true);
            return Failure { error, again: true };
        }
        let (code, what) = match is_malformed(&error) {
            true => (Code::Protocol, "the answer is not HTTP"),
            false => (Code::ConnectionLost, "the connection broke"),
        };
        let cut = progress.cut_short(code, what);
        let told = Error::new(code, format!("{}: {reason}", cut.message()));
        let error = told.with_source(error).with_outcome_unknown(cut.may_have_executed());
        Failure { error: error.with_retryable(call.safe), again: call.safe && code == Code::ConnectionLost }
    }
}

/// The error for a redirect that is left to the caller.
async fn not_followed(response: reqwest::Response, to: &Url, credential: &Credential) -> Error {
    let status = response.status();
    let answer = answer(response, credential).await;
    let message =
        format!("fal answered {} with a redirect to {}, which was not followed", status.as_u16(), outgoing::shown(to));
    Error::new(Code::Redirect, message).with_answer(answer)
}

/// An answer for an error. As much of the body as arrives is kept; the key, should the service repeat it, is not.
async fn answer(mut response: reqwest::Response, credential: &Credential) -> Answer {
    let status: StatusCode = response.status();
    let body = body::read(&mut response, ERROR_BODY).await.unwrap_or_default();
    let mut headers = std::mem::take(response.headers_mut());
    if let Credential::Key(key) = credential {
        let secret = key.expose_secret();
        headers.iter_mut().filter(|(_, value)| repeats(value.as_bytes(), secret)).for_each(|(_, value)| {
            *value = HeaderValue::from_static("****");
        });
        if repeats(&body, secret) {
            let masked = String::from_utf8_lossy(&body).replace(secret, "****");
            return Answer {
                status: status.as_u16(),
                headers,
                body: masked.into(),
                error_type: None,
                request_id: None,
            };
        }
    }
    Answer { status: status.as_u16(), headers, body, error_type: None, request_id: None }
}

fn repeats(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// The root of an error's chain: the part that says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}

fn is_malformed(error: &reqwest::Error) -> bool {
    let mut chain = std::iter::successors(std::error::Error::source(error), |error| error.source());
    chain.any(|error| error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse))
}
