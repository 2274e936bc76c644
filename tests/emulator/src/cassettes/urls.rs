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

/// `text` with each URL in it replaced by what `replace` returns for it, if anything. A URL has a scheme
/// and `//`, or only the latter.
pub(super) fn replaced(text: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slashes) = rest.find("//") {
        let at = slashes - scheme_length(&rest[..slashes]);
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

/// The length of the scheme at the end of `text`, with its colon; 0 if there is none.
fn scheme_length(text: &str) -> usize {
    let Some(before) = text.strip_suffix(':') else {
        return 0;
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match before.len() - before.trim_end_matches(is_part).len() {
        0 => 0,
        length => length + 1,
    }
}

fn is_outside(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'<>`{}|^()[]".contains(c)
}

/// A URL without the query or fragment that signs it and without a password; `None` if it has neither.
pub(super) fn unsigned(url: &str) -> Option<String> {
    let (place, query) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    let slashes = place.find("//")? + 2;
    let (scheme, rest) = place.split_at(slashes);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map(|(_, host)| host);
    // A fragment without a value is a place in a page.
    let is_signed = query.len() > 1
        && (query.starts_with('?') || query.contains('='))
        && is_signed(&query[1..]);
    if host.is_none() && !is_signed {
        return None;
    }
    let place = match host {
        Some(host) => format!("{scheme}{MASKED}@{host}{path}"),
        None => place.to_owned(),
    };
    let query = if is_signed {
        format!("{}{MASKED}", &query[..1])
    } else {
        query.to_owned()
    };
    Some(format!("{place}{query}")).filter(|masked| masked != url)
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
            ("HTTPS://u:p@a.b", Some("HTTPS://****@a.b")),
            ("postgres://u:p@db/x", Some("postgres://****@db/x")),
            ("postgres://****@db/x", None),
            ("//a.b/c?X-Amz-Signature=1", Some("//a.b/c?****")),
            ("wss://a.b?token=1", Some("wss://a.b?****")),
            ("https://a.b/c#access_token=1", Some("https://a.b/c#****")),
            ("https://a.b/c#token-usage", None),
            ("//", None),
            ("https://u:p@a.b/c?x=1", Some("https://****@a.b/c?x=1")),
            ("https://u:p@a.b/c?token=1", Some("https://****@a.b/c?****")),
        ] {
            assert_eq!(unsigned(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn urls_are_found_in_texts() {
        let text = "see \"https://a.b/c?d\", <HTTP://e> and http:// (//f/g) a+b://h // é://i";
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
                    "HTTP://e".into(),
                    "http://".into(),
                    "//f/g".into(),
                    "a+b://h".into(),
                    "//".into(),
                    "//i".into()
                ]
            )
        );
    }
}
