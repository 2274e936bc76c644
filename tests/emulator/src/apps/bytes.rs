//! `emulator/bytes`: an output that is not JSON.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::Call;
use crate::answer::{Answer, Payload};
use crate::input::{self, Fields};

/// Bytes: 1 GiB.
const LARGEST: u64 = 1 << 30;

pub(super) fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let object = input::object(call.request)?;
    let mut fields = Fields::new(&object);
    let size = fields.integer_between("size", 1024, 0, LARGEST);
    let content_type = fields.string("content_type").unwrap_or_else(|| "application/octet-stream".into());
    let header = HeaderValue::from_str(&content_type);
    if header.is_err() {
        let message = "Value error, not a content type";
        fields.error("content_type", "value_error", message, None);
    }
    fields.finish()?;
    let content_type = header.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    call.started();
    Ok(Answer::payload(StatusCode::OK, content_type, Payload::Pattern(size)).billable_units(1))
}
