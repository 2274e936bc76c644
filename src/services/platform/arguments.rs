//! The parameters of a call: checked before anything is sent, and put where they belong.

use serde_json::{Map, Value};
use url::form_urlencoded::{self, byte_serialize};

use crate::error::{Error, Result};
use crate::openapi::{Body, Operation, Parameter, Place, Rule};

/// The parameter that stands for the header `Idempotency-Key`.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency_key";

/// Parameters that take the public half of a key. It holds no colon (docs/protocol.md §2.1).
const KEY_IDS: [&str; 2] = ["key_id", "api_key_id"];

/// Parameters that fit their operation.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    given: Map<String, Value>,
}

impl Arguments {
    /// Checks each parameter and all of them together. What is null and may be left out, is.
    pub(super) fn check(operation: &Operation, params: &Value) -> Result<Self> {
        let mut given = match params {
            Value::Null => Map::new(),
            Value::Object(given) => given.clone(),
            _ => return Err(wrong(operation, "the parameters are not a JSON object")),
        };
        if let Some(name) = given
            .keys()
            .find(|name| operation.parameter(name).is_none())
        {
            return Err(wrong(
                operation,
                &format!("there is no parameter {name:?}; {}", known(operation)),
            ));
        }
        for parameter in operation.parameters() {
            coerce(parameter, &mut given);
        }
        let body_given = operation
            .parameters()
            .iter()
            .any(|p| p.place == Place::Body && given.contains_key(p.name()));
        for parameter in operation.parameters() {
            let checked = match given.get(parameter.name()) {
                // The body is checked as a whole.
                _ if parameter.place == Place::Body
                    && matches!(operation.body, Body::Json { .. }) =>
                {
                    Ok(())
                }
                Some(value) => parameter
                    .member
                    .shape
                    .check(value, parameter.name())
                    .and_then(|()| no_secret(parameter, value)),
                None if parameter.is_required() => Err(missing(parameter)),
                None => Ok(()),
            };
            checked.map_err(|problem| wrong(operation, &problem))?;
        }
        let arguments = Arguments { given };
        if let Body::Json { shape, required } = &operation.body
            && (*required || body_given)
        {
            let members = shape.members().into_iter();
            let lacks = |name: &str| !arguments.given.contains_key(name);
            if let Some(absent) = members
                .filter(|member| member.required)
                .find(|member| lacks(&member.name))
            {
                let parameter = operation.parameter(&absent.name);
                let problem =
                    parameter.map_or_else(|| format!("{} is missing", absent.name), missing);
                return Err(wrong(operation, &problem));
            }
            shape
                .check(&arguments.body_object(operation), "")
                .map_err(|problem| wrong(operation, &problem))?;
        }
        for rule in &operation.rules {
            arguments
                .keep(rule)
                .map_err(|problem| wrong(operation, &problem))?;
        }
        arguments.path(operation)?;
        Ok(arguments)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.given.get(name)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.given.insert(name.to_owned(), value);
    }

    pub(super) fn str(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.given.get(name) == Some(&Value::Bool(true))
    }

