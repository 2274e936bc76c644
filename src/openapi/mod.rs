//! The description of the Platform API: the table of its operations, and the parser of the table.

pub(crate) mod schema;
mod schema_parser;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use once_cell::race::OnceBox;
use reqwest::Method;
use serde_json::Value;

use self::schema::{Format, Member, Schema, Text};
use self::schema_parser::Named;
use crate::key::Scope;

const TABLE: &str = include_str!("operations.txt");

/// The operations in the table, or none if the table has a mistake. The tests find each mistake.
// A fork during the initialization of a blocking cell would block the child, so this one is of
// `race`.
static OPERATIONS: OnceBox<Vec<Operation>> = OnceBox::new();

/// Every operation of the Platform API, in the order of docs/protocol.md §14.3.
pub fn operations() -> &'static [Operation] {
    OPERATIONS.get_or_init(|| Box::new(read(TABLE).unwrap_or_default()))
}

/// Returns the scope that an operation needs. `path` is the path of the URL and begins with `/v1`.
///
/// `None` if fal names no scope: the operation is unknown, or works without a key.
pub(crate) fn needed_scope(method: &str, path: &str) -> Option<Scope> {
    let operation = Operation::at(method, path.strip_prefix("/v1")?)?;
    operation.scope.filter(|_| !operation.key_optional)
}

/// Returns what the account needs besides a key with that scope, if fal documents it.
pub(crate) fn needed_besides(method: &str, path: &str) -> Option<&'static str> {
    Operation::at(method, path.strip_prefix("/v1")?)?.needs
}

/// An operation of the Platform API, as the table describes it.
#[derive(Debug)]
pub struct Operation {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) scope: Option<Scope>,
    pub(crate) key_optional: bool,
    pub(crate) needs: Option<&'static str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Body,
    pub(crate) status: u16,
    pub(crate) answer: Answer,
    pub(crate) errors: Vec<u16>,
    pub(crate) pages: Option<Pages>,
    pub(crate) rules: Vec<Rule>,
    notation: Vec<(&'static str, &'static str)>,
}

/// A parameter of an operation.
#[derive(Debug)]
pub struct Parameter {
    pub(crate) place: Place,
    pub(crate) member: Member,
}

/// The part of the request that has a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The path.
    Path,
    /// The query.
    Query,
    /// A header, for the parameter `idempotency_key`.
    Header,
    /// The body, as a member of its JSON or as a field of its form.
    Body,
    /// None: the parameter is an option of libfal.
    Option,
}

/// The body of the request.
#[derive(Debug, PartialEq)]
pub(crate) enum Body {
    None,
    Json {
        shape: Schema,
        required: bool,
    },
    /// The value of the one parameter in the body.
    Array,
    Form,
}

/// The body of a successful response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Json(Schema),
    None,
    File,
    Csv,
    Text,
    Events,
}

/// How a list is divided into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    Cursor,
    Offset,
    /// The list is one page.
    Whole,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Pages {
    pub(crate) paging: Paging,
    /// The members of the response that contain the list. Empty: the response is the list.
    pub(crate) members: Vec<&'static str>,
}

/// A condition on several parameters. The head of operations.txt explains each kind.
#[derive(Debug, PartialEq)]
pub(crate) enum Rule {
    One(Vec<&'static str>),
    Excludes(Vec<&'static str>),
    Holds {
        list: &'static str,
        any: Vec<&'static str>,
    },
    Only {
        name: &'static str,
        other: &'static str,
        is: &'static str,
    },
}

impl Operation {
    /// The name, such as `keys.list`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The purpose, in a few words.
    pub fn purpose(&self) -> &'static str {
        self.purpose
    }

    /// The HTTP method.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path below `/v1`, with its parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The scope that the key needs. `None`: the operation needs no key.
    pub fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// Whether the operation also works without a key. A key then only raises limits.
    pub fn is_key_optional(&self) -> bool {
        self.key_optional
    }

    /// What the account needs besides the key, if fal documents it.
    pub fn needs(&self) -> Option<&'static str> {
        self.needs
    }

    /// The parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Whether the operation takes an idempotency key. libfal creates and sends one, so that a
    /// retry does no harm.
    pub fn is_idempotent(&self) -> bool {
        self.parameters_in(Place::Header).next().is_some()
    }

