//! JSON as trees of [`Value`]s: read, copied, and written as text.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::text::{LONG, fits, longest_escaped, off_runtime};
use crate::error::{Error, Result as Outcome};
use crate::limits::DEPTH;
use crate::system::memory;

/// Fails if there is no memory for the tree of a text. Building the tree allocates infallibly, so
/// the check comes first. Small texts skip it.
fn fits_as_tree(text: &[u8], values: usize) -> Outcome<()> {
    if text.len() <= LONG / DEAREST {
        return Ok(());
    }
    let strings = longest_escaped(text)
        .saturating_mul(3)
        .saturating_add(text.len());
    memory::probe(weight(text).min(values.saturating_mul(NODE).saturating_add(strings)))
}

/// The bytes that a value takes in a `Vec`. A `Vec` grows by doubling, and while it moves, the old
/// and the new buffer exist together: three slots for each value.
const VALUE: usize = 3 * size_of::<Value>();
/// The most bytes that a node of a `BTreeMap` takes: eleven members and the edges to its children.
/// Each node but the root has at least five members.
const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16 * size_of::<usize>();
/// The overhead of one allocation.
const ALLOCATED: usize = 3 * size_of::<usize>();
/// The most bytes of tree for one byte of text. `{"":{"":` is such a text.
const DEAREST: usize = 256;

/// Returns an upper bound for the size of a text's tree, in bytes.
fn weight(text: &[u8]) -> usize {
    // `levels` has one bit for each open level: 1 for an object, 0 for an array.
    let (mut levels, mut depth, mut weight, mut at) = (0_u128, 0_usize, size_of::<Value>(), 0);
    // The parser refuses deeper texts.
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

/// Returns an upper bound for the size of a copy of a tree, in bytes.
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

/// Returns a mutable tree. Copies it first if there are other references to it.
pub(crate) fn own(tree: &mut Arc<Value>) -> Outcome<&mut Value> {
    if Arc::get_mut(tree).is_none() {
        let weight = copied_weight(tree);
        if weight > LONG {
            memory::probe(weight)?;
        }
    }
    Ok(Arc::make_mut(tree))
}

/// The capacity that a text begins with: most inputs fit.
const WRITTEN: usize = 256;

/// Writes a tree as text.
pub(crate) fn written(tree: &Value) -> Outcome<Vec<u8>> {
    let mut text = memory::Growing(memory::room(WRITTEN)?);
    match serde_json::to_writer(&mut text, tree) {
        Ok(()) => Ok(text.0),
        Err(e) if e.is_io() => Err(memory::refused(text.0.len())),
        Err(e) => Err(Error::invalid(format!("the input is not JSON: {e}"))),
    }
}

/// Parses a text of the caller.
pub fn parsed(text: &str) -> Outcome<Value> {
    tree(text.as_bytes())?.map_err(|e| Error::invalid(format!("it is not JSON: {e}")))
}

/// Fails if a text of the caller is not JSON that [`tree`] accepts, or if there is no memory to
/// find out.
pub(crate) fn check(text: &str) -> Outcome<()> {
    let (text, mut left) = (text.as_bytes(), usize::MAX);
    fits(text)?;
    read(text, &mut left, false)
        .map(drop)
        .map_err(|e| Error::invalid(format!("json is not JSON: {e}")))
}

/// Whether a text is JSON that [`tree`] accepts. Allocates memory only for strings with an escape.
pub(crate) fn is_json(text: &[u8]) -> bool {
    let mut left = usize::MAX;
    off_runtime(text, || {
        fits(text).is_ok() && read(text, &mut left, false).is_ok()
    })
}

/// Whether a text is JSON that was not cut short: an object, an array or a string, which have an
/// end mark. A number could have more digits.
pub(crate) fn ends_itself(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) && is_json(text)
}

/// Parses a text. The outer error means that there is no memory, the inner one that the text is not
/// JSON.
pub(crate) fn tree(text: &[u8]) -> Outcome<serde_json::Result<Value>> {
    let mut left = usize::MAX;
    tree_within(text, &mut left)
}

/// Parses a text of at most `left` values, and subtracts the number of its values from `left`. The
/// inner error also means that it has more.
pub(crate) fn tree_within(text: &[u8], left: &mut usize) -> Outcome<serde_json::Result<Value>> {
    fits_as_tree(text, *left)?;
    Ok(read(text, left, true))
}

fn read(text: &[u8], left: &mut usize, keep: bool) -> serde_json::Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let tree = Reader { left, keep }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(tree)
}

/// Reads at most `left` values. Builds a tree of them if `keep` is set, else discards
/// them.
struct Reader<'l> {
    left: &'l mut usize,
    keep: bool,
}

impl Reader<'_> {
    fn part(&mut self) -> Reader<'_> {
        Reader {
            left: self.left,
            keep: self.keep,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        *self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom("too many values"))?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
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
        Ok(if self.keep { value.into() } else { Value::Null })
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element_seed(self.part())? {
            if self.keep {
                list.push(entry);
            }
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        if self.keep {
            while let Some(name) = members.next_key::<String>()? {
                object.insert(name, members.next_value_seed(self.part())?);
            }
        } else {
            while members.next_key_seed(self.part())?.is_some() {
                members.next_value_seed(self.part())?;
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
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

    /// `serde_json::from_str::<Value>` reads this text as `[1]`.
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

    /// A failed infallible allocation would abort the process.
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
            // The copy of a single string is one allocation.
            scarce(|| own(&mut shared.clone()).map(|own| assert!(*own == *shared)));
        }
    }
}
