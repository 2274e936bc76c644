//! Parts of a file that contradict their headers or belong to another version of the file.

use hyper::StatusCode;
use hyper::header::{CONTENT_RANGE, ETAG, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::body::{Payload, Source};

/// The error of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddPart {
    /// One byte fewer than the header says.
    Short,
    /// One byte more than the header says.
    Long,
    /// The header says that the part starts one byte later than it does.
    Elsewhere,
    /// Another version of the file: every byte is changed, and the etag too.
    OtherVersion,
    /// Like `OtherVersion`, but the etag is the file's own as a weak etag.
    WeakVersion,
    /// Like `OtherVersion`, but without an etag.
    NamelessVersion,
}

impl OddPart {
    /// All errors.
    pub const ALL: [OddPart; 6] = [
        OddPart::Short,
        OddPart::Long,
        OddPart::Elsewhere,
        OddPart::OtherVersion,
        OddPart::WeakVersion,
        OddPart::NamelessVersion,
    ];

    /// Adds the error to the response, if it is a part.
    pub(crate) async fn of(self, mut answer: Answer) -> Answer {
        if answer.status != StatusCode::PARTIAL_CONTENT {
            return answer;
        }
        let mut bytes = all(std::mem::take(&mut answer.payload)).await;
        match self {
            Self::Short => drop(bytes.pop()),
            Self::Long => bytes.push(b'.'),
            Self::Elsewhere => {
                let range = answer
                    .headers
                    .get(CONTENT_RANGE)
                    .and_then(|range| later(range.to_str().ok()?));
                range.and_then(|range| answer.headers.insert(CONTENT_RANGE, range));
            }
            Self::OtherVersion | Self::WeakVersion | Self::NamelessVersion => {
                bytes.iter_mut().for_each(|byte| *byte = !*byte);
                let tag = answer.headers.remove(ETAG);
                match self {
                    Self::OtherVersion => drop(
                        answer
                            .headers
                            .insert(ETAG, HeaderValue::from_static("\"another\"")),
                    ),
                    Self::WeakVersion => {
                        let weak = tag.and_then(|tag| {
                            HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()
                        });
                        weak.and_then(|weak| answer.headers.insert(ETAG, weak));
                    }
                    _ => {}
                }
            }
        }
        answer.payload = Payload::Bytes(bytes.into());
        answer
    }
}

/// Turns `bytes 5-9/10` into `bytes 6-9/10`.
fn later(range: &str) -> Option<HeaderValue> {
    let (first, rest) = range.strip_prefix("bytes ")?.split_once('-')?;
    HeaderValue::from_str(&format!("bytes {}-{rest}", first.parse::<u64>().ok()? + 1)).ok()
}

async fn all(payload: Payload) -> Vec<u8> {
    let mut source = Source::new(payload);
    let mut bytes = Vec::new();
    while let Some(piece) = source.next(64 * 1024).await {
        bytes.extend_from_slice(&piece);
    }
    bytes
}
