//! Uploads, in one request or in parts, in each of fal's ways (docs/protocol.md §9.1 to §9.5).

mod confirmed;
mod parts;
mod requests;
mod single;
mod supply;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use url::Url;

use super::call::LONGEST_PAUSE;
use super::content::Opened;
use super::meter::Meter;
use crate::client::{Client, Exchange};
use crate::error::Result;
use crate::operation::Op;
use crate::request::{FileInfo, Upload, UploadWay};
use crate::response::Response;
pub(crate) use confirmed::confirmed;

/// Default timeout. A large file on a slow connection takes hours.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
/// Larger content is sent in parts, as by the official JavaScript client (docs/protocol.md §9.4).
const SINGLE: u64 = 90 << 20;
impl Client {
    /// Starts an upload. The response is JSON: `url`, which a model can read, `file_name`,
    /// `content_type` and `size` in bytes.
    ///
    /// [`Progress`](crate::EventKind::Progress) events report the bytes that were sent: in an
    /// upload in parts the parts that fal has confirmed, in a single request the bytes that the
    /// connection has taken. The numbers never decrease. The timeout of the whole operation is that
    /// of the upload, else that of the client, else six hours.
    ///
    /// If a connection breaks or [stalls](crate::ClientBuilder::stall_timeout), a single PUT
    /// restarts, and an upload in parts sends the missing parts again. If the file changes during
    /// the upload, the operation fails with [`Code::Io`](crate::Code::Io) and fal gets no complete
    /// file. Changes are found by length and times. A change is missed on Windows if the program
    /// that made it also set the time back, and on Unix if the file also got another name, owner or
    /// mode. A cancelled upload in parts stays incomplete; fal documents no request that removes
    /// the parts.
    pub fn upload_start(&self, upload: Upload) -> Result<Op> {
        upload.check()?;
        let timeout = upload.timeout.unwrap_or_else(|| self.timeout_or(TIMEOUT));
        self.start_exchange_within(timeout, |exchange| async move {
            let opened = Opened::of(&upload).await?;
            let meter = Meter::new(&exchange.task, opened.size());
            let sent = send(&exchange, &exchange, &upload, opened, &meter).await?;
            Ok(Response::made(&json!({
                "url": sent.url.as_str(),
                "file_name": sent.about.file_name,
                "content_type": sent.about.content_type,
                "size": sent.size,
            })))
        })
    }

    /// Uploads and returns the response of [`upload_start`](Self::upload_start). Works on any async
    /// runtime.
    pub async fn upload(&self, upload: Upload) -> Result<Response> {
        self.upload_start(upload)?.outcome().await
    }
}

/// A finished upload.
pub(super) struct Sent {
    pub(super) url: Url,
    pub(super) size: u64,
    pub(super) about: FileInfo,
}

/// Sends the content in the way that `upload` names, or in the way that suits its size.
///
/// `making` sends the one request that makes the file and must not be repeated. It is the
/// operation's own exchange if the operation is an upload, so that the operation reports whether
/// that request may have been executed.
pub(super) async fn send(
    exchange: &Exchange,
    making: &Exchange,
    upload: &Upload,
    opened: Opened,
    meter: &Arc<Meter>,
) -> Result<Sent> {
    exchange.task.progress.transferring();
    // Other requests of the operation may run at the same time, so their stages are kept apart.
    let exchange = &exchange.parallel().with_pauses_up_to(LONGEST_PAUSE);
    let about = FileInfo::of(upload)?;
    let (opened, pull) = match (upload.way, opened) {
        (UploadWay::Automatic, Opened::Reader(waiting)) if !exchange.is_proxied() => {
            supply::begin(&waiting).await?
        }
        (_, opened) => (opened, None),
    };
    let is_large = pull.is_some() || opened.size().is_some_and(|size| size > SINGLE);
    let way = match upload.way {
        // By default a server proxy forwards only the requests of a signed single upload (§11.2).
        UploadWay::Automatic if is_large && !exchange.is_proxied() => UploadWay::SignedParts,
        way => way,
    };
    let (url, size) = match way {
        UploadWay::Automatic | UploadWay::Signed => {
            single::signed(exchange, &about, opened, meter, "fal-cdn-v3").await?
        }
        UploadWay::SignedGoogle => single::signed(exchange, &about, opened, meter, "gcs").await?,
        UploadWay::Direct => single::direct(making, &about, opened, meter).await?,
        UploadWay::SignedParts | UploadWay::DirectParts | UploadWay::GoogleParts => {
            let supply = supply::Supply::of(opened, pull)?;
            parts::send(exchange, making, &about, supply, meter, way).await?
        }
    };
    Ok(Sent { url, size, about })
}
