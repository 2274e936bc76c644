//! The description of the Platform API: the table of its operations, and its reader.

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

/// A mistake in the table is found by the tests; a build without them would know no operation.
// `race`, because a blocking cell could be left half-made by a fork.
static OPERATIONS: OnceBox<Vec<Operation>> = OnceBox::new();

/// Every operation of the Platform API, in the order of docs/protocol.md §14.3.
pub fn operations() -> &'static [Operation] {
    OPERATIONS.get_or_init(|| Box::new(read(TABLE).unwrap_or_default()))
}

/// The scope that an operation needs. `path` is the address's path and begins with `/v1`.
///
/// `None` where fal names no scope: an unknown operation, or one that works without a key.
pub(crate) fn needed_scope(method: &str, path: &str) -> Option<Scope> {
    let operation = Operation::at(method, path.strip_prefix("/v1")?)?;
    operation.scope.filter(|_| !operation.key_optional)
}

/// What the account has to have besides a key of that scope, if fal says so.
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

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// Into a header: the parameter `idempotency_key`.
    Header,
    /// Into the body, as a member of its JSON or as a field of its form.
    Body,
    /// Nowhere: it is libfal's own.
    Option,
}

/// What is sent besides the address.
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

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Json(Schema),
    None,
    File,
    Csv,
    Text,
    Events,
}

/// How a list is cut into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    Cursor,
    Offset,
    /// Not at all.
    Whole,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Pages {
    pub(crate) paging: Paging,
    /// The members of the answer that hold the list; none, if it is the answer itself.
    pub(crate) members: Vec<&'static str>,
}

/// What has to hold between parameters.
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
    /// Its name, such as `keys.list`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a few words.
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

    /// The scope that a key needs for it; `None`: it needs no key at all.
    pub fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// Whether it works without a key too, which then only raises limits.
    pub fn is_key_optional(&self) -> bool {
        self.key_optional
    }

    /// What the account has to have besides, if fal says so.
    pub fn needs(&self) -> Option<&'static str> {
        self.needs
    }

    /// Its parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Whether it takes an idempotency key: libfal makes and sends one, so that the call can be
    /// repeated without harm.
    pub fn is_idempotent(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.place == Place::Header)
    }

    /// Whether its answer is a list, whose elements `platform_list` gives one by one.
    pub fn is_list(&self) -> bool {
        self.pages.is_some()
    }

    /// The HTTP status of a success.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What a success brings: `json`, `none`, `file`, `csv`, `text` or `events`.
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

    /// Its lines in the table, in the notation of docs/protocol.md §14: the kind of the line, and
    /// what it says.
    pub fn notation(&self) -> &[(&'static str, &'static str)] {
        &self.notation
    }

    /// Whether a JSON answer has exactly the published shape; if not, what is wrong. For tests:
    /// calls take what comes, since fal may add to it.
    pub fn check_answer(&self, answer: &Value) -> Result<(), String> {
        match &self.answer {
            Answer::Json(shape) => shape.check(answer, ""),
            _ => Err(format!("the answer of {} is not JSON", self.name)),
        }
    }

    /// The operation of this method whose template this path, below `/v1`, fits best: with the most
    /// words that are fixed.
    pub(crate) fn at(method: &str, path: &str) -> Option<&'static Operation> {
        let fitting = operations()
            .iter()
            .filter(|operation| operation.method() == method);
        let fitting = fitting.filter_map(|operation| Some((operation.fit(path)?, operation)));
        fitting
            .max_by_key(|(fixed, _)| *fixed)
            .map(|(_, operation)| operation)
    }

    /// How many segments of a path are fixed, if it fits the template.
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

    pub(crate) fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name() == name)
    }
}

impl Parameter {
    /// Its name, as it is given.
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// Where it goes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it has to be given. (Of a body that may be left out, only with the rest of the
    /// body.)
    pub fn is_required(&self) -> bool {
        self.member.required
    }

    /// What it has to be, in words.
    pub fn expects(&self) -> String {
        self.member.shape.to_string()
    }

    /// Whether slashes in it separate folders.
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

/// Reads the whole table.
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
    /// One more line of its description.
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
