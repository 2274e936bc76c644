//! A successful answer whose body is read piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::failure::cut;
use super::incoming::{Incoming, Unread, read};
use super::payload::Payload;
use super::progress::Progress;
use crate::error::{Answer, Error, Idempotency, Result};
use crate::limits::ERROR_BODY;
use crate::response::lacking;
use crate::service_error::{SEE_FIRST, without_output};

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
    pub(super) body: Incoming,
    pub(super) progress: Arc<Progress>,
    pub(super) idempotency: Idempotency,
    pub(super) from: String,
    /// What it is the answer to.
    pub(super) sent: Payload,
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
        let read = read(&mut self.body, most)
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

/// The error of a body of two versions that was answered.
pub(super) fn unsettled(error: Error, idempotency: Idempotency) -> Error {
    let error = error.with_remedy(format!("{SEE_FIRST} Send a file that nobody writes to."));
    error.with_outcome_unknown(idempotency.leaves_doubt())
}
