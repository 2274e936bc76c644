//! Removes secrets from JSON trees.

use serde_json::Value;

use super::Secrets;

impl Secrets {
    /// Replaces the secrets in all strings and member names of a value.
    pub(crate) fn hide_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_json(value)),
            Value::Object(members) => {
                if members.keys().any(|name| self.are_in(name)) {
                    let hidden = std::mem::take(members)
                        .into_iter()
                        .map(|(mut name, value)| {
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
}
