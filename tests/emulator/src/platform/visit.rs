//! One call of an operation: its caller, and its parameters, read and validated (docs/protocol.md
//! §14.1).

use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use super::{Answer, Caller, Request, State, invalid};
use crate::settings::Settings;

use super::routes::Parts;
use super::settings::UnknownParameters;

pub(super) struct Visit<'a> {
    pub(super) state: &'a Arc<State>,
    pub(super) request: &'a Request,
    /// `Some` if the operation requires a key.
    pub(super) caller: Option<Caller>,
    pub(super) path: Parts,
    pub(super) settings: Settings,
}

impl Visit<'_> {
    pub(super) fn account(&self) -> &str {
        self.caller
            .as_ref()
            .map_or("", |caller| caller.account.as_str())
    }

    pub(super) fn now(&self) -> std::time::SystemTime {
        self.state.clock.now()
    }

    /// A parameter of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        self.path
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// 400 for an unknown query parameter, if the setting says so (§16.41).
    pub(super) fn known_parameters(&self, known: &[&str]) -> Result<(), Answer> {
        if self.settings.platform.unknown_parameters == UnknownParameters::Ignored {
            return Ok(());
        }
        match self
            .request
            .query_pairs()
            .find(|(name, _)| !known.contains(&&**name))
        {
            Some((name, _)) => Err(invalid(&format!("{name}: unknown parameter"))),
            None => Ok(()),
        }
    }

    /// The first value of a parameter.
    pub(super) fn one(&self, name: &str) -> Option<String> {
        self.request
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The values of a `OneOrMany` parameter, which is repeated or separated by commas.
    pub(super) fn many(&self, name: &str) -> Result<Vec<String>, Answer> {
        let values: Vec<String> = self
            .request
            .query_pairs()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
            .filter(|value| !value.is_empty())
            .collect();
        if values.len() > 50 {
            return Err(invalid(&format!("{name}: at most 50 values")));
        }
        Ok(values)
    }

    pub(super) fn required(&self, name: &str) -> Result<Vec<String>, Answer> {
        let values = self.many(name)?;
        if values.is_empty() {
            Err(invalid(&format!("{name}: required")))
        } else {
            Ok(values)
        }
    }

    /// The values of a `OneOrMany` parameter; 400 for a value that is not in `known`.
    pub(super) fn choices(&self, name: &str, known: &[&str]) -> Result<Vec<String>, Answer> {
        let values = self.many(name)?;
        match values.iter().find(|value| !known.contains(&value.as_str())) {
            Some(value) => Err(invalid(&format!(
                "{name}: {value} is not one of {}",
                known.join(", ")
            ))),
            None => Ok(values),
        }
    }

    pub(super) fn choice<'c>(
        &self,
        name: &str,
        known: &[&'c str],
    ) -> Result<Option<&'c str>, Answer> {
        let Some(value) = self.one(name) else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == value);
        found
            .map(|found| Some(*found))
            .ok_or_else(|| invalid(&format!("{name}: must be one of {}", known.join(", "))))
    }

    pub(super) fn integer(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Answer> {
        let Some(text) = self.one(name) else {
            return Ok(None);
        };
        let value = text
            .parse()
            .ok()
            .filter(|value| (min..=max).contains(value));
        value.map(Some).ok_or_else(|| match max {
            u64::MAX => invalid(&format!("{name}: must be an integer of at least {min}")),
            _ => invalid(&format!("{name}: must be an integer from {min} to {max}")),
        })
    }

    pub(super) fn number(&self, name: &str, min: f64, max: f64) -> Result<Option<f64>, Answer> {
        let Some(text) = self.one(name) else {
            return Ok(None);
        };
        let value = text
            .parse()
            .ok()
            .filter(|value| (min..=max).contains(value));
        value
            .map(Some)
            .ok_or_else(|| invalid(&format!("{name}: must be a number from {min} to {max}")))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, Answer> {
        match self.one(name).as_deref() {
            None | Some("false" | "") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(&format!("{name}: must be true or false"))),
        }
    }

    pub(super) fn url(&self, name: &str) -> Result<Option<String>, Answer> {
        let Some(text) = self.one(name) else {
            return Ok(None);
        };
        if Url::parse(&text).is_ok() {
            Ok(Some(text))
        } else {
            Err(invalid(&format!("{name}: not a URL")))
        }
    }

    pub(super) fn uuid(&self, name: &str) -> Result<Option<String>, Answer> {
        self.one(name).map(|text| uuid(name, &text)).transpose()
    }
}

pub(super) fn uuid(name: &str, text: &str) -> Result<String, Answer> {
    match Uuid::parse_str(text) {
        Ok(id) if text.len() == 36 => Ok(id.to_string()),
        _ => Err(invalid(&format!("{name}: not a UUID"))),
    }
}
