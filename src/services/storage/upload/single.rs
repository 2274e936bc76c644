//! Uploads in one request (docs/protocol.md §9.1, §9.3).

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use url::Url;

use super::confirmed::confirmed;
use super::requests::{call_to, send_with_token};
use crate::client::Exchange;
use crate::error::{Error, Idempotency, Result};
use crate::request::FileInfo;
use crate::services::storage::address;
use crate::services::storage::content::{Once, Opened};
use crate::services::storage::meter::{Meter, Share};
use crate::transport::{Authorization, Payload};

/// Ways A and B: announced, then one PUT to an address that is signed and so needs nothing else.
pub(super) async fn signed(
    exchange: &Exchange,
    about: &FileInfo,
    opened: Opened,
    meter: &Arc<Meter>,
    kind: &str,
) -> Result<(Url, u64)> {
    let Body {
        payload,
        size,
        share,
    } = body(&opened, meter)?;
    let answer = about
        .announce(
            exchange,
            &format!("/storage/upload/initiate?storage_type={kind}"),
        )
        .await?;
    let (to, url) = (
        address::named(&answer, "upload_url")?,
        address::named(&answer, "file_url")?,
    );
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, about.type_header()?)]);
    let mut call = call_to(
        exchange,
        Method::PUT,
        to,
        headers,
        payload,
        Authorization::Nothing,
    );
    // It replaces what an earlier try left.
    call.idempotency = Idempotency::Safe;
    confirmed(exchange.send_call(&call).await?, exchange, call.idempotency).await?;
    unchanged(&opened).await?;
    share.reach(size);
    Ok((url, size))
}

/// Way C. A second POST would make a second file, so it is sent like any other POST.
pub(super) async fn direct(
    exchange: &Exchange,
    about: &FileInfo,
    opened: Opened,
    meter: &Arc<Meter>,
) -> Result<(Url, u64)> {
    let Body {
        payload,
        size,
        share,
    } = body(&opened, meter)?;
    let headers = about.direct_headers()?;
    let answer = send_with_token(exchange, |token| {
        // Not to the host that the token's answer names: the official client does not either
        // (§9.3).
        let url = exchange.hosts().cdn_url("/files/upload")?;
        let authorization = Authorization::Files(token.token.clone());
        Ok(call_to(
            exchange,
            Method::POST,
            url,
            headers.clone(),
            payload.clone(),
            authorization,
        ))
    });
    let answer = confirmed(answer.await?, exchange, Idempotency::NonIdempotent)
        .await?
        .parsed()
        .await?;
    // The file is there, wherever that is.
    let url = match unchanged(&opened).await {
        Ok(()) => address::named(&answer, "access_url"),
        Err(error) => Err(error),
    };
    let url = url.map_err(|error| error.with_outcome_unknown(true))?;
    share.reach(size);
    Ok((url, size))
}

/// Fails if what was sent is not what is there: the end of it may have been read before it changed.
async fn unchanged(opened: &Opened) -> Result<()> {
    match opened {
        Opened::Data(data) => data.unchanged().await,
        Opened::Reader(_) => Ok(()),
    }
}

struct Body {
    payload: Payload,
    size: u64,
    share: Arc<Share>,
}

fn body(opened: &Opened, meter: &Arc<Meter>) -> Result<Body> {
    let share = meter.share();
    match opened {
        Opened::Data(data) => {
            let size = data.length();
            Ok(Body {
                payload: data.part(0, size, Some(share.clone())),
                size,
                share,
            })
        }
        Opened::Reader(waiting) => {
            let size = waiting.size().ok_or_else(|| {
                Error::invalid("what a reader gives cannot be sent in one request without its size")
                    .with_remedy("Say how many bytes there are, or let it be sent in parts.")
            })?;
            let once = Once::new(waiting.clone(), share.clone());
            Ok(Body {
                payload: Payload::Source(Arc::new(once)),
                size,
                share,
            })
        }
    }
}
