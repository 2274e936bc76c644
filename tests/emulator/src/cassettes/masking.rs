//! Removes secrets from what is recorded: those that the recorder has seen, in each notation, and
//! what has the form of a secret.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, PROXY_AUTHORIZATION, SET_COOKIE};

use super::urls;

/// Replaces a secret. In a recorded input it fits any text.
pub(crate) const MASKED: &str = "****";

/// A shorter text is not recognised as a secret by itself.
const SHORTEST: usize = 8;

/// What a name of a member, parameter or header contains if its value is a secret.
const SECRET_NAMES: [&str; 10] = [
    "secret",
    "password",
    "passphrase",
    "passwd",
    "authorization",
    "cookie",
    "credential",
    "apikey",
    "signature",
    "jwt",
];

/// Names that end with `_key` and say that the key is none that opens anything.
const OPEN_KEYS: [&str; 7] = [
    "public_key",
    "primary_key",
    "foreign_key",
    "sort_key",
    "musical_key",
    "idempotency_key",
    "socket_key",
];

/// The secrets that the recorder has seen.
#[derive(Default)]
pub(crate) struct Mask(Mutex<Known>);

#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    /// The notations of all secrets, the longest first.
    plain: Vec<String>,
    /// Their base64, whose surroundings may be part of it.
    coded: Vec<String>,
}

/// Whether the value of this name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = snake_case(name);
    let is_key = name.ends_with("_key") && !OPEN_KEYS.iter().any(|open| name.ends_with(open));
    let ends = is_key || name.ends_with("token") || name == "sig";
    ends || SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// `api_key` of `apiKey`, `API-Key` and `api.key`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = '_';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = before.is_lowercase()
            || before.is_ascii_digit()
            || before.is_uppercase() && rest.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && begins {
            snake.push('_');
        }
        let is_gap = matches!(c, '-' | '.' | ' ');
        snake.push(if is_gap { '_' } else { c.to_ascii_lowercase() });
        before = c;
    }
    snake
}

impl Mask {
    /// Knows a secret from now on: a key, a token or a cookie.
    pub(crate) fn learn(&self, secret: &str) {
        let secret = secret.trim();
        // The first half of a key is public.
        let hidden = secret.split_once(':').map_or(secret, |(_, hidden)| hidden);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in [secret, hidden] {
            if secret.len() >= SHORTEST && known.secrets.insert(secret.to_owned()) {
                known.plain.extend(notations(secret));
                known.coded.extend(in_base64(secret.as_bytes()));
            }
        }
        known
            .plain
            .sort_by_key(|text| std::cmp::Reverse(text.len()));
        known
            .coded
            .sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// Knows the credentials and cookies of a request or a response from now on.
    pub(super) fn learn_headers(&self, headers: &HeaderMap) {
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            if [AUTHORIZATION, PROXY_AUTHORIZATION].contains(name) {
                let credential = value.trim().split_once(' ').map_or(&*value, |(_, it)| it);
                self.learn(credential);
            } else if name == COOKIE || name == SET_COOKIE {
                // Behind the first pair of `Set-Cookie` there are attributes.
                let pairs = value
                    .split(';')
                    .take(if name == COOKIE { usize::MAX } else { 1 })
                    .filter_map(|pair| pair.split_once('='));
                pairs.for_each(|(_, secret)| self.learn(secret));
            } else if is_secret(name.as_str()) {
                self.learn(&value);
            }
        }
    }

    /// Knows the values of a query or a form whose names say that they are secrets.
    pub(super) fn learn_form(&self, form: &[u8]) {
        for (name, value) in form_urlencoded::parse(form) {
            if is_secret(&name) {
                self.learn(&value);
            }
        }
    }

    /// Knows all strings of the response to a request for a token that may be one. An id of an app, a URL and
    /// a list of scopes are none.
    pub(super) fn learn_token(&self, answer: &[u8]) {
        for (name, text) in strings(answer) {
            let is_one = text.len() > 2 * SHORTEST && !text.contains(['/', ' ']);
            if is_one || is_secret(&name) {
                self.learn(&text);
            }
        }
    }

    /// Knows the strings of a response whose names say that they are secrets.
    pub(super) fn learn_members(&self, answer: &[u8]) {
        for (name, text) in strings(answer) {
            // A whole key of fal has this name, and so have groups of models.
            if is_secret(&name) || name == "key" && text.contains(':') {
                self.learn(&text);
            }
        }
    }

