//! Reads JSON that another program wrote, without building a tree of it.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Result as Outcome;
use crate::runtime;
use crate::runtime::blocking::{self, Kind};
use crate::system::memory;

/// The longest text, in bytes, that is parsed directly on an async worker thread.
pub(super) const LONG: usize = 64 << 10;

/// Calls `look` with a text that may be as long as a response body. Long texts go to a blocking
/// thread, so that the awaiting task still sees a cancellation.
pub(crate) async fn look<T: Send + 'static>(
    text: Bytes,
    look: impl FnOnce(Bytes) -> T + Send + 'static,
) -> Outcome<T> {
    beside(text.len(), move || look(text)).await
}

/// Runs `work`, which takes time in proportion to `length` bytes: on a blocking thread if the
/// length is above [`LONG`], else directly.
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

/// Calls `look` on this thread. If the text is long and this is an async worker thread, its other
/// tasks move to another thread first. For texts of bounded length, and where the caller has
/// nothing else to do; other callers use [`beside`].
pub(super) fn off_runtime<T>(text: &[u8], look: impl FnOnce() -> T) -> T {
    if text.len() > LONG && runtime::carries_calls() {
        tokio::task::block_in_place(look)
    } else {
        look()
    }
}

/// Fails if there is no memory for the longest string with an escape. serde_json unescapes it into
/// a growing buffer, which takes up to three times its length. Short texts skip the check.
pub fn fits(text: &[u8]) -> Outcome<()> {
    if text.len() <= LONG {
        Ok(())
    } else {
        memory::probe(longest_escaped(text).saturating_mul(3))
    }
}

pub(super) fn longest_escaped(text: &[u8]) -> usize {
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
    // serde_json reads an unterminated string to the end of the text.
    longest.max(
        begun
            .filter(|_| is_escaped)
            .map_or(0, |from| text.len() - from),
    )
}

/// Returns the members of an object that have these names, as raw text. Of members with the same
/// name, the last one counts. Returns `None` if the text is not an object.
pub(crate) fn members<'t, const N: usize>(
    text: &'t [u8],
    names: [&str; N],
) -> Option<[Option<&'t RawValue>; N]> {
    off_runtime(text, || {
        fits(text).ok()?;
        // serde_json does not check that skipped values are UTF-8.
        let text = std::str::from_utf8(text).ok()?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = reader.deserialize_map(Members { names }).ok()?;
        reader.end().ok()?;
        Some(found)
    })
}

/// Returns the last `most` entries of an array, or `None` if the text is not an array.
pub(crate) fn last_entries(array: &str, most: usize) -> Option<VecDeque<&RawValue>> {
    let mut last = VecDeque::new();
    for_each_entry(array, |entry| {
        if last.len() == most {
            last.pop_front();
        }
        last.push_back(entry);
    })?;
    Some(last)
}

/// Returns the first `most` entries of an array, or `None` if the text is not an array.
pub(crate) fn first_entries(array: &str, most: usize) -> Option<Vec<&RawValue>> {
    let mut first = Vec::new();
    for_each_entry(array, |entry| {
        if first.len() < most {
            first.push(entry);
        }
    })?;
    Some(first)
}

/// Returns the entry of an array at an index, or `None` if the text is not an array or has no such
/// entry.
pub(crate) fn entry(array: &str, index: usize) -> Option<&RawValue> {
    let (mut at, mut found) = (0, None);
    for_each_entry(array, |entry| {
        if at == index {
            found = Some(entry);
        }
        at += 1;
    })?;
    found
}

fn for_each_entry<'t>(array: &'t str, act: impl FnMut(&'t RawValue)) -> Option<()> {
    off_runtime(array.as_bytes(), || {
        serde_json::Deserializer::from_str(array)
            .deserialize_seq(EachEntry(act))
            .ok()
    })
}

/// Parses a segment of a JSON Pointer as an array index: digits without a leading zero (RFC 6901,
/// section 4).
pub(crate) fn index(part: &str) -> Option<usize> {
    let zero = part.starts_with('0') && part.len() > 1;
    part.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| part.parse().ok())
        .flatten()
        .filter(|_| !zero)
}

/// Returns the unescaped content of a JSON string. Returns `None` if the value is not a string or
/// there is no memory for it.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    let text = value.get();
    off_runtime(text.as_bytes(), || {
        fits(text.as_bytes()).ok()?;
        if text.len() > LONG {
            memory::probe(text.len()).ok()?;
        }
        serde_json::from_str(text).ok()
    })
}

/// An array that is read a few entries at a time, without a list of all entries.
pub(crate) struct Entries {
    rest: Bytes,
}

impl Entries {
    /// Begins to read `array`, which must be valid JSON. Returns `None` if it is not an array.
    pub(crate) fn of(mut array: Bytes) -> Option<Self> {
        let begins = array.iter().position(|byte| !byte.is_ascii_whitespace())?;
        array.advance(begins);
        (array.first() == Some(&b'[')).then(|| {
            array.advance(1);
            Entries { rest: array }
        })
    }

    /// The unread part of the text.
    pub(crate) fn rest(&self) -> Bytes {
        self.rest.clone()
    }

    /// Returns the next entries as raw text: at most `most`, and no further entry once [`LONG`]
    /// bytes are read. Returns an empty list at the end.
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

/// Finds the index of a member's name in the list of wanted names.
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

/// Calls a function with each entry of an array.
struct EachEntry<F>(F);

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for EachEntry<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element()? {
            (self.0)(entry);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
