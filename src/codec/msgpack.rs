//! MessagePack as JSON and back (docs/protocol.md §7.3).
//!
//! What MessagePack has and JSON has not takes the shape of an object with one field: bytes are
//! `{"$bytes": "<base64>"}`, an extension is `{"$ext": [type, "<base64>"]}`. Integers stay exact
//! over all of 64 bits. NaN and the infinities are `null`, as in JavaScript. A map's key that is no
//! string becomes its JSON text; of equal keys the last counts. A frame with a list, a map or an
//! extension as a key has no JSON: keys within keys would double with each level.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmpv::decode::value_ref::BorrowRead;
use rmpv::{Value as Packed, ValueRef};
use serde_json::{Number, Value, json};

use crate::error::{Error, Result};
use crate::limits::{PACKED_DEPTH, PACKED_RATIO, PACKED_VALUES};

const BYTES: &str = "$bytes";
const EXTENSION: &str = "$ext";

/// Bytes for an input of a realtime app: set it as a field's value. In JSON they are `{"$bytes":
/// "<base64>"}`; they are sent as bytes (docs/protocol.md §7.3).
pub fn bytes_value(bytes: &[u8]) -> Value {
    json!({BYTES: STANDARD.encode(bytes)})
}

/// The frame of an input.
pub(crate) fn pack(value: &Value) -> Result<Vec<u8>> {
    let packed = to_packed(value)?;
    let mut frame = Vec::new();
    rmpv::encode::write_value(&mut frame, &packed)
        .map_err(|e| Error::invalid(format!("the input: {e}")))?;
    Ok(frame)
}

/// The JSON of a frame; none if the frame is not exactly one value of a sane size and depth that
/// JSON has a shape for.
pub(crate) fn to_json(frame: &[u8]) -> Option<Vec<u8>> {
    let mut writer = Writer {
        text: Vec::new(),
        most: frame.len().saturating_mul(PACKED_RATIO).saturating_add(64),
    };
    writer.value(&unpack(frame)?)?;
    Some(writer.text)
}

/// What a frame holds, borrowed from it.
fn unpack(frame: &[u8]) -> Option<ValueRef<'_>> {
    let mut counted = Counted {
        rest: frame,
        left: PACKED_VALUES,
    };
    let value =
        rmpv::decode::value_ref::read_value_ref_with_max_depth(&mut counted, PACKED_DEPTH).ok()?;
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

impl<'a> BorrowRead<'a> for Counted<'a> {
    fn fill_buf(&self) -> &'a [u8] {
        self.rest
    }

    fn consume(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
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
            Some((name, value)) if fields.len() == 1 && name == BYTES => {
                Packed::Binary(decoded(value)?)
            }
            Some((name, value)) if fields.len() == 1 && name == EXTENSION => {
                let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let kind = parts
                    .first()
                    .and_then(Value::as_i64)
                    .and_then(|kind| i8::try_from(kind).ok());
                match (kind, parts) {
                    (Some(kind), [_, bytes]) => Packed::Ext(kind, decoded(bytes)?),
                    _ => {
                        return Err(Error::invalid(
                            "an extension is {\"$ext\": [type, \"<base64>\"]}",
                        ));
                    }
                }
            }
            _ => {
                let field = |(name, value): (&String, &Value)| {
                    Ok((name.as_str().into(), to_packed(value)?))
                };
                Packed::Map(fields.iter().map(field).collect::<Result<_>>()?)
            }
        },
    })
}

fn decoded(value: &Value) -> Result<Vec<u8>> {
    let text = value
        .as_str()
        .ok_or_else(|| Error::invalid("bytes are {\"$bytes\": \"<base64>\"}"))?;
    STANDARD
        .decode(text)
        .map_err(|e| Error::invalid(format!("bytes are {{\"$bytes\": \"<base64>\"}}: {e}")))
}

/// Writes JSON, up to so many bytes.
struct Writer {
    text: Vec<u8>,
    most: usize,
}

