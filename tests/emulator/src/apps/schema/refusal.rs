//! The entries of a 422 for what a schema refuses (docs/protocol.md §12.2, §12.5).

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use jsonschema::{JsonType, ValidationError};
use serde_json::{Number, Value, json};

use crate::failures;

/// The type, the message and the context of an entry.
type Told = (&'static str, String, Option<Value>);

/// What a check has found.
#[derive(Default)]
pub(super) struct Found {
    /// The entries of the 422.
    pub(super) entries: Vec<Value>,
    /// The numbers in strings, each with its place as a JSON pointer.
    pub(super) numbers: Vec<(String, Number)>,
}

impl Found {
    pub(super) fn take(&mut self, error: &ValidationError<'_>) {
        if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
            // An alternative that takes a number in a string, or else the one that came nearest,
            // speaks for all.
            let accepting = context
                .iter()
                .find(|errors| errors.iter().all(|error| number(error).is_some()));
            let nearest = context
                .iter()
                .filter(|errors| !errors.iter().any(wants_null))
                .max_by_key(|errors| errors.iter().map(depth).max());
            if let Some(errors) = accepting.or(nearest) {
                return errors.iter().for_each(|error| self.take(error));
            }
        }
        match number(error) {
            Some(number) => {
                let place = error.instance_path().as_str().to_owned();
                self.numbers.push((place, number));
            }
            None => self.entries.push(entry(error)),
        }
    }
}

/// The number in a string, where the app framework reads one.
fn number(error: &ValidationError<'_>) -> Option<Number> {
    let Kind::Type { kind } = error.kind() else {
        return None;
    };
    let instance = error.instance();
    let text = instance.as_str()?.trim();
    match wanted(kind)? {
        JsonType::Integer => text.parse::<i64>().ok().map(Number::from),
        JsonType::Number => text.parse().ok().and_then(Number::from_f64),
        _ => None,
    }
}

fn wanted(kind: &TypeKind) -> Option<JsonType> {
    match kind {
        TypeKind::Single(wanted) => Some(*wanted),
        TypeKind::Multiple(types) => types.iter().find(|wanted| *wanted != JsonType::Null),
    }
}

fn entry(error: &ValidationError<'_>) -> Value {
    let (kind, message, ctx) = told(error);
    let mut loc = vec![json!("body")];
    loc.extend(
        error
            .instance_path()
            .into_iter()
            .map(|segment| match segment {
                LocationSegment::Property(name) => json!(name),
                LocationSegment::Index(index) => json!(index),
            }),
    );
    if let Kind::Required { property } = error.kind() {
        loc.push(property.clone());
    }
    let mut entry =
        json!({ "loc": loc, "msg": message, "type": kind, "input": error.instance().as_ref() });
    if let Some(ctx) = ctx {
        entry["ctx"] = ctx;
    }
    if failures::names()[0].contains(&kind) {
        entry["url"] = json!(failures::url(kind));
    }
    entry
}

fn wants_null(error: &ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        Kind::Type {
            kind: TypeKind::Single(JsonType::Null)
        }
    )
}

fn depth(error: &ValidationError<'_>) -> usize {
    error.instance_path().into_iter().count()
}

fn told(error: &ValidationError<'_>) -> Told {
    let instance = error.instance();
    match error.kind() {
        Kind::Required { .. } => ("missing", "Field required".into(), None),
        Kind::Type { kind } => wrong_type(kind, instance),
        Kind::Minimum { limit } => limited(
            "greater_than_equal",
            "greater than or equal to",
            "ge",
            limit,
        ),
        Kind::ExclusiveMinimum { limit } => limited("greater_than", "greater than", "gt", limit),
        Kind::Maximum { limit } => limited("less_than_equal", "less than or equal to", "le", limit),
        Kind::ExclusiveMaximum { limit } => limited("less_than", "less than", "lt", limit),
        Kind::MultipleOf { multiple_of } => {
            let divisor = whole(*multiple_of);
            let message = format!("Input should be a multiple of {divisor}");
            (
                "multiple_of",
                message,
                Some(json!({ "multiple_of": divisor })),
            )
        }
        Kind::MinItems { limit } => sized(
            "sequence_too_short",
            "Input",
            "at least",
            *limit,
            "item",
            "min_length",
        ),
        Kind::MaxItems { limit } => sized(
            "sequence_too_long",
            "Input",
            "at most",
            *limit,
            "item",
            "max_length",
        ),
        Kind::MinLength { limit } => sized(
            "string_too_short",
            "String",
            "at least",
            *limit,
            "character",
            "min_length",
        ),
        Kind::MaxLength { limit } => sized(
            "string_too_long",
            "String",
            "at most",
            *limit,
            "character",
            "max_length",
        ),
        Kind::Enum { options } => one_of(options),
        Kind::Constant { expected_value } => one_of(&json!([**expected_value])),
        Kind::Pattern { pattern } => (
            "string_pattern_mismatch",
            format!("String should match pattern '{pattern}'"),
            Some(json!({ "pattern": pattern })),
        ),
        _ => (
            "value_error",
            format!("Value error, {}", error.masked_with("the value")),
            None,
        ),
    }
}

fn limited(kind: &'static str, words: &str, name: &str, limit: &Value) -> Told {
    let limit = limit.as_f64().map_or_else(|| limit.clone(), whole);
    (
        kind,
        format!("Input should be {words} {limit}"),
        Some(json!({ (name): limit })),
    )
}

/// A number without a fraction as an integer, as Python writes it.
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        json!(number as i64)
    } else {
        json!(number)
    }
}

fn sized(kind: &'static str, what: &str, words: &str, limit: u64, unit: &str, name: &str) -> Told {
    let plural = if limit == 1 { "" } else { "s" };
    let message = format!("{what} should have {words} {limit} {unit}{plural}");
    (kind, message, Some(json!({ (name): limit })))
}

fn one_of(options: &Value) -> Told {
    let quoted = |option: &Value| match option {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    let all: Vec<String> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(quoted)
        .collect();
    let message = format!("Input should be one of {}", all.join(", "));
    ("one_of", message, Some(json!({ "expected": options })))
}

fn wrong_type(kind: &TypeKind, instance: &Value) -> Told {
    let wanted = wanted(kind).unwrap_or(JsonType::Null);
    let (kind, message) = match (wanted, instance) {
        (JsonType::String, _) => ("string_type", "Input should be a valid string"),
        (JsonType::Integer, Value::String(_)) => (
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        (JsonType::Integer, Value::Number(_)) => (
            "int_from_float",
            "Input should be a valid integer, got a number with a fractional part",
        ),
        (JsonType::Integer, _) => ("int_type", "Input should be a valid integer"),
        (JsonType::Number, Value::String(_)) => (
            "float_parsing",
            "Input should be a valid number, unable to parse string as a number",
        ),
        (JsonType::Number, _) => ("float_type", "Input should be a valid number"),
        (JsonType::Boolean, _) => ("bool_type", "Input should be a valid boolean"),
        (JsonType::Array, _) => ("list_type", "Input should be a valid list"),
        (JsonType::Object, _) => ("dict_type", "Input should be a valid dictionary"),
        (JsonType::Null, _) => ("none_required", "Input should be None"),
    };
    (kind, message.into(), None)
}
