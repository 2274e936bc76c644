//! Replaces values in a JSON text. All other bytes stay as they are, so that numbers keep every
//! digit.

use std::ops::Range;

use super::text::{entry, index, members};
use crate::error::{Error, Result};
use crate::system::memory;

/// Returns where the value at a path is in a text.
pub(crate) fn place(text: &str, path: &[String]) -> Option<Range<usize>> {
    let found = path.iter().try_fold(text, |value, part| {
        let found = match value.trim_ascii_start().as_bytes().first()? {
            b'[' => entry(value, index(part)?)?,
            _ => members(value.as_bytes(), [part.as_str()])?[0]?,
        };
        Some(found.get())
    })?;
    let start = found.as_ptr().addr() - text.as_ptr().addr();
    Some(start..start + found.len())
}

/// Returns the text with strings in the place of values. Fails if two places overlap.
pub(crate) fn spliced(text: &str, mut strings: Vec<(Range<usize>, &str)>) -> Result<Vec<u8>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, strings: &[(&[&str], &str)]) -> Option<String> {
        let strings: Option<Vec<_>> = strings
            .iter()
            .map(|(path, string)| {
                let path: Vec<_> = path.iter().map(ToString::to_string).collect();
                Some((place(text, &path)?, *string))
            })
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
}
