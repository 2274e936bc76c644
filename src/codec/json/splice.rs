//! Replaces values in a JSON text. All other bytes stay as they are, so that numbers keep every
//! digit.

use std::fmt;
use std::ops::Range;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{fits, index, off_runtime};
use crate::error::{Error, Result as Outcome};
use crate::system::memory;

/// Where values are in a text.
pub(crate) struct Places {
    /// In the order of their paths. `None` if there is no such value. Of members with the same
    /// name, the last one counts.
    pub(crate) ranges: Vec<Option<Range<usize>>>,
    /// Whether an object has a name on one of the paths more than once.
    pub(crate) is_ambiguous: bool,
}

/// Returns where the values at these paths are in a text, in one pass.
pub(crate) fn places(text: &str, paths: &[&[String]]) -> Places {
    let mut wanted = Vec::with_capacity(paths.len());
    for (at, path) in paths.iter().enumerate() {
        insert(&mut wanted, (*path, at), |(other, _)| other <= path);
    }
    let mut found = Found {
        values: vec![None; wanted.len()],
        is_ambiguous: false,
    };
    // A text that is not JSON has no values.
    let is_read = off_runtime(text.as_bytes(), || {
        let mut reader = serde_json::Deserializer::from_str(text);
        let finder = Finder {
            wanted: &wanted,
            depth: 0,
            found: &mut found,
        };
        fits(text.as_bytes()).is_ok() && finder.deserialize(&mut reader).is_ok()
    });
    let range = |value: &RawValue| {
        let start = value.get().as_ptr().addr() - text.as_ptr().addr();
        start..start + value.get().len()
    };
    let values = found.values.into_iter();
    Places {
        ranges: values
            .map(|value| value.filter(|_| is_read).map(range))
            .collect(),
        is_ambiguous: found.is_ambiguous,
    }
}

/// Returns the text with strings in the place of values. Fails if two places overlap.
pub(crate) fn spliced(text: &str, strings: Vec<(Range<usize>, &str)>) -> Outcome<Vec<u8>> {
    let mut ordered = Vec::with_capacity(strings.len());
    for (place, string) in strings {
        let start = place.start;
        insert(&mut ordered, (place, string), |(other, _)| {
            other.start <= start
        });
    }
    let mut written = memory::Growing(memory::room(text.len())?);
    let mut from = 0;
    for (place, string) in ordered {
        let between = text.get(from..place.start);
        let between = between.ok_or_else(|| Error::invalid("two values are in the same place"))?;
        memory::append(&mut written.0, between.as_bytes())?;
        serde_json::to_writer(&mut written, string).map_err(|_| memory::refused(string.len()))?;
        from = place.end;
    }
    let rest = text.get(from..).unwrap_or_default();
    memory::append(&mut written.0, rest.as_bytes())?;
    Ok(written.0)
}

/// Adds to an ordered list. A sort of it would cost 7 KB of code, and most lists come in order.
fn insert<T>(ordered: &mut Vec<T>, it: T, is_before: impl Fn(&T) -> bool) {
    let at = ordered.partition_point(is_before);
    ordered.insert(at, it);
}

/// Paths in order, each with its position among all. Those that a value concerns begin with the path
/// of the value.
type Wanted<'w, 'p> = &'w [(&'p [String], usize)];

/// Returns which paths have this part at this depth.
fn within(wanted: Wanted<'_, '_>, depth: usize, part: &str) -> Range<usize> {
    let at = |path: &[String]| path.get(depth).map(String::as_str).cmp(&Some(part));
    let begin = wanted.partition_point(|(path, _)| at(path).is_lt());
    let rest = &wanted[begin..];
    begin..begin + rest.partition_point(|(path, _)| at(path).is_eq())
}

struct Found<'t> {
    values: Vec<Option<&'t RawValue>>,
    is_ambiguous: bool,
}

impl<'t> Found<'t> {
    fn set(&mut self, wanted: Wanted<'_, '_>, value: Option<&'t RawValue>) {
        for (_, place) in wanted {
            self.values[*place] = value;
        }
    }
}

/// Reads a value, and finds the wanted ones in it.
struct Finder<'f, 'p, 't> {
    wanted: Wanted<'f, 'p>,
    /// The length of the value's own path.
    depth: usize,
    found: &'f mut Found<'t>,
}

impl<'p, 't> Finder<'_, 'p, 't> {
    /// The same for the part of the value that concerns these paths.
    fn part<'f>(&'f mut self, wanted: Wanted<'f, 'p>) -> Finder<'f, 'p, 't> {
        Finder {
            wanted,
            depth: self.depth + 1,
            found: self.found,
        }
    }
}

impl<'t> DeserializeSeed<'t> for Finder<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        let ends = self
            .wanted
            .partition_point(|(path, _)| path.len() == self.depth);
        match (ends, self.wanted) {
            (_, []) => IgnoredAny::deserialize(reader).map(drop),
            (0, _) => reader.deserialize_any(self),
            _ => {
                let value = <&RawValue>::deserialize(reader)?;
                self.found.set(&self.wanted[..ends], Some(value));
                Ok(())
            }
        }
    }
}

