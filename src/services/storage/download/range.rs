//! The headers that name the version of a file, and the part of it in a response.

use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

/// `Last-Modified` identifies a version if the file had not changed for this long before the
/// response. It has a resolution of one second, so it does not tell two changes in that second
/// apart (RFC 9110 §8.8.2.2).
const AT_REST: Duration = Duration::from_secs(60);

/// The value that identifies the version of a file in `If-Range`: a strong `ETag`, or if there is
/// no `ETag` a `Last-Modified` that is old enough (RFC 9110 §13.1.5).
pub(super) fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    match headers.get(ETAG) {
        Some(etag) => Some(etag).filter(|etag| is_strong(etag)).cloned(),
        None => headers
            .get(LAST_MODIFIED)
            .filter(|changed| is_settled(headers, changed))
            .cloned(),
    }
}

/// Whether a response is of the version that `validator` identifies.
pub(super) fn is_of(headers: &HeaderMap, validator: &HeaderValue) -> bool {
    match headers.get(ETAG) {
        Some(etag) => etag == validator,
        None => headers.get(LAST_MODIFIED) == Some(validator),
    }
}

fn is_strong(etag: &HeaderValue) -> bool {
    etag.len() >= 2 && etag.as_bytes().starts_with(b"\"") && etag.as_bytes().ends_with(b"\"")
}

fn is_settled(headers: &HeaderMap, changed: &HeaderValue) -> bool {
    let time = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
    let times = headers.get(DATE).and_then(time).zip(time(changed));
    let rest = times.and_then(|(now, changed)| now.duration_since(changed).ok());
    rest.is_some_and(|rest| rest >= AT_REST)
}

/// A part of a file: the bytes `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u64,
    pub(super) end: u64,
    /// The size of the file, if the header has it.
    pub(super) total: Option<u64>,
}

/// Reads a `Content-Range`. `bytes 5-9/10` is the part `5..10` of a file of 10 bytes.
pub(super) fn part(headers: &HeaderMap) -> Option<Part> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let end = last.checked_add(1)?;
    (first <= last && total.is_none_or(|total| last < total)).then_some(Part { first, end, total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderName;

    #[test]
    fn ranges_are_believed_if_they_make_sense() {
        let of = |text: &'static str| {
            part(&HeaderMap::from_iter([(
                CONTENT_RANGE,
                HeaderValue::from_static(text),
            )]))
        };
        for (text, total) in [("bytes 5-9/10", Some(10)), ("bytes 5-9/*", None)] {
            let (first, end) = (5, 10);
            assert_eq!(of(text), Some(Part { first, end, total }));
        }
        for bad in [
            "bytes 5-10/10",
            "bytes 9-5/10",
            "items 5-9/10",
            "bytes */10",
            "bytes 5-9",
            "bytes -5-9/10",
            "",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_what_names_one_version_is_a_validator() {
        const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let header = |name, text: &'static str| (name, HeaderValue::from_static(text));
        let etag = |text| header(ETAG, text);
        let changed = header(LAST_MODIFIED, CHANGED);
        let same = header(DATE, CHANGED);
        let later = header(DATE, "Sun, 06 Nov 1994 08:50:37 GMT");
        let of =
            |headers: &[(HeaderName, HeaderValue)]| validator(&headers.iter().cloned().collect());
        assert_eq!(of(&[etag("\"a\"")]).unwrap(), "\"a\"");
        assert_eq!(of(&[changed.clone(), later.clone()]).unwrap(), CHANGED);
        for bad in [
            vec![etag("W/\"a\"")],
            vec![etag("W/\"a\""), changed.clone(), later.clone()],
            vec![etag("\""), later.clone()],
            vec![changed.clone(), same],
            vec![changed.clone()],
            vec![later.clone()],
        ] {
            assert_eq!(of(&bad), None, "{bad:?}");
        }
        for (headers, named, is) in [
            (vec![etag("\"a\""), changed.clone()], "\"a\"", true),
            (vec![changed.clone()], CHANGED, true),
            (vec![], "\"a\"", false),
            (vec![etag("W/\"a\"")], "\"a\"", false),
            (vec![etag("\"b\"")], "\"a\"", false),
            (vec![etag("\"b\""), changed], CHANGED, false),
        ] {
            let named = HeaderValue::from_static(named);
            assert_eq!(is_of(&headers.into_iter().collect(), &named), is);
        }
    }
}
