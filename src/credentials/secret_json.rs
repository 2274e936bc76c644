//! JSON objects that contain secrets.

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

/// A JSON object whose strings are zeroized on drop.
#[derive(Default)]
pub(super) struct SecretJson(Map<String, Value>);

impl SecretJson {
    /// Parses an object. Drops the error of the parser, which may quote the text.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// Returns a member, unless it is missing or null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Removes a member and returns it if it is a string.
    pub(super) fn take_string(&mut self, name: &str) -> Option<Zeroizing<String>> {
        match self.0.get_mut(name)? {
            Value::String(text) => Some(Zeroizing::new(std::mem::take(text))),
            _ => None,
        }
    }
}

impl Drop for SecretJson {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