    /// Whether the response is a list, whose elements `platform_list` returns one by one.
    pub fn is_list(&self) -> bool {
        self.pages.is_some()
    }

    /// The HTTP status of a success.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body of a successful response: `json`, `none`, `file`, `csv`, `text` or `events`.
    pub fn answer(&self) -> &'static str {
        match self.answer {
            Answer::Json(_) => "json",
            Answer::None => "none",
            Answer::File => "file",
            Answer::Csv => "csv",
            Answer::Text => "text",
            Answer::Events => "events",
        }
    }

    /// The lines of the operation in the table, in the notation of docs/protocol.md §14: the kind
    /// of each line, and its content.
    pub fn notation(&self) -> &[(&'static str, &'static str)] {
        &self.notation
    }

    /// Checks that a JSON response has exactly the published shape. The error says what differs.
    ///
    /// For tests: calls accept additional members, because fal may add some.
    pub fn check_answer(&self, answer: &Value) -> Result<(), String> {
        match &self.answer {
            Answer::Json(shape) => shape.check(answer, ""),
            _ => Err(format!("the answer of {} is not JSON", self.name)),
        }
    }

    /// Returns the operation with this method whose template matches `path`, which is below `/v1`.
    /// If several match, the one with the most fixed segments.
    pub(crate) fn at(method: &str, path: &str) -> Option<&'static Operation> {
        let fitting = operations()
            .iter()
            .filter(|operation| operation.method() == method);
        let fitting = fitting.filter_map(|operation| Some((operation.fit(path)?, operation)));
        fitting
            .max_by_key(|(fixed, _)| *fixed)
            .map(|(_, operation)| operation)
    }

    /// Returns the number of fixed segments of the template, if `path` matches it.
    fn fit(&self, path: &str) -> Option<usize> {
        let mut segments = path.trim_end_matches('/').split('/');
        let mut fixed = 0;
        for part in self.path.split('/') {
            let segment = segments.next()?;
            match part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            {
                Some(name) if !segment.is_empty() => {
                    if self.parameter(name).is_some_and(Parameter::is_path) {
                        return Some(fixed);
                    }
                }
                None if part == segment => fixed += 1,
                _ => return None,
            }
        }
        segments.next().is_none().then_some(fixed)
    }

    /// The parameters in this part of the request.
    pub(crate) fn parameters_in(&self, place: Place) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(move |parameter| parameter.place == place)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name() == name)
    }
}

impl Parameter {
    /// The name, as the caller writes it.
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// The part of the request that has the parameter.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the parameter is required. If the body as a whole is optional, a parameter in it is
    /// required only together with the others.
    pub fn is_required(&self) -> bool {
        self.member.required
    }

    /// The type and the bounds, in words.
    pub fn expects(&self) -> String {
        self.member.shape.to_string()
    }

    /// Whether slashes in the value separate folders.
    pub(crate) fn is_path(&self) -> bool {
        matches!(
            self.member.shape,
            Schema::Text(Text {
                format: Some(Format::Path),
                ..
            })
        )
    }
}

/// Parses the table.
pub(crate) fn read(table: &'static str) -> Result<Vec<Operation>, String> {
    let mut named = Named::new();
    let mut operations: Vec<Operation> = Vec::new();
    for (number, line) in table
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        let outcome = match (line.strip_prefix("type "), line.strip_prefix("  ")) {
            (Some(definition), _) => define(definition, &mut named),
            (_, Some(detail)) => match operations.last_mut() {
                Some(operation) => operation.add(detail, &named),
                None => Err("no operation has begun".into()),
            },
            _ => begin(line).map(|operation| operations.push(operation)),
        };
        outcome.map_err(|problem| format!("line {}: {problem}", number + 1))?;
    }
    Ok(operations)
}

fn define(definition: &str, named: &mut Named) -> Result<(), String> {
    let (name, shape) = definition
        .split_once(" = ")
        .ok_or("a type without a shape")?;
    let shape = schema_parser::shape(shape, named)?;
    named.push((name.to_owned(), shape));
    Ok(())
}

fn begin(line: &'static str) -> Result<Operation, String> {
    let (name, purpose) = line
        .split_once(": ")
        .ok_or("an operation without a purpose")?;
    Ok(Operation {
        name,
        purpose,
        method: Method::GET,
        path: "",
        scope: None,
        key_optional: false,
        needs: None,
        parameters: Vec::new(),
        body: Body::None,
        status: 0,
        answer: Answer::None,
        errors: Vec::new(),
        pages: None,
        rules: Vec::new(),
        notation: Vec::new(),
    })
}

