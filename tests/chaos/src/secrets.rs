//! The secrets of a round, in every form in which a text could contain them.

use std::fmt::Write as _;

/// Each form of a secret, and its description.
pub(crate) struct Secrets {
    forms: Vec<(String, String)>,
}

/// Every secret of the emulator contains one of these, plain or encoded: keys and refresh tokens
/// the first, short-lived tokens and signed URLs the second, tokens of the file host the third.
const MARKERS: [&str; 3] = ["fake-secret", "fake-signature-", "fake-cdn-token"];

impl Secrets {
    /// `known`: the secrets of the round, with descriptions.
    pub(crate) fn new(known: &[(&str, &str)]) -> Self {
        let mut forms = Vec::new();
        let markers = MARKERS.map(|marker| (marker, marker));
        for (what, secret) in markers.into_iter().chain(known.iter().copied()) {
            forms.push((secret.to_owned(), format!("{what}, plain")));
            forms.push((percent(secret), format!("{what}, percent-encoded")));
            forms.push((hexadecimal(secret), format!("{what}, hexadecimal")));
            let escaped = secret
                .bytes()
                .fold(String::new(), |text, byte| format!("{text}\\u{byte:04x}"));
            forms.push((escaped, format!("{what}, escaped")));
            for before in 0..3 {
                forms.push((base64(secret, before), format!("{what}, base64")));
            }
        }
        Secrets { forms }
    }

    /// Describes the secret that this text contains, if any.
    pub(crate) fn in_text(&self, text: &str) -> Option<&str> {
        let found = self
            .forms
            .iter()
            .find(|(form, _)| text.contains(form.as_str()));
        found
            .map(|(_, what)| what.as_str())
            .or_else(|| web_token(text).then_some("a JSON web token"))
    }

    /// Returns the text with every secret masked.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.forms.iter().fold(text.to_owned(), |text, (form, _)| {
            text.replace(form.as_str(), "****")
        })
    }

    /// Returns a line with each form, as careless code would print it.
    pub(crate) fn planted(&self) -> impl Iterator<Item = (String, &str)> {
        self.forms
            .iter()
            .map(|(form, what)| (format!("INFO it is {form}."), what.as_str()))
    }
}

fn percent(secret: &str) -> String {
    let special = |byte: u8| !byte.is_ascii_alphanumeric();
    secret.bytes().fold(String::new(), |mut text, byte| {
        match special(byte) {
            true => write!(text, "%{byte:02X}").unwrap(),
            false => text.push(char::from(byte)),
        }
        text
    })
}

fn hexadecimal(secret: &str) -> String {
    secret.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the part of the base64 that is independent of the surrounding bytes.
fn base64(secret: &str, before: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, before)
        .chain(secret.bytes())
        .collect();
    let whole = bytes.chunks_exact(3).flat_map(|three| {
        let number = three
            .iter()
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[number >> shift & 63]))
    });
    whole
        .skip(if before == 0 { 0 } else { before + 1 })
        .collect()
}

/// Whether the text contains the header and claims of a JSON Web Token. In base64 a JSON object
/// begins with "eyJ".
fn web_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.match_indices("eyJ").any(|(at, _)| {
        let rest = &text[at..];
        let end = rest
            .bytes()
            .position(|byte| !is_part(byte))
            .unwrap_or(rest.len());
        end > 10 && rest[end..].starts_with(".eyJ")
    })
}
