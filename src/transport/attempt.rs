//! One attempt of a call, redirects and the backup host included.

use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use url::Url;

use super::authorize::{self, Route};
use super::call::Call;
use super::failure::{Failure, broken, stuck};
use super::http::Use;
use super::incoming::{Incoming, beginning};
use super::outgoing::{Watched, late};
use super::payload::Payload;
use super::progress::Progress;
use super::stall::Pulse;
use super::state::Transport;
use super::{handshakes, redirect};
use crate::codec::json;
use crate::credentials::Credential;
use crate::error::{Answer, Code, Error, Idempotency};
use crate::limits::{ERROR_BODY, SMALL};
use crate::log::Level;
use crate::service_error::{
    Classification, RequestContext, Responder, classify, is_html, page_for_json, redirected,
};

/// What fal's gateway adds to each of its answers.
const REQUEST_ID: &str = "x-fal-request-id";

/// One hop of an attempt: redirects change it.
struct Hop {
    method: Method,
    url: Url,
    body: Payload,
}

impl Transport {
    /// One attempt, redirects included, up to the head of a successful answer.
    pub(super) async fn attempt(
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
    pub(super) fn asked<'a>(&'a self, call: &'a Call) -> RequestContext<'a> {
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
        let body = beginning(&mut body, most).await;
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

/// The error of a connection that went over to another protocol where none was asked for.
fn unasked(host: &str, idempotency: Idempotency) -> Error {
    let message =
        format!("{host} answered 101 and went over to another protocol, which was not asked for");
    Error::new(Code::Protocol, message).with_outcome_unknown(idempotency.leaves_doubt())
}
