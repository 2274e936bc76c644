//! Uploads in parts, several of them at the same time (docs/protocol.md §9.4).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, TryStreamExt};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use serde_json::json;
use url::Url;

use super::confirmed::confirmed;
use super::requests::send_with_token;
use super::supply::{Part, Supply};
use crate::client::Exchange;
use crate::error::{Code, Error, Idempotency, Result};
use crate::log::{Level, Target};
use crate::request::{FileInfo, UploadWay};
use crate::response::Response;
use crate::service_error::with_content;
use crate::services::storage::address;
use crate::services::storage::call::{LONGEST_PAUSE, call_to};
use crate::services::storage::meter::Meter;
use crate::services::storage::token::FileToken;
use crate::transport::{Authorization, Call, Payload, Watch};

/// How many parts are sent at the same time. The parts of a reader are in memory.
const PARALLEL: usize = 4;

/// An upload in parts that was announced to fal.
struct Session {
    way: UploadWay,
    /// The URL that the parts are sent below.
    to: Url,
    /// The URL of the complete file.
    url: Url,
    content_type: HeaderValue,
}

/// Sends all parts, then completes the upload. An upload that fails stays incomplete.
pub(super) async fn send(
    exchange: &Exchange,
    making: &Exchange,
    about: &FileInfo,
    supply: Supply,
    meter: &Arc<Meter>,
    way: UploadWay,
) -> Result<(Url, u64)> {
    let data = supply.data();
    let session = &Session::begin(exchange, about, way).await?;
    let size = &AtomicU64::new(0);
    let parts = stream::try_unfold(supply, |mut supply| async move {
        let part = supply.next().await?;
        Ok::<_, Error>(part.map(|part| (part, supply)))
    });
    let sent = parts.map_ok(|part| async move {
        let (number, length) = (part.number, part.to - part.from);
        let etag = session.part(exchange, &part).await?;
        size.fetch_add(length, Ordering::Relaxed);
        meter.share().reach(length);
        Ok((number, etag))
    });
    let mut done: Vec<(u32, String)> = sent.try_buffer_unordered(PARALLEL).try_collect().await?;
    if let Some(data) = data {
        data.unchanged().await?;
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    session.complete(making, &done).await?;
    Ok((session.url.clone(), size.load(Ordering::Relaxed)))
}

impl Session {
    async fn begin(exchange: &Exchange, about: &FileInfo, way: UploadWay) -> Result<Self> {
        let content_type = about.type_header()?;
        let kind = match way {
            UploadWay::DirectParts => {
                return Session::begin_direct(exchange, about, content_type).await;
            }
            UploadWay::GoogleParts => "gcs",
            _ => "fal-cdn-v3",
        };
        let path = format!("/storage/upload/initiate-multipart?storage_type={kind}");
        let answer = about.announce(exchange, &path).await?;
        let to = match way {
            // The key is sent to this URL.
            UploadWay::GoogleParts => address::rest(exchange.hosts(), &answer, "upload_url")?,
            _ => address::named(&answer, "upload_url")?,
        };
        let url = address::named(&answer, "file_url")?;
        Ok(Session {
            way,
            to,
            url,
            content_type,
        })
    }

    async fn begin_direct(
        exchange: &Exchange,
        about: &FileInfo,
        content_type: HeaderValue,
    ) -> Result<Self> {
        let headers = about.direct_headers()?;
        let answer = send_with_token(exchange, |token| {
            let url = address::below(&token.base, &["files", "upload", "multipart"])?;
            Ok(Call {
                headers: headers.clone(),
                // A repeated request makes a second upload, which stays empty.
                idempotency: Idempotency::Safe,
                ..call_to(exchange, Method::POST, url, token.authorization())
            })
        });
        let (what, secrets) = ("a place for the file", exchange.task.secrets());
        let answer = with_content(answer.await?, what, secrets, Idempotency::Safe)?
            .parsed()
            .await?;
        let url = address::file_host(exchange.hosts(), &answer, "access_url")?;
        let id = address::text(&answer, "uploadId")
            .ok_or_else(|| Error::new(Code::Protocol, "the response has no \"uploadId\""))?;
        let to = address::below(&url, &["multipart", id])?;
        Ok(Session {
            way: UploadWay::DirectParts,
            to,
            url,
            content_type,
        })
    }

    /// Sends a part and returns its etag. Retries if that fails: a part replaces what an earlier
    /// attempt left.
    async fn part(&self, exchange: &Exchange, part: &Part) -> Result<String> {
        // Other parts are sent at the same time, so the stages of each are kept apart.
        let exchange = &exchange.parallel();
        let mut made = 0;
        loop {
            let error = match self.try_part(exchange, part).await {
                Ok(etag) => return Ok(etag),
                Err(error) => error,
            };
            made += 1;
            // The transport does not retry after these errors.
            let again = matches!(error.code(), Code::ServiceFailed | Code::Protocol);
            let asked = error.retry_after().map(|asked| asked.min(LONGEST_PAUSE));
            let pause = exchange.attempts().pause(made, asked);
            let Some(pause) = pause.filter(|pause| again && exchange.has_time_for(*pause)) else {
                let message = format!("part {}: {}", part.number, error.message());
                return Err(error.with_message(message));
            };
            let (number, after) = (part.number, pause.as_millis());
            exchange.log(
                Level::Warn,
                Target::Storage,
                format_args!("part {number}, attempt {made}: {error}; again in {after} ms"),
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_part(&self, exchange: &Exchange, part: &Part) -> Result<String> {
        let mut url = address::below(&self.to, &[&part.number.to_string()])?;
        if self.way == UploadWay::GoogleParts {
            url = self.place(exchange, url).await?;
        }
        let put = |authorization| Call {
            headers: HeaderMap::from_iter([(CONTENT_TYPE, self.content_type.clone())]),
            body: Payload::Source(part.data.part(part.from, part.to, None)),
            idempotency: Idempotency::Safe,
            ..call_to(exchange, Method::PUT, url.clone(), authorization)
        };
        let answer = self.send(exchange, Authorization::Nothing, put).await?;
        let answer = confirmed(answer, exchange, Idempotency::Safe).await?;
        etag(&answer.parsed().await?)
    }

    /// Requests the URL for a part (way D3).
    async fn place(&self, exchange: &Exchange, url: Url) -> Result<Url> {
        let call = Call {
            idempotency: Idempotency::Safe,
            ..call_to(exchange, Method::POST, url, Authorization::Credential)
        };
        let answer = exchange.ask_for("a place for the part", &call).await?;
        address::named(&answer, "upload_url")
    }

    /// Sends a request with the authorization of this way, which is `google` for
    /// [`UploadWay::GoogleParts`].
    async fn send(
        &self,
        exchange: &Exchange,
        google: Authorization,
        call: impl Fn(Authorization) -> Call + Send,
    ) -> Result<Response> {
        let authorization = match self.way {
            UploadWay::DirectParts => {
                let make = move |token: &FileToken| Ok(call(token.authorization()));
                return send_with_token(exchange, make).await;
            }
            UploadWay::GoogleParts => google,
            _ => Authorization::Nothing,
        };
        exchange.send_call(&call(authorization)).await
    }

    /// Completes the upload with a list of its parts in order. The request is not retried, because
    /// the effect of a second one is unknown.
    async fn complete(&self, exchange: &Exchange, parts: &[(u32, String)]) -> Result<()> {
        let google = self.way == UploadWay::GoogleParts;
        let entry = |(number, etag): &(u32, String)| match google {
            true => json!({"part_number": number, "etag": etag.trim_matches('"')}),
            false => json!({"partNumber": number, "etag": etag}),
        };
        let list = json!({"parts": parts.iter().map(entry).collect::<Vec<_>>()}).to_string();
        let url = address::below(&self.to, &["complete"])?;
        let json = HeaderValue::from_static("application/json");
        let post = |authorization| Call {
            headers: HeaderMap::from_iter([(CONTENT_TYPE, json.clone())]),
            body: Bytes::from(list.clone()).into(),
            watch: Watch::Assembly,
            ..call_to(exchange, Method::POST, url.clone(), authorization)
        };
        let answer = self.send(exchange, Authorization::Credential, post).await?;
        confirmed(answer, exchange, Idempotency::NonIdempotent).await?;
        Ok(())
    }
}

/// The etag of a part, unchanged from the header or else from the body (docs/protocol.md §16.28).
fn etag(answer: &Response) -> Result<String> {
    let header = answer.header(ETAG.as_str()).filter(|etag| !etag.is_empty());
    let etag = header.or_else(|| address::text(answer, "etag"));
    etag.map(str::to_owned)
        .ok_or_else(|| Error::new(Code::Protocol, "the response to a part has no etag"))
}
