//! Converts MessagePack to JSON and back (docs/protocol.md §7.3).
//!
//! Types that JSON lacks become objects with one member: bytes are `{"$bytes": "<base64>"}`, an
//! extension is `{"$ext": [type, "<base64>"]}`. Integers of up to 64 bits stay exact. NaN and the
//! infinities become `null`, as in JavaScript. A map key that is not a string becomes its JSON
//! text; of equal keys the last counts. A frame with an array, a map or an extension as a key is
//! refused, because the escaping of keys within keys would double with each level.

use std::borrow::Cow;
use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmpv::ValueRef;
use rmpv::decode::value_ref::BorrowRead;
#[cfg(any(test, feature = "capi"))]
use serde_json::Map;
use serde_json::{Number, Value, json};

use crate::error::{Error, Result};
use crate::limits::{PACKED_DEPTH, PACKED_RATIO, PACKED_VALUES};
use crate::system::memory::{self, Growing};

const BYTES: &str = "$bytes";
const EXTENSION: &str = "$ext";

/// Returns bytes as a field value for an input of a realtime app: the object `{"$bytes":
/// "<base64>"}`, which is sent as MessagePack bytes (docs/protocol.md §7.3).
pub fn bytes_value(bytes: &[u8]) -> Value {
    json!({BYTES: STANDARD.encode(bytes)})
}

/// Does the same as [`bytes_value`], but fails if there is no memory.
#[cfg(any(test, feature = "capi"))]
pub(crate) fn bytes_of(bytes: &[u8]) -> Result<Value> {
    let mut object = Map::new();
    object.insert(BYTES.to_owned(), memory::base64("", bytes, "")?.into());
    Ok(Value::Object(object))
}

/// Encodes an input as a frame.
pub(crate) fn pack(value: &Value) -> Result<Vec<u8>> {
    let mut frame = Growing::default();
    pack_into(&mut frame, value)?;
    Ok(frame.0)
}

/// The outcome of writing a part of a frame as JSON. `Err(None)` means that the frame has no JSON
/// form, `Err(Some(_))` that there is no memory.
type Written<T = ()> = std::result::Result<T, Option<Error>>;

/// Converts a frame to JSON. Returns `None` if the frame is not exactly one value within the limits
/// of size and depth, or has no JSON form. Fails if there is no memory.
pub(crate) fn to_json(frame: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(value) = unpack(frame)? else {
        return Ok(None);
    };
    let most = frame.len().saturating_mul(PACKED_RATIO).saturating_add(64);
    let mut writer = Writer {
        text: Growing::default(),
        most,
    };
    match writer.value(&value) {
        Ok(()) => Ok(Some(writer.text.0)),
        Err(None) => Ok(None),
        Err(Some(error)) => Err(error),
    }
}

/// Decodes a frame into values that borrow from it.
fn unpack(frame: &[u8]) -> Result<Option<ValueRef<'_>>> {
    let mut counted = Counted {
        rest: frame,
        left: PACKED_VALUES,
        refused: Ok(()),
    };
    let value = rmpv::decode::value_ref::read_value_ref_with_max_depth(&mut counted, PACKED_DEPTH);
    counted.refused?;
    Ok(value.ok().filter(|_| counted.rest.is_empty()))
}

/// A reader that counts values: rmpv begins each value with one call of `read`.
struct Counted<'a> {
    rest: &'a [u8],
    left: usize,
    refused: Result<()>,
}

/// A frame of fewer values skips the check of memory.
const FEW: usize = 256;
/// The most bytes that a value takes: arrays and maps begin with a capacity of four.
const VALUE: usize = 4 * size_of::<ValueRef<'_>>();

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::OutOfMemory)?;
        let read = PACKED_VALUES - self.left;
        // rmpv's lists allocate infallibly. The probe covers them up to twice as many values, where
        // the next probe follows.
        if read >= FEW && read.is_power_of_two() {
            self.refused = memory::probe(read * VALUE);
            self.refused
                .as_ref()
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
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

fn pack_into(frame: &mut Growing, value: &Value) -> Result<()> {
    let value = match value {
        Value::Null => ValueRef::Nil,
        Value::Bool(value) => ValueRef::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => value.into(),
            (_, Some(value)) => value.into(),
            _ => number.as_f64().map_or(ValueRef::Nil, ValueRef::from),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            put_count(frame, (0x90, 0xDC), items.len())?;
            return items.iter().try_for_each(|item| pack_into(frame, item));
        }
        Value::Object(fields) => match fields.iter().next() {
            Some((name, value)) if fields.len() == 1 && name == BYTES => {
                return put(frame, &ValueRef::Binary(&decoded(value)?));
            }
            Some((name, value)) if fields.len() == 1 && name == EXTENSION => {
                return put_extension(frame, value);
            }
            _ => {
                put_count(frame, (0x80, 0xDE), fields.len())?;
                return fields.iter().try_for_each(|(name, value)| {
                    put(frame, &name.as_str().into())?;
                    pack_into(frame, value)
                });
            }
        },
    };
    put(frame, &value)
}

