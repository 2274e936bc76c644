//! Bodies that a server has encoded although it was asked not to.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use hyper::header::{CONTENT_ENCODING, HeaderMap};

use super::capture::Body;

/// The number of bytes decoded at once.
const PIECE: usize = 64 * 1024;

/// Whether a body has to be decoded before it can be read.
pub(super) fn is_coded(headers: &HeaderMap) -> bool {
    codings(headers).next().is_some()
}

/// A body without its gzip coding, up to `largest` bytes. What cannot be decoded is marked as encoded.
pub(super) fn decoded(body: &Body, headers: &HeaderMap, largest: u64) -> Body {
    let all: Vec<String> = codings(headers).collect();
    let is_gzip = matches!(&all[..], [one] if one == "gzip" || one == "x-gzip");
    let plain = if is_gzip && !body.is_too_large {
        unzipped(&body.bytes, largest)
    } else {
        None
    };
    plain.unwrap_or(Body {
        size: body.size,
        is_encoded: true,
        ..Body::default()
    })
}

fn unzipped(bytes: &[u8], largest: u64) -> Option<Body> {
    let mut decoder = MultiGzDecoder::new(bytes);
    let (mut plain, mut piece) = (Body::default(), vec![0; PIECE]);
    while !plain.is_too_large {
        match decoder.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => plain.push(&piece[..length], largest),
            Err(_) => return None,
        }
    }
    Some(plain)
}

fn codings(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let all = texts.flat_map(|text| {
        let names = text.split(',').map(|name| name.trim().to_owned());
        names.collect::<Vec<_>>()
    });
    all.filter(|name| !name.is_empty() && name != "identity")
}
