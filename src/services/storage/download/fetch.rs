//! Gets a file, and goes on where a connection broke.

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

/// After so many bytes the tries count anew.
const GAIN: u64 = 1 << 20;

pub(super) struct Fetch<'a> {
    exchange: &'a Exchange,
    call: Call,
    most: u64,
    meter: Arc<Meter>,
    share: Arc<Share>,
    have: u64,
    total: Option<u64>,
    validator: Option<HeaderValue>,
    /// How often it was begun anew. What came before was for nothing, so it is no reason to try
    /// more often.
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
            have: 0,
            total: None,
            validator: None,
            restarts: 0,
        }
    }

    pub(super) async fn run(self, target: Target) -> Result<Response> {
        let opened = self.exchange.open_call(&self.call).await?;
        // What a run answers is lost with its file, but it was executed.
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
            match executed {
                true => error.with_outcome_unknown(true),
                false => error,
            }
        })
    }

    async fn save(mut self, mut opened: Opened, target: Target) -> Result<Response> {
        if opened.status == 206 {
            return Err(Error::new(
                Code::Protocol,
                "a part of a file came where all of it was asked for",
            ));
        }
        self.notice(&opened)?;
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
            if self.have.saturating_sub(before) >= GAIN {
                tries = 0;
            }
            before = self.have;
            opened = self.again(&mut tries, error, &mut sink).await?;
        }
    }

    /// Asks for what is missing. `error` is why, and is what the download fails with if it was
    /// tried often enough.
    async fn again(&mut self, tries: &mut u32, error: Error, sink: &mut Sink) -> Result<Opened> {
        let may = self.call.method == Method::GET && error.code() == Code::ConnectionLost;
        loop {
            *tries += 1;
            let pause = self.exchange.attempts().pause(*tries, None);
            let Some(pause) = pause.filter(|pause| may && self.exchange.has_time_for(*pause))
            else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
            let resumes = self.ask_for_rest();
            let opened = match self.exchange.open_call(&self.call).await {
                Ok(opened) => opened,
                // The file is no longer what it was: from the beginning.
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
                self.have = 0;
            } else if !resumes || !self.goes_on(&opened) {
                // A part that does not fit to what is there.
                self.validator = None;
                continue;
            }
            self.notice(&opened)?;
            return Ok(opened);
        }
    }

    /// Says in the call where to go on, if the server can tell that the file is still the same.
    fn ask_for_rest(&mut self) -> bool {
        let headers = &mut self.call.headers;
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
        let from = HeaderValue::from_str(&format!("bytes={}-", self.have))
            .ok()
            .filter(|_| self.have > 0);
        match (from, self.validator.clone()) {
            (Some(from), Some(validator)) => {
                headers.insert(RANGE, from);
                headers.insert(IF_RANGE, validator);
                true
            }
            _ => false,
        }
    }

    /// Whether a part continues what is there: of the same version, from here on, as long as it
    /// says.
    fn goes_on(&self, opened: &Opened) -> bool {
        let (Some(part), Some(validator)) = (range::part(&opened.headers), &self.validator) else {
            return false;
        };
        let sized = part.total.is_none() || self.total.is_none() || part.total == self.total;
        let length = part.end - part.first;
        let whole =
            !opened.body.is_decoded() && opened.body.length().is_none_or(|told| told == length);
        part.first == self.have && sized && whole && range::is_of(&opened.headers, validator)
    }

    /// What the head of an answer says about the file, of which a part is there.
    fn notice(&mut self, opened: &Opened) -> Result<()> {
        if let Some(lacks) = lacking(opened.status).filter(|_| opened.status != 206) {
            let message = format!(
                "{} came, which says that there is {lacks}, where a file was asked for",
                opened.status
            );
            return Err(Error::new(Code::Protocol, message));
        }
        let length = opened.body.length();
        let length = length.map(|length| self.have.saturating_add(length));
        self.total = match range::part(&opened.headers) {
            // It may hold less than was asked for.
            Some(part) if opened.status == 206 => part.total.or(self.total).or(length),
            _ => length,
        };
        if self.total.is_some_and(|total| total > self.most) {
            return Err(too_large(self.most));
        }
        // Compressed, its length is another, and a part of it cannot be asked for. A part is of the
        // version that was asked for.
        if opened.status != 206 {
            self.validator = range::validator(&opened.headers).filter(|_| self.total.is_some());
        }
        if let Some(total) = self.total {
            self.meter.set_total(total);
        }
        Ok(())
    }

    /// Reads an answer to its end, or up to where it broke.
    async fn read(&mut self, mut opened: Opened, sink: &mut Sink) -> Result<Option<Error>> {
        let part = range::part(&opened.headers).filter(|_| opened.status == 206);
        loop {
            let piece = match opened.body.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(part.and_then(|part| self.part_ended(part))),
                Err(error) => return Ok(Some(error)),
            };
            self.have += piece.len() as u64;
            if self.have > self.most {
                return Err(too_large(self.most));
            }
            if let Some(part) = part.filter(|part| self.have > part.end) {
                return Ok(Some(self.distrusted(part, "more")));
            }
            sink.write(piece).await?;
            self.share.reach(self.have);
        }
    }

    /// A part may end before the file does, and then the rest of it is asked for.
    fn part_ended(&mut self, part: Part) -> Option<Error> {
        if self.have < part.end {
            return Some(self.distrusted(part, "fewer"));
        }
        let (have, total) = (self.have, self.total.filter(|total| *total > self.have)?);
        let message = format!("the answer ended after {have} of {total} bytes");
        Some(Error::new(Code::ConnectionLost, message).with_retryable(true))
    }

    /// A part that is not what it says: nothing is joined to it any more, all is fetched anew.
    fn distrusted(&mut self, part: Part, than: &str) -> Error {
        self.validator = None;
        let message = format!(
            "{than} bytes came than the part from {} to {} has",
            part.first,
            part.end - 1
        );
        Error::new(Code::ConnectionLost, message).with_retryable(true)
    }
}
