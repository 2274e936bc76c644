//! What is wrong with which field of the input (docs/protocol.md §12.1, §12.2).

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

    /// Where the field is, its segments joined by dots: `body.image_size.width`. Empty if the
    /// service does not say.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same as the service gave it: names are strings, places in a list are integers.
    pub fn location(&self) -> &[Value] {
        &self.location
    }

    /// What is wrong with it, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// fal's name of what is wrong, such as `image_too_large`, for programs.
    pub fn error_type(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The page that documents it.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// What would be right, such as `{"max_height": 1024, "max_width": 1024}`. Left out if it has
    /// very many values.
    pub fn context(&self) -> Option<&Value> {
        self.context.as_ref()
    }

    /// The value that was refused, if the service repeats it. It may be private. Left out if it has
    /// very many values, which the body has.
    pub fn input(&self) -> Option<&Value> {
        self.input.as_ref()
    }
}

/// `body.image_size: Input should be …`.
impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
