//! Endpoints in a file.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Access, Endpoint, Program};
use crate::prices::Price;

/// The built-in endpoints.
const BUILT_IN: &str = include_str!("builtin.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    endpoint: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    title: Option<String>,
    #[serde(default)]
    category: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    access: Access,
    account: Option<String>,
    #[serde(default)]
    price: Price,
    #[serde(default)]
    defaults: Map<String, Value>,
    program: Program,
}

pub(crate) fn built_in() -> Vec<Endpoint> {
    read(BUILT_IN).unwrap_or_default()
}

fn read(text: &str) -> Result<Vec<Endpoint>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    Ok(file.endpoint.into_iter().map(Entry::endpoint).collect())
}

impl Entry {
    fn endpoint(self) -> Endpoint {
        Endpoint {
            title: self.title.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            category: self.category,
            description: self.description,
            access: self.access,
            account: self.account,
            price: self.price,
            defaults: self.defaults,
            program: self.program,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_file_is_right() {
        assert!(read(BUILT_IN).unwrap().len() > 20);
    }
}
