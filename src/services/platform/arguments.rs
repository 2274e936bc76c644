//! The parameters of a call: checks them before anything is sent, and builds the path, the query
//! and the body from them.

use serde_json::{Map, Value};
use url::form_urlencoded::{self, byte_serialize};

use crate::error::{Error, Result};
use crate::openapi::schema::Schema;
use crate::openapi::{Body, Operation, Parameter, Place, Rule};

/// The parameter that sets the header `Idempotency-Key`.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency_key";

/// Parameters whose value is the public id of a key. It contains no colon (docs/protocol.md §2.1).
const KEY_IDS: [&str; 2] = ["key_id", "api_key_id"];

/// Checked parameters of an operation.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    given: Map<String, Value>,
}

impl Arguments {
    /// Checks each parameter, and the conditions on several parameters. Removes optional parameters
    /// that are null.
    pub(super) fn check(operation: &Operation, params: &Value) -> Result<Self> {
        let mut given = match params {
            Value::Null => Map::new(),
            Value::Object(given) => given.clone(),
            _ => return Err(wrong(operation, "the parameters must be a JSON object")),
        };
        if let Some(name) = given
            .keys()
            .find(|name| operation.parameter(name).is_none())
        {
            return Err(wrong(
                operation,
                &format!("{name:?} is not a parameter; {}", known(operation)),
            ));
        }
        for parameter in operation.parameters() {
            coerce(parameter, &mut given);
        }
        let body_given = operation
            .parameters_in(Place::Body)
            .any(|parameter| given.contains_key(parameter.name()));
        for parameter in operation.parameters() {
            let checked = match given.get(parameter.name()) {
                // A JSON body is checked as a whole below.
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
                .check_rule(rule)
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

    /// Returns the path and the query. They begin with `/v1`.
    pub(super) fn path_and_query(&self, operation: &Operation) -> Result<String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for parameter in operation.parameters_in(Place::Query) {
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
        Ok(match query.as_str() {
            "" => format!("/v1{path}"),
            _ => format!("/v1{path}?{query}"),
        })
    }

    /// Returns the JSON body. `None`: the request has no JSON body.
    pub(super) fn body(&self, operation: &Operation) -> Option<Value> {
        match &operation.body {
            Body::Json { required, .. } => {
                let body = self.body_object(operation);
                (*required || body.as_object().is_some_and(|body| !body.is_empty())).then_some(body)
            }
            Body::Array => {
                let parameter = operation.parameters_in(Place::Body).next()?;
                self.given.get(parameter.name()).cloned()
            }
            Body::None | Body::Form => None,
        }
    }

    fn body_object(&self, operation: &Operation) -> Value {
        let mut body = Map::new();
        for name in operation.parameters_in(Place::Body).map(Parameter::name) {
            if let Some(value) = self.given.get(name) {
                body.insert(name.to_owned(), value.clone());
            }
        }
        Value::Object(body)
    }

    /// Returns the path with its parameters. They are escaped and cannot select another path.
    fn path(&self, operation: &Operation) -> Result<String> {
        let mut path = operation.path.to_owned();
        for parameter in operation.parameters_in(Place::Path) {
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
                let problem = format!("{} must not have the segment {bad:?}", parameter.name());
                return Err(wrong(operation, &problem));
            }
            let escaped: Vec<_> = segments.iter().map(|segment| escape(segment)).collect();
            path = path.replace(&format!("{{{}}}", parameter.name()), &escaped.join("/"));
        }
        Ok(path)
    }

    fn check_rule(&self, rule: &Rule) -> std::result::Result<(), String> {
        let has = |name: &&&str| {
            self.given
                .get(**name)
                .is_some_and(|value| *value != Value::Bool(false))
        };
        match rule {
            Rule::One(names) if names.iter().filter(has).count() != 1 => {
                Err(format!("exactly one of {} must be given", names.join(", ")))
            }
            Rule::Excludes(names) if names.iter().filter(has).count() > 1 => {
                Err(format!("at most one of {} may be given", names.join(", ")))
            }
            Rule::Holds { list, any } => {
                let values = self.given.get(*list).map(many).unwrap_or_default();
                match values.is_empty() || values.iter().any(|value| any.contains(&value.as_str()))
                {
                    true => Ok(()),
                    false => Err(format!(
                        "{list} must contain at least one of {}",
                        any.join(", ")
                    )),
                }
            }
            Rule::Only { name, other, is }
                if self.given.contains_key(*name) && self.str(other) != Some(*is) =>
            {
                Err(format!("{name} is allowed only if {other} is {is:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// Removes a null that has no meaning, and converts booleans to the words that the service expects.
fn coerce(parameter: &Parameter, given: &mut Map<String, Value>) {
    let Some(value) = given.get(parameter.name()) else {
        return;
    };
    // In a body, null may clear a value. Elsewhere it cannot be expressed.
    let sent = parameter.place == Place::Body && parameter.member.shape.takes_null();
    if value.is_null() && !parameter.is_required() && !sent {
        given.remove(parameter.name());
    } else if let Value::Bool(flag) = value
        && parameter.place == Place::Query
        && let shape @ Schema::Either(_) = &parameter.member.shape
    {
        let word = Value::String(flag.to_string());
        if shape.check(value, "").is_err() && shape.check(&word, "").is_ok() {
            given.insert(parameter.name().to_owned(), word);
        }
    }
}

/// Returns the values of a filter.
fn many(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        value => plain(value).split(',').map(str::to_owned).collect(),
    }
}

/// Formats a value for a query.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Escapes one segment of a path. The escapes of a form are stricter than those of a path, except
/// for the space.
fn escape(segment: &str) -> String {
    byte_serialize(segment.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Refuses a whole key in place of its id. Its secret would be in a URL, and fal, for which an
/// unknown id is a revoked key, would report that the key was revoked.
fn no_secret(parameter: &Parameter, value: &Value) -> std::result::Result<(), String> {
    match KEY_IDS.contains(&parameter.name()) && many(value).iter().any(|id| id.contains(':')) {
        true => Err(format!(
            "{} must be the id of a key: the part before the colon",
            parameter.name()
        )),
        false => Ok(()),
    }
}

fn missing(parameter: &Parameter) -> String {
    format!(
        "{} is missing; it must be {}",
        parameter.name(),
        parameter.expects()
    )
}

fn known(operation: &Operation) -> String {
    let names: Vec<_> = operation.parameters().iter().map(Parameter::name).collect();
    match names[..] {
        [] => "the operation has no parameters".to_owned(),
        _ => format!("the parameters are {}", names.join(", ")),
    }
}

pub(super) fn wrong(operation: &Operation, problem: &str) -> Error {
    Error::invalid(format!("{}: {problem}", operation.name))
        .with_remedy("See docs/platform.md for the parameters of each operation.")
}
