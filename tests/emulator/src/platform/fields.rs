//! Reads and validates the members of a JSON body.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use url::Url;

use super::{Answer, Request, invalid};

pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(request: &Request) -> Result<Self, Answer> {
        match serde_json::from_slice(&request.body) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(invalid(
                "Invalid request parameters: the body is not an object",
            )),
            Err(_) => Err(invalid("Invalid request parameters: the body is not JSON")),
        }
    }

    pub(super) fn of(value: &Value, name: &str) -> Result<Self, Answer> {
        match value {
            Value::Object(object) => Ok(Self(object.clone())),
            _ => Err(wrong(name, "must be an object")),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A string of a permitted length; `None` if it is absent.
    pub(super) fn optional(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<String>, Answer> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if length.contains(&text.chars().count()) => {
                Ok(Some(text.clone()))
            }
            Some(_) => Err(wrong(
                name,
                &format!(
                    "must be a string of {} to {} characters",
                    length.start(),
                    length.end()
                ),
            )),
        }
    }

    pub(super) fn text(&self, name: &str, length: RangeInclusive<usize>) -> Result<String, Answer> {
        self.optional(name, length)?
            .ok_or_else(|| wrong(name, "required"))
    }

    /// Like `optional`; null gives `Some(None)`.
    pub(super) fn nullable(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<Option<String>>, Answer> {
        match self.get(name) {
            Some(Value::Null) => Ok(Some(None)),
            _ => Ok(self.optional(name, length)?.map(Some)),
        }
    }

    pub(super) fn nullable_url(&self, name: &str) -> Result<Option<Option<String>>, Answer> {
        let value = self.nullable(name, 1..=8192)?;
        match &value {
            Some(Some(text)) if Url::parse(text).is_err() => Err(wrong(name, "not a URL")),
            _ => Ok(value),
        }
    }

    pub(super) fn url(&self, name: &str) -> Result<String, Answer> {
        self.nullable_url(name)?
            .flatten()
            .ok_or_else(|| wrong(name, "required"))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, Answer> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(wrong(name, "must be true or false")),
        }
    }

    pub(super) fn choice<'c>(
        &self,
        name: &str,
        known: &[&'c str],
    ) -> Result<Option<&'c str>, Answer> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let found = known.iter().find(|known| value.as_str() == Some(**known));
        found
            .map(|found| Some(*found))
            .ok_or_else(|| wrong(name, &format!("must be one of {}", known.join(", "))))
    }

    /// A list of non-empty strings; `None` if it is absent.
    pub(super) fn texts(
        &self,
        name: &str,
        count: RangeInclusive<usize>,
    ) -> Result<Option<Vec<String>>, Answer> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = |value: &Value| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let texts: Option<Vec<String>> = value
            .as_array()
            .and_then(|values| values.iter().map(text).collect());
        let texts = texts.filter(|texts| count.contains(&texts.len()));
        texts
            .map(Some)
            .ok_or_else(|| wrong(name, &format!("{} to {} texts", count.start(), count.end())))
    }
}

pub(super) fn wrong(name: &str, what: &str) -> Answer {
    invalid(&format!("Invalid request parameters: {name}: {what}"))
}
