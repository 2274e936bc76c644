//! What a command wrote to stderr, as it may be shown.

use zeroize::Zeroizing;

use super::process;

/// The most of it that is shown, in characters.
const MAX_SHOWN: usize = 1000;

/// The shortest text that counts as the secret half of a key, in bytes.
const MIN_SECRET: usize = 8;

/// The shortest run of letters and digits that is taken for a token, in bytes.
const MIN_TOKEN: usize = 32;

const MASK: &str = "****";

/// The end of what a command wrote to stderr, on one line, without whatever looks like a secret.
///
/// `whole` is false if stderr was cut off. A word of eight bytes or more that is also in `stdout`
/// is masked: what the command gave as a secret is one, whatever it looks like.
pub(super) fn of_stderr(stderr: &[u8], whole: bool, stdout: &[u8]) -> String {
    let text = Zeroizing::new(process::text_of(stderr));
    let text = if whole {
        text.as_str()
    } else {
        without_last_word(&text)
    };
    let printed = words_of(stdout);
    let masked = mask(text, |word| {
        printed.split_ascii_whitespace().any(|secret| {
            word.contains(secret) || (word.len() >= MIN_SECRET && secret.contains(word))
        })
    });
    last_characters(&masked.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A text that is no output but may be a secret in the wrong place, as it may be shown.
pub(super) fn of_text(text: &str) -> String {
    last_characters(&mask(text, |_| false))
}

/// What was cut off may be the rest of a secret, whose beginning does not look like one.
fn without_last_word(text: &str) -> &str {
    text.rfind(char::is_whitespace)
        .and_then(|end| text.get(..end))
        .unwrap_or_default()
}

/// The words of `stdout` that may be secrets, separated by spaces.
fn words_of(stdout: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(stdout).into_owned());
    let mut words = Zeroizing::new(String::with_capacity(text.len() + 1));
    for word in text
        .split(|c: char| !is_token(c))
        .filter(|word| word.len() >= MIN_SECRET)
    {
        words.push_str(word);
        words.push(' ');
    }
    words
}

/// Letters, digits and what base64, JWT and UUIDs put between them.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.+=~".contains(character)
}

/// `text` without control characters, and without the words that look like secrets or are `known`
/// ones.
fn mask(text: &str, known: impl Fn(&str) -> bool) -> String {
    let mut masked = String::new();
    let mut after_scheme = false;
    for word in text.split_inclusive(is_boundary) {
        let body = word.trim_end_matches(is_boundary);
        let end = word.get(body.len()..).unwrap_or_default();
        if after_scheme && !body.is_empty()
            || has_key_shape(body)
            || has_token(body)
            || has_known(body, &known)
        {
            masked.push_str(MASK);
        } else {
            masked.extend(body.chars().map(printable));
        }
        if !body.is_empty() {
            after_scheme = body.eq_ignore_ascii_case("bearer");
        }
        masked.extend(end.chars().map(printable));
    }
    masked
}

/// What ends a word: white space, and what surrounds a value in JSON, in a shell and in prose.
fn is_boundary(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "\"'`,;()[]{}<>=".contains(character)
}

/// Whether a part of the word is `<key id>:<key secret>`; the `://` of a URL is no such part.
fn has_key_shape(word: &str) -> bool {
    word.match_indices(':').any(|(at, _)| {
        let before = word.get(..at).unwrap_or_default();
        let after = word.get(at + 1..).unwrap_or_default();
        let is_id = before.ends_with(|c: char| c.is_ascii_graphic() && !":/\\".contains(c));
        is_id && after.len() >= MIN_SECRET && !after.starts_with("//")
    })
}

fn has_token(word: &str) -> bool {
    word.split(|c: char| !is_token(c)).any(|part| {
        part.len() >= MIN_TOKEN
            && part.contains(|c: char| c.is_ascii_digit())
            && part.contains(|c: char| c.is_ascii_alphabetic())
    })
}

fn has_known(word: &str, known: &impl Fn(&str) -> bool) -> bool {
    word.split(|c: char| !is_token(c))
        .filter(|part| !part.is_empty())
        .any(known)
}

fn printable(character: char) -> char {
    match character {
        // What reorders or hides the text around it.
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        _ if character.is_whitespace() => ' ',
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    }
}

/// The last word on a failure is at its end.
fn last_characters(text: &str) -> String {
    let text = text.trim();
    let length = text.chars().count();
    if length <= MAX_SHOWN {
        return text.to_owned();
    }
    std::iter::once('…')
        .chain(text.chars().skip(length - MAX_SHOWN + 1))
        .collect()
}
