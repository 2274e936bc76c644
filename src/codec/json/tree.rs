//! JSON as trees of [`Value`]s: read, copied, and written as text.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::text::{LONG, longest_escaped};
use crate::error::{Error, Result as Outcome};
use crate::limits::DEPTH;
use crate::system::memory;

/// Fails if there is no memory for the tree of a text, which is made in a way that cannot fail. Of
/// small ones nobody asks.
fn fits_as_tree(text: &[u8], values: usize) -> Outcome<()> {
    if text.len() <= LONG / DEAREST {
        return Ok(());
    }
    let strings = longest_escaped(text)
        .saturating_mul(3)
        .saturating_add(text.len());
    memory::probe(weight(text).min(values.saturating_mul(NODE).saturating_add(strings)))
}

/// What a value takes in a list, which grows by doubling: for a moment it is there once and a half.
const VALUE: usize = 3 * size_of::<Value>();
/// What a node of an object takes at most: eleven members and the nodes below. Each but the first
/// has at least five.
const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16 * size_of::<usize>();
/// What an allocator adds.
const ALLOCATED: usize = 3 * size_of::<usize>();
/// The most that a byte of text comes to, of `{"":{"":` say.
const DEAREST: usize = 256;

/// At most so many bytes are the tree of a text.
fn weight(text: &[u8]) -> usize {
    // A bit for each level, which is set where there is an object.
    let (mut levels, mut depth, mut weight, mut at) = (0_u128, 0_usize, size_of::<Value>(), 0);
    // Nobody reads more levels.
    while let Some(byte) = text.get(at).filter(|_| depth <= DEPTH) {
        weight += match byte {
            b'{' | b'[' => {
                (levels, depth) = (levels << 1 | u128::from(*byte == b'{'), depth + 1);
                match text[at + 1..].trim_ascii_start().first() {
                    Some(b'"') if *byte == b'{' => ALLOCATED + NODE,
                    Some(first) if *byte == b'[' && *first != b']' => {
                        ALLOCATED + 4 * size_of::<Value>()
                    }
                    _ => 0,
                }
            }
            b'}' | b']' => {
                (levels, depth) = (levels >> 1, depth.saturating_sub(1));
                0
            }
            b',' if levels & 1 == 1 => (NODE + ALLOCATED).div_ceil(5),
            b',' => VALUE,
            b'"' => {
                let from = at;
                at += 1;
                while text.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                ALLOCATED + at - from
            }
            _ => 0,
        };
        at += 1;
    }
    weight.saturating_add(longest_escaped(text).saturating_mul(3))
}

/// The same for a copy of a tree.
fn copied_weight(tree: &Value) -> usize {
    match tree {
        Value::String(text) => ALLOCATED + text.len(),
        Value::Array(entries) => {
            ALLOCATED
                + entries
                    .iter()
                    .map(|entry| size_of::<Value>() + copied_weight(entry))
                    .sum::<usize>()
        }
        Value::Object(members) if !members.is_empty() => {
            let nodes = (1 + members.len().div_ceil(5)) * (NODE + ALLOCATED);
            nodes
                + members
                    .iter()
                    .map(|(name, value)| ALLOCATED + name.len() + copied_weight(value))
                    .sum::<usize>()
        }
        _ => 0,
    }
}

/// The tree itself, of which a copy is made if others have it too.
pub(crate) fn own(tree: &mut Arc<Value>) -> Outcome<&mut Value> {
    if Arc::get_mut(tree).is_none() {
        let weight = copied_weight(tree);
        if weight > LONG {
            memory::probe(weight)?;
        }
    }
    Ok(Arc::make_mut(tree))
}

/// A tree as text.
pub(crate) fn written(tree: &Value) -> Outcome<Vec<u8>> {
    let mut text = memory::Growing::default();
    match serde_json::to_writer(&mut text, tree) {
        Ok(()) => Ok(text.0),
        Err(e) if e.is_io() => Err(memory::refused(text.0.len())),
        Err(e) => Err(Error::invalid(format!("the input is not JSON: {e}"))),
    }
}

/// The same as a string.
pub(crate) fn written_text(tree: &Value) -> Outcome<String> {
    String::from_utf8(written(tree)?)
        .map_err(|e| Error::invalid(format!("the input is not JSON: {e}")))
}

