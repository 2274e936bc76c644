//! Templates and conditions, in the language of Jinja.

use minijinja::{Environment, Error};
use serde_json::Value;

/// The number of steps that one template may take.
const FUEL: u64 = 100_000;

/// What is wrong with a template, or with its result.
pub(super) type Problem = String;

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment
}

/// The expression of a string that consists of `{{ expression }}` only. Its value keeps its type.
fn single(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

fn described(error: &Error) -> Problem {
    let detail = error.detail().map(str::to_owned);
    detail.unwrap_or_else(|| error.kind().to_string())
}

pub(super) fn check(text: &str) -> Result<(), Problem> {
    let checked = match single(text) {
        Some(expression) => environment().compile_expression(expression).map(drop),
        None => environment().template_from_str(text).map(drop),
    };
    checked.map_err(|error| described(&error))
}

pub(super) fn check_condition(text: &str) -> Result<(), Problem> {
    let checked = environment().compile_expression(text).map(drop);
    checked.map_err(|error| described(&error))
}

/// The names that templates may use, with their values.
pub(super) struct Scope<'a> {
    environment: Environment<'a>,
    names: minijinja::Value,
}

impl<'a> Scope<'a> {
    pub(super) fn new(names: &serde_json::Map<String, Value>) -> Self {
        Self {
            environment: environment(),
            names: minijinja::value::Serde(names).into(),
        }
    }

    /// The value of a string.
    pub(super) fn value(&self, text: &'a str) -> Result<Value, Problem> {
        match single(text) {
            Some(expression) => self.evaluate(expression),
            None if text.contains("{{") || text.contains("{%") => self
                .environment
                .template_from_str(text)
                .and_then(|template| template.render(&self.names))
                .map(Value::String)
                .map_err(|error| described(&error)),
            None => Ok(text.into()),
        }
    }

    pub(super) fn holds(&self, condition: &'a str) -> Result<bool, Problem> {
        let value = self
            .environment
            .compile_expression(condition)
            .and_then(|compiled| compiled.eval(&self.names));
        value
            .map(|value| value.is_true())
            .map_err(|error| described(&error))
    }

    fn evaluate(&self, expression: &'a str) -> Result<Value, Problem> {
        let value = self
            .environment
            .compile_expression(expression)
            .and_then(|compiled| compiled.eval(&self.names))
            .map_err(|error| described(&error))?;
        serde_json::to_value(value).map_err(|error| error.to_string())
    }
}
