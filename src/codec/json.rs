//! Looks at JSON that somebody else wrote.
//!
//! A tree takes up to a hundred times as much memory as its text, so one is made only of what is
//! needed. It is made here and not by serde_json's own reader of trees, for which one name in an
//! object means that a string holds more JSON: a text could say one thing to us and another to
//! everybody else, and be deeper than its depth.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::error::{Error, Result as Outcome};
use crate::limits::DEPTH;
use crate::runtime;
use crate::runtime::blocking::{self, Kind};
use crate::system::memory;

/// A longer text is not looked at where it would keep others waiting.
const LONG: usize = 64 << 10;

/// Looks at a text that may be as long as an answer: beside the runtime's threads, so that whoever
/// waits for it hears a cancellation. A short one is looked at at once.
pub(crate) async fn look<T: Send + 'static>(
    text: Bytes,
    look: impl FnOnce(Bytes) -> T + Send + 'static,
) -> Outcome<T> {
    beside(text.len(), move || look(text)).await
}

/// The same for whatever takes its time because of so many bytes.
pub(crate) async fn beside<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Outcome<T> {
    if length <= LONG {
        Ok(work())
    } else {
        blocking::blocking(Kind::Texts, work).await
    }
}

/// The same at once, for a text whose length is bounded or which is awaited for its own sake:
/// another thread takes over whatever else this one had to do.
fn off_runtime<T>(text: &[u8], look: impl FnOnce() -> T) -> T {
    if text.len() > LONG && runtime::carries_calls() {
        tokio::task::block_in_place(look)
    } else {
        look()
    }
}

/// Fails if there is no memory for the longest string with an escape, which serde_json puts
/// together beside the text and, growing, has up to three times. Of short texts nobody asks: their
/// memory is as likely there as that of everything else.
pub fn fits(text: &[u8]) -> Outcome<()> {
    if text.len() <= LONG {
        Ok(())
    } else {
        memory::probe(longest_escaped(text).saturating_mul(3))
    }
}

fn longest_escaped(text: &[u8]) -> usize {
    let (mut longest, mut begun, mut is_escaped, mut at) = (0, None, false, 0);
    while let Some(byte) = text.get(at) {
        match (begun, byte) {
            (None, b'"') => (begun, is_escaped) = (Some(at), false),
            (Some(_), b'\\') => (is_escaped, at) = (true, at + 1),
            (Some(from), b'"') => {
                longest = longest.max(if is_escaped { at - from } else { 0 });
                begun = None;
            }
            _ => {}
        }
        at += 1;
    }
    // One without an end is read up to there.
    longest.max(
        begun
            .filter(|_| is_escaped)
            .map_or(0, |from| text.len() - from),
    )
}

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

/// Whether a text is JSON of which a [`tree`] can be made. Takes no memory but for strings with an
/// escape.
pub(crate) fn is_json(text: &[u8]) -> bool {
    off_runtime(text, || {
        fits(text).is_ok() && serde_json::from_slice::<Looked>(text).is_ok()
    })
}

/// Whether a text is JSON that nothing can be missing of: a number may go on, and a text without
/// its quote is none.
pub(crate) fn ends_itself(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"')) && is_json(text)
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

/// The members of an object that have these names, as they were written; of equal ones the last
/// counts. `None` if the text is no object.
pub(crate) fn members<'t, const N: usize>(
    text: &'t [u8],
    names: [&str; N],
) -> Option<[Option<&'t RawValue>; N]> {
    off_runtime(text, || {
        fits(text).ok()?;
        // What is passed over is not looked at for this.
        let text = std::str::from_utf8(text).ok()?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = reader.deserialize_map(Members { names }).ok()?;
        reader.end().ok()?;
        Some(found)
    })
}

/// The last entries of an array, or all if there are fewer. `None` if it is none.
pub(crate) fn last_entries(array: &str, most: usize) -> Option<VecDeque<&RawValue>> {
    off_runtime(array.as_bytes(), || {
        serde_json::Deserializer::from_str(array)
            .deserialize_seq(Last { most })
            .ok()
    })
}

/// The first entries of an array. `None` if it is none.
pub(crate) fn first_entries(array: &str, most: usize) -> Option<Vec<&RawValue>> {
    off_runtime(array.as_bytes(), || {
        serde_json::Deserializer::from_str(array)
            .deserialize_seq(First { most })
            .ok()
    })
}

/// The entry of an array at an index. `None` if it is none, or has no such entry.
pub(crate) fn entry(array: &str, index: usize) -> Option<&RawValue> {
    off_runtime(array.as_bytes(), || {
        serde_json::Deserializer::from_str(array)
            .deserialize_seq(Nth { index })
            .ok()
            .flatten()
    })
}

/// The index that a part of a JSON Pointer names: digits without a zero before them (RFC 6901,
/// section 4).
pub(crate) fn index(part: &str) -> Option<usize> {
    let zero = part.starts_with('0') && part.len() > 1;
    part.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| part.parse().ok())
        .flatten()
        .filter(|_| !zero)
}

