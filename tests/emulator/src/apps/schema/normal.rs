//! The schemas of OpenAPI 3.0 as JSON Schemas.

use serde_json::{Value, json};

/// A schema of its own, which contains what its references name. An error if a reference leads
/// nowhere, or back to itself without a step into the value: its check would never end.
pub(super) fn whole(schema: &Value, root: &Value) -> Result<Value, String> {
    let mut whole = json!({ "allOf": [schema], "components": root["components"] });
    translate(&mut whole, 0)?;
    steps(&whole, &whole, &mut Vec::new())?;
    every_reference(&whole, &whole)?;
    Ok(whole)
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

fn every_reference(value: &Value, root: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| every_reference(item, root)),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                steps(target(reference, root)?, root, &mut Vec::new())?;
            }
            members
                .values()
                .try_for_each(|member| every_reference(member, root))
        }
        _ => Ok(()),
    }
}

/// Follows what a schema applies to the same value.
fn steps<'a>(schema: &'a Value, root: &'a Value, taken: &mut Vec<&'a str>) -> Result<(), String> {
    let lists = ["allOf", "anyOf", "oneOf"]
        .iter()
        .filter_map(|name| schema.get(name)?.as_array())
        .flatten();
    let single = ["not", "if", "then", "else"]
        .iter()
        .filter_map(|name| schema.get(name));
    for part in lists.chain(single) {
        steps(part, root, taken)?;
    }
    if let Some(Value::String(reference)) = schema.get("$ref") {
        if taken.contains(&reference.as_str()) {
            return Err(format!("the reference {reference:?} leads back to itself"));
        }
        taken.push(reference);
        steps(target(reference, root)?, root, taken)?;
        taken.pop();
    }
    Ok(())
}