impl Writer {
    fn value(&mut self, value: &ValueRef<'_>) -> Option<()> {
        match value {
            ValueRef::Array(items) => {
                self.put(b"[")?;
                for (place, item) in items.iter().enumerate() {
                    self.put(if place > 0 { b"," } else { b"" })?;
                    self.value(item)?;
                }
                self.put(b"]")
            }
            ValueRef::Map(fields) => {
                let mut named = BTreeMap::new();
                for (name, value) in fields {
                    named.insert(key(name)?, value);
                }
                self.put(b"{")?;
                for (place, (name, value)) in named.into_iter().enumerate() {
                    self.put(if place > 0 { b"," } else { b"" })?;
                    self.string(&name)?;
                    self.put(b":")?;
                    self.value(value)?;
                }
                self.put(b"}")
            }
            ValueRef::String(text) if text.is_str() => {
                self.string(text.as_str().unwrap_or_default())
            }
            scalar => self.put(scalar_text(scalar)?.as_bytes()),
        }
    }

    fn string(&mut self, text: &str) -> Option<()> {
        serde_json::to_writer(&mut self.text, text).ok()?;
        self.put(b"")
    }

    fn put(&mut self, text: &[u8]) -> Option<()> {
        self.text.extend_from_slice(text);
        (self.text.len() <= self.most).then_some(())
    }
}

/// A map's key: a string, or the JSON text of another value without parts.
fn key<'v>(name: &'v ValueRef<'_>) -> Option<Cow<'v, str>> {
    match name {
        ValueRef::String(text) if text.is_str() => Some(text.as_str().unwrap_or_default().into()),
        ValueRef::Ext(..) => None,
        scalar => scalar_text(scalar).map(Cow::Owned),
    }
}

