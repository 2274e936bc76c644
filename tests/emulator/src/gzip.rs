//! Responses that are gzip-coded (docs/protocol.md §16.45).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};

use crate::answer::Answer;
use crate::body::{Payload, Source};

/// Whether a client accepts gzip (RFC 9110 §12.5.3).
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.trim().parse::<f32>().ok());
        matches!(
            name.trim().to_ascii_lowercase().as_str(),
            "gzip" | "x-gzip" | "*"
        ) && weight.unwrap_or(1.0) > 0.0
    })
}

/// The response, coded if it is JSON of a known length.
pub(crate) fn coded(mut answer: Answer) -> Answer {
    let is_json = answer
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if let Payload::Bytes(bytes) = &answer.payload
        && is_json
        && !answer.headers.contains_key(CONTENT_ENCODING)
        && let Ok(coded) = compressed(bytes)
    {
        answer.payload = Payload::Bytes(coded.into());
        answer
            .headers
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer
            .headers
            .append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

/// The response in this many members, unless it is a stream or already coded.
pub(crate) async fn in_members(mut answer: Answer, members: u64) -> Answer {
    let Some(size) = answer
        .payload
        .size()
        .filter(|_| !answer.headers.contains_key(CONTENT_ENCODING))
    else {
        return answer;
    };
    let mut source = Source::new(std::mem::take(&mut answer.payload));
    let piece = size.div_ceil(members.max(1)).max(1);
    let mut coded = Vec::new();
    let mut left = size;
    while left > 0 {
        let mut member = Vec::new();
        while (member.len() as u64) < piece
            && let Some(bytes) = source.next(piece - member.len() as u64).await
        {
            member.extend_from_slice(&bytes);
        }
        left = if member.is_empty() {
            0
        } else {
            left - member.len() as u64
        };
        // Writing to memory does not fail.
        coded.extend(compressed(&member).unwrap_or_default());
    }
    answer
        .headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer.payload = Payload::Bytes(coded.into());
    answer
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
