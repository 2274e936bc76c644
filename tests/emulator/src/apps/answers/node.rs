//! A value in a definition, whose strings are templates and whose tables may describe files.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use toml::Spanned;

use super::template::{self, Problem, Scope};

/// The key that makes a table the description of a file.
const FILE: &str = "media";

/// A value as it stands in the file. Every part knows its place.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Plain(Value),
    Text(String),
    List(Vec<Spanned<Node>>),
    Table(Vec<Part>),
}

/// A member of a table.
pub(super) type Part = (String, Spanned<Node>);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        let number = serde_json::Number::from_f64(value);
        number
            .map(|number| Node::Plain(number.into()))
            .ok_or_else(|| E::custom("JSON has no such number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            parts.push(part);
        }
        Ok(Node::List(parts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Node, A::Error> {
        let mut parts = Vec::new();
        while let Some(name) = table.next_key::<String>()? {
            // The form in which the parser passes on a date.
            if name.starts_with("$__toml_private") {
                return Err(A::Error::custom("JSON has no dates: write a string"));
            }
            parts.push((name, table.next_value()?));
        }
        Ok(Node::Table(parts))
    }
}

/// Makes the file that a table describes, and returns what stands in the output for it.
pub(in crate::apps) trait Files {
    fn file(&mut self, description: serde_json::Map<String, Value>) -> Result<Value, String>;
}

impl Node {
    /// Reports the first template that is wrong, or file whose description is.
    pub(super) fn check(
        &self,
        span: &Range<usize>,
        is_file: &dyn Fn(&[Part]) -> Result<(), String>,
    ) -> Result<(), (Range<usize>, String)> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Text(text) => template::check(text).map_err(|message| (span.clone(), message)),
            Self::List(parts) => parts
                .iter()
                .try_for_each(|part| part.get_ref().check(&part.span(), is_file)),
            Self::Table(parts) => {
                if parts.iter().any(|(name, _)| name == FILE) {
                    is_file(parts).map_err(|message| (span.clone(), message))?;
                }
                parts
                    .iter()
                    .try_for_each(|(_, part)| part.get_ref().check(&part.span(), is_file))
            }
        }
    }

    /// The value for an input, with its files made.
    pub(super) fn value<'a>(
        &'a self,
        scope: &Scope<'a>,
        files: &mut dyn Files,
    ) -> Result<Value, Problem> {
        match self {
            Self::Plain(value) => Ok(value.clone()),
            Self::Text(text) => scope.value(text),
            Self::List(parts) => parts
                .iter()
                .map(|part| part.get_ref().value(scope, files))
                .collect(),
            Self::Table(parts) => {
                let table = parts
                    .iter()
                    .map(|(name, part)| Ok((name.clone(), part.get_ref().value(scope, files)?)))
                    .collect::<Result<serde_json::Map<_, _>, Problem>>()?;
                if table.contains_key(FILE) {
                    files.file(table)
                } else {
                    Ok(table.into())
                }
            }
        }
    }

    /// The place of the part that a JSON pointer names, or of the nearest one around it.
    pub(in crate::apps) fn place(whole: &Spanned<Self>, pointer: &str) -> Range<usize> {
        let mut node = whole;
        for name in pointer.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            let part = match node.get_ref() {
                Self::List(parts) => name.parse().ok().and_then(|index: usize| parts.get(index)),
                Self::Table(parts) => {
                    let found = parts.iter().find(|(known, _)| *known == name);
                    found.map(|(_, part)| part)
                }
                Self::Plain(_) | Self::Text(_) => None,
            };
            match part {
                Some(part) => node = part,
                None => break,
            }
        }
        node.span()
    }

    /// The value with its strings as they are.
    pub(crate) fn plain(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Text(text) => text.clone().into(),
            Self::List(parts) => parts.iter().map(|part| part.get_ref().plain()).collect(),
            Self::Table(parts) => Value::Object(
                parts
                    .iter()
                    .map(|(name, part)| (name.clone(), part.get_ref().plain()))
                    .collect(),
            ),
        }
    }
}