    /// Path and query, beginning with `/v1`.
    pub(super) fn address(&self, operation: &Operation) -> Result<String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for parameter in operation
            .parameters()
            .iter()
            .filter(|parameter| parameter.place == Place::Query)
        {
            let given = match self.given.get(parameter.name()) {
                Some(Value::Array(values)) => values.iter().collect(),
                Some(value) => vec![value],
                None => Vec::new(),
            };
            for value in given {
                query.append_pair(parameter.name(), &plain(value));
            }
        }
        let (path, query) = (self.path(operation)?, query.finish());
        Ok(if query.is_empty() {
            format!("/v1{path}")
        } else {
            format!("/v1{path}?{query}")
        })
    }

    /// The JSON that is sent, if any is.
    pub(super) fn body(&self, operation: &Operation) -> Option<Value> {
        let mut in_body = operation
            .parameters()
            .iter()
            .filter(|parameter| parameter.place == Place::Body);
        match &operation.body {
            Body::Json { required, .. } => {
                let body = self.body_object(operation);
                (*required || body.as_object().is_some_and(|body| !body.is_empty())).then_some(body)
            }
            Body::Array => self.given.get(in_body.next()?.name()).cloned(),
            Body::None | Body::Form => None,
        }
    }

    fn body_object(&self, operation: &Operation) -> Value {
        let members = operation
            .parameters()
            .iter()
            .filter(|parameter| parameter.place == Place::Body);
        let given = members.filter_map(|member| {
            Some((
                member.name().to_owned(),
                self.given.get(member.name())?.clone(),
            ))
        });
        Value::Object(given.collect())
    }

    /// The path with its parameters, escaped: what is given never becomes another path.
    fn path(&self, operation: &Operation) -> Result<String> {
        let mut path = operation.path.to_owned();
        for parameter in operation
            .parameters()
            .iter()
            .filter(|parameter| parameter.place == Place::Path)
        {
            let value = self.str(parameter.name()).unwrap_or_default();
            let segments: Vec<_> = if parameter.is_path() {
                value.split('/').collect()
            } else {
                vec![value]
            };
            if let Some(bad) = segments
                .iter()
                .find(|segment| matches!(**segment, "" | "." | ".."))
            {
                let problem = format!("{} may not be, or pass through, {bad:?}", parameter.name());
                return Err(wrong(operation, &problem));
            }
            let escaped: Vec<_> = segments.iter().map(|segment| escape(segment)).collect();
            path = path.replace(&format!("{{{}}}", parameter.name()), &escaped.join("/"));
        }
        Ok(path)
    }

    fn keep(&self, rule: &Rule) -> std::result::Result<(), String> {
        let has = |name: &&&str| {
            self.given
                .get(**name)
                .is_some_and(|value| *value != Value::Bool(false))
        };
        match rule {
            Rule::One(names) if names.iter().filter(has).count() != 1 => {
                Err(format!("exactly one of {} is needed", names.join(", ")))
            }
            Rule::Excludes(names) if names.iter().filter(has).count() > 1 => {
                Err(format!("only one of {} may be given", names.join(", ")))
            }
            Rule::Holds { list, any } => {
                let values = self.given.get(*list).map(many).unwrap_or_default();
                match values.is_empty()
                    || any
                        .iter()
                        .any(|wanted| values.iter().any(|value| value == wanted))
                {
                    true => Ok(()),
                    false => Err(format!("{list} needs at least one of {}", any.join(", "))),
                }
            }
            Rule::Only { name, other, is }
                if self.given.contains_key(*name) && self.str(other) != Some(*is) =>
            {
                Err(format!("{name} may be given only where {other} is {is:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// Takes away a null that says nothing, and takes true and false for the words that the service
/// wants.
fn coerce(parameter: &Parameter, given: &mut Map<String, Value>) {
    let Some(value) = given.get(parameter.name()) else {
        return;
    };
    // In a body null may be the wish to clear something; elsewhere it cannot be written.
    let sent = parameter.place == Place::Body && parameter.member.shape.takes_null();
    if value.is_null() && !parameter.is_required() && !sent {
        given.remove(parameter.name());
    } else if let Value::Bool(flag) = value
        && parameter.place == Place::Query
        && parameter.member.shape.check(value, "").is_err()
        && parameter
            .member
            .shape
            .check(&Value::String(flag.to_string()), "")
            .is_ok()
        && matches!(
            parameter.member.shape,
            crate::openapi::schema::Schema::Either(_)
        )
    {
        let word = Value::String(flag.to_string());
        given.insert(parameter.name().to_owned(), word);
    }
}

/// The values of a filter that takes several.
fn many(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        value => plain(value).split(',').map(str::to_owned).collect(),
    }
}

/// A value in a query.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// One segment of a path. A form's escapes are stricter than a path's, but for the space.
fn escape(segment: &str) -> String {
    byte_serialize(segment.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Who gives a whole key where its id belongs would have its secret in an address; and fal, which
/// takes an unknown id for one of a key that was revoked, would answer that the key is gone.
fn no_secret(parameter: &Parameter, value: &Value) -> std::result::Result<(), String> {
    match KEY_IDS.contains(&parameter.name()) && many(value).iter().any(|id| id.contains(':')) {
        true => Err(format!(
            "{} is only what is before the colon of a key",
            parameter.name()
        )),
        false => Ok(()),
    }
}

fn missing(parameter: &Parameter) -> String {
    format!("{} is missing: {}", parameter.name(), parameter.expects())
}

fn known(operation: &Operation) -> String {
    let names: Vec<_> = operation.parameters().iter().map(Parameter::name).collect();
    if names.is_empty() {
        "it takes none".to_owned()
    } else {
        format!("it takes {}", names.join(", "))
    }
}

pub(super) fn wrong(operation: &Operation, problem: &str) -> Error {
    Error::invalid(format!("{}: {problem}", operation.name)).with_remedy(
        "See docs/platform.md for the parameters of each operation (docs/protocol.md §14).",
    )
}
