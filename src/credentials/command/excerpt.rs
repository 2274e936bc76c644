//! The stderr of a command in printable form, without secrets.

use zeroize::Zeroizing;

/// The maximum length of an excerpt, in characters.
const MAX_SHOWN: usize = 1000;

/// The minimum length of the secret half of a key, in bytes.
const MIN_SECRET: usize = 8;

/// The minimum length of a token, in bytes.
const MIN_TOKEN: usize = 32;

const MASK: &str = "****";

/// Returns the end of stderr as one line. Masks everything that looks like a secret.
///
/// `whole` is false if the end of stderr was dropped. Masks words of eight bytes or more that also
/// occur in `stdout`, because any of them may be the secret.
pub(super) fn of_stderr(stderr: &str, whole: bool, stdout: &[u8]) -> String {
    let text = if whole {
        stderr
    } else {
        without_last_word(stderr)
    };
    let printed = words_of(stdout);
    let masked = mask(text, |word| {
        printed.split_ascii_whitespace().any(|secret| {
            word.contains(secret) || (word.len() >= MIN_SECRET && secret.contains(word))
        })
    });
    last_characters(&masked.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Returns a text in printable form. Masks everything that looks like a secret.
pub(super) fn of_text(text: &str) -> String {
    last_characters(&mask(text, |_| false))
}

/// Removes the last word, which may be the start of a secret and too short to be recognized.
fn without_last_word(text: &str) -> &str {
    text.rfind(char::is_whitespace)
        .and_then(|end| text.get(..end))
        .unwrap_or_default()
}

/// Returns the words of `stdout` that may be secrets, separated by spaces.
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

/// Returns whether a character occurs in tokens: letters, digits, and the other characters of
/// base64, JWTs and UUIDs.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.+=~".contains(character)
}

/// Removes control characters from `text`. Masks the words that look like secrets or are `known`.
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

/// Returns whether a character ends a word: white space, and punctuation around values in JSON, in
/// shells and in prose.
fn is_boundary(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "\"'`,;()[]{}<>=".contains(character)
}

/// Returns whether the word contains `<key id>:<key secret>`. The `://` of a URL does not count.
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
        // Invisible characters, and characters that reorder or hide the text around them.
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        _ if character.is_whitespace() => ' ',
        _ if character.is_control() => '\u{fffd}',
        _ => character,
    }
}

/// Cuts the start off, because the cause of a failure is usually at the end.
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