/// The JSON of a value that has no parts.
fn scalar_text(value: &ValueRef<'_>) -> Option<String> {
    let value = match value {
        ValueRef::Nil => Value::Null,
        ValueRef::Boolean(value) => (*value).into(),
        ValueRef::Integer(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => value.into(),
            (_, value) => value.into(),
        },
        ValueRef::F32(value) => number((*value).into()),
        ValueRef::F64(value) => number(*value),
        ValueRef::String(text) => text
            .as_str()
            .map_or_else(|| bytes_value(text.as_bytes()), Value::from),
        ValueRef::Binary(bytes) => bytes_value(bytes),
        ValueRef::Ext(kind, bytes) => json!({EXTENSION: [kind, STANDARD.encode(bytes)]}),
        ValueRef::Array(_) | ValueRef::Map(_) => return None,
    };
    Some(value.to_string())
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The bytes at a JSON Pointer of a frame, without the detour over base64.
pub(crate) fn bytes_at<'a>(frame: &'a [u8], pointer: &str) -> Option<&'a [u8]> {
    let value = unpack(frame)?;
    let mut path = pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"));
    let found = path.try_fold(&value, |value, part| match value {
        ValueRef::Array(items) => items.get(crate::codec::json::index(&part)?),
        ValueRef::Map(fields) => fields
            .iter()
            .rev()
            .find(|(name, _)| key(name).as_deref() == Some(&part))
            .map(|(_, value)| value),
        _ => None,
    })?;
    match found {
        ValueRef::Binary(bytes) | ValueRef::Ext(_, bytes) => Some(bytes),
        ValueRef::String(text) if text.is_err() => {
            // Where it is in the frame: the value itself does not live as long.
            let (bytes, start) = (text.as_bytes(), frame.as_ptr().addr());
            let at = bytes.as_ptr().addr().checked_sub(start)?;
            frame.get(at..at + bytes.len())
        }
        _ => None,
    }
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/packed.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame_of(value: &Packed) -> Vec<u8> {
        let mut frame = Vec::new();
        rmpv::encode::write_value(&mut frame, value).unwrap();
        frame
    }

    fn shown(frame: &[u8]) -> String {
        String::from_utf8(to_json(frame).unwrap()).unwrap()
    }

    fn there_and_back(value: &Value) -> Value {
        serde_json::from_str(&shown(&pack(value).unwrap())).unwrap()
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
        assert_eq!(bytes_at(&frame, "/a/0/b~1c"), Some(&b"xyz"[..]));
        for pointer in ["", "/a", "/a/1", "/a/x", "/b"] {
            assert_eq!(bytes_at(&frame, pointer), None, "{pointer}");
        }
        assert_eq!(bytes_at(&[0xC4, 1, 1], ""), Some(&[1][..]));
        assert_eq!(
            bytes_at(&[0x91, 0xA2, b'a', 0xFF], "/0"),
            Some(&[b'a', 0xFF][..])
        );
    }

    #[test]
    fn what_json_lacks_has_a_shape() {
        let of = |value: Packed| shown(&frame_of(&value));
        assert_eq!(of(Packed::F64(f64::NAN)), "null");
        assert_eq!(of(Packed::F32(f32::INFINITY)), "null");
        assert_eq!(of(Packed::F32(0.5)), "0.5");
        assert_eq!(shown(&[0xA1, 0xFF]), r#"{"$bytes":"/w=="}"#);
        let keys = [
            (1.into(), 1.into()),
            (Packed::Nil, 2.into()),
            (true.into(), 3.into()),
            ("s".into(), 4.into()),
        ];
        assert_eq!(
            of(Packed::Map(keys.to_vec())),
            r#"{"1":1,"null":2,"s":4,"true":3}"#
        );
        let twice = Packed::Map(vec![
            (1.into(), vec![1].as_slice().into()),
            ("1".into(), vec![2].as_slice().into()),
        ]);
        assert_eq!(of(twice.clone()), r#"{"1":{"$bytes":"Ag=="}}"#);
        assert_eq!(bytes_at(&frame_of(&twice), "/1"), Some(&[2][..]));
        let bytes = Packed::Map(vec![(vec![1].as_slice().into(), 1.into())]);
        assert_eq!(of(bytes), r#"{"{\"$bytes\":\"AQ==\"}":1}"#);
    }

    /// Their JSON would double with each level.
    #[test]
    fn a_key_with_parts_has_no_json() {
        for depth in [1, 2, 20, 50, 100] {
            let frame = [vec![0x81; depth], vec![1; depth + 1]].concat();
            assert_eq!(to_json(&frame).is_some(), depth == 1, "{depth}");
        }
        for key in [&[0x90][..], &[0x80], &[0xD4, 1, 1]] {
            let frame = [&[0x91, 0x81], key, &[1]].concat();
            assert!(
                to_json(&frame).is_none() && bytes_at(&frame, "/0").is_none(),
                "{frame:?}"
            );
        }
    }

    #[test]
    fn inputs_that_only_look_like_bytes_are_refused() {
        for malformed in [
            r#"{"a":{"$bytes":1}}"#,
            r#"{"$bytes":"?"}"#,
            r#"{"$ext":[300,""]}"#,
            r#"{"$ext":"x"}"#,
            r#"{"$ext":[1,"",2]}"#,
        ] {
            assert!(
                pack(&serde_json::from_str(malformed).unwrap()).is_err(),
                "{malformed}"
            );
        }
        let more = json!({"$bytes": "x", "other": 1});
        assert_eq!(there_and_back(&more), more);
    }

    #[test]
    fn frames_that_would_take_too_much_are_refused() {
        assert!(
            unpack(&[]).is_none() && unpack(&[1, 2]).is_none() && unpack(&[0xC4, 5, 1]).is_none()
        );
        assert!(unpack(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]).is_none());
        assert!(unpack(&[0x91; 100_000]).is_none(), "too deep");
        let mut many = vec![0xDD, 0, 0x20, 0, 0];
        many.resize(5 + (0x20 << 16), 0);
        assert!(unpack(&many).is_none(), "too many");
    }
}
