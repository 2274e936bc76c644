//! Downloads: the permissions, whole files and ranges (docs/protocol.md §9.6).

use std::sync::Arc;

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::{Method, StatusCode};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::acl::{Acl, Decision};
use super::cdn::wrong_method;
use super::files::{Content, File, Found};
use super::{IDENTITY, disk, now};
use crate::answer::Answer;
use crate::server::Request;
use crate::state::State;

/// The validators that the response with a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileValidator {
    /// An etag and the time of the last change.
    #[default]
    Strong,
    /// A weak etag, with which ranges cannot be combined (RFC 9110 §13.1.5), and the time of the
    /// last change.
    Weak,
    /// Only the time of the last change.
    Date,
}

/// The `Cache-Control` header of public files, as fal was observed to send it. Caches must not
/// store other files.
const PUBLIC: &str = "public, max-age=5184000, immutable";
const RESTRICTED: &str = "private, no-store";

pub(super) fn not_found() -> Answer {
    Answer::detail(StatusCode::NOT_FOUND, "File not found")
}

pub(super) async fn handle(state: &State, request: &Request) -> Result<Answer, Answer> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(wrong_method("GET, HEAD"));
    }
    let file = match state.storage.files.find(&request.path, now(state)) {
        Found::File(file) => file,
        Found::Expired => {
            return Err(Answer::detail(
                state.settings().expired_file_status.status(),
                "File not found",
            ));
        }
        Found::Nothing => recorded(state, &request.path)?,
    };
    match decide(state, request, &file) {
        Decision::Allow => serve(&file, &request.headers, state.settings().file_validator).await,
        Decision::Forbid => Err(Answer::detail(StatusCode::FORBIDDEN, "Forbidden")),
        Decision::Hide => Err(not_found()),
    }
}

/// A file of a recording.
fn recorded(state: &State, path: &str) -> Result<Arc<File>, Answer> {
    let replay = state.cassettes.replay.as_ref();
    let (bytes, content_type) = replay
        .and_then(|replay| replay.file(path))
        .ok_or_else(not_found)??;
    let text = HeaderValue::from_str(&content_type);
    Ok(Arc::new(File {
        ordinal: 0,
        url: String::new(),
        tag: disk::hex(&digest(&SHA256, &bytes))[..32].to_owned(),
        content: Content::Bytes(bytes),
        content_type: text.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream")),
        owner: None,
        file_name: None,
        stored: state.clock.began(),
        expires: None,
        acl: Acl::default(),
    }))
}

fn decide(state: &State, request: &Request, file: &File) -> Decision {
    let now = now(state);
    let identity = request
        .query_pairs()
        .find(|(name, _)| name == IDENTITY)
        .map(|(_, value)| value);
    let signed_for = identity.and_then(|identity| state.storage.identities.find(&identity, now));
    if signed_for.as_ref() == Some(&request.path) {
        return Decision::Allow;
    }
    let readers = state.storage.tokens.accounts(&request.headers, now);
    file.acl.decide(file.owner.as_deref(), &readers)
}

async fn serve(file: &File, asked: &HeaderMap, validator: FileValidator) -> Result<Answer, Answer> {
    let mut headers = HeaderMap::new();
    let strong = format!("\"{}\"", file.tag);
    let tag = if validator == FileValidator::Weak {
        format!("W/{strong}")
    } else {
        strong.clone()
    };
    let modified = httpdate::fmt_http_date(file.stored);
    let public = file.acl.decide(None, &[]) == Decision::Allow;
    for (name, value) in [
        (ETAG, tag.as_str()),
        (LAST_MODIFIED, modified.as_str()),
        (ACCEPT_RANGES, "bytes"),
        (CACHE_CONTROL, if public { PUBLIC } else { RESTRICTED }),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    if validator == FileValidator::Date {
        headers.remove(ETAG);
    }
    if unchanged(asked, &strong, &modified) {
        return Ok(Answer {
            headers: Box::new(headers),
            ..Answer::empty(StatusCode::NOT_MODIFIED)
        });
    }
    headers.insert(CONTENT_TYPE, file.content_type.clone());
    let payload = file.content.clone().payload().await?;
    let size = payload.size().unwrap_or_default();
    let range = text(asked, RANGE).filter(|_| {
        text(asked, IF_RANGE)
            .is_none_or(|is| is == modified || is == strong && validator == FileValidator::Strong)
    });
    let (status, payload) = match range.map_or(Range::Whole, |range| Range::parse(range, size)) {
        Range::Whole => (StatusCode::OK, payload),
        Range::Part(from, to) => {
            insert_range(&mut headers, format!("bytes {from}-{}/{size}", to - 1));
            (StatusCode::PARTIAL_CONTENT, payload.part(from, to))
        }
        Range::Unsatisfiable => {
            let mut answer =
                Answer::detail(StatusCode::RANGE_NOT_SATISFIABLE, "Range Not Satisfiable");
            insert_range(&mut answer.headers, format!("bytes */{size}"));
            return Err(answer);
        }
    };
    Ok(Answer {
        headers: Box::new(headers),
        payload,
        ..Answer::empty(status)
    })
}

fn insert_range(headers: &mut HeaderMap, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(CONTENT_RANGE, value);
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether the client already has this version of the file.
fn unchanged(asked: &HeaderMap, tag: &str, modified: &str) -> bool {
    match (text(asked, IF_NONE_MATCH), text(asked, IF_MODIFIED_SINCE)) {
        (Some(tags), _) => tags
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.trim_start_matches("W/") == tag),
        (None, Some(since)) => since == modified,
        (None, None) => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// No range, an invalid one, or several ranges: the whole file is a correct response.
    Whole,
    /// The first byte, and the one after the last.
    Part(u64, u64),
    Unsatisfiable,
}

impl Range {
    fn parse(text: &str, size: u64) -> Self {
        let Some((first, last)) = text
            .strip_prefix("bytes=")
            .and_then(|range| range.trim().split_once('-'))
        else {
            return Self::Whole;
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(first) || !digits(last) || first.is_empty() && last.is_empty() {
            return Self::Whole;
        }
        // A number that does not fit is beyond the end of any file.
        let number = |text: &str| text.parse().unwrap_or(u64::MAX);
        let (from, to) = match (first, last) {
            ("", last) => (size.saturating_sub(number(last)), size),
            (first, "") => (number(first), size),
            (first, last) if number(last) < number(first) => return Self::Whole,
            (first, last) => (number(first), number(last).saturating_add(1).min(size)),
        };
        if from < to {
            Self::Part(from, to)
        } else {
            Self::Unsatisfiable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        for (text, range) in [
            ("bytes=0-0", Range::Part(0, 1)),
            ("bytes=2-5", Range::Part(2, 6)),
            ("bytes=2-", Range::Part(2, 10)),
            ("bytes=-3", Range::Part(7, 10)),
            ("bytes=-30", Range::Part(0, 10)),
            ("bytes=5-99999999999999999999999", Range::Part(5, 10)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=99999999999999999999999-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=5-2", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("items=0-1", Range::Whole),
        ] {
            assert_eq!(Range::parse(text, 10), range, "{text}");
        }
        assert_eq!(Range::parse("bytes=0-", 0), Range::Unsatisfiable);
    }
}