/// Writes a value that is neither an array nor a map.
fn put(frame: &mut Growing, value: &ValueRef<'_>) -> Result<()> {
    let length = match value {
        ValueRef::String(text) => text.as_bytes().len(),
        ValueRef::Binary(bytes) | ValueRef::Ext(_, bytes) => bytes.len(),
        _ => 0,
    };
    // rmpv would write the length modulo 2³².
    length_of(length)?;
    rmpv::encode::write_value_ref(frame, value).map_err(|_| memory::refused(frame.0.len()))
}

/// Writes the number of entries of an array or a map: in the first marker up to 15, or in two or
/// four bytes after the second or the next marker.
fn put_count(frame: &mut Growing, (small, large): (u8, u8), count: usize) -> Result<()> {
    let bytes = length_of(count)?.to_be_bytes();
    match bytes {
        [0, 0, 0, count @ ..16] => memory::append(&mut frame.0, &[small | count]),
        [0, 0, high, low] => memory::append(&mut frame.0, &[large, high, low]),
        [first, rest @ ..] => {
            memory::append(&mut frame.0, &[large + 1, first])?;
            memory::append(&mut frame.0, &rest)
        }
    }
}

fn length_of(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| Error::invalid("the input is longer than MessagePack allows"))
}

fn put_extension(frame: &mut Growing, value: &Value) -> Result<()> {
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = parts
        .first()
        .and_then(Value::as_i64)
        .and_then(|kind| i8::try_from(kind).ok());
    let (Some(kind), [_, bytes]) = (kind, parts) else {
        return Err(Error::invalid(
            "an extension is {\"$ext\": [type, \"<base64>\"]}",
        ));
    };
    put(frame, &ValueRef::Ext(kind, &decoded(bytes)?))
}

fn decoded(value: &Value) -> Result<Vec<u8>> {
    let text = value
        .as_str()
        .ok_or_else(|| Error::invalid("bytes are {\"$bytes\": \"<base64>\"}"))?;
    let mut bytes = memory::room(base64::decoded_len_estimate(text.len()))?;
    let decoded = STANDARD.decode_vec(text, &mut bytes);
    decoded.map_err(|e| Error::invalid(format!("bytes are {{\"$bytes\": \"<base64>\"}}: {e}")))?;
    Ok(bytes)
}

/// Writes JSON of at most `most` bytes.
struct Writer {
    text: Growing,
    most: usize,
}

