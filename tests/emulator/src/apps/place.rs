//! Places in a text of JSON.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// The place of the value that a JSON pointer names, or of the nearest one around it.
pub(super) fn of(text: &str, pointer: &str) -> Range<usize> {
    let mut value = text.trim();
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        match member(value, &name) {
            Some(inner) => value = inner,
            None => break,
        }
    }
    let start = value.as_ptr().addr() - text.as_ptr().addr();
    start..start + value.len()
}

fn member<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    if value.starts_with('{') {
        let members: HashMap<String, &RawValue> = serde_json::from_str(value).ok()?;
        return members.get(name).map(|member| member.get());
    }
    let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    items
        .get(name.parse::<usize>().ok()?)
        .map(|item| item.get())
}

/// A name as a part of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
