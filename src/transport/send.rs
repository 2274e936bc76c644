//! Sends a call: its attempts, the pauses between them, and its answer.

use std::sync::Arc;
use std::time::Instant;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap};

use super::call::Call;
use super::failure::{Failure, broken, cut};
use super::http::Use;
use super::incoming::{Incoming, Unread, read};
use super::progress::Progress;
use super::reader::{Opened, Reader, unsettled};
use super::state::Transport;
use crate::credentials::Credential;
use crate::error::{Code, Error, Result};
use crate::log::Level;
use crate::response::Response;

impl Transport {
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
        match read(&mut body, call.most.min(self.response_limit)).await {
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