/// The text that a string stands for, if there is memory for it.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    let text = value.get();
    off_runtime(text.as_bytes(), || {
        fits(text.as_bytes())
            .and_then(|()| {
                if text.len() > LONG {
                    memory::probe(text.len())
                } else {
                    Ok(())
                }
            })
            .ok()?;
        serde_json::from_str(text).ok()
    })
}

/// An array that is read a few entries at a time, without a list of them.
pub(crate) struct Entries {
    rest: Bytes,
}

impl Entries {
    /// Those of a text that is known to be JSON. `None` if it is no array.
    pub(crate) fn of(mut array: Bytes) -> Option<Self> {
        let begins = array.iter().position(|byte| !byte.is_ascii_whitespace())?;
        array.advance(begins);
        (array.first() == Some(&b'[')).then(|| {
            array.advance(1);
            Entries { rest: array }
        })
    }

    /// What is left of the text.
    pub(crate) fn rest(&self) -> Bytes {
        self.rest.clone()
    }

    /// The next ones, as they were written: at most so many, and not many more bytes than are
    /// looked at in one go. None at the end.
    pub(crate) fn next(&mut self, most: usize) -> Vec<Bytes> {
        let (mut entries, all) = (Vec::new(), self.rest.len());
        while entries.len() < most && all - self.rest.len() < LONG {
            let between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
            let Some(begin) = self.rest.iter().position(|byte| !between(byte)) else {
                break;
            };
            self.rest.advance(begin);
            let mut reader =
                serde_json::Deserializer::from_slice(&self.rest).into_iter::<&RawValue>();
            let Some(Ok(entry)) = reader.next() else {
                break;
            };
            let length = entry.get().len();
            entries.push(self.rest.split_to(length));
        }
        entries
    }
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
            let Some(entry) = entries.next_element()? else {
                return Ok(first);
            };
            first.push(entry);
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

struct Nth {
    index: usize,
}

impl<'de> Visitor<'de> for Nth {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.index {
            if entries.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = entries.next_element()?;
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
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
#[path = "../fuzz/json.rs"]
pub(crate) mod fuzz;

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

    #[test]
    fn entries_come_a_few_at_a_time() {
        for (array, expected) in [
            ("[]", &[][..]),
            (
                " [ 1 ,-2.5e3,[3, [4]] , {\"a\":\",]\"},\n\"]\\\"\", null,true ] ",
                &[
                    "1",
                    "-2.5e3",
                    "[3, [4]]",
                    "{\"a\":\",]\"}",
                    "\"]\\\"\"",
                    "null",
                    "true",
                ],
            ),
        ] {
            let mut entries = Entries::of(array.into()).unwrap();
            let all: Vec<_> =
                std::iter::from_fn(|| Some(entries.next(2)).filter(|few| !few.is_empty()))
                    .flatten()
                    .collect();
            assert_eq!(all, expected, "{array}");
        }
        assert!(Entries::of("{}".into()).is_none() && Entries::of("".into()).is_none());
    }

    #[test]
    fn only_strings_with_an_escape_take_memory() {
        for (text, longest) in [
            ("[1,\"abc\"]", 0),
            (r#""a\"b""#, 5),
            (r#"["abcdef","\n","\\"]"#, 3),
            (r#"["a\nb"#, 5),
            (r#"["\"#, 2),
        ] {
            assert_eq!(longest_escaped(text.as_bytes()), longest, "{text}");
        }
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

    #[test]
    fn members_and_entries_stay_as_they_were_written() {
        let found = members(
            br#"{"a": 1.50, "x": [1, 2], "\u0062": {"c":0}, "a": 2 }"#,
            ["a", "b", "c"],
        )
        .unwrap();
        assert_eq!(
            found.map(|raw| raw.map(RawValue::get)),
            [Some("2"), Some(r#"{"c":0}"#), None]
        );
        for none in [&b"[]"[..], b"", b"{}x", b"{\"a\":}", b"{\"b\":\"\xff\"}"] {
            assert!(members(none, ["a"]).is_none());
        }
        let list = "[1, {}, \"x\"]";
        let shown = |entries: Vec<&RawValue>| {
            entries
                .iter()
                .map(|raw| raw.get().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(first_entries(list, 2).unwrap()), ["1", "{}"]);
        assert_eq!(
            shown(last_entries(list, 2).unwrap().into()),
            ["{}", "\"x\""]
        );
        assert_eq!(first_entries(list, 9).unwrap().len(), 3);
        assert_eq!(
            ["0", "2", "3"].map(|at| entry(list, at.parse().unwrap()).map(RawValue::get)),
            [Some("1"), Some("\"x\""), None]
        );
        assert!(entry("{}", 0).is_none() && entry("[0", 0).is_none());
        assert!(first_entries("{}", 2).is_none() && last_entries("{}", 2).is_none());
    }
}