    /// `text` without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut masked =
            without_known(text, &self.0.lock().unwrap_or_else(PoisonError::into_inner));
        masked = urls::replaced(&masked, &mut |url| urls::unsigned(url));
        masked = without_credentials(&masked);
        without_tokens(&masked)
    }

    /// The value of a member, parameter or header without secrets.
    pub(crate) fn value(&self, name: Option<&str>, value: &str) -> String {
        if name.is_some_and(is_secret) && !value.is_empty() {
            return MASKED.into();
        }
        self.text(value)
    }

    /// Whether a text has no secret.
    pub(super) fn is_clean(&self, text: &str) -> bool {
        self.text(text) == text
    }

    /// Whether bytes that are no text contain a secret.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.plain.iter().chain(&known.coded);
        all.any(|secret| contains(bytes, secret.as_bytes()))
    }
}

/// All strings of a JSON text, each with the name of its member, or of one around it that says that it is
/// secret.
fn strings(json: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut left = vec![(
        String::new(),
        serde_json::from_slice(json).unwrap_or_default(),
    )];
    while let Some((name, value)) = left.pop() {
        match value {
            serde_json::Value::String(text) => found.push((name, text)),
            serde_json::Value::Array(items) => {
                left.extend(items.into_iter().map(|item| (name.clone(), item)));
            }
            serde_json::Value::Object(members) if is_secret(&name) => {
                left.extend(members.into_iter().map(|(_, item)| (name.clone(), item)));
            }
            serde_json::Value::Object(members) => left.extend(members),
            _ => {}
        }
    }
    found
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else {
        return false;
    };
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| byte == first) {
        at += found + 1;
        if bytes[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// A secret as itself, escaped as in URLs, JSON and HTML, and as numbers.
fn notations(secret: &str) -> BTreeSet<String> {
    let each = |one: &dyn Fn(u8) -> String, between: &str| {
        let all: Vec<String> = secret.bytes().map(one).collect();
        all.join(between)
    };
    let special = |byte: u8, escape: &dyn Fn(u8) -> String| match byte {
        plain if plain.is_ascii_alphanumeric() => char::from(plain).to_string(),
        special => escape(special),
    };
    let upper = |byte: u8| format!("%{byte:02X}");
    let lower = |byte: u8| format!("%{byte:02x}");
    let json = serde_json::Value::String(secret.to_owned()).to_string();
    [
        secret.to_owned(),
        // As the name of a header or a host.
        secret.to_ascii_lowercase(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        each(&|byte| special(byte, &upper), ""),
        each(&|byte| special(byte, &lower), ""),
        each(&upper, ""),
        each(&lower, ""),
        json.trim_matches('"').to_owned(),
        each(&|byte| format!("\\u{byte:04X}"), ""),
        each(&|byte| format!("\\u{byte:04x}"), ""),
        each(&|byte| format!("&#{byte};"), ""),
        each(&|byte| format!("&#x{byte:X};"), ""),
        each(&|byte| format!("&#x{byte:x};"), ""),
        each(&|byte| format!("{byte:02X}"), ""),
        each(&|byte| format!("{byte:02x}"), ""),
        each(&|byte| byte.to_string(), ", "),
        each(&|byte| byte.to_string(), ","),
    ]
    .into()
}

/// The part of a secret's base64 that does not depend on the bytes around it, for each of the three
/// positions that it may have in a group of three bytes.
fn in_base64(secret: &[u8]) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for before in 0..3 {
        let bytes = [&b"\0\0"[..before], secret].concat();
        let whole = bytes.len() / 3 * 4 + [0, 1, 2][bytes.len() % 3];
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(&bytes);
            forms.insert(text[[0, 2, 3][before]..whole].to_owned());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

fn without_known(text: &str, known: &Known) -> String {
    let mut masked = text.to_owned();
    for secret in &known.plain {
        if masked.contains(secret.as_str()) {
            masked = masked.replace(secret.as_str(), MASKED);
        }
    }
    // Last, because what surrounds it goes with it.
    for secret in &known.coded {
        while let Some(at) = masked.find(secret.as_str()) {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
            let (head, tail) = (&masked[..at], &masked[at..]);
            let from = head.trim_end_matches(is_part).len();
            let to = at + tail.find(|c| !is_part(c)).unwrap_or(tail.len());
            masked.replace_range(from..to, MASKED);
        }
    }
    masked
}

/// Masks what follows `Key`, `Bearer` or `Basic`, and the second half of everything that has the form
/// of a key of fal.
fn without_credentials(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.:~+/=*%".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = "";
    while let Some(from) = rest.find(is_word) {
        let (gap, word_on) = rest.split_at(from);
        let (word, after) =
            word_on.split_at(word_on.find(|c| !is_word(c)).unwrap_or(word_on.len()));
        out.push_str(gap);
        let key = word
            .split_once(':')
            .filter(|(id, secret)| is_key(id, secret));
        let scheme = before.to_ascii_lowercase();
        let credential = match scheme.as_str() {
            "bearer" | "basic" => word.len() >= 2 * SHORTEST,
            "key" => word.contains(':') && word.len() >= 2 * SHORTEST,
            _ => false,
        };
        match key {
            Some((id, _)) => out.push_str(&format!("{id}:{MASKED}")),
            None if credential && gap == " " => out.push_str(MASKED),
            None => out.push_str(word),
        }
        (before, rest) = (word, after);
    }
    out.push_str(rest);
    out
}

/// A UUID, and a secret of at least sixteen letters and digits.
fn is_key(id: &str, secret: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok()
        && secret.len() >= 2 * SHORTEST
        && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Masks JSON web tokens.
fn without_tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let (token, after) = tail.split_at(tail.find(|c| !is_part(c)).unwrap_or(tail.len()));
        let parts: Vec<&str> = token.splitn(3, '.').collect();
        let is_token = matches!(parts[..], [first, second, ..] if first.len() > SHORTEST && second.len() > SHORTEST);
        out.push_str(if is_token { MASKED } else { token });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "fake-secret+of/a key?";

    fn mask() -> Mask {
        let mask = Mask::default();
        mask.learn(&format!("fake-id:{SECRET}"));
        mask
    }

    #[test]
    fn a_known_secret_is_masked_in_each_notation() {
        let mask = mask();
        let bytes = SECRET.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut texts = vec![
            format!("Authorization: Key fake-id:{SECRET}"),
            hex.to_uppercase(),
            format!("{bytes:?}"),
            form_urlencoded::byte_serialize(bytes).collect(),
        ];
        for before in ["", "a", "ab", "fake-id:"] {
            for engine in [&STANDARD, &URL_SAFE] {
                texts.push(engine.encode(format!("{before}{SECRET}")));
                texts.push(engine.encode(format!("{before}{SECRET}, and more")));
            }
        }
        for text in texts {
            let masked = mask.text(&format!("<{text}>"));
            assert!(masked.contains(MASKED) && masked.len() < 40, "{masked}");
            assert!(mask.is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_and_nothing_else() {
        let mask = Mask::default();
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        for (text, expected) in [
            (
                format!("{id}:0123456789abcdef0123456789abcdef"),
                format!("{id}:****"),
            ),
            ("Bearer 0123456789abcdef".into(), "Bearer ****".into()),
            ("(Key fake-id:0123456789)".into(), "(Key ****)".into()),
            (
                "eyJhbGciOiJub25l.eyJhcHBzIjpbXX0.c2ln!".into(),
                "****!".into(),
            ),
            (
                "see https://a.b/c?x=1&X-Amz-Signature=abc and".into(),
                "see https://a.b/c?**** and".into(),
            ),
        ] {
            assert_eq!(mask.text(&text), expected);
        }
        for text in [
            "Key ingredients: salt",
            "a bearer of bad news",
            "eyJust a name.and more",
            "https://a.b/c?x=1&y=2",
            "12:30 **** 50%",
        ] {
            assert_eq!(mask.text(text), text);
        }
    }

    #[test]
    fn a_name_says_what_is_secret() {
        let mask = Mask::default();
        assert_eq!(mask.value(Some("hf_token"), "short"), MASKED);
        assert_eq!(mask.value(Some("max_tokens"), "short"), "short");
        assert_eq!(mask.value(Some("prompt"), "short"), "short");
        assert_eq!(mask.value(Some("key_secret"), ""), "");
        for name in [
            "openai_key",
            "openaiKey",
            "openAIKey",
            "API-Key",
            "x-api-key",
            "apikey",
            "hf_token",
            "sessionToken",
            "client_secret",
            "PASSWORD",
            "aws.access.key",
            "private_key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "key",
            "keys",
            "monkey",
            "public_key",
            "max_tokens",
            "keyframes",
            "musicalKey",
            "Idempotency-Key",
            "Sec-WebSocket-Key",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn an_answer_with_a_token_says_other_things_too() {
        let mask = Mask::default();
        let app = "fal-ai/flux/schnell/image-to-image";
        let scope = "openid profile offline_access";
        let answer =
            serde_json::json!({"app": app, "scope": scope, "token": "a/token/with/slashes"});
        mask.learn_token(answer.to_string().as_bytes());
        mask.learn_token(b"\"a-token-of-one-string\"");
        assert!(mask.is_clean(app) && mask.is_clean(scope));
        assert_eq!(
            mask.text("a/token/with/slashes a-token-of-one-string"),
            "**** ****"
        );
    }

    #[test]
    fn a_word_is_no_secret() {
        let mask = Mask::default();
        mask.learn("short");
        assert_eq!(mask.text("a short text"), "a short text");
    }
}
