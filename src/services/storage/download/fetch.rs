//! Downloads a file, and resumes after a connection broke.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{HeaderValue, IF_RANGE, RANGE};

use super::errors::too_large;
use super::range::{self, Part};
use super::sink::{Sink, Target};
use crate::client::Exchange;
use crate::error::{Code, Error, Result};
use crate::response::{Response, lacking};
use crate::services::storage::meter::{Meter, Share};
use crate::transport::{Call, Opened};

/// After so many new bytes the count of attempts starts again from zero.
const GAIN: u64 = 1 << 20;

pub(super) struct Fetch<'a> {
    exchange: &'a Exchange,
    call: Call,
    most: u64,
    meter: Arc<Meter>,
    share: Arc<Share>,
    received: u64,
    total: Option<u64>,
    validator: Option<HeaderValue>,
    /// How many times the download restarted from its first byte. These restarts are limited even
    /// if many bytes arrived before each of them.
    restarts: u32,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(exchange: &'a Exchange, call: Call, most: u64, meter: &Arc<Meter>) -> Self {
        let (meter, share) = (meter.clone(), meter.share());
        Fetch {
            exchange,
            call,
            most,
            meter,
            share,
            received: 0,
            total: None,
            validator: None,
            restarts: 0,
        }
    }

    pub(super) async fn run(self, target: Target) -> Result<Response> {
        let opened = self.exchange.open_call(&self.call).await?;
        // A run was executed even if its output could not be saved.
        let executed = self.call.idempotency.leaves_doubt();
        let id = opened
            .headers
            .get("x-fal-request-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let saved = self.save(opened, target).await;
        saved.map_err(|error| {
            let error = match id {
                Some(id) if error.request_id().is_none() => error.with_request_id(id),
                _ => error,
            };
            let may_have_executed = executed || error.may_have_executed();
            error.with_outcome_unknown(may_have_executed)
        })
    }

    async fn save(mut self, mut opened: Opened, target: Target) -> Result<Response> {
        if opened.status == 206 {
            return Err(Error::new(
                Code::Protocol,
                "the server sent a part of the file, but the whole file was requested",
            ));
        }
        self.read_headers(&opened)?;
        let headers = std::mem::take(&mut opened.headers);
        let keep = self.call.idempotency.leaves_doubt();
        let keep = keep.then(|| self.exchange.clone());
        let (path, secrets) = (self.call.url.path(), self.exchange.task.secrets());
        let open = target.open(opened.status, headers, path, secrets, keep);
        let mut sink = open.await?;
        let (mut tries, mut before) = (0, 0);
        loop {
            let Some(error) = self.read(opened, &mut sink).await? else {
                return sink.finish().await;
            };
            if self.received.saturating_sub(before) >= GAIN {
                tries = 0;
            }
            before = self.received;
            opened = self.reopen(&mut tries, error, &mut sink).await?;
        }
    }

    /// Requests the missing bytes after `error`. Returns `error` once the attempts are used up.
    async fn reopen(&mut self, tries: &mut u32, error: Error, sink: &mut Sink) -> Result<Opened> {
        let may = self.call.method == Method::GET && error.code() == Code::ConnectionLost;
        loop {
            *tries += 1;
            let pause = self.exchange.attempts().pause(*tries, None);
            let Some(pause) = pause.filter(|pause| may && self.exchange.has_time_for(*pause))
            else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
            let resumes = self.set_range();
            let opened = match self.exchange.open_call(&self.call).await {
                Ok(opened) => opened,
                // The file has changed: restart from its first byte.
                Err(refused) if refused.http_status() == Some(416) && resumes => {
                    self.validator = None;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if opened.status != 206 {
                self.restarts += 1;
                if self.restarts >= self.exchange.attempts().most {
                    return Err(error);
                }
                sink.restart().await?;
                self.received = 0;
            } else if !resumes || !self.continues(&opened) {
                // The part does not continue the bytes so far: restart from the first byte.
                self.validator = None;
                continue;
            }
            self.read_headers(&opened)?;
            return Ok(opened);
        }
    }

    /// Sets the headers that request the rest of the file. Returns false, and leaves them out, if
    /// the server cannot tell whether the file is still the same version.
    fn set_range(&mut self) -> bool {
        let headers = &mut self.call.headers;
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
        let from = HeaderValue::from_str(&format!("bytes={}-", self.received))
            .ok()
            .filter(|_| self.received > 0);
        match (from, self.validator.clone()) {
            (Some(from), Some(validator)) => {
                headers.insert(RANGE, from);
                headers.insert(IF_RANGE, validator);
                true
            }
            _ => false,
        }
    }

    /// Whether a part continues the bytes so far: it is of the same version, starts at the next
    /// byte, and its body is as long as its range.
    fn continues(&self, opened: &Opened) -> bool {
        let (Some(part), Some(validator)) = (range::part(&opened.headers), &self.validator) else {
            return false;
        };
        let sized = part.total.is_none() || self.total.is_none() || part.total == self.total;
        let length = part.end - part.first;
        let whole =
            !opened.body.is_decoded() && opened.body.length().is_none_or(|known| known == length);
        part.first == self.received && sized && whole && range::is_of(&opened.headers, validator)
    }

    /// Reads size and version of the file from the headers of a response.
    fn read_headers(&mut self, opened: &Opened) -> Result<()> {
        if let Some(lacks) = lacking(opened.status).filter(|_| opened.status != 206) {
            let message = format!(
                "the server responded with {}, which means {lacks}, but a file was requested",
                opened.status
            );
            return Err(Error::new(Code::Protocol, message));
        }
        let length = opened.body.length();
        let length = length.map(|length| self.received.saturating_add(length));
        self.total = match range::part(&opened.headers) {
            // A part may end before the file does, so its length does not give the total.
            Some(part) if opened.status == 206 => part.total.or(self.total).or(length),
            _ => length,
        };
        if self.total.is_some_and(|total| total > self.most) {
            return Err(too_large(self.most));
        }
        // A compressed body has no known length and cannot be resumed. A part keeps the validator
        // that it was requested with.
        if opened.status != 206 {
            self.validator = range::validator(&opened.headers).filter(|_| self.total.is_some());
        }
        if let Some(total) = self.total {
            self.meter.set_total(total);
        }
        Ok(())
    }

    /// Reads a body to its end and returns `None`, or returns the error after which the download
    /// may resume.
    async fn read(&mut self, mut opened: Opened, sink: &mut Sink) -> Result<Option<Error>> {
        let part = range::part(&opened.headers).filter(|_| opened.status == 206);
        loop {
            let piece = match opened.body.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(part.and_then(|part| self.part_ended(part))),
                Err(error) => return Ok(Some(error)),
            };
            self.received += piece.len() as u64;
            if self.received > self.most {
                return Err(too_large(self.most));
            }
            if let Some(part) = part.filter(|part| self.received > part.end) {
                return Ok(Some(self.wrong_length(part, "more")));
            }
            sink.write(piece).await?;
            self.share.reach(self.received);
        }
    }

    /// The error of a part that has ended, if bytes of it or of the file are missing.
    fn part_ended(&mut self, part: Part) -> Option<Error> {
        if self.received < part.end {
            return Some(self.wrong_length(part, "fewer"));
        }
        let (have, total) = (
            self.received,
            self.total.filter(|total| *total > self.received)?,
        );
        let message = format!("the response ended after {have} of {total} bytes");
        Some(Error::new(Code::ConnectionLost, message).with_retryable(true))
    }

    /// The error of a part with a wrong length. The download restarts from the first byte.
    fn wrong_length(&mut self, part: Part, than: &str) -> Error {
        self.validator = None;
        let message = format!(
            "{than} bytes arrived than the part from {} to {} has",
            part.first,
            part.end - 1
        );
        Error::new(Code::ConnectionLost, message).with_retryable(true)
    }
}
