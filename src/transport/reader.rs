//! A successful response whose body is read piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::failure::cut;
use super::incoming::{Cut, Incoming, Unread};
use super::payload::Payload;
use super::progress::Progress;
use crate::error::{Answer, Error, Idempotency, Result};
use crate::limits::ERROR_BODY;
use crate::response::lacking;
use crate::service_error::{SEE_FIRST, without_output};

/// The head of a successful response, and a reader of its body.
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Reader,
}

impl Opened {
    /// Fails if a response with this status has no output. The error contains the beginning of the
    /// body.
    pub(crate) async fn output(mut self) -> Result<Self> {
        let Some(instead) = lacking(self.status) else {
            return Ok(self);
        };
        let body = self.body.rest(ERROR_BODY).await.unwrap_or_default();
        let secrets = self.body.progress.secrets();
        let answer = Answer::of_large(secrets, self.status, self.headers, body).await;
        Err(without_output(answer, instead, self.body.idempotency))
    }
}

/// The body of a response while it arrives.
pub(crate) struct Reader {
    pub(super) body: Incoming,
    pub(super) progress: Arc<Progress>,
    pub(super) idempotency: Idempotency,
    /// The host that sends the body.
    pub(super) from: String,
    /// The body of the request.
    pub(super) sent: Payload,
}

impl Reader {
    /// Returns the next piece, decoded, or `None` at the end. An error says whether the request may
    /// have been executed.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        let piece = self.body.piece().await.map_err(|why| self.cut(why))?;
        if piece.is_none() {
            self.settled().await?;
        }
        Ok(piece)
    }

    /// Returns the rest of the body. Fails if it has more than `most` bytes.
    pub(crate) async fn rest(&mut self, most: usize) -> Result<Bytes> {
        let rest = self.body.read(most).await.map_err(|unread| match unread {
            Unread::TooLarge(error) => error.with_outcome_unknown(self.idempotency.leaves_doubt()),
            Unread::Cut(why) => self.cut(why),
        })?;
        self.settled().await?;
        Ok(rest)
    }

    async fn settled(&mut self) -> Result<()> {
        let settled = self.sent.settled().await;
        settled.map_err(|error| unsettled(error, self.idempotency))
    }

    fn cut(&self, why: Cut) -> Error {
        cut(why, &self.from, self.idempotency, &self.progress).error
    }

    /// Whether the service compressed the body.
    pub(crate) fn is_decoded(&self) -> bool {
        self.body.is_decoded()
    }

    /// How many bytes are left to read, if the service sent a length and the body is not
    /// compressed.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.length()
    }
}

/// The error of a response to a request body that may mix two versions of its source.
pub(super) fn unsettled(error: Error, idempotency: Idempotency) -> Error {
    let error = error.with_remedy(format!("{SEE_FIRST} Send a file that nobody writes to."));
    error.with_outcome_unknown(idempotency.leaves_doubt())
}
