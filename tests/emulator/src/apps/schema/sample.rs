//! Outputs that conform to a schema, with generated files where it has files.

use serde_json::{Map, Value, json};

use super::{Wrong, normal};
use crate::apps::answers::Files;

/// The depth from which an output has only what its schema requires.
const SHALLOW: usize = 6;

/// The deepest nesting of an output.
const DEEPEST: usize = 30;

/// The longest generated string or list.
const LONGEST: u64 = 1000;

/// The most values in an output, with those in its lists and objects.
const MOST: usize = 10_000;

/// The schema of an output.
#[derive(Debug)]
pub(in crate::apps) struct Sample {
    schema: Value,
    /// Words that say what kind of files the endpoint makes: its id and its category.
    about: String,
}

/// What an output may repeat.
pub(in crate::apps) struct Given<'a> {
    pub(in crate::apps) input: &'a Map<String, Value>,
    pub(in crate::apps) seed: u64,
}

/// An output while it is made.
struct Made<'a> {
    given: &'a Given<'a>,
    files: &'a mut dyn Files,
    /// How many more values it may have.
    left: usize,
}

impl Sample {
    pub(in crate::apps) fn new(schema: &Value, root: &Value, about: &str) -> Result<Self, Wrong> {
        Ok(Self {
            schema: normal::whole(schema, root)?,
            about: about.to_owned(),
        })
    }

    pub(in crate::apps) fn value(
        &self,
        given: &Given<'_>,
        files: &mut dyn Files,
    ) -> Result<Value, String> {
        let mut made = Made {
            given,
            files,
            left: MOST,
        };
        self.of(&self.schema, "", &mut made, 0)
    }

    fn of(
        &self,
        schema: &Value,
        name: &str,
        made: &mut Made<'_>,
        depth: usize,
    ) -> Result<Value, String> {
        if depth > DEEPEST {
            return Ok(Value::Null);
        }
        made.left = made
            .left
            .checked_sub(1)
            .ok_or_else(|| format!("its schema requires more than {MOST} values"))?;
        let (schema, title) = self.resolved(schema)?;
        if is_file(schema) {
            return made.files.file(self.file(schema, &title, name, false));
        }
        if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return Ok(value.clone());
        }
        if let Some(repeated) = repeated(schema, name, made.given) {
            return Ok(repeated);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = Map::new();
            for part in parts {
                match self.of(part, name, made, depth + 1)? {
                    Value::Object(members) => whole.extend(members),
                    other => return Ok(other),
                }
            }
            return Ok(whole.into());
        }
        let alternatives = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
        if let Some(alternatives) = alternatives {
            let first = alternatives
                .iter()
                .find(|part| part["type"] != "null")
                .unwrap_or(&Value::Null);
            return self.of(first, name, made, depth + 1);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find_map(Value::as_str).unwrap_or_default(),
            kind => kind.as_str().unwrap_or_default(),
        };
        match kind {
            "array" => {
                let asked = made
                    .given
                    .input
                    .get(&format!("num_{name}"))
                    .and_then(Value::as_u64);
                let least = schema["minItems"].as_u64().unwrap_or_default();
                let most = schema["maxItems"].as_u64().unwrap_or(LONGEST).min(LONGEST);
                let usual = u64::from(depth < SHALLOW);
                let count = asked.unwrap_or(usual).max(least).min(most);
                (0..count)
                    .map(|_| self.of(&schema["items"], name, made, depth + 1))
                    .collect()
            }
            "string" if is_url(schema, name) => {
                made.files.file(self.file(schema, &title, name, true))
            }
            "string" => Ok(json!(text(schema, name))),
            "integer" | "number" => Ok(number(schema)),
            "boolean" => Ok(schema.get("default").cloned().unwrap_or(json!(false))),
            "null" => Ok(Value::Null),
            _ => {
                let mut members = Map::new();
                let required = schema["required"].as_array();
                let is_required =
                    |name: &str| required.is_some_and(|all| all.iter().any(|known| known == name));
                let parts = schema["properties"].as_object().into_iter().flatten();
                for (name, part) in parts.filter(|(name, _)| depth < SHALLOW || is_required(name)) {
                    members.insert(name.clone(), self.of(part, name, made, depth + 1)?);
                }
                Ok(members.into())
            }
        }
    }

    /// Follows references. Returns also the names on the way.
    fn resolved<'a>(&'a self, schema: &'a Value) -> Result<(&'a Value, String), String> {
        let (mut schema, mut title) = (schema, String::new());
        // That the way ends has been checked.
        loop {
            title += schema["title"].as_str().unwrap_or_default();
            let reference = schema["$ref"].as_str();
            let alone = schema["allOf"].as_array().filter(|parts| parts.len() == 1);
            schema = match (reference, alone) {
                (Some(reference), _) => {
                    title += reference.rsplit('/').next().unwrap_or_default();
                    normal::target(reference, &self.schema)?
                }
                (None, Some(parts)) => &parts[0],
                (None, None) => return Ok((schema, title)),
            };
        }
    }

    /// The description of a file of the kind that the names say.
    fn file(&self, schema: &Value, title: &str, name: &str, url: bool) -> Map<String, Value> {
        let example = schema["properties"]["content_type"]["examples"][0].as_str();
        let kind = [title, name, example.unwrap_or_default(), &self.about]
            .into_iter()
            .find_map(kind_of)
            .unwrap_or("file");
        let mut table = Map::from_iter([("media".to_owned(), json!(kind))]);
        if url {
            table.insert("as".into(), json!("url"));
        }
        table
    }
}

