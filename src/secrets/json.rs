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