impl<'t> Visitor<'t> for Finder<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut members: A) -> Result<(), A::Error> {
        // Whether a member was met, by its first path.
        let mut met = vec![false; self.wanted.len()];
        while let Some(paths) = members.next_key_seed(Name(self.wanted, self.depth))? {
            let wanted = &self.wanted[paths.clone()];
            if !wanted.is_empty() && std::mem::replace(&mut met[paths.start], true) {
                self.found.is_ambiguous = true;
                self.found.set(wanted, None);
            }
            members.next_value_seed(self.part(wanted))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let parts = self.wanted.iter().map(|(path, _)| path.get(self.depth));
        let last = parts.filter_map(|part| index(part?)).max();
        for at in 0.. {
            let wanted = match last {
                Some(last) if at <= last => {
                    &self.wanted[within(self.wanted, self.depth, &at.to_string())]
                }
                _ => &[],
            };
            if entries.next_element_seed(self.part(wanted))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    // Nothing is inside other values.

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads the name of a member, and returns which paths lead into it.
struct Name<'w, 'p>(Wanted<'w, 'p>, usize);

impl<'t> DeserializeSeed<'t> for Name<'_, '_> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Range<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(within(self.0, self.1, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, paths: &[&[&str]]) -> Places {
        let paths: Vec<Vec<_>> = paths
            .iter()
            .map(|path| path.iter().map(ToString::to_string).collect())
            .collect();
        let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
        places(text, &paths)
    }

    fn put(text: &str, strings: &[(&[&str], &str)]) -> Option<String> {
        let paths: Vec<_> = strings.iter().map(|(path, _)| *path).collect();
        let strings = strings.iter().map(|(_, string)| *string);
        let strings: Option<Vec<_>> = found(text, &paths)
            .ranges
            .into_iter()
            .zip(strings)
            .map(|(range, string)| Some((range?, string)))
            .collect();
        Some(String::from_utf8(spliced(text, strings?).unwrap()).unwrap())
    }

    #[test]
    fn everything_else_stays_as_it_was_written() {
        let text = " {\"a\": [ 1.50, \"\" ,{\"\\u0062\":\"\"}], \"c\":\"\", \"n\":12345678901234567890123, \"c\" : \"\"}";
        assert_eq!(
            put(
                text,
                &[
                    (&["c"], "last"),
                    (&["a", "2", "b"], "\"é\n"),
                    (&["a", "1"], "x")
                ]
            )
            .unwrap(),
            " {\"a\": [ 1.50, \"x\" ,{\"\\u0062\":\"\\\"é\\n\"}], \"c\":\"\", \"n\":12345678901234567890123, \"c\" : \"last\"}"
        );
        assert_eq!(put(text, &[]).unwrap(), text);
        for missing in [
            &["d"][..],
            &["a", "3"],
            &["a", "01"],
            &["a", "b"],
            &["c", "0"],
            &["n", "0"],
        ] {
            assert!(put(text, &[(missing, "")]).is_none(), "{missing:?}");
        }
    }

    #[test]
    fn of_members_with_the_same_name_the_last_one_counts() {
        let text = r#"{"a": {"b": "", "c": ""}, "d": "", "a": {"c": 1}, "e": [{"f": ""}, {"f": ""}], "d": {}}"#;
        let paths: [&[&str]; 5] = [
            &["a", "b"],
            &["a", "c"],
            &["d"],
            &["e", "1", "f"],
            &["e", "0"],
        ];
        let shown = |text: &str, paths: &[&[&str]]| {
            let Places {
                ranges,
                is_ambiguous,
            } = found(text, paths);
            let values = ranges
                .into_iter()
                .map(|range| Some(text[range?].to_owned()));
            (values.collect::<Vec<_>>(), is_ambiguous)
        };
        let values = [
            None,
            Some("1"),
            Some("{}"),
            Some("\"\""),
            Some("{\"f\": \"\"}"),
        ];
        let values: Vec<_> = values.map(|value| value.map(str::to_owned)).into();
        assert_eq!(shown(text, &paths), (values.clone(), true));
        // What is not wanted may be there twice.
        assert_eq!(shown(text, &paths[3..]), (values[3..].into(), false));
        assert_eq!(shown(&text[..30], &paths[..1]).0, [None]);
    }

    /// The time grows with the text and with the paths, not with their product.
    #[test]
    fn many_values_are_found_in_one_pass() {
        let (files, pad) = (100_000, "1,".repeat(1 << 20));
        let fields: Vec<_> = (0..files).map(|n| format!("\"f{n:06}\":[\"\"]")).collect();
        let text = format!("{{\"pad\":[{pad}1],{}}}", fields.join(","));
        let paths: Vec<_> = (0..files)
            .map(|n| vec![format!("f{n:06}"), "0".to_owned()])
            .collect();
        let began = std::time::Instant::now();
        let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
        let places = places(&text, &paths);
        assert!(
            places
                .ranges
                .iter()
                .all(|range| text[range.clone().unwrap()] == *"\"\"")
        );
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
