//! Fields of an input, by name or by JSON Pointer.

use serde_json::{Map, Value};

use crate::codec::json;
use crate::endpoint::abbreviate;
use crate::error::{Error, Result};
use crate::limits::DEPTH;

/// Returns the parts of a field's name. Fails if the name is neither that of a field nor a pointer, or
/// if `value` in that place exceeds the depth that the recursive code for trees can take.
pub(super) fn path_of(name: &str, value: &Value) -> Result<Vec<String>> {
    let Some(pointer) = name.strip_prefix('/') else {
        return Ok(vec![top_level(name)?.to_owned()]);
    };
    let parts = pointer.split('/');
    let room = DEPTH.checked_sub(parts.clone().take(DEPTH + 1).count());
    if !room.is_some_and(|room| is_at_most(value, room)) {
        let message = format!(
            "{:?} is deeper than the {DEPTH} levels that JSON may have",
            abbreviate(name)
        );
        return Err(Error::invalid(message));
    }
    Ok(parts
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect())
}

/// A name with a slash is nearly always a pointer whose first slash is missing.
fn top_level(name: &str) -> Result<&str> {
    if name.is_empty() {
        return Err(Error::invalid("the name of a field is empty"));
    }
    if !name.contains('/') {
        return Ok(name);
    }
    let name = abbreviate(name);
    let message = format!("{name:?} is not the name of a field: it contains '/'");
    let literal = name.replace('~', "~0").replace('/', "~1");
    Err(Error::invalid(message).with_remedy(format!(
        "Write {:?} for a field inside another one, or {:?} for a field of this name.",
        format!("/{name}"),
        format!("/{literal}"),
    )))
}

/// Whether a value has at most this many levels below it.
fn is_at_most(value: &Value, levels: usize) -> bool {
    let below = |part: &Value| levels > 0 && is_at_most(part, levels - 1);
    match value {
        Value::Array(entries) => entries.iter().all(below),
        Value::Object(members) => members.values().all(below),
        _ => true,
    }
}

/// Returns the place of a value. It creates missing objects, and extends an array by one element.
pub(crate) fn slot<'a>(root: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |value, part| {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Array(entries) => {
                let index = json::index(part).filter(|index| *index <= entries.len())?;
                if index == entries.len() {
                    entries.push(Value::Null);
                }
                entries.get_mut(index)
            }
            value => Some(value.as_object_mut()?.entry(part).or_insert(Value::Null)),
        }
    })
}
