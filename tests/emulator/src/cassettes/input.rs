//! The input of a request as recordings keep it, and how two inputs differ.

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use serde_json::value::RawValue;

use super::masking::{self, MASKED, Mask};
use super::notation::{self, Layout, Part};
use super::tape::Tape;
use super::{names, urls};
use crate::server::Request;
use crate::tokens;

/// What replaces the URL of an uploaded file, which differs for each upload, before its SHA-256.
pub(super) const UPLOADED: &str = "fal-file:sha256:";

/// A data URL that is longer is kept as its hash, because nothing needs its content again.
const LONGEST_DATA: usize = 256;

/// Parameters of the gateway's own, which the app does not receive.
const GATEWAY: [&str; 3] = [tokens::PARAMETER, "fal_webhook", "fal_max_queue_length"];

/// The number of differences that are shown, and the characters of each value.
const SHOWN: usize = 6;
const SHOWN_LENGTH: usize = 60;

/// The part of a request that decides which recording answers.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) method: String,
    pub(super) query: String,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    None,
    /// As text, in the order of the sender, and parsed.
    Json(String, Value),
    /// The SHA-256 of any other body.
    Bytes(String),
}

impl Input {
    /// The input of a request. `uploaded` is the SHA-256 of the uploaded file at a URL.
    pub(super) fn of(
        request: &Request,
        mask: &Mask,
        uploaded: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Self {
        Self {
            method: request.method.as_str().to_owned(),
            query: query(request, mask),
            body: Body::of(&request.body, mask, uploaded),
        }
    }

    /// The JSON of the body.
    pub(super) fn raw(&self) -> Option<Box<RawValue>> {
        match &self.body {
            Body::Json(text, _) => RawValue::from_string(text.clone()).ok(),
            _ => None,
        }
    }

    /// The SHA-256 of a body that is no JSON.
    pub(super) fn hash(&self) -> Option<String> {
        match &self.body {
            Body::Bytes(hash) => Some(hash.clone()),
            _ => None,
        }
    }

    /// The input of a recording.
    pub(super) fn recorded(tape: &Tape) -> Self {
        let body = match (&tape.input, &tape.input_sha256) {
            (Some(json), _) => {
                let value = serde_json::from_str(json.get()).unwrap_or_default();
                Body::Json(json.get().to_owned(), value)
            }
            (None, Some(hash)) => Body::Bytes(hash.clone()),
            (None, None) => Body::None,
        };
        Self {
            method: tape.method.clone(),
            query: tape.query.clone(),
            body,
        }
    }

    /// How the input of a recording differs from this one, path by path; nothing if it fits.
    pub(super) fn differences(&self, recorded: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, recorded, given) in [
            ("the method", &recorded.method, &self.method),
            ("the query", &recorded.query, &self.query),
        ] {
            if !fits(recorded, given) {
                found.push(format!("{name}: recorded {recorded:?}, given {given:?}"));
            }
        }
        match (&recorded.body, &self.body) {
            (Body::Json(_, recorded), Body::Json(_, given)) => {
                compare("", recorded, given, &mut found);
            }
            (Body::None, Body::None) => {}
            (Body::Bytes(recorded), Body::Bytes(given)) if recorded == given => {}
            (recorded, given) => found.push(format!(
                "the body: recorded {}, given {}",
                recorded.kind(),
                given.kind()
            )),
        }
        found
    }

    /// Whether the request is a call of an app and not about a queued one.
    pub(super) fn is_call(method: &Method, path: &str) -> bool {
        *method == Method::POST || !path.split('/').any(|segment| segment == "requests")
    }
}

/// The differences in one line.
pub(super) fn shown(differences: &[String]) -> String {
    let mut text = differences[..differences.len().min(SHOWN)].join("; ");
    if differences.len() > SHOWN {
        text += &format!("; and {} more", differences.len() - SHOWN);
    }
    text
}

impl Body {
    fn of(bytes: &Bytes, mask: &Mask, uploaded: &mut dyn FnMut(&str) -> Option<String>) -> Self {
        if bytes.is_empty() {
            return Self::None;
        }
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| serde_json::from_str::<Value>(text).is_ok());
        let Some(text) = text else {
            return Self::Bytes(names::hex(bytes));
        };
        let text = kept(text, Layout::Compact, mask, uploaded, &mut hashed_data);
        match serde_json::from_str(&text) {
            Ok(value) => Self::Json(text, value),
            Err(_) => Self::Bytes(names::hex(bytes)),
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::None => "none".into(),
            Self::Json(..) => "JSON".into(),
            Self::Bytes(hash) => format!("other bytes, SHA-256 {}…", &hash[..hash.len().min(8)]),
        }
    }
}

/// JSON without secrets, with uploaded files by their hashes. `data` replaces a long data URL.
pub(super) fn kept(
    json: &str,
    layout: Layout,
    mask: &Mask,
    uploaded: &mut dyn FnMut(&str) -> Option<String>,
    data: &mut dyn FnMut(&str) -> Option<String>,
) -> String {
    notation::written(json, layout, &mut |part| {
        let text = match part {
            Part::Number => return Some("0".into()),
            Part::Text("", true) => return None,
            Part::Text(_, true) => return Some(MASKED.into()),
            Part::Name(text) | Part::Text(text, false) => text,
        };
        if text.len() > LONGEST_DATA
            && text.starts_with("data:")
            && let Some(data) = data(text)
        {
            return Some(data);
        }
        let named = urls::replaced(text, &mut |url| {
            uploaded(url).map(|hash| format!("{UPLOADED}{hash}"))
        });
        // JSON in a string, as models write the arguments of tools.
        let inner = begins_as_json(&named)
            .then(|| kept(&named, Layout::Same, mask, uploaded, &mut |_| None));
        let masked = mask.text(&inner.unwrap_or(named));
        (masked != text).then_some(masked)
    })
}

