//! Model input, validated like the app framework: a 422 with pydantic entries (docs/protocol.md
//! §12.5).

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::server::Request;

/// 422 `{"detail": [entries]}`, not billed.
pub(crate) fn invalid(entries: Vec<Value>) -> Answer {
    Answer::detail(StatusCode::UNPROCESSABLE_ENTITY, entries).billable_units(0)
}

/// The JSON object in the body.
pub(crate) fn object(request: &Request) -> Result<Map<String, Value>, Answer> {
    if request.body.is_empty() {
        return Err(invalid(vec![json!({
            "loc": ["body"], "msg": "Field required", "type": "missing", "input": null,
        })]));
    }
    if !is_json(request) {
        return Err(not_an_object(&json!(String::from_utf8_lossy(
            &request.body
        ))));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(not_an_object(&other)),
        Err(error) => Err(invalid(vec![json!({
            "loc": ["body", error.column()],
            "msg": "JSON decode error",
            "type": "json_invalid",
            "input": {},
            "ctx": { "error": error.to_string() },
        })])),
    }
}

/// Whether the body is JSON: the framework assumes so unless the content type says otherwise.
fn is_json(request: &Request) -> bool {
    let Some(content_type) = request.headers.get(CONTENT_TYPE) else {
        return true;
    };
    let essence = content_type.to_str().unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.to_ascii_lowercase().ends_with("+json")
}

fn not_an_object(input: &Value) -> Answer {
    invalid(vec![json!({
        "loc": ["body"],
        "msg": "Input should be a valid dictionary or object to extract fields from",
        "type": "model_attributes_type",
        "input": input,
    })])
}

/// The fields of an object, read one by one. Errors are collected.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    at: Vec<Value>,
    errors: Vec<Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Map<String, Value>) -> Self {
        Self {
            object,
            at: vec![json!("body")],
            errors: Vec::new(),
        }
    }

    /// Validates an object within this one.
    pub(crate) fn nested<T>(
        &mut self,
        name: &str,
        object: &Map<String, Value>,
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> T {
        let mut fields = Fields {
            object,
            at: self.loc(name),
            errors: Vec::new(),
        };
        let value = read(&mut fields);
        self.errors.append(&mut fields.errors);
        value
    }

    /// The value; `None` if it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn error(&mut self, name: &str, kind: &str, message: &str, ctx: Option<Value>) {
        let mut entry = json!({
            "loc": self.loc(name),
            "msg": message,
            "type": kind,
            "input": self.object.get(name).unwrap_or(&Value::Null),
        });
        if let Some(ctx) = ctx {
            entry["ctx"] = ctx;
        }
        self.errors.push(entry);
    }

    fn loc(&self, name: &str) -> Vec<Value> {
        let mut loc = self.at.clone();
        loc.push(json!(name));
        loc
    }

    fn missing(&mut self, name: &str) {
        self.errors.push(json!({
            "loc": self.loc(name), "msg": "Field required", "type": "missing", "input": self.object,
        }));
    }

    /// A string; empty if it is invalid.
    pub(crate) fn required_string(&mut self, name: &str) -> String {
        if !self.object.contains_key(name) {
            self.missing(name);
            return String::new();
        }
        self.string(name).unwrap_or_default()
    }

    /// A list of at least one string; empty if it is invalid.
    pub(crate) fn required_strings(&mut self, name: &str) -> Vec<String> {
        let items = match self.object.get(name) {
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.error(name, "list_type", "Input should be a valid list", None);
                return Vec::new();
            }
            None => {
                self.missing(name);
                return Vec::new();
            }
        };
        if items.is_empty() {
            let message = "List should have at least 1 item after validation, not 0";
            let ctx = json!({ "field_type": "List", "min_length": 1, "actual_length": 0 });
            self.error(name, "too_short", message, Some(ctx));
        }
        for (index, item) in items
            .iter()
            .enumerate()
            .filter(|(_, item)| !item.is_string())
        {
            let mut loc = self.loc(name);
            loc.push(json!(index));
            let message = "Input should be a valid string";
            self.errors
                .push(json!({ "loc": loc, "msg": message, "type": "string_type", "input": item }));
        }
        items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// A string that may be absent but not null.
    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        match self.object.get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.error(name, "string_type", "Input should be a valid string", None);
                None
            }
        }
    }

    /// An integer in the range of JSON, from `i64::MIN` to `u64::MAX`; `None` if it is absent or
    /// invalid.
    pub(crate) fn integer(&mut self, name: &str) -> Option<i128> {
        let value = self.get(name)?;
        let parsed = match value {
            Value::Number(number) => number
                .as_i128()
                .or_else(|| number.as_f64().and_then(whole))
                .ok_or((
                    "int_from_float",
                    "Input should be a valid integer, got a number with a fractional part",
                )),
            Value::String(text) => text.trim().parse().map(i64::into).map_err(|_| {
                (
                    "int_parsing",
                    "Input should be a valid integer, unable to parse string as an integer",
                )
            }),
            _ => Err(("int_type", "Input should be a valid integer")),
        };
        parsed
            .map_err(|(kind, message)| self.error(name, kind, message, None))
            .ok()
    }

    /// An integer within `low..=high`; `default` if it is absent or invalid.
    pub(crate) fn integer_between(&mut self, name: &str, default: u64, low: u64, high: u64) -> u64 {
        let Some(value) = self.integer(name) else {
            return default;
        };
        if value < i128::from(low) {
            let message = format!("Input should be greater than or equal to {low}");
            self.error(
                name,
                "greater_than_equal",
                &message,
                Some(json!({ "ge": low })),
            );
            return default;
        }
        match u64::try_from(value) {
            Ok(value) if value <= high => value,
            _ => {
                let message = format!("Input should be less than or equal to {high}");
                self.error(
                    name,
                    "less_than_equal",
                    &message,
                    Some(json!({ "le": high })),
                );
                default
            }
        }
    }

    /// A boolean; false if it is absent or invalid.
    pub(crate) fn boolean(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.error(name, "bool_type", "Input should be a valid boolean", None);
                false
            }
        }
    }

    /// 422 if any field was invalid.
    pub(crate) fn finish(self) -> Result<(), Answer> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(invalid(self.errors))
        }
    }
}

/// A float without a fraction, as an integer.
fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e18).then_some(number as i128)
}
