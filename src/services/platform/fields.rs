//! Reads the members of a JSON response. Numbers keep the form in which fal wrote them.

use std::collections::HashMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{Code, Error, Result};

/// A number as fal wrote it, with all digits. Amounts of money are not rounded to binary fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// The number as fal wrote it, such as `0.0250` or `2e7`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest floating-point number.
    pub fn to_f64(&self) -> f64 {
        // Rust parses every JSON number.
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The members of one object, and the operation whose response has it.
pub(super) struct Fields<'a> {
    members: HashMap<String, &'a RawValue>,
    of: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn read(body: &'a [u8], of: &'static str) -> Result<Self> {
        let members = serde_json::from_slice(body).map_err(|e| wrong(of, &position(&e)))?;
        Ok(Fields { members, of })
    }

    /// Returns the value of a member, or `None` if it is absent or null.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.members
            .get(name)
            .map(|raw| raw.get())
            .filter(|text| *text != "null")
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| wrong(self.of, &format!("{name} is missing")))
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        let text = self.maybe_text(name)?;
        self.required(name, text)
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        self.parse(name, "a string")
    }

    /// Parses a member; `None` if it is absent or null.
    fn parse<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        let parse = |text| serde_json::from_str(text).map_err(|_| self.not(name, expected));
        self.get(name).map(parse).transpose()
    }

    pub(super) fn decimal(&self, name: &str) -> Result<Decimal> {
        let number = self.maybe_decimal(name)?;
        self.required(name, number)
    }

    pub(super) fn maybe_decimal(&self, name: &str) -> Result<Option<Decimal>> {
        let is_number = |c: char| c.is_ascii_digit() || c == '-';
        let read = |text: &str| match text.starts_with(is_number) {
            true => Ok(Decimal(text.to_owned())),
            false => Err(self.not(name, "a number")),
        };
        self.get(name).map(read).transpose()
    }

    pub(super) fn maybe_integer(&self, name: &str) -> Result<Option<u64>> {
        self.parse(name, "an integer")
    }

    pub(super) fn integer(&self, name: &str) -> Result<u64> {
        let integer = self.maybe_integer(name)?;
        self.required(name, integer)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        Ok(self.parse(name, "an array of strings")?.unwrap_or_default())
    }

    /// Returns a member as JSON text.
    pub(super) fn json(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    pub(super) fn maybe_object(&self, name: &str) -> Result<Option<Fields<'a>>> {
        self.get(name)
            .map(|text| Fields::read(text.as_bytes(), self.of))
            .transpose()
    }

    pub(super) fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>> {
        let Some(text) = self.get(name) else {
            return Ok(Vec::new());
        };
        let list: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| self.not(name, "an array"))?;
        list.iter()
            .map(|element| Fields::read(element.get().as_bytes(), self.of))
            .collect()
    }

    fn not(&self, name: &str, expected: &str) -> Error {
        wrong(self.of, &format!("{name} is not {expected}"))
    }
}

/// Describes where the text is not valid JSON, without its content.
fn position(error: &serde_json::Error) -> String {
    format!(
        "not a JSON object at line {}, column {}",
        error.line(),
        error.column()
    )
}

pub(super) fn wrong(of: &str, problem: &dyn fmt::Display) -> Error {
    Error::new(
        Code::Protocol,
        format!("the response to {of} is not as documented: {problem}"),
    )
}