/// Whether a text may be an object or an array of JSON, or what a broken connection leaves of it.
pub(super) fn begins_as_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A data URL with the hash of its content in place of the content.
fn hashed_data(text: &str) -> Option<String> {
    let (head, content) = text.split_once(',')?;
    Some(format!("{head},sha256:{}", names::hex(content.as_bytes())))
}

/// The query that the app receives, without secrets.
fn query(request: &Request, mask: &Mask) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in request.query_pairs() {
        if !GATEWAY.contains(&&*name) {
            let value = if masking::is_secret(&name) || name == "key" {
                MASKED.into()
            } else {
                mask.text(&value)
            };
            query.append_pair(&mask.text(&name), &value);
        }
    }
    // Asterisks are not escaped.
    query.finish()
}

/// Whether a recorded text fits the given one: what was masked fits anything.
fn fits(recorded: &str, given: &str) -> bool {
    let mut parts = recorded.split(MASKED);
    let (first, mut left) = (parts.next().unwrap_or_default(), given);
    match left.strip_prefix(first) {
        Some(rest) => left = rest,
        None => return false,
    }
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return left.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn compare(path: &str, recorded: &Value, given: &Value, found: &mut Vec<String>) {
    match (recorded, given) {
        (Value::Object(recorded), Value::Object(given)) => {
            for (name, value) in recorded {
                let path = below(path, name);
                match given.get(name) {
                    Some(given) => compare(&path, value, given, found),
                    None => found.push(format!("{path}: recorded {}, not given", short(value))),
                }
            }
            for (name, value) in given {
                if !recorded.contains_key(name) {
                    let path = below(path, name);
                    found.push(format!("{path}: not recorded, given {}", short(value)));
                }
            }
        }
        (Value::Array(recorded), Value::Array(given)) => {
            for (index, pair) in recorded.iter().zip(given).enumerate() {
                compare(&format!("{path}[{index}]"), pair.0, pair.1, found);
            }
            if recorded.len() != given.len() {
                let path = if path.is_empty() { "the input" } else { path };
                let (recorded, given) = (recorded.len(), given.len());
                found.push(format!("{path}: recorded {recorded} items, given {given}"));
            }
        }
        (Value::String(recorded), Value::String(given)) if fits(recorded, given) => {}
        (Value::Number(recorded), Value::Number(given)) if is_same(recorded, given) => {}
        _ if recorded == given => {}
        _ => {
            let path = if path.is_empty() { "the input" } else { path };
            let (recorded, given) = (short(recorded), short(given));
            found.push(format!("{path}: recorded {recorded}, given {given}"));
        }
    }
}

fn below(path: &str, name: &str) -> String {
    match (path, name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
        ("", true) => name.to_owned(),
        (path, true) => format!("{path}.{name}"),
        (path, false) => format!("{path}[{name:?}]"),
    }
}

/// Whether two numbers are the same, `1` and `1.0` too.
fn is_same(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_LENGTH) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(recorded: Value, given: Value) -> String {
        let mut found = Vec::new();
        compare("", &recorded, &given, &mut found);
        shown(&found)
    }

    #[test]
    fn equal_inputs_do_not_differ() {
        for (recorded, given) in [
            (json!({"a": 1, "b": [null]}), json!({"b": [null], "a": 1.0})),
            (json!("Key fake:****!"), json!("Key fake:other!")),
            (json!("****"), json!("")),
            (json!("a ****, b ****"), json!("a 1, b 2")),
        ] {
            assert_eq!(differences(recorded, given), "");
        }
    }

    #[test]
    fn a_difference_names_its_path() {
        for (recorded, given, expected) in [
            (
                json!({"a": {"b": [1, 2]}}),
                json!({"a": {"b": [1, 3]}}),
                "a.b[1]: recorded 2, given 3",
            ),
            (
                json!({"a-b": 1}),
                json!({}),
                "[\"a-b\"]: recorded 1, not given",
            ),
            (json!({}), json!({"a": null}), "a: not recorded, given null"),
            (
                json!([1]),
                json!([1, 2]),
                "the input: recorded 1 items, given 2",
            ),
            (
                json!("a****b"),
                json!("ab "),
                "the input: recorded \"a****b\", given \"ab \"",
            ),
            (json!(1), json!(2), "the input: recorded 1, given 2"),
            (
                json!(9007199254740993u64),
                json!(9007199254740992u64),
                "the input: recorded 9007199254740993, given 9007199254740992",
            ),
        ] {
            assert_eq!(differences(recorded, given), expected);
        }
        let many = |n: i32| json!((0..9).map(|i| i + n).collect::<Vec<_>>());
        assert!(differences(many(0), many(1)).ends_with("; and 3 more"));
        let long = differences(json!("a"), json!("é".repeat(1000)));
        assert!(long.chars().count() < 120, "{long}");
    }
}
