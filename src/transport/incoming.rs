//! The body of an answer while it arrives: decoded, and taken for whole only where that is proven.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body::Body;
use reqwest::Version;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use super::stall::Stalled;
use crate::codec::json;
use crate::error::{Code, Error};
use crate::system::memory;

/// Of coded bytes so many are looked at before others get their turn: each may stand for a
/// thousand, or for a member of its own.
const CODED: usize = 16 << 10;
/// Of decoded bytes so many are handed over at once.
const DECODED: usize = 64 << 10;

/// Why the next piece did not come.
#[derive(Debug)]
pub(super) enum Cut {
    Broken(reqwest::Error),
    /// HTTP/2 ended the stream politely, but not the body in it (RFC 9113 §8.1).
    Unended,
    /// What came may be all: only the connection's end says so, and anybody may have ended that.
    Unproven,
    /// What came is not what the coding says it is.
    Undecodable(io::Error),
    Stalled(Stalled),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cut::Broken(error) => error.fmt(f),
            Cut::Unended => f.write_str("the stream was reset before the end of the body"),
            Cut::Unproven => f.write_str("the body has neither a length nor a mark of its end"),
            Cut::Undecodable(error) => error.fmt(f),
            Cut::Stalled(_) => f.write_str("no byte came"),
        }
    }
}

impl std::error::Error for Cut {}

type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// The body of an answer.
pub(super) struct Incoming {
    way: Way,
    length: Option<u64>,
    /// Whether its end, once it is there, is one that nobody between could make.
    is_proof: bool,
}

enum Way {
    Plain(Wire),
    Gzip(Box<GzipDecoder<StreamReader<Pieces, Bytes>>>),
}

impl Incoming {
    /// Takes an answer apart. Each piece of the body may take `limit`. The headers are those of
    /// what is handed over.
    pub(super) fn of(response: reqwest::Response, limit: Option<Duration>) -> (HeaderMap, Self) {
        let framed = matches!(response.version(), Version::HTTP_2);
        let length = response.content_length();
        // TLS says that the connection was ended by the other side, and hands over nothing without
        // it.
        let is_proof = framed
            || length.is_some()
            || is_chunked(response.headers())
            || response.url().scheme() == "https";
        let (parts, body) = hyper::Response::<reqwest::Body>::from(response).into_parts();
        let (mut headers, wire) = (
            parts.headers,
            Wire {
                body,
                framed,
                limit,
            },
        );
        if !is_coded(&headers) || length == Some(0) {
            return (
                headers,
                Incoming {
                    way: Way::Plain(wire),
                    length,
                    is_proof,
                },
            );
        }
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        let mut decoder = GzipDecoder::new(StreamReader::new(wire.into_stream()));
        // A file is a sequence of members, and nothing else (RFC 1952 §2.2).
        decoder.multiple_members(true);
        (
            headers,
            Incoming {
                way: Way::Gzip(Box::new(decoder)),
                length: None,
                is_proof,
            },
        )
    }

    /// Whether what is handed over is not what came.
    pub(super) fn is_decoded(&self) -> bool {
        matches!(self.way, Way::Gzip(_))
    }

    /// How many bytes are left, if the service said so and they are not coded.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, decoded; none at the end, which is then proven.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        match self.next().await? {
            None if !self.is_proof => Err(Cut::Unproven),
            piece => Ok(piece),
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        tokio::task::consume_budget().await;
        let decoder = match &mut self.way {
            Way::Plain(wire) => {
                let piece = wire.piece().await?;
                let taken = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                self.length = self.length.map(|length| length.saturating_sub(taken));
                return Ok(piece);
            }
            Way::Gzip(decoder) => decoder,
        };
        // What one piece held may be decoded for long.
        tokio::task::yield_now().await;
        let mut decoded = BytesMut::with_capacity(DECODED);
        let read = decoder.read_buf(&mut decoded).await.map_err(cut)?;
        Ok((read > 0).then(|| decoded.freeze()))
    }
}

