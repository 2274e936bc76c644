//! URLs in responses. Each is checked before a request goes to it.

use url::Url;

use crate::endpoint::{Hosts, Origin};
use crate::error::{Code, Error, Result};
use crate::response::Response;

/// The string in a field of a JSON response.
pub(super) fn text<'a>(answer: &'a Response, field: &str) -> Option<&'a str> {
    answer.json().ok()?.get(field)?.as_str()
}

/// The https URL in a field of a JSON response. It has no user and no password.
pub(super) fn named(answer: &Response, field: &str) -> Result<Url> {
    let text = text(answer, field).ok_or_else(|| {
        Error::new(
            Code::Protocol,
            format!("the response has no URL in {field:?}"),
        )
    })?;
    let url = Url::parse(text).ok().filter(is_plain);
    url.ok_or_else(|| {
        Error::new(
            Code::Protocol,
            format!("the {field:?} of the response is not a plain https URL"),
        )
    })
}

/// Like [`named`], but only a URL of fal's file hosts, because a token is sent to it.
pub(super) fn file_host(hosts: &Hosts, answer: &Response, field: &str) -> Result<Url> {
    only(answer, field, "a file host of fal's", |url| {
        hosts.origin(url) == Origin::Files
    })
}

/// Like [`named`], but only a URL of fal's REST service, because the key is sent to it. That
/// service gave the URL, and no other service of fal takes part in an upload.
pub(super) fn rest(hosts: &Hosts, answer: &Response, field: &str) -> Result<Url> {
    only(answer, field, "fal's service for files", |url| {
        hosts.is_rest(url)
    })
}

fn only(answer: &Response, field: &str, whose: &str, is_so: impl Fn(&Url) -> bool) -> Result<Url> {
    let url = named(answer, field)?;
    if is_so(&url) {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default();
    let message = format!(
        "the {field:?} of the response names {host:?}, which is not {whose}; nothing was sent there"
    );
    Err(Error::new(Code::ForeignOrigin, message))
}

/// Appends segments to the path of `url` and keeps the query.
pub(super) fn below(url: &Url, segments: &[&str]) -> Result<Url> {
    let mut url = url.clone();
    // The URL parser removes dot segments, which would move the segments after them.
    let dotted = |segment: &&&str| matches!(**segment, "" | "." | "..");
    if let (None, Ok(mut path)) = (segments.iter().find(dotted), url.path_segments_mut()) {
        path.pop_if_empty().extend(segments);
    } else {
        let message = "the upload's id in the response cannot be part of a URL";
        return Err(Error::new(Code::Protocol, message));
    }
    Ok(url)
}

fn is_plain(url: &Url) -> bool {
    url.scheme() == "https"
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_plain_https_addresses_are_believed() {
        let of = |url: &str| named(&Response::made(&json!({ "url": url })), "url").is_ok();
        assert!(of("https://storage.googleapis.com/x?signature=y"));
        for bad in [
            "http://v3.fal.media/x",
            "file:///etc/passwd",
            "https://user@v3.fal.media/x",
            "https://:word@v3.fal.media/x",
            "data:,x",
            "//v3.fal.media/x",
            "",
            "ftp://v3.fal.media/",
        ] {
            assert!(!of(bad), "{bad}");
        }
        assert!(named(&Response::made(&json!({ "url": 1 })), "url").is_err());
        assert!(named(&Response::made(&json!([])), "url").is_err());
    }

    #[test]
    fn segments_are_escaped_and_never_swallowed() {
        let url = Url::parse("https://v3.fal.media/a/b?s=1").unwrap();
        assert_eq!(
            below(&url, &["multipart", "x/../y?z", "1"])
                .unwrap()
                .as_str(),
            "https://v3.fal.media/a/b/multipart/x%2F..%2Fy%3Fz/1?s=1"
        );
        for bad in ["", ".", ".."] {
            assert!(below(&url, &["multipart", bad, "1"]).is_err(), "{bad:?}");
        }
    }
}
