//! `data:` URIs (RFC 2397, docs/protocol.md §3.4). The crate `data-url` allocates infallibly, and a
//! host's memory may be short.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::errors::too_large;
use super::percent::unescaped;
use super::sink::Target;
use crate::error::{Error, Result};
use crate::response::Response;
use crate::secrets::Secrets;
use crate::services::storage::meter::Meter;
use crate::system::memory;

/// The content type of a data URI that names none.
const USUAL_TYPE: &str = "text/plain;charset=US-ASCII";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn is_data(url: &str) -> bool {
    url.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

pub(super) async fn save(
    url: &str,
    target: Target,
    most: u64,
    meter: &Arc<Meter>,
) -> Result<Response> {
    let (content_type, bytes) = decoded(url)?;
    let size = bytes.len() as u64;
    if size > most {
        return Err(too_large(most));
    }
    let kind = HeaderValue::from_str(&content_type).map_err(|_| malformed())?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    let secrets = Secrets::default();
    let open = target.open(200, headers, "", &secrets, None);
    let mut sink = open.await?;
    sink.write(bytes).await?;
    meter.set_total(size);
    meter.share().reach(size);
    sink.finish().await
}

fn decoded(url: &str) -> Result<(String, Bytes)> {
    let (head, content) = url[5..].split_once(',').ok_or_else(malformed)?;
    let (kind, base64) = match head.rsplit_once(';') {
        Some((kind, last)) if last.eq_ignore_ascii_case("base64") => (kind, true),
        _ => (head, false),
    };
    let kind = match kind {
        "" => USUAL_TYPE.to_owned(),
        parameters if parameters.starts_with(';') => format!("text/plain{parameters}"),
        kind => kind.to_owned(),
    };
    // Decoding percent escapes allocates infallibly, so this fails first if memory is short.
    memory::probe(content.len())?;
    let mut bytes = unescaped(content);
    if base64 {
        let mut decoded = memory::room(base64::decoded_len_estimate(bytes.len()))?;
        LENIENT
            .decode_vec(&bytes, &mut decoded)
            .map_err(|_| malformed())?;
        bytes = decoded;
    }
    Ok((kind, bytes.into()))
}

fn malformed() -> Error {
    Error::invalid("the data URI is malformed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_decoded() {
        for (url, kind, bytes) in [
            ("data:image/png;base64,MTIzNA==", "image/png", &b"1234"[..]),
            ("DATA:image/png;BASE64,MTIzNA", "image/png", b"1234"),
            ("data:,a%20b%", "text/plain;charset=US-ASCII", b"a b%"),
            (
                "data:;charset=utf-8,%C3%A4",
                "text/plain;charset=utf-8",
                "ä".as_bytes(),
            ),
            ("data:text/html;base64,PGI%2B", "text/html", b"<b>"),
            ("data:a/b;base64,", "a/b", b""),
        ] {
            let (got, content) = decoded(url).unwrap();
            assert_eq!((got.as_str(), &content[..]), (kind, bytes), "{url}");
        }
        for bad in [
            "data:",
            "data:image/png;base64",
            "data:a/b;base64,!",
            "data:ä",
        ] {
            assert!(decoded(bad).is_err(), "{bad}");
        }
    }
}