/// Why a body could not be read.
pub(super) enum Unread {
    /// It is larger than the limit, or than the memory that there is.
    TooLarge(Error),
    Cut(Cut),
}

impl From<Cut> for Unread {
    fn from(cut: Cut) -> Self {
        Unread::Cut(cut)
    }
}

/// Reads a body of at most `most` bytes to its end. A body that comes in one piece is not copied.
pub(super) async fn read(body: &mut Incoming, most: usize) -> Result<Bytes, Unread> {
    // Asked before anything is read: afterwards it is what is left.
    let length = body.length().unwrap_or(0);
    check(length, most).map_err(Unread::TooLarge)?;
    let Some(first) = body.piece().await? else {
        return Ok(Bytes::new());
    };
    check(first.len() as u64, most).map_err(Unread::TooLarge)?;
    let mut next = match body.piece().await {
        Ok(Some(next)) => next,
        Ok(None) => return Ok(first),
        Err(cut) => return ended(cut, first).await,
    };
    let two = first.len() + next.len();
    check(two as u64, most).map_err(Unread::TooLarge)?;
    let mut whole = Vec::new();
    let expected = usize::try_from(length).unwrap_or(most).max(two);
    memory::reserve(&mut whole, expected).map_err(Unread::TooLarge)?;
    whole.extend_from_slice(&first);
    drop(first);
    loop {
        check((whole.len() + next.len()) as u64, most).map_err(Unread::TooLarge)?;
        memory::append(&mut whole, &next).map_err(Unread::TooLarge)?;
        match body.piece().await {
            Ok(Some(piece)) => next = piece,
            Ok(None) => return Ok(whole.into()),
            Err(cut) => return ended(cut, whole.into()).await,
        }
    }
}

/// A body that nothing frames, if what came of it says that it is all.
async fn ended(cut: Cut, came: Bytes) -> Result<Bytes, Unread> {
    let looks = matches!(cut, Cut::Unproven);
    // Without a helper thread nothing is proven.
    match looks
        && json::look(came.clone(), |came| json::ends_itself(&came))
            .await
            .unwrap_or_default()
    {
        true => Ok(came),
        false => Err(cut.into()),
    }
}

/// The first `most` bytes of a body, or as many as arrive and as there is memory for.
pub(super) async fn beginning(body: &mut Incoming, most: usize) -> Bytes {
    let mut read = Vec::new();
    while let Ok(Some(mut piece)) = body.piece().await {
        piece.truncate(most.saturating_sub(read.len()));
        if memory::append(&mut read, &piece).is_err() || read.len() >= most {
            break;
        }
    }
    read.into()
}

fn check(length: u64, most: usize) -> Result<(), Error> {
    match length > most as u64 {
        true => Err(Error::new(
            Code::TooLarge,
            format!("the answer has more than the {most} bytes allowed"),
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

/// Whether chunks frame the body: a coding of the transfer that is not the last one does not (RFC
/// 9112 §6.3).
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let coding = last.and_then(|value| value.as_bytes().rsplit(|byte| *byte == b',').next());
    coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn cut(error: io::Error) -> Cut {
    error.downcast::<Cut>().unwrap_or_else(Cut::Undecodable)
}

/// The body as it is on the connection.
struct Wire {
    body: reqwest::Body,
    /// Whether the body has a mark of its end that HTTP/2 sets.
    framed: bool,
    limit: Option<Duration>,
}

impl Wire {
    async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        let Some(time) = self.limit else {
            return self.next().await;
        };
        let stalled = |_| Cut::Stalled(Stalled { time, taken: None });
        tokio::time::timeout(time, self.next())
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
                // The HTTP stack takes a polite reset for the end, which it is only of what the
                // client sends.
                None if self.framed && !self.body.is_end_stream() => return Err(Cut::Unended),
                None => return Ok(None),
            }
        }
    }

    /// In small pieces, with a pause for others between two.
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