impl Writer {
    fn value(&mut self, value: &ValueRef<'_>) -> Written {
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
                let superseded = superseded(fields)?;
                self.put(b"{")?;
                let mut first = true;
                for ((name, value), _) in fields.iter().zip(superseded).filter(|(_, it)| *it == 0) {
                    self.put(if std::mem::take(&mut first) {
                        b""
                    } else {
                        b","
                    })?;
                    self.string(&key(name)?)?;
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

    fn string(&mut self, text: &str) -> Written {
        serde_json::to_writer(&mut self.text, text)
            .map_err(|_| memory::refused(self.text.0.len()))?;
        self.put(b"")
    }

    fn put(&mut self, text: &[u8]) -> Written {
        memory::append(&mut self.text.0, text)?;
        if self.text.0.len() <= self.most {
            Ok(())
        } else {
            Err(None)
        }
    }
}

/// Returns 1 for each field that is followed by one with the same key, which counts, and 0 for the
/// others.
fn superseded(fields: &[(ValueRef<'_>, ValueRef<'_>)]) -> Written<Vec<u8>> {
    let mut named = Vec::new();
    let size = fields.len() * size_of::<(Cow<'_, str>, usize)>();
    named
        .try_reserve_exact(fields.len())
        .map_err(|_| memory::refused(size))?;
    for (place, (name, _)) in fields.iter().enumerate() {
        named.push((key(name)?, place));
    }
    named.sort_unstable();
    let mut superseded = memory::room(fields.len())?;
    superseded.resize(fields.len(), 0);
    for pair in named.windows(2) {
        if let [(name, place), (next, _)] = pair
            && name == next
        {
            superseded[*place] = 1;
        }
    }
    Ok(superseded)
}

/// Returns a map key as text: a string as it is, another scalar as its JSON.
fn key<'v>(name: &'v ValueRef<'_>) -> Written<Cow<'v, str>> {
    match name {
        ValueRef::String(text) if text.is_str() => Ok(text.as_str().unwrap_or_default().into()),
        ValueRef::Ext(..) => Err(None),
        scalar => scalar_text(scalar).map(Cow::Owned),
    }
}

/// Returns the JSON of a value that is neither an array nor a map.
fn scalar_text(value: &ValueRef<'_>) -> Written<String> {
    let bytes_text = |bytes: &[u8]| memory::base64(&format!("{{\"{BYTES}\":\""), bytes, "\"}");
    let value = match value {
        ValueRef::Nil => Value::Null,
        ValueRef::Boolean(value) => (*value).into(),
        ValueRef::Integer(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => value.into(),
            (_, value) => value.into(),
        },
        ValueRef::F32(value) => number((*value).into()),
        ValueRef::F64(value) => number(*value),
        ValueRef::String(text) => return Ok(bytes_text(text.as_bytes())?),
        ValueRef::Binary(bytes) => return Ok(bytes_text(bytes)?),
        ValueRef::Ext(kind, bytes) => {
            return Ok(memory::base64(
                &format!("{{\"{EXTENSION}\":[{kind},\""),
                bytes,
                "\"]}",
            )?);
        }
        ValueRef::Array(_) | ValueRef::Map(_) => return Err(None),
    };
    Ok(value.to_string())
}

fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// Returns the bytes at a JSON Pointer of a frame, without encoding them as base64.
pub(crate) fn bytes_at<'a>(frame: &'a [u8], pointer: &str) -> Result<Option<&'a [u8]>> {
    let Some(value) = unpack(frame)? else {
        return Ok(None);
    };
    let mut path = pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"));
    let found = path.try_fold(&value, |value, part| match value {
        ValueRef::Array(items) => items.get(crate::codec::json::index(&part)?),
        ValueRef::Map(fields) => fields
            .iter()
            .rev()
            .find(|(name, _)| key(name).is_ok_and(|name| name == part))
            .map(|(_, value)| value),
        _ => None,
    });
    Ok(match found {
        Some(ValueRef::Binary(bytes) | ValueRef::Ext(_, bytes)) => Some(bytes),
        Some(ValueRef::String(text)) if text.is_err() => {
            // `text` borrows from `value`, so the slice is taken from the frame instead.
            let (bytes, start) = (text.as_bytes(), frame.as_ptr().addr());
            let at = bytes.as_ptr().addr().checked_sub(start);
            at.and_then(|at| frame.get(at..at + bytes.len()))
        }
        _ => None,
    })
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/packed.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use rmpv::Value as Packed;

    use super::*;
    use crate::fuzz::spent::scarce;

    fn frame_of(value: &Packed) -> Vec<u8> {
        let mut frame = Vec::new();
        rmpv::encode::write_value(&mut frame, value).unwrap();
        frame
    }

    fn shown(frame: &[u8]) -> String {
        String::from_utf8(to_json(frame).unwrap().unwrap()).unwrap()
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
        assert_eq!(bytes_at(&frame, "/a/0/b~1c").unwrap(), Some(&b"xyz"[..]));
        for pointer in ["", "/a", "/a/1", "/a/x", "/b"] {
            assert_eq!(bytes_at(&frame, pointer).unwrap(), None, "{pointer}");
        }
        assert_eq!(bytes_at(&[0xC4, 1, 1], "").unwrap(), Some(&[1][..]));
        assert_eq!(
            bytes_at(&[0x91, 0xA2, b'a', 0xFF], "/0").unwrap(),
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
            r#"{"1":1,"null":2,"true":3,"s":4}"#
        );
        let places = ["z", "twice", "a", "twice", "m"];
        let places = places
            .iter()
            .zip(0..)
            .map(|(name, place)| ((*name).into(), place.into()));
        assert_eq!(
            of(Packed::Map(places.collect())),
            r#"{"z":0,"a":2,"twice":3,"m":4}"#,
            "the order of the app"
        );
        let twice = Packed::Map(vec![
            (1.into(), vec![1].as_slice().into()),
            ("1".into(), vec![2].as_slice().into()),
        ]);
        assert_eq!(of(twice.clone()), r#"{"1":{"$bytes":"Ag=="}}"#);
        assert_eq!(bytes_at(&frame_of(&twice), "/1").unwrap(), Some(&[2][..]));
        let bytes = Packed::Map(vec![(vec![1].as_slice().into(), 1.into())]);
        assert_eq!(of(bytes), r#"{"{\"$bytes\":\"AQ==\"}":1}"#);
    }

    /// Its JSON would double with each level.
    #[test]
    fn a_key_with_parts_has_no_json() {
        for depth in [1, 2, 20, 50, 100] {
            let frame = [vec![0x81; depth], vec![1; depth + 1]].concat();
            assert_eq!(to_json(&frame).unwrap().is_some(), depth == 1, "{depth}");
        }
        for key in [&[0x90][..], &[0x80], &[0xD4, 1, 1]] {
            let frame = [&[0x91, 0x81], key, &[1]].concat();
            assert!(
                to_json(&frame).unwrap().is_none() && bytes_at(&frame, "/0").unwrap().is_none(),
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
            unpack(&[]).unwrap().is_none()
                && unpack(&[1, 2]).unwrap().is_none()
                && unpack(&[0xC4, 5, 1]).unwrap().is_none()
        );
        assert!(unpack(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap().is_none());
        assert!(unpack(&[0x91; 100_000]).unwrap().is_none(), "too deep");
        let mut many = vec![0xDD, 0, 0x20, 0, 0];
        many.resize(5 + (0x20 << 16), 0);
        assert!(unpack(&many).unwrap().is_none(), "too many");
    }

    /// The numbers of entries are encoded here, not by rmpv.
    #[test]
    fn a_frame_is_what_the_codec_makes_of_it() {
        for length in [0, 1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65535, 65536] {
            let (text, bytes) = ("x".repeat(length), vec![7; length]);
            let encoded = STANDARD.encode(&bytes);
            let names = || (0..length).map(|n| format!("{n:05}"));
            for (value, packed) in [
                (json!(text), Packed::from(text.clone())),
                (bytes_value(&bytes), Packed::Binary(bytes.clone())),
                (bytes_of(&bytes).unwrap(), Packed::Binary(bytes.clone())),
                (
                    json!({"$ext": [-3, encoded]}),
                    Packed::Ext(-3, bytes.clone()),
                ),
                (
                    json!(bytes),
                    Packed::Array(bytes.iter().map(|byte| Packed::from(*byte)).collect()),
                ),
                (
                    Value::Object(names().map(|name| (name, Value::Null)).collect()),
                    Packed::Map(names().map(|name| (name.into(), Packed::Nil)).collect()),
                ),
            ] {
                assert!(
                    pack(&value).unwrap() == frame_of(&packed),
                    "{length}: {}",
                    &value.to_string()[..20.min(length)]
                );
            }
        }
    }

    /// A failed infallible allocation would abort the process.
    #[test]
    fn what_has_no_memory_is_an_error() {
        let mut packing = 0;
        let list = |part: Packed| Packed::Array(vec![part; 10_000]);
        let map =
            |value: Packed| Packed::Map((0..10_000).map(|n| (n.into(), value.clone())).collect());
        for packed in [
            list(Packed::Nil),
            list(Packed::Array(vec![1.into()])),
            list(Packed::Map(vec![(1.into(), 1.into())])),
            list("text".into()),
            map(Packed::Nil),
            map(Packed::Map(vec![(
                "a".into(),
                Packed::Map(vec![(1.into(), 1.into())]),
            )])),
            Packed::Binary(vec![7; 1 << 18]),
            Packed::Ext(1, vec![7; 1 << 18]),
            "\u{1}".repeat(1 << 16).into(),
        ] {
            let frame = frame_of(&packed);
            assert!(scarce(|| to_json(&frame).map(|json| assert!(json.is_some()))) > 0);
            scarce(|| bytes_at(&frame, "/0").map(drop));
            let value: Value = serde_json::from_slice(&to_json(&frame).unwrap().unwrap()).unwrap();
            packing += scarce(|| pack(&value).map(drop));
        }
        assert!(packing > 0);
        let bytes = vec![7; 1 << 20];
        assert!(scarce(|| bytes_of(&bytes).map(drop)) > 0);
    }
}
