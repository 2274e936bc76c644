//! Everything that a host can see of an operation, searched for secrets in each of their encodings.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use fal::{Error, Event};

/// The same marks as in tests/secrets/search: each secret of the tests and of the emulator contains
/// one of them. The last mark is the beginning of the emulator's tokens, so that a truncated token
/// is found, too: the reason of a WebSocket close is short.
const MARKS: [&str; 4] = [
    "fake-secret",
    "fake-signature-",
    "fake-cdn-token",
    "eyJhbGciOiJub25l",
];

/// The result of the search.
#[derive(Default)]
pub(super) struct Seen {
    /// Whether a mask replaces a secret somewhere.
    pub(super) masked: bool,
    /// The places that contain a secret.
    pub(super) leaks: Vec<String>,
}

impl Seen {
    /// Searches text that the service can influence.
    pub(super) fn text(&mut self, place: &str, text: &str) {
        self.masked |= text.contains("****");
        self.own(place, text);
    }

    /// Searches text that the service cannot influence. A mask in it proves nothing.
    pub(super) fn own(&mut self, place: &str, text: &str) {
        let plain = unescaped(&unescaped(text));
        let found = |mark: &str| {
            forms(mark)
                .iter()
                .any(|form| plain.contains(form) || text.contains(form))
        };
        if MARKS.iter().any(|mark| found(mark)) {
            self.leaks.push(place.to_owned());
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        let content = event.content();
        let place = format!("event {:?}", event.kind());
        self.text(&place, &String::from_utf8_lossy(content.body()));
        self.text(&place, &format!("{event:?}"));
        content
            .headers()
            .for_each(|(name, value)| self.text(&place, &format!("{name}: {value}")));
        if let Ok(json) = event.get("") {
            self.text(&place, &json.to_string());
        }
    }

    pub(super) fn error(&mut self, error: &Error) {
        self.text("message", error.message());
        self.text("Display", &error.to_string());
        self.text("Debug", &format!("{error:?} {error:#?}"));
        self.text("remedy", error.remedy());
        self.text("error type", error.error_type().unwrap_or_default());
        self.text("request id", error.request_id().unwrap_or_default());
        self.text("body", &String::from_utf8_lossy(error.body()));
        for (name, value) in error.headers() {
            self.text("header", &format!("{name}: {value}"));
        }
        for field in error.fields() {
            self.text(
                "field",
                &format!("{field} {field:?} {} {:?}", field.path(), field.location()),
            );
            self.text(
                "field",
                &format!(
                    "{:?} {:?} {}",
                    field.error_type(),
                    field.url(),
                    field.message()
                ),
            );
            self.text(
                "field",
                &format!("{:?} {:?}", field.context(), field.input()),
            );
        }
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            self.text("source", &format!("{error} {error:?}"));
            source = error.source();
        }
        if let Some(resolution) = error.resolution() {
            self.own(
                "resolution",
                &format!("{resolution} {resolution:?} {}", resolution.to_json()),
            );
        }
    }
}

/// A mark, its base64 at each alignment, and the base64 of those.
fn forms(mark: &str) -> Vec<String> {
    let once = encoded(mark);
    let twice: Vec<_> = once.iter().flat_map(|form| encoded(form)).collect();
    [vec![mark.to_owned()], once, twice].concat()
}

/// The part of the text's base64 that does not depend on neighbouring bytes, at each of the three
/// alignments.
fn encoded(text: &str) -> Vec<String> {
    let at = |before: usize| {
        let whole = [&vec![0; before][..], text.as_bytes()].concat();
        let first = [0, 2, 3][before];
        let last = whole.len() * 4 / 3;
        [
            STANDARD.encode(&whole)[first..last].to_owned(),
            URL_SAFE.encode(&whole)[first..last].to_owned(),
        ]
    };
    (0..3).flat_map(at).collect()
}

/// The text without the escapes of JSON, of Rust's `Debug` and of URLs.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let digits = |from: usize, count: usize| {
        let digits = std::str::from_utf8(bytes.get(from..from + count)?).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    let (mut plain, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let (byte, length) = match bytes[at] {
            b'%' => digits(at + 1, 2).map_or((b'%', 1), |byte| (byte, 3)),
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                digits(at + 2, 4).map_or((b'\\', 1), |byte| (byte, 6))
            }
            b'\\' if bytes.get(at + 1) == Some(&b'/') => (b'/', 2),
            b'\\' if bytes.get(at + 1) == Some(&b'\\') => (b'\\', 2),
            byte => (byte, 1),
        };
        plain.push(byte);
        at += length;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[test]
fn a_secret_is_seen_in_each_form() {
    let secret = "fake-id:fake-secret-0123";
    let escapes: String = secret
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    let percents: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let doubled = escapes.replace('\\', "\\\\");
    let token = STANDARD.encode("a fake-signature-0123");
    let texts = [
        secret.to_owned(),
        escapes,
        percents,
        doubled,
        STANDARD.encode(secret),
        STANDARD.encode(&secret[1..]),
    ];
    for text in texts.into_iter().chain([
        STANDARD.encode(&secret[2..]),
        token.clone(),
        STANDARD.encode(token),
    ]) {
        let mut seen = Seen::default();
        seen.text("here", &format!("before {text} behind"));
        assert_eq!(seen.leaks, ["here"], "{text}");
    }
    let mut seen = Seen::default();
    seen.text("here", "key fake-id:****, 100%, \\u00e4, fake");
    assert!(seen.leaks.is_empty() && seen.masked);
}
