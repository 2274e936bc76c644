//! Uploads: in one request or in parts, by any of the ways that fal has (docs/protocol.md §9.1 to
//! §9.5).

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

/// Large files on slow lines take hours.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
/// Above this the official JavaScript client sends parts (docs/protocol.md §9.4).
const SINGLE: u64 = 90 << 20;
impl Client {
    /// Starts an upload. The answer is JSON: `url`, which a model can read, `file_name`,
    /// `content_type` and `size` in bytes.
    ///
    /// [`Progress`](crate::EventKind::Progress) events tell how much was sent: of parts those that
    /// fal has confirmed, of a single request what the connection has taken. They never go back.
    /// The time for all of it is the upload's own, else the client's, else six hours.
    ///
    /// A connection that breaks, or [stalls](crate::ClientBuilder::stall_timeout), costs what is
    /// not confirmed: a single PUT begins again, of parts the missing ones are sent. A file that
    /// changes meanwhile is [`Code::Io`](crate::Code::Io), and nothing of it is announced. What is
    /// compared are its length and times: on Windows a change whose time was put back is not seen,
    /// on Unix one that came with another name, owner or mode. A cancelled upload in parts is not
    /// completed; fal documents no way to take the parts back.
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

    /// Uploads and waits for the answer, on any async runtime.
    pub async fn upload(&self, upload: Upload) -> Result<Response> {
        self.upload_start(upload)?.outcome().await
    }
}

/// An upload that is over.
pub(super) struct Sent {
    pub(super) url: Url,
    pub(super) size: u64,
    pub(super) about: FileInfo,
}

/// Sends the content the way that was asked for, or the one that suits it.
///
/// `making` is told of the one request that makes the file, if there is one: the operation's own
/// steps where the file is what the operation is about.
pub(super) async fn send(
    exchange: &Exchange,
    making: &Exchange,
    upload: &Upload,
    opened: Opened,
    meter: &Arc<Meter>,
) -> Result<Sent> {
    exchange.task.progress.transferring();
    // The stages of its requests are its own: others may be under way beside them.
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
        // A server proxy lets nothing else pass by default (§11.2).
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
