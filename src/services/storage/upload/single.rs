//! Uploads in one request (docs/protocol.md §9.1, §9.3).

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::confirmed::confirmed;
use super::requests::send_with_token;
use crate::client::Exchange;
use crate::error::{Error, Idempotency, Result};
use crate::request::FileInfo;
use crate::services::storage::address;
use crate::services::storage::call::call_to;
use crate::services::storage::content::Opened;
use crate::services::storage::meter::Meter;
use crate::transport::{Authorization, Call, Payload};

/// Ways A and B: an announcement, then a PUT to a signed URL, which needs no authorization.
pub(super) async fn signed(
    exchange: &Exchange,
    about: &FileInfo,
    opened: Opened,
    meter: &Arc<Meter>,
    kind: &str,
) -> Result<(Url, u64)> {
    let (size, share) = (size_of(&opened)?, meter.share());
    let path = format!("/storage/upload/initiate?storage_type={kind}");
    let answer = about.announce(exchange, &path).await?;
    let to = address::named(&answer, "upload_url")?;
    let url = address::named(&answer, "file_url")?;
    let call = Call {
        headers: HeaderMap::from_iter([(CONTENT_TYPE, about.type_header()?)]),
        body: Payload::Source(opened.source(share.clone())),
        // A PUT replaces what an earlier attempt left.
        idempotency: Idempotency::Safe,
        ..call_to(exchange, Method::PUT, to, Authorization::Nothing)
    };
    confirmed(exchange.send_call(&call).await?, exchange, call.idempotency).await?;
    opened.unchanged().await?;
    share.reach(size);
    Ok((url, size))
}

/// Way C: one POST with a token. It is not idempotent, because a second POST makes a second file.
pub(super) async fn direct(
    exchange: &Exchange,
    about: &FileInfo,
    opened: Opened,
    meter: &Arc<Meter>,
) -> Result<(Url, u64)> {
    let (size, share) = (size_of(&opened)?, meter.share());
    let headers = about.direct_headers()?;
    let body = Payload::Source(opened.source(share.clone()));
    let answer = send_with_token(exchange, |token| {
        // Like the official client, this ignores the host in the response with the token (§9.3).
        let url = exchange.hosts().cdn_url("/files/upload")?;
        Ok(Call {
            headers: headers.clone(),
            body: body.clone(),
            ..call_to(exchange, Method::POST, url, token.authorization())
        })
    });
    let answer = confirmed(answer.await?, exchange, Idempotency::NonIdempotent).await?;
    let answer = answer.parsed().await?;
    // From here on a file exists, although its URL may be unknown.
    let url = match opened.unchanged().await {
        Ok(()) => address::named(&answer, "access_url"),
        Err(error) => Err(error),
    };
    let url = url.map_err(|error| error.with_outcome_unknown(true))?;
    share.reach(size);
    Ok((url, size))
}

fn size_of(opened: &Opened) -> Result<u64> {
    opened.size().ok_or_else(|| {
        Error::invalid("cannot send the bytes of a reader in one request: their number is unknown")
            .with_remedy("Give the size when you create the upload, or upload in parts.")
    })
}
