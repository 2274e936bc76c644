//! MessagePack as JSON and back (fal-protocol.md §7.3).
//!
//! What MessagePack has and JSON has not takes the shape of an object with one field: bytes are `{"$bytes": "<base64>"}`,
//! an extension is `{"$ext": [type, "<base64>"]}`. Integers stay exact over all of 64 bits. NaN and the infinities are
//! `null`, as in JavaScript. A map's key that is no string becomes its JSON text; of equal keys the last counts.

use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmpv::Value as Packed;
use serde_json::{Map, Number, Value, json};

use crate::error::{Error, Result};

const BYTES: &str = "$bytes";
const EXTENSION: &str = "$ext";
/// serde_json reads up to 128 levels, and so does whoever reads our JSON.
const DEEPEST: usize = 120;
/// A packed value may have one byte and takes forty in memory, so values are counted too.
const MOST_VALUES: usize = 1 << 20;

/// Bytes for an input of a realtime app: set it as a field's value. In JSON they are `{"$bytes": "<base64>"}`; they are sent
/// as bytes (fal-protocol.md §7.3).
pub fn bytes_value(bytes: &[u8]) -> Value {
    json!({BYTES: STANDARD.encode(bytes)})
}

/// The frame of an input.
pub(crate) fn pack(value: &Value) -> Result<Vec<u8>> {
    let packed = to_packed(value)?;
    let mut frame = Vec::new();
    rmpv::encode::write_value(&mut frame, &packed).map_err(|e| Error::invalid(format!("the input: {e}")))?;
    Ok(frame)
}

/// What a frame holds; none if it is not exactly one value of a sane size and depth.
pub(crate) fn unpack(frame: &[u8]) -> Option<Packed> {
    let mut counted = Counted { rest: frame, left: MOST_VALUES };
    let value = rmpv::decode::read_value_with_max_depth(&mut counted, DEEPEST).ok()?;
    counted.rest.is_empty().then_some(value)
}

/// Counts what is read: every value begins with a read of its own.
struct Counted<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::OutOfMemory)?;
        self.rest.read(buffer)
    }
}

fn to_packed(value: &Value) -> Result<Packed> {
    Ok(match value {
        Value::Null => Packed::Nil,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => value.into(),
            (_, Some(value)) => value.into(),
            _ => number.as_f64().map_or(Packed::Nil, Packed::from),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Packed::Array(items.iter().map(to_packed).collect::<Result<_>>()?),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, value)) if fields.len() == 1 && name == BYTES => Packed::Binary(decoded(value)?),
            Some((name, value)) if fields.len() == 1 && name == EXTENSION => {
                let kind = value.get(0).and_then(Value::as_i64).and_then(|kind| i8::try_from(kind).ok());
                let kind = kind.ok_or_else(|| Error::invalid("an extension is {\"$ext\": [type, \"<base64>\"]}"))?;
                Packed::Ext(kind, decoded(value.get(1).unwrap_or(&Value::Null))?)
            }
            _ => {
                let field = |(name, value): (&String, &Value)| Ok((name.as_str().into(), to_packed(value)?));
                Packed::Map(fields.iter().map(field).collect::<Result<_>>()?)
            }
        },
    })
}

fn decoded(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().ok_or_else(|| Error::invalid("bytes are {\"$bytes\": \"<base64>\"}"))?;
    STANDARD.decode(text).map_err(|e| Error::invalid(format!("bytes are {{\"$bytes\": \"<base64>\"}}: {e}")))
}

pub(crate) fn to_json(value: &Packed) -> Value {
    match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(value) => (*value).into(),
        Packed::Integer(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => value.into(),
            (_, value) => value.into(),
        },
        Packed::F32(value) => number((*value).into()),
        Packed::F64(value) => number(*value),
        Packed::String(text) => text.as_str().map_or_else(|| bytes_value(text.as_bytes()), Value::from),
        Packed::Binary(bytes) => bytes_value(bytes),
        Packed::Array(items) => items.iter().map(to_json).collect(),
        Packed::Map(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (key(name), to_json(value))).collect::<Map<_, _>>())
        }
        Packed::Ext(kind, bytes) => json!({EXTENSION: [kind, STANDARD.encode(bytes)]}),
    }
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn key(name: &Packed) -> String {
    name.as_str().map_or_else(|| to_json(name).to_string(), str::to_owned)
}

