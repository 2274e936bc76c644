//! URLs within texts.

use url::Url;

use super::masking::{MASKED, is_secret};

/// What names a signature, its key or its time in the query of a signed URL, in lower case: those of
/// fal, AWS, Google and Azure.
const SIGNED: [&str; 12] = [
    "signature",
    "token",
    "credential",
    "x-amz-",
    "x-goog-",
    "key-pair-id",
    "policy=",
    "expires=",
    "sig=",
    "se=",
    "identity",
    "secret",
];

/// `text` with each URL of HTTP in it replaced by what `replace` returns for it, if anything.
pub(super) fn replaced(text: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["http://", "https://"]
        .iter()
        .filter_map(|s| rest.find(s))
        .min()
    {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let (url, after) = tail.split_at(tail.find(is_outside).unwrap_or(tail.len()));
        match replace(url) {
            Some(other) => out.push_str(&other),
            None => out.push_str(url),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_outside(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'<>`{}|^()[]".contains(c)
}

/// A URL without the query that signs it and without a password; `None` if it has neither.
pub(super) fn unsigned(url: &str) -> Option<String> {
    let (place, query) = match url.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (url, None),
    };
    let (scheme, rest) = place.split_once("://")?;
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let place = authority
        .rsplit_once('@')
        .map(|(_, host)| format!("{scheme}://{MASKED}@{host}{}", &rest[authority.len()..]));
    let query = query.map(|query| (query, is_signed(query)));
    match (place, query) {
        (None, None | Some((_, false))) => None,
        (Some(place), None) => Some(place),
        (Some(place), Some((query, false))) => Some(format!("{place}?{query}")),
        (place, Some((_, true))) => {
            let place = place.unwrap_or_else(|| url.split('?').next().unwrap_or_default().into());
            Some(format!("{place}?{MASKED}"))
        }
    }
}

fn is_signed(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    let named = |name: &str| {
        query.match_indices(name).any(|(at, _)| {
            // A short name must be a whole one.
            !name.ends_with('=') || at == 0 || query[..at].ends_with(['&', ';', '6'])
        })
    };
    query != MASKED
        && (SIGNED.into_iter().any(named)
            || form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_secret(&name)))
}

/// The path of a file on fal's CDN; `None` for any other URL.
pub(super) fn file_path(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    (host == "fal.media" || host.ends_with(".fal.media")).then(|| url.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_query_goes_as_a_whole() {
        for (url, expected) in [
            ("https://a.b/c?x=1", None),
            ("https://a.b/c", None),
            ("https://a.b/c?please=1", None),
            ("https://a.b/c?****", None),
            ("https://a.b/c?sig=1", Some("https://a.b/c?****")),
            ("https://a.b/c?x=1\\u0026sig=1", Some("https://a.b/c?****")),
            (
                "https://a.b/c?Expires=1&Key-Pair-Id=2",
                Some("https://a.b/c?****"),
            ),
            ("https://u:p@a.b/c", Some("https://****@a.b/c")),
            ("https://u:p@a.b/c?x=1", Some("https://****@a.b/c?x=1")),
            ("https://u:p@a.b/c?token=1", Some("https://****@a.b/c?****")),
        ] {
            assert_eq!(unsigned(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn urls_are_found_in_texts() {
        let text = "see \"https://a.b/c?d\", <http://e> and http://";
        let mut found = Vec::new();
        let same = replaced(text, &mut |url| {
            found.push(url.to_owned());
            None
        });
        assert_eq!(
            (same.as_str(), found),
            (
                text,
                vec![
                    "https://a.b/c?d".into(),
                    "http://e".into(),
                    "http://".into()
                ]
            )
        );
    }
}