impl Operation {
    /// Parses one more line of the operation.
    fn add(&mut self, detail: &'static str, named: &Named) -> Result<(), String> {
        let (kind, text) = detail.split_once(' ').ok_or("a line says nothing")?;
        let text = text.trim();
        match kind {
            "call" => {
                let (method, path) = text.split_once(' ').ok_or("a call without a path")?;
                self.method = Method::from_str(method).map_err(|e| e.to_string())?;
                self.path = path;
            }
            "scope" => {
                let (scope, optional) = text.split_once(' ').unwrap_or((text, ""));
                self.scope = if scope == "none" {
                    None
                } else {
                    Some(scope.parse::<Scope>().map_err(|e| e.to_string())?)
                };
                self.key_optional = optional == "optional";
            }
            "needs" => self.needs = Some(text),
            "path" => self.take(Place::Path, schema_parser::members(text, named)?),
            "query" => self.take(Place::Query, schema_parser::members(text, named)?),
            "option" => self.take(Place::Option, schema_parser::members(text, named)?),
            "header" => {
                let members = schema_parser::members(text, named)?.into_iter();
                let snake = |member: Member| Member {
                    name: member.name.to_lowercase().replace('-', "_"),
                    ..member
                };
                self.take(Place::Header, members.map(snake).collect());
            }
            "array" => {
                self.body = Body::Array;
                self.take(Place::Body, schema_parser::members(text, named)?);
            }
            "json" | "json?" | "form" => {
                let shape = schema_parser::shape(text, named)?;
                self.take(Place::Body, shape.members().into_iter().cloned().collect());
                self.body = match kind {
                    "form" => Body::Form,
                    kind => Body::Json {
                        shape,
                        required: kind == "json",
                    },
                };
            }
            "200" | "201" | "204" => {
                self.status = kind.parse().map_err(|_| "no status")?;
                self.answer = match text {
                    "none" => Answer::None,
                    "file" => Answer::File,
                    "csv" => Answer::Csv,
                    "text" => Answer::Text,
                    "events" => Answer::Events,
                    shape => Answer::Json(schema_parser::shape(shape, named)?),
                };
            }
            "errors" => {
                let statuses = text.split(' ').map(|status| {
                    status
                        .parse()
                        .map_err(|_| format!("{status:?} is no status"))
                });
                self.errors = statuses.collect::<Result<_, _>>()?;
            }
            "pages" => self.pages = Some(pages(text)?),
            "rule" => self.rules.push(rule(text)?),
            _ => return Err(format!("{kind:?} is not known")),
        }
        self.notation.push((kind, text));
        Ok(())
    }

    fn take(&mut self, place: Place, members: Vec<Member>) {
        self.parameters.extend(
            members
                .into_iter()
                .map(|member| Parameter { place, member }),
        );
    }
}

fn pages(text: &'static str) -> Result<Pages, String> {
    let (style, members) = text.split_once(' ').ok_or("pages of what?")?;
    let paging = match style {
        "cursor" => Paging::Cursor,
        "offset" => Paging::Offset,
        "whole" => Paging::Whole,
        _ => return Err(format!("{style:?} is no way of paging")),
    };
    let members = if members == "." {
        Vec::new()
    } else {
        members.split(", ").collect()
    };
    Ok(Pages { paging, members })
}

fn rule(text: &'static str) -> Result<Rule, String> {
    let (kind, rest) = text.split_once(' ').ok_or("a rule about nothing")?;
    let names = |text: &'static str| text.split(" | ").collect::<Vec<_>>();
    let halves = || {
        rest.split_once(": ")
            .ok_or_else(|| format!("{rest:?} has no colon"))
    };
    match kind {
        "one" => Ok(Rule::One(names(rest))),
        "excludes" => Ok(Rule::Excludes(names(rest))),
        "holds" => halves().map(|(list, values)| Rule::Holds {
            list,
            any: names(values),
        }),
        "only" => {
            let (name, condition) = halves()?;
            let (other, is) = condition.split_once(" = ").ok_or("only where?")?;
            Ok(Rule::Only { name, other, is })
        }
        _ => Err(format!("{kind:?} is no rule")),
    }
}