/// The bytes at a JSON Pointer, without the detour over base64.
pub(crate) fn bytes_at<'a>(value: &'a Packed, pointer: &str) -> Option<&'a [u8]> {
    let path = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    let found = path.into_iter().try_fold(value, |value, part| match value {
        Packed::Array(items) => items.get(part.parse::<usize>().ok()?),
        Packed::Map(fields) => fields.iter().rev().find(|(name, _)| key(name) == part).map(|(_, value)| value),
        _ => None,
    })?;
    match found {
        Packed::Binary(bytes) | Packed::Ext(_, bytes) => Some(bytes),
        Packed::String(text) if text.is_err() => Some(text.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: &Value) -> Value {
        to_json(&unpack(&pack(value).unwrap()).unwrap())
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let value = json!({
            "null": null, "no": false, "text": "ü", "large": u64::MAX, "small": i64::MIN, "past_2_53": 9_007_199_254_740_993_i64,
            "float": 0.1, "list": [1, [2]], "image": bytes_value(&[0, 255, 7]), "when": {"$ext": [-1, "AAAAAA=="]}, "none": {},
        });
        assert_eq!(there_and_back(&value), value);
    }

    #[test]
    fn bytes_use_the_bin_family_and_are_read_without_base64() {
        let frame = pack(&json!({"a": [{"b/c": bytes_value(b"xyz")}]})).unwrap();
        assert!(frame.ends_with(&[0xC4, 3, b'x', b'y', b'z']), "{frame:?}");
        let value = unpack(&frame).unwrap();
        assert_eq!(bytes_at(&value, "/a/0/b~1c"), Some(&b"xyz"[..]));
        for pointer in ["", "/a", "/a/1", "/a/x", "/b"] {
            assert_eq!(bytes_at(&value, pointer), None, "{pointer}");
        }
        assert_eq!(bytes_at(&Packed::Binary(vec![1]), ""), Some(&[1][..]));
    }

    #[test]
    fn what_json_lacks_has_a_shape() {
        let shown = |value: Packed| to_json(&value).to_string();
        assert_eq!(shown(Packed::F64(f64::NAN)), "null");
        assert_eq!(shown(Packed::F32(f32::INFINITY)), "null");
        assert_eq!(shown(Packed::F32(0.5)), "0.5");
        assert_eq!(shown(unpack(&[0xA1, 0xFF]).unwrap()), r#"{"$bytes":"/w=="}"#);
        let keys = [(1.into(), 1.into()), (Packed::Nil, 2.into()), (true.into(), 3.into()), ("s".into(), 4.into())];
        assert_eq!(to_json(&Packed::Map(keys.to_vec())), json!({"1": 1, "null": 2, "true": 3, "s": 4}));
        let twice = Packed::Map(vec![(1.into(), vec![1].as_slice().into()), ("1".into(), vec![2].as_slice().into())]);
        assert_eq!((to_json(&twice), bytes_at(&twice, "/1")), (json!({"1": bytes_value(&[2])}), Some(&[2][..])));
    }

    #[test]
    fn inputs_that_only_look_like_bytes_are_refused() {
        for malformed in [r#"{"a":{"$bytes":1}}"#, r#"{"$bytes":"?"}"#, r#"{"$ext":[300,""]}"#, r#"{"$ext":"x"}"#] {
            assert!(pack(&serde_json::from_str(malformed).unwrap()).is_err(), "{malformed}");
        }
        let more = json!({"$bytes": "x", "other": 1});
        assert_eq!(there_and_back(&more), more);
    }

    #[test]
    fn frames_that_would_take_too_much_are_refused() {
        assert!(unpack(&[]).is_none() && unpack(&[1, 2]).is_none() && unpack(&[0xC4, 5, 1]).is_none());
        assert!(unpack(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]).is_none());
        assert!(unpack(&[0x91; 100_000]).is_none(), "too deep");
        let mut many = vec![0xDD, 0, 0x20, 0, 0];
        many.resize(5 + (0x20 << 16), 0);
        assert!(unpack(&many).is_none(), "too many");
    }
}
