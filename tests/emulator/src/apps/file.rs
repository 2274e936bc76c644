//! Endpoints in a file.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::Spanned;

use super::answers::{Answers, Node, Rule, Stream, Time, Wrong};
use super::schema::Schema;
use super::{Access, Does, Endpoint, Program, place};
use crate::prices::Price;

/// The built-in endpoints as a file.
pub const BUILT_IN: &str = include_str!("builtin.toml");

/// The longest start of a runner in milliseconds: a day.
const LONGEST: u64 = 86_400_000;

/// A mistake in a file of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
        } = self;
        write!(f, "line {line}, column {column}: {message}")
    }
}

impl std::error::Error for Mistake {}

impl Mistake {
    /// A mistake in the syntax of JSON.
    pub(super) fn of_json(error: serde_json::Error) -> Self {
        let (line, column, message) = (error.line(), error.column(), error.to_string());
        let place = format!(" at line {line} column {column}");
        Self {
            line,
            column,
            message: message.replace(&place, ""),
        }
    }

    /// A mistake in the value of a text in JSON that a JSON pointer names.
    pub(super) fn at_pointer(text: &str, pointer: &str, message: &str) -> Self {
        Self::at(text, Some(&place::of(text, pointer)), message)
    }

    fn at(text: &str, span: Option<&Range<usize>>, message: &str) -> Self {
        let before = text
            .get(..span.map_or(0, |span| span.start))
            .unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message: message.trim_end().replace('\n', ", "),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    endpoint: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    title: Option<String>,
    #[serde(default)]
    category: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    access: Access,
    account: Option<String>,
    #[serde(default)]
    price: Price,
    defaults: Option<Spanned<Node>>,
    program: Option<Program>,
    input: Option<Spanned<Node>>,
    output: Option<Spanned<Node>>,
    ms: Option<Spanned<Node>>,
    startup_ms: Option<Spanned<u64>>,
    #[serde(default)]
    logs: Vec<Spanned<Node>>,
    units: Option<Spanned<Node>>,
    #[serde(default)]
    fail: Vec<Spanned<Node>>,
    stream: Option<StreamEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamEntry {
    #[serde(default)]
    events: Vec<Spanned<Node>>,
    text: Option<Spanned<Node>>,
    event: Option<Spanned<Node>>,
    ms: Option<Spanned<Node>>,
}

pub(crate) fn built_in() -> Vec<Endpoint> {
    read(BUILT_IN).unwrap_or_default()
}

/// Reads a file of endpoints.
pub(crate) fn read(text: &str) -> Result<Vec<Endpoint>, Mistake> {
    let file: File = toml::from_str(text)
        .map_err(|error| Mistake::at(text, error.span().as_ref(), error.message()))?;
    file.endpoint
        .into_iter()
        .map(|entry| {
            entry
                .endpoint()
                .map_err(|(span, message)| Mistake::at(text, Some(&span), &message))
        })
        .collect()
}

/// Reads the content of such a file as JSON, or a description in OpenAPI. A mistake in an endpoint
/// is reported where the endpoint begins.
pub(crate) fn read_json(text: &str) -> Result<Vec<Endpoint>, Mistake> {
    let mut json: Value = serde_json::from_str(text).map_err(Mistake::of_json)?;
    if json.get("openapi").is_some() {
        return super::read_openapi(text);
    }
    without_null(&mut json);
    read_value(&json).map_err(|message| {
        let entries = json["endpoint"].as_array().into_iter().flatten();
        let wrong = entries.enumerate().find_map(|(index, entry)| {
            let message = read_value(&json!({ "endpoint": [entry] })).err()?;
            Some((format!("/endpoint/{index}"), message))
        });
        let (pointer, message) = wrong.unwrap_or((String::new(), message));
        Mistake::at_pointer(text, &pointer, &message)
    })
}

fn read_value(json: &Value) -> Result<Vec<Endpoint>, String> {
    let text = toml::to_string(json).map_err(|error| error.to_string())?;
    read(&text).map_err(|mistake| mistake.message)
}

/// TOML has no null; as a template it has.
fn without_null(value: &mut Value) {
    match value {
        Value::Null => *value = "{{ none }}".into(),
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(members) => members.values_mut().for_each(without_null),
        _ => {}
    }
}

impl Entry {
    fn endpoint(self) -> Result<Endpoint, Wrong> {
        let at_id = |message: &str| (self.id.span(), message.to_owned());
        check_id(self.id.get_ref()).map_err(|message| at_id(&message))?;
        let is_data = self.output.is_some() || self.stream.is_some() || !self.fail.is_empty();
        let does = match self.program {
            Some(_) if is_data || !self.logs.is_empty() || self.units.is_some() => {
                return Err(at_id(
                    "a program has no output, stream, failures, logs or units",
                ));
            }
            Some(program) => Does::Program(program),
            None if !is_data => {
                return Err(at_id("needs a program, an output, a stream or failures"));
            }
            None => {
                let schema = |node: &Spanned<Node>| {
                    let schema = node.get_ref().plain();
                    Schema::new(&schema, &schema).map_err(|wrong| {
                        let span = Node::place(node, &wrong.pointer(""));
                        (span, wrong.message)
                    })
                };
                let answers = Answers {
                    input: self.input.as_ref().map(schema).transpose()?,
                    sample: None,
                    output: self.output,
                    time: self.ms.map(Time::read).transpose()?,
                    startup: self.startup_ms.map(startup).transpose()?,
                    logs: self.logs,
                    units: self.units,
                    fail: self.fail.iter().map(Rule::read).collect::<Result<_, _>>()?,
                    stream: self.stream.map(StreamEntry::stream).transpose()?,
                };
                answers.check()?;
                Does::Answers(Box::new(answers))
            }
        };
        let defaults = match &self.defaults {
            None => Map::new(),
            Some(node) => match node.get_ref().plain() {
                Value::Object(defaults) => defaults,
                _ => return Err((node.span(), "defaults must be a table".into())),
            },
        };
        let id = self.id.into_inner();
        Ok(Endpoint {
            title: self.title.unwrap_or_else(|| id.clone()),
            id,
            category: self.category,
            description: self.description,
            access: self.access,
            account: self.account,
            price: self.price,
            defaults,
            openapi: None,
            does,
        })
    }
}

impl StreamEntry {
    fn stream(self) -> Result<Stream, Wrong> {
        Ok(Stream {
            events: self.events,
            text: self.text,
            event: self.event,
            pause: self.ms.map(Time::read).transpose()?,
        })
    }
}

fn startup(ms: Spanned<u64>) -> Result<Duration, Wrong> {
    if *ms.get_ref() > LONGEST {
        return Err((ms.span(), format!("startup_ms must be 0 to {LONGEST}")));
    }
    Ok(Duration::from_millis(ms.into_inner()))
}

/// Whether a text is `owner/alias`, with a path or a namespace, and perhaps stars.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
    let segment = |text: &str| {
        !text.is_empty() && text.bytes().all(letter) && text.bytes().any(|byte| byte != b'.')
    };
    if id.len() <= 256 && id.contains(['/', '*']) && id.split('/').all(segment) {
        Ok(())
    } else {
        Err("an id must be owner/alias, with a path below it if need be; * stands for any characters".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_right() {
        assert!(read(BUILT_IN).unwrap().len() > 20);
    }
}
