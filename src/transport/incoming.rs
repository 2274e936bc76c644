//! The body of a response while it arrives: decoded, and bounded. Its end counts only if it is
//! proven.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body::Body;
use hyper::{Response, Version};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::pool::{HttpError, Received};
use super::stall::Stalled;
use crate::codec::json;
use crate::error::{Code, Error};
use crate::system::memory;

/// How many compressed bytes are decoded before the task yields. Each byte may expand to a
/// thousand, and a few bytes can be a gzip member.
const CODED: usize = 16 << 10;
/// The size of a decoded piece in bytes.
const DECODED: usize = 64 << 10;

/// Why the next piece did not arrive.
#[derive(Debug)]
pub(super) enum Cut {
    Broken(HttpError),
    /// The HTTP/2 stream was reset with NO_ERROR before the end of the body (RFC 9113 §8.1).
    Unended,
    /// Only the end of the connection marks the end of the body, and any host on the way can end
    /// the connection.
    Unproven,
    /// The body is not valid gzip.
    Undecodable(io::Error),
    Stalled(Stalled),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cut::Broken(error) => error.fmt(f),
            Cut::Unended => f.write_str("the stream was reset before the end of the body"),
            Cut::Unproven => f.write_str("the body has neither a length nor an end mark"),
            Cut::Undecodable(error) => error.fmt(f),
            Cut::Stalled(_) => f.write_str("no byte arrived"),
        }
    }
}

impl std::error::Error for Cut {}

/// Why a whole body could not be read.
pub(super) enum Unread {
    /// The body exceeds the limit or the available memory.
    TooLarge(Error),
    Cut(Cut),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Unread::TooLarge(error)
    }
}

impl From<Cut> for Unread {
    fn from(cut: Cut) -> Self {
        Unread::Cut(cut)
    }
}

type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// The body of a response.
pub(super) struct Incoming {
    decoding: Decoding,
    length: Option<u64>,
    /// Whether only the server can have caused the end of the body.
    is_proof: bool,
}

enum Decoding {
    Plain(Wire),
    Gzip(Box<GzipDecoder<StreamReader<Pieces, Bytes>>>),
}

impl Incoming {
    /// Splits a response into its headers and its body. Each piece of the body may take `limit`.
    /// The headers describe the decoded body.
    pub(super) fn of(response: Response<Received>, limit: Option<Duration>) -> (HeaderMap, Self) {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        let framed = parts.version == Version::HTTP_2;
        let length = body.size_hint().exact();
        // rustls reports an end of the connection only if the server has sent close_notify.
        let is_proof = framed || length.is_some() || is_chunked(&headers) || body.is_secure;
        let wire = Wire {
            body,
            framed,
            limit,
        };
        let (decoding, length) = if !is_coded(&headers) || length == Some(0) {
            (Decoding::Plain(wire), length)
        } else {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
            let mut decoder = GzipDecoder::new(StreamReader::new(wire.into_stream()));
            // A gzip file is a sequence of members (RFC 1952 §2.2).
            decoder.multiple_members(true);
            (Decoding::Gzip(Box::new(decoder)), None)
        };
        let body = Incoming {
            decoding,
            length,
            is_proof,
        };
        (headers, body)
    }

    /// Whether the body arrives compressed.
    pub(super) fn is_decoded(&self) -> bool {
        matches!(self.decoding, Decoding::Gzip(_))
    }

