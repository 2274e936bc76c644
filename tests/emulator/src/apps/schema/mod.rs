//! JSON Schemas of inputs and outputs.

mod normal;
mod refusal;
mod sample;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::input;
use refusal::Found;

pub(super) use sample::{Given, Sample};

/// The largest compiled pattern in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// A mistake in a schema.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Whether the place is within the schema, or in what its references name.
    within: bool,
    /// The place as a JSON pointer.
    pointer: String,
    pub(super) message: String,
}

impl Wrong {
    /// The place in a file in which the schema is at `schema`.
    pub(super) fn pointer(&self, schema: &str) -> String {
        let start = if self.within { schema } else { "" };
        format!("{start}{}", self.pointer)
    }
}

/// The schema of an input.
#[derive(Debug)]
pub(super) struct Schema {
    /// As it was given.
    given: Value,
    validator: Validator,
}

impl Schema {
    /// Compiles a schema, whose references are within `root`.
    pub(super) fn new(schema: &Value, root: &Value) -> Result<Self, Wrong> {
        let whole = normal::whole(schema, root)?;
        // This engine takes linear time for every pattern.
        let patterns = PatternOptions::regex()
            .size_limit(LARGEST_PATTERN)
            .dfa_size_limit(LARGEST_PATTERN);
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(patterns)
            .offline()
            .build(&whole)
            .map(|validator| Self {
                given: schema.clone(),
                validator,
            })
            .map_err(|error| normal::wrong(error.instance_path().as_str(), error.to_string()))
    }

    pub(super) fn given(&self) -> &Value {
        &self.given
    }

    /// The input as the app framework reads it, with numbers for the strings that contain them; its
    /// 422 unless the input conforms to the schema (§12.5).
    pub(super) fn read(&self, object: Map<String, Value>) -> Result<Map<String, Value>, Answer> {
        let mut input = Value::Object(object);
        loop {
            let mut found = Found::default();
            for error in self.validator.iter_errors(&input) {
                found.take(&error);
            }
            if !found.entries.is_empty() {
                return Err(input::invalid(found.entries));
            }
            let mut changed = false;
            for (place, number) in found.numbers {
                if let Some(text) = input.pointer_mut(&place) {
                    *text = number.into();
                    changed = true;
                }
            }
            // A number may be too large, which a string is not: once more.
            match input {
                Value::Object(object) if !changed => return Ok(object),
                other => input = other,
            }
        }
    }
}
