//! The schemas of OpenAPI 3.0 as JSON Schemas.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Wrong;
use crate::apps::place;

/// A schema of its own, which contains what its references name. An error if a reference leads
/// nowhere, or back to itself without a step into the value: its check would never end. An error,
/// too, if references and alternatives make one check too long.
pub(super) fn whole(schema: &Value, root: &Value) -> Result<Value, Wrong> {
    let mut whole = json!({ "allOf": [schema], "components": root["components"] });
    let at_start = |message| wrong(ITSELF, message);
    translate(&mut whole, 0).map_err(at_start)?;
    let mut references = Vec::new();
    collect(&whole, &mut String::new(), &mut references);
    for (pointer, reference) in &references {
        target(reference, &whole).map_err(|message| wrong(pointer, message))?;
    }
    let mut steps = Steps::new(&whole);
    for (pointer, reference) in &references {
        let followed = steps.follow(reference, 0);
        followed.map_err(|message| wrong(pointer, message))?;
    }
    steps.of(&whole, 0).map_err(at_start)?;
    Ok(whole)
}

/// The place of the schema itself in [`whole`].
const ITSELF: &str = "/allOf/0";

/// A mistake at a place in [`whole`].
pub(super) fn wrong(pointer: &str, message: String) -> Wrong {
    match pointer.strip_prefix(ITSELF) {
        Some(below) => Wrong {
            within: true,
            pointer: below.to_owned(),
            message,
        },
        None => Wrong {
            within: false,
            pointer: pointer.to_owned(),
            message,
        },
    }
}

/// All references, each with its place as a JSON pointer.
fn collect<'a>(value: &'a Value, place: &mut String, found: &mut Vec<(String, &'a str)>) {
    let length = place.len();
    let mut below = |name: &str, part: &'a Value| {
        place.push('/');
        place.push_str(name);
        collect(part, place, found);
        place.truncate(length);
    };
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                below(&index.to_string(), item);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                below(&place::escaped(name), member);
            }
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push((place.clone(), reference));
            }
        }
        _ => {}
    }
}

/// The deepest nesting of schemas.
const DEEPEST: usize = 100;

fn translate(value: &mut Value, depth: usize) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("the schema has more than {DEEPEST} levels"));
    }
    match value {
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| translate(item, depth + 1)),
        Value::Object(members) => {
            for (exclusive, limit) in [
                ("exclusiveMinimum", "minimum"),
                ("exclusiveMaximum", "maximum"),
            ] {
                if let Some(flag) = members.get(exclusive).and_then(Value::as_bool) {
                    members.remove(exclusive);
                    if let Some(value) = members.remove(limit) {
                        let name = if flag { exclusive } else { limit };
                        members.insert(name.into(), value);
                    }
                }
            }
            members
                .values_mut()
                .try_for_each(|member| translate(member, depth + 1))?;
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
                let schema = std::mem::take(members);
                members.insert("anyOf".into(), json!([schema, { "type": "null" }]));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a local reference names.
pub(super) fn target<'a>(reference: &str, root: &'a Value) -> Result<&'a Value, String> {
    let pointer = reference.strip_prefix('#');
    pointer
        .and_then(|pointer| root.pointer(pointer))
        .ok_or_else(|| format!("the reference {reference:?} leads nowhere in this file"))
}

/// The most schemas that apply to one value.
const MOST: u64 = 10_000;

/// What a schema applies to the same value: itself, its parts, and what its references name.
#[derive(Clone, Copy)]
struct Cost {
    /// The number of schemas.
    schemas: u64,
    /// The number of steps from the schema to the last one.
    length: usize,
}

struct Steps<'a> {
    root: &'a Value,
    /// The costs of what references name, each of which is followed once.
    known: HashMap<&'a str, Cost>,
    /// The references on the way.
    taken: Vec<&'a str>,
}

impl<'a> Steps<'a> {
    fn new(root: &'a Value) -> Self {
        Self {
            root,
            known: HashMap::new(),
            taken: Vec::new(),
        }
    }

    fn of(&mut self, schema: &'a Value, depth: usize) -> Result<Cost, String> {
        let lists = ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|name| schema.get(name)?.as_array())
            .flatten();
        let single = ["not", "if", "then", "else"]
            .iter()
            .filter_map(|name| schema.get(name));
        let mut cost = Cost {
            schemas: 1,
            length: 0,
        };
        for part in lists.chain(single) {
            let part = self.of(part, depth + 1)?;
            self.add(&mut cost, part, depth)?;
        }
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let named = self.follow(reference, depth + 1)?;
            self.add(&mut cost, named, depth)?;
        }
        Ok(cost)
    }

    fn follow(&mut self, reference: &'a str, depth: usize) -> Result<Cost, String> {
        if self.taken.contains(&reference) {
            return Err(format!("the reference {reference:?} leads back to itself"));
        }
        if let Some(known) = self.known.get(reference) {
            return Ok(*known);
        }
        let named = target(reference, self.root)?;
        self.taken.push(reference);
        self.within(depth)?;
        let cost = self.of(named, depth)?;
        self.taken.pop();
        self.known.insert(reference, cost);
        Ok(cost)
    }

    fn add(&self, whole: &mut Cost, part: Cost, depth: usize) -> Result<(), String> {
        whole.schemas += part.schemas;
        whole.length = whole.length.max(part.length + 1);
        self.within(depth + whole.length)?;
        if whole.schemas > MOST {
            let place = self.place();
            return Err(format!(
                "more than {MOST} schemas apply to one value{place}"
            ));
        }
        Ok(())
    }

    fn within(&self, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            let place = self.place();
            return Err(format!(
                "more than {DEEPEST} references and alternatives follow each other{place}"
            ));
        }
        Ok(())
    }

    /// Where the way began.
    fn place(&self) -> String {
        self.taken
            .first()
            .map(|first| format!(", from the reference {first:?} on"))
            .unwrap_or_default()
    }
}
