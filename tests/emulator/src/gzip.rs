//! Answers that are gzip-coded (fal-protocol.md §16.45).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};

use crate::answer::Answer;
use crate::body::Payload;

/// Whether a client takes gzip (RFC 9110 §12.5.3).
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
        matches!(name.trim().to_ascii_lowercase().as_str(), "gzip" | "x-gzip" | "*") && weight.unwrap_or(1.0) > 0.0
    })
}

/// The answer, coded if it is JSON whose length is known.
pub(crate) fn coded(mut answer: Answer) -> Answer {
    let is_json = answer.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if let Payload::Bytes(bytes) = &answer.payload
        && is_json
        && !answer.headers.contains_key(CONTENT_ENCODING)
        && let Ok(coded) = compressed(bytes)
    {
        answer.payload = Payload::Bytes(coded.into());
        answer.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer.headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
