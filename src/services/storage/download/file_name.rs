//! The name of a downloaded file.

use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};

use super::percent::unescaped;
use crate::request::{made_up, sanitized};
use crate::secrets::Secrets;

/// A safe file name from the `Content-Disposition` header, else from the last segment of the URL's
/// path, else a made-up one.
pub(super) fn name_of(headers: &HeaderMap, url_path: &str, secrets: &Secrets) -> String {
    let value = headers.get(CONTENT_DISPOSITION);
    let given = value.and_then(|value| disposition(&String::from_utf8_lossy(value.as_bytes())));
    let segment = url_path.rsplit('/').next().unwrap_or_default();
    // Secrets are removed before the name is shortened, because a part of a secret is not found.
    let harmless = |mut name: String| {
        secrets.hide(&mut name);
        sanitized(&name)
    };
    let of_url = || harmless(String::from_utf8_lossy(&unescaped(segment)).into_owned());
    let named = given.and_then(harmless).or_else(of_url);
    named.unwrap_or_else(|| made_up("download", content_type(headers)))
}

/// The file name in the value of a `Content-Disposition` header.
fn disposition(value: &str) -> Option<String> {
    let parts = unquoted_parts(value);
    let parameter = |wanted: &str| {
        parts.iter().skip(1).find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
            is_wanted.then(|| value.trim().to_owned())
        })
    };
    let extended = parameter("filename*").and_then(|value| {
        let encoded = value.splitn(3, '\'').nth(2)?;
        Some(String::from_utf8_lossy(&unescaped(encoded)).into_owned())
    });
    extended.or_else(|| parameter("filename"))
}

/// Splits a header at its semicolons outside quotes, and removes the quotes (RFC 9110 §5.6.4).
fn unquoted_parts(value: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // Other backslashes stay: some servers send a Windows path without escapes.
            '\\' if quoted => {
                part.push(rest.next_if(|next| matches!(next, '"' | '\\')).unwrap_or(c))
            }
            '"' => quoted = !quoted,
            ';' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts
}

pub(super) fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream")
}

#[cfg(any(test, fuzzing))]
#[path = "../../../fuzz/names.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn name(disposition: &str, url: &str, secrets: &Secrets) -> String {
        let disposition = HeaderValue::from_str(disposition).unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_DISPOSITION, disposition)]);
        name_of(&headers, url, secrets)
    }

    /// Errors and listings of the folder show the name.
    #[test]
    fn a_name_has_no_part_of_a_secret_in_it() {
        let secret = "fake-secret-0123456789abcdef";
        let secrets = Secrets::default();
        secrets.carry(secret);
        for before in 0..150 {
            let before = "a".repeat(before);
            let disposition = format!("attachment; filename=\"{before}{secret}.png\"");
            let name = name(&disposition, "/x", &secrets);
            assert!(!name.contains(&secret[..4]), "{before}: {name}");
        }
    }

    #[test]
    fn names_are_the_servers_and_harmless() {
        for (disposition, url, expected) in [
            ("attachment; filename=\"a b.png\"", "/x", "a b.png"),
            ("attachment; filename=../../etc/passwd", "/x", "passwd"),
            (
                "attachment; filename=\"photo;1.png\"; size=3",
                "/x",
                "photo;1.png",
            ),
            ("attachment; filename=\"a\\\"b.png\"", "/x", "a_b.png"),
            ("attachment; filename=\"C:\\dir\\c.png\"", "/x", "c.png"),
            ("attachment; filename=\"open;c.png", "/x", "open;c.png"),
            (
                "attachment; filename=a.png; filename*=UTF-8''%C3%A4%2F..%2Fb.png",
                "/x",
                "b.png",
            ),
            ("attachment; filename=\"..\"", "/files/b/c_d.png", "c_d.png"),
            ("inline", "/files/%2e%2e%2fx.png", "x.png"),
            ("inline", "/files/", "download.bin"),
            ("inline", "/..", "download.bin"),
            ("inline", "/.bashrc", "bashrc"),
        ] {
            let name = name(disposition, url, &Secrets::default());
            assert_eq!(name, expected, "{disposition} {url}");
        }
    }
}
