//! A recording as a file: one request and its answer.

use std::collections::BTreeMap;

use hyper::header::{HeaderName, HeaderValue};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::notation::{self, Layout};

/// The version of the files that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// The folder of all files that belong to recordings. No endpoint's folder has this name.
pub(super) const MEDIA: &str = "_media";

/// The end of the name of a download there. A file that it describes has one dot in its name.
pub(super) const DOWNLOAD: &str = ".download.json";

/// How a request reached the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// In one request, whose response may be a stream.
    Run,
    /// Through the queue.
    Queue,
}

/// A recorded request to an endpoint and what became of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tape {
    #[serde(deserialize_with = "format")]
    pub(super) format: u32,
    /// The id of the endpoint, with the path that the request had below it.
    pub(super) endpoint: String,
    pub(super) way: Way,
    pub(super) method: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) query: String,
    /// The time of the request in RFC 3339. Nothing depends on it.
    #[serde(default)]
    pub(super) recorded: String,
    /// The body if it is JSON.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) input: Option<Box<RawValue>>,
    /// The SHA-256 of any other body, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<Queue>,
    pub(super) answer: Recorded,
}

/// A response.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recorded {
    #[serde(deserialize_with = "status")]
    pub(super) status: u16,
    /// The time from the request to the response; of a queued request, to its end.
    pub(super) after_ms: u64,
    #[serde(default, deserialize_with = "headers")]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) json: Option<Box<RawValue>>,
    /// Whether the JSON has a space behind each comma and colon.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) spaced: bool,
    /// A body that is UTF-8 and no JSON, or JSON in an unusual layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// A body that is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media: Option<Media>,
    /// The pieces of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) events: Option<Vec<Event>>,
    /// Whether the stream broke off.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) broken: bool,
}

/// One event of a stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    /// The time since the request.
    pub(super) at_ms: u64,
    /// The JSON of an event that is one `data:` line.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) data: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) spaced: bool,
    /// Any other piece as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

/// A file beside the recordings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Media {
    /// Its name in the folder of media; absent if it was left out.
    #[serde(
        default,
        deserialize_with = "file",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) file: Option<String>,
    /// Why the file was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<String>,
    /// In bytes.
    pub(super) size: u64,
}

/// What is known of a queued request beside its answer.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) request_id: String,
    /// The statuses in the order in which they were seen.
    pub(super) statuses: Vec<Seen>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) logs: Vec<Line>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inference_time: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<String>,
}

/// A status of a queued request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// The time since the submission.
    pub(super) at_ms: u64,
    pub(super) status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) queue_position: Option<u64>,
}

/// A line of the log of a queued request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) at_ms: u64,
    pub(super) line: serde_json::Value,
}

/// The response to the download of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Download {
    #[serde(deserialize_with = "format")]
    pub(super) format: u32,
    /// The URL without a query.
    pub(super) url: String,
    pub(super) content_type: String,
    pub(super) media: Media,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Keeps the difference between `null` and nothing.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

fn format<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        FORMAT => Ok(FORMAT),
        other => Err(Error::custom(format!(
            "format must be {FORMAT}, which this version of fal-emulator reads, not {other}"
        ))),
    }
}

fn status<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    match u16::deserialize(from)? {
        status @ 200..=599 => Ok(status),
        other => Err(Error::custom(format!(
            "status must be 200 to 599, not {other}"
        ))),
    }
}

fn headers<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let headers = BTreeMap::<String, String>::deserialize(from)?;
    for (name, value) in &headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err()
        {
            return Err(Error::custom(format!(
                "{name:?} is not a header, or its value is none"
            )));
        }
    }
    Ok(headers)
}

/// The name of a file in the folder of media, and of no other file.
fn file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    match name {
        Some(name) if !is_media_name(&name) => Err(Error::custom(format!(
            "file must be the name of a file in the folder {MEDIA}, not {name:?}"
        ))),
        name => Ok(name),
    }
}

/// Whether a name is one that the recorder gives: a hash and an extension.
pub(super) fn is_media_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    !name.starts_with('.') && !name.is_empty() && name.chars().all(plain)
}

/// A JSON text that is valid, and the layout in which it is the same text; `None` if it is no JSON or
/// if neither layout makes the same text.
pub(super) fn layout_of(text: &str) -> Option<(&RawValue, Layout)> {
    let json: &RawValue = serde_json::from_str(text).ok()?;
    [Layout::Compact, Layout::Spaced]
        .into_iter()
        .find(|layout| notation::laid_out(text, *layout) == text)
        .map(|layout| (json, layout))
}
