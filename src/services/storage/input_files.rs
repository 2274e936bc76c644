//! Files in the input of a request: uploaded before it is sent, and replaced by their addresses
//! (docs/protocol.md §3.4).

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::content::{Data, Opened};
use super::file::Seen;
use super::meter::Meter;
use super::upload::send;
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Error, Idempotency, Result};
use crate::request::{Body, Content, FileInfo, Request, Upload, slot};
use crate::system::memory;
use crate::transport::Source;

/// Files under way at once.
const PARALLEL: usize = 4;

/// Content that is there.
enum LocalContent {
    /// Opened when its turn comes: there may be more of them than a program may have open.
    File(Seen),
    Other(Opened),
}

impl LocalContent {
    async fn of(upload: &Upload) -> Result<Self> {
        Ok(match upload.content() {
            Content::File(path) => LocalContent::File(Seen::of(path.clone()).await?),
            _ => LocalContent::Other(Opened::of(upload).await?),
        })
    }

    /// Whether it is the same content, as far as that can be told without reading a file.
    fn is_same(&self, other: &LocalContent) -> bool {
        match (self, other) {
            (LocalContent::File(a), LocalContent::File(b)) => a.is_same(b),
            (
                LocalContent::Other(Opened::Data(Data::Bytes(a))),
                LocalContent::Other(Opened::Data(Data::Bytes(b))),
            ) => a == b,
            (LocalContent::Other(Opened::Reader(a)), LocalContent::Other(Opened::Reader(b))) => {
                a.is_same(b)
            }
            _ => false,
        }
    }

    fn size(&self) -> Option<u64> {
        match self {
            LocalContent::File(seen) => Some(seen.stamp().length),
            LocalContent::Other(opened) => opened.size(),
        }
    }

    async fn open(&self) -> Result<Opened> {
        Ok(match self {
            LocalContent::File(seen) => Opened::Data(Data::File(seen.open().await?)),
            LocalContent::Other(opened) => opened.clone(),
        })
    }
}

/// What is there, and every place that it belongs to.
struct Found {
    upload: Upload,
    there: LocalContent,
    about: FileInfo,
    places: Vec<Vec<String>>,
}

/// Uploads the local files of a request's input and opens a body that is a file, so that the
/// request can become a call or a message. Nothing of the request itself is sent before.
pub(crate) async fn resolve_files(exchange: &Exchange, mut request: Request) -> Result<Request> {
    if !request.is_local() {
        return Ok(request);
    }
    if let Body::Content(content) = &request.body {
        let source = body(exchange, content).await?;
        request.body = Body::Source(source);
    }
    let inputs = std::mem::take(&mut request.inputs);
    if inputs.is_empty() {
        return Ok(request);
    }
    if request.idempotency() == Idempotency::Safe {
        return Err(Error::invalid(format!(
            "{} takes no input, so no file either",
            request.method
        )));
    }
    let Body::Json(input) = &mut request.body else {
        return Err(Error::invalid("the input has no fields"));
    };
    let found = find(inputs.files).await?;
    // What becomes part of the input is not transferred by itself.
    let counted = |found: &Found| {
        let size = found.there.size()?;
        Some(if size > inputs.inline { size } else { 0 })
    };
    let meter = &Meter::new(&exchange.task, found.iter().map(counted).sum());
    let addresses = stream::iter(found).map(|found| async move {
        let address = address(exchange, &found, inputs.inline, meter).await;
        // Whatever became of the file, the request was not sent.
        let told = |error: Error| {
            let place = found.places[0].join("/");
            let message = format!("the file of {place:?}: {}", error.message());
            error.with_message(message).with_outcome_unknown(false)
        };
        Ok::<_, Error>((address.map_err(told)?, found.places))
    });
    let addresses: Vec<_> = addresses.buffer_unordered(PARALLEL).try_collect().await?;
    let root = json::own(input)?;
    for (address, places) in addresses {
        for place in places {
            let place =
                slot(root, &place).ok_or_else(|| Error::invalid("the field of a file is gone"))?;
            *place = memory::text(&address)?.into();
        }
    }
    Ok(request)
}

/// Looks at the files; the same one in several places is one.
async fn find(files: Vec<(Vec<String>, Upload)>) -> Result<Vec<Found>> {
    let mut all: Vec<Found> = Vec::new();
    for (place, upload) in files {
        let (there, about) = (LocalContent::of(&upload).await?, FileInfo::of(&upload)?);
        let same = |found: &&mut Found| {
            found.about == about && found.upload.is_sent_as(&upload) && found.there.is_same(&there)
        };
        match all.iter_mut().find(same) {
            Some(found) => found.places.push(place),
            None => all.push(Found {
                upload,
                there,
                about,
                places: vec![place],
            }),
        }
    }
    Ok(all)
}

async fn address(
    exchange: &Exchange,
    found: &Found,
    inline: u64,
    meter: &Arc<Meter>,
) -> Result<String> {
    match found.there.open().await? {
        Opened::Data(data) if data.length() <= inline => {
            let bytes = data.whole().await?;
            // Exactly the form of the official helpers.
            let before = format!("data:{};base64,", found.about.content_type);
            memory::base64(&before, &bytes, "")
        }
        // The operation is about the request, which is not sent before.
        opened => {
            let making = &exchange.parallel();
            let sent = send(exchange, making, &found.upload, opened, meter).await?;
            Ok(sent.url.into())
        }
    }
}

/// The body that a content is.
async fn body(exchange: &Exchange, content: &Content) -> Result<Arc<dyn Source>> {
    let opened = Opened::of(&Upload::of(content.clone())).await?;
    let share = Meter::new(&exchange.task, opened.size()).share();
    Ok(opened.source(share))
}
