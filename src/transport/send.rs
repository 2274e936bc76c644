//! Sends a call: its attempts, and the pauses between them.

use std::sync::Arc;
use std::time::Instant;

use hyper::header::{ACCEPT_ENCODING, HeaderMap};
use hyper::{StatusCode, upgrade};

use super::attempt::Attempt;
use super::call::Call;
use super::failure::{Failure, broken};
use super::http::Use;
use super::incoming::Incoming;
use super::pool::{HttpError, Received};
use super::progress::Progress;
use super::reader::{Opened, Reader, unsettled};
use super::state::Transport;
use crate::credentials::Credential;
use crate::error::{Code, Error, Result};
use crate::log::Level;
use crate::response::Response;

impl Transport {
    /// Sends a call and returns its whole response. Retries until the call succeeds, must not be
    /// repeated, or has used up its attempts or its time.
    pub(crate) async fn send(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let attempt = self.attempt(call, credential, progress, Use::Requests);
        let mut made = 0;
        loop {
            let permit = self.limits.enter(self.hosts.is_run(&call.url)).await?;
            // Boxed, so that the many calls that wait for a permit stay small.
            let outcome = Box::pin(attempt.response()).await;
            drop(permit);
            match outcome {
                Ok(response) => {
                    return match call.body.settled().await {
                        Ok(()) => Ok(response),
                        Err(error) => Err(Box::pin(mixed(error, response, call, progress)).await),
                    };
                }
                Err(failure) => Box::pin(attempt.pause(&mut made, failure)).await?,
            }
        }
    }

    /// Sends a call and returns the head of its response, with a reader of the body. After it has
    /// returned, nothing is retried.
    pub(crate) async fn open(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<Opened> {
        let attempt = self.attempt(call, credential, progress, Use::Requests);
        let response = attempt.head().await?;
        progress.reading(call.idempotency);
        let status = response.status().as_u16();
        let (headers, body) = Incoming::of(response, call.watch.of_response(self.stall));
        let coding = call.headers.get(ACCEPT_ENCODING);
        if body.is_decoded() && coding.is_some_and(|coding| coding == "identity") {
            attempt.log(
                Level::Warn,
                format_args!(
                    "the response is compressed, although the request forbids it; it is decoded"
                ),
            );
        }
        let body = Reader {
            body,
            progress: progress.clone(),
            idempotency: call.idempotency,
            from: attempt.context().host.to_owned(),
            sent: call.body.clone(),
        };
        Ok(Opened {
            status,
            headers,
            body,
        })
    }

    /// Requests a WebSocket. Returns the headers of the response and the connection.
    pub(crate) async fn upgrade(
        &self,
        call: &Call,
        credential: &Credential,
        progress: &Arc<Progress>,
    ) -> Result<(HeaderMap, reqwest::Upgraded)> {
        let attempt = self.attempt(call, credential, progress, Use::WebSocket);
        let mut response = attempt.head().await?;
        let headers = std::mem::take(response.headers_mut());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let message = format!(
                "fal returned status {} to a request for a WebSocket",
                response.status().as_u16()
            );
            return Err(Error::new(Code::Protocol, message));
        }
        let upgraded = upgrade::on(response).await.map_err(|error| {
            let (error, from) = (HttpError::Wire(error), call.url.authority());
            broken(error, from, call.idempotency, progress).error
        })?;
        Ok((headers, upgraded.into()))
    }

    fn attempt<'a>(
        &'a self,
        call: &'a Call,
        credential: &'a Credential,
        progress: &'a Arc<Progress>,
        protocol: Use,
    ) -> Attempt<'a> {
        Attempt {
            transport: self,
            call,
            credential,
            progress,
            protocol,
        }
    }
}

impl Attempt<'_> {
    /// Retries until the head of a successful response has arrived.
    async fn head(&self) -> Result<hyper::Response<Received>> {
        let mut made = 0;
        loop {
            match self.run().await {
                Ok(response) => return Ok(response),
                Err(failure) => Box::pin(self.pause(&mut made, failure)).await?,
            }
        }
    }

    /// Adds 1 to `made` and sleeps until the next attempt may start. Fails if there must not be
    /// another one.
    async fn pause(&self, made: &mut u32, failure: Failure) -> Result<()> {
        *made += 1;
        let (call, error) = (self.call, failure.error);
        let asked = error
            .retry_after()
            .map(|asked| asked.min(call.longest_pause));
        let left = call.deadline.saturating_duration_since(Instant::now());
        let pause = (failure.again && !call.body.is_spent())
            .then(|| self.transport.attempts.pause(*made, asked))
            .flatten()
            .filter(|pause| *pause < left);
        let Some(pause) = pause else {
            self.log(Level::Error, format_args!("{}: {error}", error.code()));
            return Err(error);
        };
        self.log(
            Level::Warn,
            format_args!("attempt {made}: {error}; again in {} ms", pause.as_millis()),
        );
        match error.may_have_executed() {
            true => self.progress.doubting(),
            false => self.progress.pausing(),
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// The error of a request body that may mix two versions of its source. An app may respond before it
/// has read the whole body, so the source may have changed meanwhile.
async fn mixed(error: Error, response: Response, call: &Call, progress: &Progress) -> Error {
    let answer = response.into_answer(progress.secrets()).await;
    let message = format!(
        "{}; the response is the body of this error",
        error.message()
    );
    unsettled(error, call.idempotency)
        .with_message(message)
        .with_answer(answer)
}
