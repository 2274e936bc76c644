//! Files in the input of a request. They are uploaded before the request is sent, and their URLs
//! take their places (docs/protocol.md §3.4).

use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::content::{Data, Opened};
use super::file::ClosedFile;
use super::meter::Meter;
use super::upload::send;
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Error, Idempotency, Result};
use crate::request::{Body, Content, FileInfo, Request, Upload, slot};
use crate::system::memory;
use crate::transport::Source;

/// How many files are uploaded at the same time.
const PARALLEL: usize = 4;

/// Content that exists and can be read.
enum LocalContent {
    /// Opened only for its upload: an input may have more files than a process may open.
    File(ClosedFile),
    Other(Opened),
}

impl LocalContent {
    async fn of(upload: &Upload) -> Result<Self> {
        Ok(match upload.content() {
            Content::File(path) => LocalContent::File(ClosedFile::of(path.clone()).await?),
            _ => LocalContent::Other(Opened::of(upload).await?),
        })
    }

    /// Whether both are the same content. Files are compared by path and metadata.
    fn is_same(&self, other: &LocalContent) -> bool {
        match (self, other) {
            (LocalContent::File(a), LocalContent::File(b)) => a == b,
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
            LocalContent::File(file) => Some(file.stamp().length),
            LocalContent::Other(opened) => opened.size(),
        }
    }

    async fn open(&self) -> Result<Opened> {
        Ok(match self {
            LocalContent::File(file) => Opened::Data(Data::File(file.open().await?)),
            LocalContent::Other(opened) => opened.clone(),
        })
    }
}

/// One content, and the places in the input that get its URL.
struct InputFile {
    upload: Upload,
    content: LocalContent,
    about: FileInfo,
    places: Vec<Vec<String>>,
}

/// Uploads the local files in the input of a request, and opens a body that is a file. The result
/// can be sent; the request itself is not sent here.
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
            "a {} request takes no input and no files",
            request.method
        )));
    }
    let found = find(inputs.files).await?;
    // Content that becomes a data URI is part of the request and does not count as a transfer.
    let counted = |found: &InputFile| {
        let size = found.content.size()?;
        Some(if size > inputs.inline { size } else { 0 })
    };
    let meter = &Meter::new(&exchange.task, found.iter().map(counted).sum());
    let addresses = stream::iter(found).map(|found| async move {
        let address = address(exchange, &found, inputs.inline, meter).await;
        // The request was not sent, even if the outcome of the upload is unknown.
        let with_place = |error: Error| {
            let place = found.places[0].join("/");
            let message = format!("the file of {place:?}: {}", error.message());
            error.with_message(message).with_outcome_unknown(false)
        };
        Ok::<_, Error>((address.map_err(with_place)?, found.places))
    });
    let addresses: Vec<_> = addresses.buffer_unordered(PARALLEL).try_collect().await?;
    put(&mut request.body, &addresses)?;
    Ok(request)
}

/// Puts the addresses of the files into their places.
fn put(body: &mut Body, addresses: &[(String, Vec<Vec<String>>)]) -> Result<()> {
    let missing = || Error::invalid("the field of a file is missing");
    let all = addresses
        .iter()
        .flat_map(|(address, places)| places.iter().map(move |place| (address, place)));
    match body {
        Body::Json(input) => {
            let root = json::own(input)?;
            for (address, place) in all {
                *slot(root, place).ok_or_else(missing)? = memory::text(address)?.into();
            }
        }
        Body::Text(text) => {
            let input = std::str::from_utf8(text).map_err(|_| missing())?;
            let paths: Vec<_> = all.clone().map(|(_, place)| place.as_slice()).collect();
            let places = json::places(input, &paths);
            let strings: Option<Vec<_>> = (places.ranges.into_iter().zip(all))
                .map(|(range, (address, _))| Some((range?, address.as_str())))
                .collect();
            *text = json::spliced(input, strings.ok_or_else(missing)?)?.into();
        }
        _ => return Err(Error::invalid("the input has no fields")),
    }
    Ok(())
}

/// Opens the contents, or examines them if they are files. Equal contents become one.
async fn find(files: Vec<(Vec<String>, Upload)>) -> Result<Vec<InputFile>> {
    let mut all: Vec<InputFile> = Vec::new();
    for (place, upload) in files {
        let (content, about) = (LocalContent::of(&upload).await?, FileInfo::of(&upload)?);
        let same = |found: &&mut InputFile| {
            found.about == about
                && found.upload.is_sent_as(&upload)
                && found.content.is_same(&content)
        };
        match all.iter_mut().find(same) {
            Some(found) => found.places.push(place),
            None => all.push(InputFile {
                upload,
                content,
                about,
                places: vec![place],
            }),
        }
    }
    Ok(all)
}

async fn address(
    exchange: &Exchange,
    found: &InputFile,
    inline: u64,
    meter: &Arc<Meter>,
) -> Result<String> {
    match found.content.open().await? {
        Opened::Data(data) if data.length() <= inline => {
            let bytes = data.whole().await?;
            // Same form as the helpers of fal's official clients.
            let before = format!("data:{};base64,", found.about.content_type);
            memory::base64(&before, &bytes, "")
        }
        // The upload has a task of its own: its stages are not stages of the operation.
        opened => {
            let making = &exchange.parallel();
            let sent = send(exchange, making, &found.upload, opened, meter).await?;
            Ok(sent.url.into())
        }
    }
}

/// Opens content as a request body.
async fn body(exchange: &Exchange, content: &Content) -> Result<Arc<dyn Source>> {
    let opened = Opened::of(&Upload::of(content.clone())).await?;
    let share = Meter::new(&exchange.task, opened.size()).share();
    Ok(opened.source(share))
}
