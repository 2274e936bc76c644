//! Replaces values in a JSON text. All other bytes stay as they are, so that numbers keep every
//! digit.

use std::cell::Cell;
use std::collections::BTreeMap;
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
pub(crate) fn places<'p>(text: &str, paths: impl IntoIterator<Item = &'p [String]>) -> Places {
    let (mut wanted, mut count) = (Wanted::default(), 0);
    for path in paths {
        let start = &mut wanted;
        let end = path.iter().fold(start, |wanted, part| {
            wanted.parts.entry(part.as_str()).or_default()
        });
        end.ends.push(count);
        count += 1;
    }
    let mut found = Found {
        values: vec![None; count],
        is_ambiguous: false,
    };
    // A text that is not JSON has no values.
    let is_read = off_runtime(text.as_bytes(), || {
        let mut reader = serde_json::Deserializer::from_str(text);
        let finder = Finder {
            wanted: &wanted,
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
pub(crate) fn spliced(text: &str, mut strings: Vec<(Range<usize>, &str)>) -> Outcome<Vec<u8>> {
    strings.sort_by_key(|(place, _)| place.start);
    let mut written = memory::Growing(memory::room(text.len())?);
    let mut from = 0;
    for (place, string) in strings {
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

/// The paths of the wanted values, from one value on.
#[derive(Default)]
struct Wanted<'p> {
    /// The paths that end here, by their position among all.
    ends: Vec<usize>,
    parts: BTreeMap<&'p str, Wanted<'p>>,
    is_met: Cell<bool>,
}

struct Found<'t> {
    values: Vec<Option<&'t RawValue>>,
    is_ambiguous: bool,
}

impl<'t> Found<'t> {
    /// Sets the value of each path that ends here or below.
    fn set(&mut self, wanted: &Wanted<'_>, value: Option<&'t RawValue>) {
        for end in &wanted.ends {
            self.values[*end] = value;
        }
    }

    /// Forgets what a member of the same name has had.
    fn forget(&mut self, wanted: &Wanted<'_>) {
        self.set(wanted, None);
        wanted.parts.values().for_each(|part| self.forget(part));
    }
}

/// Reads a value, and finds the wanted ones in it.
struct Finder<'f, 'p, 't> {
    wanted: &'f Wanted<'p>,
    found: &'f mut Found<'t>,
}

impl<'t> DeserializeSeed<'t> for Finder<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<(), D::Error> {
        if self.wanted.ends.is_empty() {
            return reader.deserialize_any(self);
        }
        let value = <&RawValue>::deserialize(reader)?;
        self.found.set(self.wanted, Some(value));
        Ok(())
    }
}

impl<'t> Visitor<'t> for Finder<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(wanted) = members.next_key_seed(Name(self.wanted))? {
            let Some(wanted) = wanted else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            if wanted.is_met.replace(true) {
                self.found.is_ambiguous = true;
                self.found.forget(wanted);
            }
            let found = &mut *self.found;
            members.next_value_seed(Finder { wanted, found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut entries: A) -> Result<(), A::Error> {
        let parts = self.wanted.parts.iter();
        let places = parts.filter_map(|(part, wanted)| Some((index(part)?, wanted)));
        let places: BTreeMap<_, _> = places.collect();
        for at in 0.. {
            let read = match places.get(&at) {
                Some(wanted) => {
                    let found = &mut *self.found;
                    entries.next_element_seed(Finder { wanted, found })?
                }
                None => entries.next_element::<IgnoredAny>()?.map(drop),
            };
            if read.is_none() {
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

/// Reads the name of a member, and returns what is wanted in it.
struct Name<'w, 'p>(&'w Wanted<'p>);

impl<'t, 'w, 'p> DeserializeSeed<'t> for Name<'w, 'p> {
    type Value = Option<&'w Wanted<'p>>;

    fn deserialize<D: Deserializer<'t>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'w, 'p> Visitor<'_> for Name<'w, 'p> {
    type Value = Option<&'w Wanted<'p>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.parts.get(name))
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
        places(text, paths.iter().map(Vec::as_slice))
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
        let (files, pad) = (5_000, "1,".repeat(1 << 20));
        let fields: Vec<_> = (0..files).map(|n| format!("\"f{n}\":[\"\"]")).collect();
        let text = format!("{{\"pad\":[{pad}1],{}}}", fields.join(","));
        let paths: Vec<_> = (0..files)
            .map(|n| vec![format!("f{n}"), "0".to_owned()])
            .collect();
        let began = std::time::Instant::now();
        let places = places(&text, paths.iter().map(Vec::as_slice));
        assert!(
            places
                .ranges
                .iter()
                .all(|range| text[range.clone().unwrap()] == *"\"\"")
        );
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
