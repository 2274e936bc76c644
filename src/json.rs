//! Looks at JSON that somebody else wrote.
//!
//! A tree takes up to a hundred times as much memory as its text, so one is made only of what is needed. It is made here and not by
//! serde_json's own reader of trees, for which one name in an object means that a string holds more JSON: a text could say one thing to
//! us and another to everybody else, and be deeper than its depth.

use std::collections::VecDeque;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Whether a text is JSON of which a [`tree`] can be made. Takes no memory.
pub(crate) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<Looked>(text).is_ok()
}

/// Whether a text is JSON that nothing can be missing of: a number may go on, and a text without its quote is none.
pub(crate) fn ends_itself(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) && is_json(text)
}

/// What a text says, as a tree.
pub(crate) fn tree(text: &[u8]) -> serde_json::Result<Value> {
    let mut left = usize::MAX;
    tree_within(text, &mut left)
}

/// The same of at most `left` values, of which as many are taken as there are; else an error.
pub(crate) fn tree_within(text: &[u8], left: &mut usize) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let tree = Planted { left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(tree)
}

/// The members of an object that have these names, as they were written; of equal ones the last counts. `None` if the text is no object.
pub(crate) fn members<'t, const N: usize>(text: &'t [u8], names: [&str; N]) -> Option<[Option<&'t RawValue>; N]> {
    // What is passed over is not looked at for this.
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = reader.deserialize_map(Members { names }).ok()?;
    reader.end().ok()?;
    Some(found)
}

/// The last entries of an array, or all if there are fewer. `None` if it is none.
pub(crate) fn last_entries(array: &str, most: usize) -> Option<VecDeque<&RawValue>> {
    serde_json::Deserializer::from_str(array).deserialize_seq(Last { most }).ok()
}

/// The first entries of an array. `None` if it is none.
pub(crate) fn first_entries(array: &str, most: usize) -> Option<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(array).deserialize_seq(First { most }).ok()
}

/// The index that a part of a JSON Pointer names: digits without a zero before them (RFC 6901, section 4).
pub(crate) fn index(part: &str) -> Option<usize> {
    let zero = part.starts_with('0') && part.len() > 1;
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten().filter(|_| !zero)
}

/// The text that a string stands for.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

struct Looked;

impl<'de> Deserialize<'de> for Looked {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Looked)
    }
}

impl<'de> Visitor<'de> for Looked {
    type Value = Looked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_unit<E>(self) -> Result<Looked, E> {
        Ok(Looked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Looked, A::Error> {
        while entries.next_element::<Looked>()?.is_some() {}
        Ok(Looked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Looked, A::Error> {
        while members.next_key::<Looked>()?.is_some() {
            members.next_value::<Looked>()?;
        }
        Ok(Looked)
    }
}

/// Makes a tree.
struct Planted<'l> {
    left: &'l mut usize,
}

impl<'de> DeserializeSeed<'de> for Planted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Planted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(Planted { left: &mut *self.left })? {
            list.push(entry);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            object.insert(name, members.next_value_seed(Planted { left: &mut *self.left })?);
        }
        Ok(Value::Object(object))
    }
}

struct Members<'n, const N: usize> {
    names: [&'n str; N],
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = members.next_key_seed(Place(&self.names))? {
            match place.and_then(|place| found.get_mut(place)) {
                Some(slot) => *slot = Some(members.next_value()?),
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Where a name is among those that are looked for.
struct Place<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|wanted| *wanted == name))
    }
}

struct First {
    most: usize,
}

impl<'de> Visitor<'de> for First {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.most {
            let Some(entry) = entries.next_element()? else { return Ok(first) };
            first.push(entry);
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

struct Last {
    most: usize,
}

impl<'de> Visitor<'de> for Last {
    type Value = VecDeque<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut last = VecDeque::new();
        while let Some(entry) = entries.next_element()? {
            if last.len() == self.most {
                last.pop_front();
            }
            last.push_back(entry);
        }
        Ok(last)
    }
}

#[cfg(any(test, fuzzing))]
#[path = "fuzz/json.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_is_what_the_text_says() {
        for text in
            ["null", "[1,-1,18446744073709551615,0.1,1e300]", r#"{"a":{"b":[true,false,"ü\n"]},"a2":{}}"#, " 1 "]
        {
            assert_eq!(tree(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
            assert!(is_json(text.as_bytes()));
        }
        assert_eq!(tree(br#"{"a":1,"a":2}"#).unwrap(), json!({"a": 2}));
        for no_text in [
            "",
            "[",
            "1 2",
            "1e400",
            r#""\ud800""#,
            &"[".repeat(200),
            &format!("{}{}", "[".repeat(200), "]".repeat(200)),
        ] {
            assert!(tree(no_text.as_bytes()).is_err() && !is_json(no_text.as_bytes()), "{no_text}");
        }
        assert!(!is_json(b"\"\xff\""));
    }

    /// serde_json's own reader takes this for `[1]`.
    #[test]
    fn no_name_in_an_object_means_anything() {
        let text = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        assert_eq!(tree(text.as_bytes()).unwrap(), json!({"$serde_json::private::RawValue": "[1]"}));
    }

    #[test]
    fn a_tree_may_be_bounded() {
        let mut left = 5;
        assert_eq!(tree_within(b"[1,2]", &mut left).unwrap(), json!([1, 2]));
        assert_eq!(left, 2);
        assert!(tree_within(b"[1,2]", &mut left).is_err());
    }

    #[test]
    fn members_and_entries_stay_as_they_were_written() {
        let found = members(br#"{"a": 1.50, "x": [1, 2], "\u0062": {"c":0}, "a": 2 }"#, ["a", "b", "c"]).unwrap();
        assert_eq!(found.map(|raw| raw.map(RawValue::get)), [Some("2"), Some(r#"{"c":0}"#), None]);
        for none in [&b"[]"[..], b"", b"{}x", b"{\"a\":}", b"{\"b\":\"\xff\"}"] {
            assert!(members(none, ["a"]).is_none());
        }
        let list = "[1, {}, \"x\"]";
        let shown = |entries: Vec<&RawValue>| entries.iter().map(|raw| raw.get().to_owned()).collect::<Vec<_>>();
        assert_eq!(shown(first_entries(list, 2).unwrap()), ["1", "{}"]);
        assert_eq!(shown(last_entries(list, 2).unwrap().into()), ["{}", "\"x\""]);
        assert_eq!(first_entries(list, 9).unwrap().len(), 3);
        assert!(first_entries("{}", 2).is_none() && last_entries("{}", 2).is_none());
    }
}