    /// How many bytes are left, if the service sent a length and the body is not compressed.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the next piece, decoded, or `None` at the proven end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        match self.next().await? {
            None if !self.is_proof => Err(Cut::Unproven),
            piece => Ok(piece),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        tokio::task::consume_budget().await;
        let decoder = match &mut self.decoding {
            Decoding::Plain(wire) => {
                let piece = wire.piece().await?;
                let taken = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                self.length = self.length.map(|length| length.saturating_sub(taken));
                return Ok(piece);
            }
            Decoding::Gzip(decoder) => decoder,
        };
        // A single compressed piece can take long to decode.
        tokio::task::yield_now().await;
        let mut decoded = BytesMut::with_capacity(DECODED);
        let read = decoder.read_buf(&mut decoded).await.map_err(cut)?;
        Ok((read > 0).then(|| decoded.freeze()))
    }

    /// Reads the whole body, at most `most` bytes. A body of one piece is not copied.
    pub(super) async fn read(&mut self, most: usize) -> Result<Bytes, Unread> {
        // Read here, because `length` shrinks with each piece.
        let length = self.length.unwrap_or(0);
        check(length, most)?;
        let Some(first) = self.piece().await? else {
            return Ok(Bytes::new());
        };
        check(first.len() as u64, most)?;
        let mut next = match self.piece().await {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(first),
            Err(cut) => return Box::pin(ended(cut, first)).await,
        };
        let two = first.len() + next.len();
        check(two as u64, most)?;
        let mut whole = Vec::new();
        memory::reserve(&mut whole, usize::try_from(length).unwrap_or(most).max(two))?;
        whole.extend_from_slice(&first);
        drop(first);
        loop {
            check((whole.len() + next.len()) as u64, most)?;
            memory::append(&mut whole, &next)?;
            match self.piece().await {
                Ok(Some(piece)) => next = piece,
                Ok(None) => return Ok(whole.into()),
                Err(cut) => return Box::pin(ended(cut, whole.into())).await,
            }
        }
    }

    /// Reads at most the first `most` bytes. Returns fewer if the body breaks off or memory runs
    /// out.
    pub(super) async fn beginning(&mut self, most: usize) -> Bytes {
        let mut read = Vec::new();
        while let Ok(Some(mut piece)) = self.piece().await {
            piece.truncate(most.saturating_sub(read.len()));
            if memory::append(&mut read, &piece).is_err() || read.len() >= most {
                break;
            }
        }
        read.into()
    }
}

/// Returns a body whose end is not proven if it is a complete JSON text.
async fn ended(cut: Cut, body: Bytes) -> Result<Bytes, Unread> {
    // If no helper thread is available, the body counts as incomplete.
    let complete = matches!(cut, Cut::Unproven)
        && json::look(body.clone(), |body| json::ends_itself(&body))
            .await
            .unwrap_or_default();
    match complete {
        true => Ok(body),
        false => Err(cut.into()),
    }
}

fn check(length: u64, most: usize) -> Result<(), Error> {
    match length > most as u64 {
        true => Err(Error::new(
            Code::TooLarge,
            format!("the response has more than the {most} bytes allowed"),
        )),
        false => Ok(()),
    }
}

fn is_coded(headers: &HeaderMap) -> bool {
    let coding = headers
        .get(CONTENT_ENCODING)
        .map(|value| value.as_bytes().trim_ascii());
    coding.is_some_and(|coding| {
        coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip")
    })
}

/// Whether `chunked` is the last transfer coding. Only then do chunks mark the end of the body (RFC
/// 9112 §6.3).
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let coding = last.and_then(|value| value.as_bytes().rsplit(|byte| *byte == b',').next());
    coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn cut(error: io::Error) -> Cut {
    error.downcast::<Cut>().unwrap_or_else(Cut::Undecodable)
}

/// The body before decoding.
struct Wire {
    body: Received,
    /// Whether HTTP/2 marks the end of the body.
    framed: bool,
    limit: Option<Duration>,
}

impl Wire {
    async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        let Some(time) = self.limit else {
            return self.next().await;
        };
        let stalled = |_| Cut::Stalled(Stalled { time, taken: None });
        // Boxed, because most bodies have no limit.
        Box::pin(tokio::time::timeout(time, self.next()))
            .await
            .map_err(stalled)?
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        loop {
            let frame =
                std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame.transpose().map_err(Cut::Broken)? {
                Some(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                // hyper reports a reset with NO_ERROR as the end of the body. That reset only tells
                // the client to stop sending.
                None if self.framed && !self.body.is_end_stream() => return Err(Cut::Unended),
                None => return Ok(None),
            }
        }
    }

    /// Splits the body into small pieces and yields between two of them.
    fn into_stream(self) -> Pieces {
        let pieces = stream::try_unfold((self, Bytes::new()), |(mut wire, mut left)| async move {
            while left.is_empty() {
                match wire.piece().await {
                    Ok(Some(piece)) => left = piece,
                    Ok(None) => return Ok(None),
                    Err(cut) => return Err(io::Error::other(cut)),
                }
            }
            tokio::task::yield_now().await;
            let piece = left.split_to(left.len().min(CODED));
            Ok(Some((piece, (wire, left))))
        });
        pieces.boxed()
    }
}