/// What a text of the host's says, as a tree.
pub fn parsed(text: &str) -> Outcome<Value> {
    tree(text.as_bytes())?.map_err(|e| Error::invalid(format!("it is not JSON: {e}")))
}

/// What a text says, as a tree. Fails if there is no memory for it.
pub(crate) fn tree(text: &[u8]) -> Outcome<serde_json::Result<Value>> {
    let mut left = usize::MAX;
    tree_within(text, &mut left)
}

/// The same of at most `left` values, of which as many are taken as there are; else it is none.
pub(crate) fn tree_within(text: &[u8], left: &mut usize) -> Outcome<serde_json::Result<Value>> {
    fits_as_tree(text, *left)?;
    Ok(planted(text, left))
}

fn planted(text: &[u8], left: &mut usize) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let tree = Planted { left }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(tree)
}

/// Makes a tree.
struct Planted<'l> {
    left: &'l mut usize,
}

impl<'de> DeserializeSeed<'de> for Planted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom("too many values"))?;
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
        while let Some(entry) = entries.next_element_seed(Planted {
            left: &mut *self.left,
        })? {
            list.push(entry);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            object.insert(
                name,
                members.next_value_seed(Planted {
                    left: &mut *self.left,
                })?,
            );
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::{fits, is_json};
    use super::*;
    use crate::fuzz::spent::scarce;
    use serde_json::json;

    #[test]
    fn a_tree_is_what_the_text_says() {
        for text in [
            "null",
            "[1,-1,18446744073709551615,0.1,1e300]",
            r#"{"a":{"b":[true,false,"ü\n"]},"a2":{}}"#,
            " 1 ",
        ] {
            assert_eq!(
                tree(text.as_bytes()).unwrap().unwrap(),
                serde_json::from_str::<Value>(text).unwrap(),
                "{text}"
            );
            assert!(is_json(text.as_bytes()));
        }
        assert_eq!(tree(br#"{"a":1,"a":2}"#).unwrap().unwrap(), json!({"a": 2}));
        for no_text in [
            "",
            "[",
            "1 2",
            "1e400",
            r#""\ud800""#,
            &"[".repeat(200),
            &format!("{}{}", "[".repeat(200), "]".repeat(200)),
        ] {
            assert!(
                tree(no_text.as_bytes()).unwrap().is_err() && !is_json(no_text.as_bytes()),
                "{no_text}"
            );
        }
        assert!(!is_json(b"\"\xff\""));
    }

    /// serde_json's own reader takes this for `[1]`.
    #[test]
    fn no_name_in_an_object_means_anything() {
        let text = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        assert_eq!(
            tree(text.as_bytes()).unwrap().unwrap(),
            json!({"$serde_json::private::RawValue": "[1]"})
        );
    }

    #[test]
    fn a_tree_may_be_bounded() {
        let mut left = 5;
        assert_eq!(
            tree_within(b"[1,2]", &mut left).unwrap().unwrap(),
            json!([1, 2])
        );
        assert_eq!(left, 2);
        assert!(tree_within(b"[1,2]", &mut left).unwrap().is_err());
    }

    /// An allocation that nobody expects to fail would end the process.
    #[test]
    fn what_has_no_memory_is_an_error() {
        let many =
            |head: &str, part: &str, tail: &str| format!("{head}{}{tail}", part.repeat(20_000));
        for text in [
            many("[", "{\"\":0},", "0]"),
            many("[", "[0],", "0]"),
            many("[", "0,", "0]"),
            many("[", "{\"a\":0,\"b\":0,\"c\":[[],{}]},", "0]"),
            many("[", "\"x\",", "0]"),
            many("\"\\n", "xyz", "\""),
            format!(
                "{{{}\"\":0}}",
                (0..20_000)
                    .map(|n| format!("\"{n}\":0,"))
                    .collect::<String>()
            ),
        ] {
            assert!(scarce(|| tree(text.as_bytes()).map(|tree| assert!(tree.is_ok()))) > 0);
            scarce(|| {
                assert!(is_json(text.as_bytes()) || fits(text.as_bytes()).is_err());
                Ok(())
            });
            let tree = tree(text.as_bytes()).unwrap().unwrap();
            assert!(scarce(|| written(&tree).map(drop)) > 0);
            let shared = Arc::new(tree);
            // A copy of one string is made at once.
            scarce(|| own(&mut shared.clone()).map(|own| assert!(*own == *shared)));
        }
    }
}
