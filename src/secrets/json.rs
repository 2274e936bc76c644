//! Secrets in values that were read already.

use serde_json::Value;

use super::Secrets;

impl Secrets {
    /// Takes the secrets out of a value: its texts and its names.
    pub(crate) fn hide_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_json(value)),
            Value::Object(members) => {
                if members.keys().any(|name| self.are_in(name)) {
                    let hidden = std::mem::take(members).into_iter().map(|(mut name, value)| {
                        self.hide(&mut name);
                        (name, value)
                    });
                    *members = hidden.collect();
                }
                members.values_mut().for_each(|value| self.hide_json(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The same for a value of MessagePack. Bytes are nobody's text.
    pub(crate) fn hide_packed(&self, value: &mut rmpv::Value) {
        match value {
            rmpv::Value::String(text) => {
                if let Some(hidden) = self.hidden(text.as_bytes()) {
                    *text = String::from_utf8_lossy(&hidden).into_owned().into();
                }
            }
            rmpv::Value::Array(values) => values.iter_mut().for_each(|value| self.hide_packed(value)),
            rmpv::Value::Map(members) => members.iter_mut().for_each(|(name, value)| {
                self.hide_packed(name);
                self.hide_packed(value);
            }),
            _ => {}
        }
    }
}
