//! The fields of the input that the service refused (docs/protocol.md §12.1, §12.2).

use serde_json::Value;

use crate::secrets::Secrets;

/// One field that the service refused.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    pub(crate) location: Vec<Value>,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) kind: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) context: Option<Value>,
    pub(crate) input: Option<Value>,
}

impl FieldError {
    pub(super) fn hide(&mut self, secrets: &Secrets) {
        [&mut self.path, &mut self.message]
            .into_iter()
            .for_each(|text| secrets.hide(text));
        [&mut self.kind, &mut self.url]
            .into_iter()
            .for_each(|text| secrets.hide_in(text));
        let values = self
            .location
            .iter_mut()
            .chain(&mut self.context)
            .chain(&mut self.input);
        values.for_each(|value| secrets.hide_json(value));
    }

    /// The place of the field, as names and indices joined by dots: `body.image_size.width`. Empty
    /// if the service does not state it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The place of the field as the service sent it: names are strings, indices are integers.
    pub fn location(&self) -> &[Value] {
        &self.location
    }

    /// What is wrong with the field, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// fal's name of the error, for programs, such as `image_too_large`.
    pub fn error_type(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The URL of the page that documents the error.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The limits that the field must keep, such as `{"max_height": 1024, "max_width": 1024}`.
    /// `None` if there are very many values.
    pub fn context(&self) -> Option<&Value> {
        self.context.as_ref()
    }

    /// The refused value, if the service repeats it. It may be private. `None` if it contains very
    /// many values; [`Error::body`](crate::Error::body) has them.
    pub fn input(&self) -> Option<&Value> {
        self.input.as_ref()
    }
}

/// Writes the path and the message: `body.image_size: Input should be …`.
impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