/// The kind of file that a text names.
fn kind_of(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let kinds = [
        ("image", ["image", "picture", "mask"]),
        ("video", ["video", "movie", "clip"]),
        ("audio", ["audio", "speech", "music"]),
    ];
    let last = |words: [&str; 3]| words.iter().filter_map(|word| text.rfind(word)).max();
    // Of `image-to-video`, the last word counts.
    let found = kinds
        .into_iter()
        .filter_map(|(kind, words)| Some((last(words)?, kind)));
    found.max().map(|(_, kind)| kind)
}

/// Whether a schema is the common one of files (docs/protocol.md §3.6).
fn is_file(schema: &Value) -> bool {
    let has = |name: &str| schema["properties"].get(name).is_some();
    has("url")
        && ["content_type", "file_name", "file_size", "width"]
            .into_iter()
            .any(has)
}

fn is_url(schema: &Value, name: &str) -> bool {
    matches!(schema["format"].as_str(), Some("uri" | "url")) || name.ends_with("url")
}

/// The field of the input with this name, or the seed, if the output may have it.
fn repeated(schema: &Value, name: &str, given: &Given<'_>) -> Option<Value> {
    if name == "seed" && schema["type"] == "integer" {
        return Some(json!(given.seed));
    }
    let value = given.input.get(name)?;
    let fits = match schema["type"].as_str()? {
        "string" => value.is_string() && !is_url(schema, name),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    fits.then(|| value.clone())
}

fn text(schema: &Value, name: &str) -> String {
    let given = schema
        .get("default")
        .or_else(|| schema.get("example"))
        .or_else(|| schema["examples"].get(0));
    let text = match (given.and_then(Value::as_str), schema["format"].as_str()) {
        (Some(text), _) => text.to_owned(),
        (None, Some("date-time")) => "2026-01-01T00:00:00Z".to_owned(),
        (None, Some("date")) => "2026-01-01".to_owned(),
        (None, _) => format!("made-up {name}").trim_end().to_owned(),
    };
    let least = schema["minLength"]
        .as_u64()
        .unwrap_or_default()
        .min(LONGEST) as usize;
    let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX) as usize;
    let padding = least.saturating_sub(text.chars().count());
    text.chars()
        .chain(std::iter::repeat_n('.', padding))
        .take(most)
        .collect()
}

fn number(schema: &Value) -> Value {
    let given = ["default", "example", "minimum"];
    if let Some(value) = given
        .iter()
        .find_map(|name| schema.get(*name))
        .or(schema["examples"].get(0))
    {
        return value.clone();
    }
    let step = schema["multipleOf"].as_f64().unwrap_or(1.0);
    let above = schema["exclusiveMinimum"].as_f64().unwrap_or(-1.0);
    let least = ((above / step).floor() + 1.0) * step;
    if schema["type"] == "integer" {
        json!(least as i64)
    } else {
        json!(least)
    }
}
