//! What tells whether a file is still the same, and which part of it came.

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

/// The value for `If-Range`: a strong etag, else the time of the last change.
pub(super) fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = headers.get(ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""));
    strong.or_else(|| headers.get(LAST_MODIFIED)).cloned()
}

/// `bytes 5-9/10` is 5 and, if it is known, 10.
pub(super) fn part(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_believed_if_they_make_sense() {
        let of = |text: &'static str| part(&HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(text))]));
        assert_eq!(of("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(of("bytes 5-9/*"), Some((5, None)));
        for bad in ["bytes 5-10/10", "bytes 9-5/10", "items 5-9/10", "bytes */10", "bytes 5-9", "bytes -5-9/10", ""] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_etag_is_none() {
        let etag = |text: &'static str| (ETAG, HeaderValue::from_static(text));
        let date = (LAST_MODIFIED, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(validator(&HeaderMap::from_iter([etag("W/\"a\""), date.clone()])), Some(date.1));
        assert_eq!(validator(&HeaderMap::from_iter([etag("\"a\"")])).unwrap(), "\"a\"");
        assert_eq!(validator(&HeaderMap::from_iter([etag("W/\"a\"")])), None);
    }
}
