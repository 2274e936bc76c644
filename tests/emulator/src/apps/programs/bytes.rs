//! `emulator/bytes`: an output that is not JSON.

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::sync::mpsc;

use crate::answer::Answer;
use crate::apps::Call;
use crate::body::{Payload, Source};
use crate::input::Fields;

/// The largest output in bytes: 1 GiB.
const LARGEST: u64 = 1 << 30;

/// The size of a chunk in bytes.
const PIECE: u64 = 4096;

pub(in crate::apps) fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let object = call.input()?;
    let mut fields = Fields::new(&object);
    let size = fields.integer_between("size", 1024, 0, LARGEST);
    let content_type = fields
        .string("content_type")
        .unwrap_or_else(|| "application/octet-stream".into());
    let chunked = fields.boolean("chunked");
    let header = HeaderValue::from_str(&content_type);
    if header.is_err() {
        let message = "Value error, not a content type";
        fields.error("content_type", "value_error", message, None);
    }
    fields.finish()?;
    let content_type =
        header.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    call.started();
    let payload = if chunked {
        streamed(size)
    } else {
        Payload::Pattern(size)
    };
    Ok(Answer::payload(StatusCode::OK, content_type, payload).billable_units(1))
}

/// The same bytes as a stream, produced as the client reads them.
fn streamed(size: u64) -> Payload {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut source = Source::new(Payload::Pattern(size));
        while let Some(bytes) = source.next(PIECE).await {
            if sender.send(bytes).await.is_err() {
                break;
            }
        }
    });
    Payload::Stream(receiver)
}
