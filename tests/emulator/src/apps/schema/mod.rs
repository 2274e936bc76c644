//! JSON Schemas of inputs and outputs.

mod normal;
mod refusal;
mod sample;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::input;

pub(super) use sample::{Given, Sample};

/// The largest compiled pattern in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// The schema of an input.
#[derive(Debug)]
pub(super) struct Schema(Validator);

impl Schema {
    /// Compiles a schema, whose references are within `root`.
    pub(super) fn new(schema: &Value, root: &Value) -> Result<Self, String> {
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
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The framework's 422 unless the input conforms to the schema (§12.5).
    pub(super) fn check(&self, object: &Map<String, Value>) -> Result<(), Answer> {
        let instance = json!(object);
        let mut entries = Vec::new();
        for error in self.0.iter_errors(&instance) {
            refusal::entries(&error, &mut entries);
        }
        if entries.is_empty() {
            Ok(())
        } else {
            Err(input::invalid(entries))
        }
    }
}
