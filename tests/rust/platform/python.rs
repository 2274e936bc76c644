//! What Python has of the table of operations: the names and parameters at run time, and the methods
//! of `client.platform` for type checkers.

use std::fmt::Write;

use fal::platform::{Operation, operations};

/// A shape of the table.
enum Shape {
    Either(Vec<Shape>),
    Object(Vec<(String, Shape)>),
    List(Box<Shape>),
    Word(String),
    Named(String),
}

/// Reads the notation of src/openapi/operations.txt.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn take(&mut self, text: &str) -> bool {
        self.0 = self.0.trim_start();
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        self.0 = self.0.trim_start();
        let end = self.0.find(ends).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn shape(&mut self) -> Shape {
        let mut all = vec![self.one()];
        while self.take("|") {
            all.push(self.one());
        }
        match all.len() {
            1 => all.remove(0),
            _ => Shape::Either(all),
        }
    }

    fn one(&mut self) -> Shape {
        let shape = if self.take("\"") {
            let word = self.until(|c| c == '"').to_owned();
            assert!(self.take("\""));
            Shape::Word(word)
        } else if self.take("[") {
            let of = self.shape();
            assert!(self.take("]"));
            Shape::List(Box::new(of))
        } else if self.take("{") {
            let members = self.members(",");
            assert!(self.take("}"));
            Shape::Object(members)
        } else {
            let name = self.until(|c| !c.is_alphanumeric());
            Shape::Named(name.to_owned())
        };
        while self.take("(") {
            self.until(|c| c == ')');
            assert!(self.take(")"));
        }
        shape
    }

    fn members(&mut self, separator: &str) -> Vec<(String, Shape)> {
        let mut members = Vec::new();
        loop {
            let name = self.until(|c| c == ':').trim_end_matches('?');
            assert!(self.take(":"));
            members.push((name.to_lowercase().replace('-', "_"), self.shape()));
            if !self.take(separator) {
                return members;
            }
        }
    }
}

fn defined(name: &str) -> Shape {
    let table = include_str!("../../../src/openapi/operations.txt");
    let prefix = format!("type {name} = ");
    let mut found = table.lines().filter_map(|line| line.strip_prefix(&prefix));
    Reader(found.next().unwrap_or_else(|| panic!("{name} is no type"))).shape()
}

/// Writes a shape as a Python type.
fn python(shape: &Shape) -> String {
    match shape {
        Shape::Either(shapes) => {
            let word = |shape: &Shape| match shape {
                Shape::Word(word) => Some(format!("\"{word}\"")),
                _ => None,
            };
            let words: Vec<_> = shapes.iter().filter_map(word).collect();
            let mut types: Vec<_> = shapes
                .iter()
                .filter(|shape| word(shape).is_none())
                .map(python)
                .collect();
            if !words.is_empty() {
                types.insert(0, format!("Literal[{}]", words.join(", ")));
            }
            types.dedup();
            types.join(" | ")
        }
        Shape::Object(_) => "Mapping[str, Any]".into(),
        Shape::List(of) => format!("Sequence[{}]", python(of)),
        Shape::Word(word) => format!("Literal[\"{word}\"]"),
        Shape::Named(name) => match name.as_str() {
            "string" => "str".into(),
            "int" | "bool" => name.clone(),
            "number" => "float".into(),
            "null" => "None".into(),
            "any" => "Any".into(),
            "OneOrMany" => "str | Sequence[str]".into(),
            // A datetime is a date, too.
            "DateOrDay" => "str | date".into(),
            name => python(&defined(name)),
        },
    }
}

/// The members of a body.
fn members(shape: Shape) -> Vec<(String, Shape)> {
    match shape {
        Shape::Object(members) => members,
        Shape::Either(shapes) => shapes.into_iter().flat_map(members).collect(),
        Shape::Named(name) => members(defined(&name)),
        Shape::List(_) | Shape::Word(_) => panic!("a body is an object"),
    }
}

/// The parameters with their types. A parameter may be in several forms of the body.
fn parameters(operation: &Operation) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (kind, text) in operation.notation() {
        let mut reader = Reader(text);
        all.extend(match kind.trim_end_matches('?') {
            "path" | "query" | "header" | "option" | "array" => reader.members(";"),
            "json" | "form" => members(reader.shape()),
            _ => continue,
        });
    }
    let typed = |name: &str| {
        let mut types: Vec<_> = all
            .iter()
            .filter(|(one, _)| one == name)
            .map(|(_, shape)| python(shape))
            .collect();
        types.dedup();
        assert!(!types.is_empty(), "{}: {name}", operation.name());
        types.join(" | ")
    };
    let write = |name: &str, required: bool| {
        let value = if required { "" } else { " = ..." };
        (name.to_owned(), format!("{}{value}", typed(name)))
    };
    operation
        .parameters()
        .iter()
        .map(|one| write(one.name(), one.is_required()))
        .collect()
}

/// Operations with a name that begins alike.
#[derive(Default)]
struct Branch {
    operation: Option<&'static Operation>,
    parts: Vec<(&'static str, Branch)>,
}

fn tree() -> Branch {
    let mut root = Branch::default();
    for one in operations().iter().filter(|one| has_method(one)) {
        let mut branch = &mut root;
        for part in one.name().split('.') {
            let at = branch.parts.iter().position(|(name, _)| *name == part);
            let at = at.unwrap_or_else(|| {
                branch.parts.push((part, Branch::default()));
                branch.parts.len() - 1
            });
            branch = &mut branch.parts[at].1;
        }
        branch.operation = Some(one);
    }
    root
}

/// `keys.create` is `create_key()`.
pub(crate) fn has_method(operation: &Operation) -> bool {
    operation.name() != "keys.create"
}

pub(crate) fn is_iterated(operation: &Operation) -> bool {
    operation.is_list() || operation.answer() == "events"
}

fn sentence(operation: &Operation) -> String {
    let needs = operation
        .needs()
        .map_or(String::new(), |needed| format!(" It needs {needed}."));
    format!("{}.{needs}", super::documents::capital(operation.purpose()))
}

fn class(is_async: bool, path: &[&str]) -> String {
    let path = if path.is_empty() { &["platform"] } else { path };
    let words = path.iter().flat_map(|part| part.split('_'));
    let name: String = words.map(super::documents::capital).collect();
    format!("_{}{name}", if is_async { "Async" } else { "" })
}

fn method(text: &mut String, is_async: bool, name: &str, operation: &Operation) {
    let parameters: String = parameters(operation)
        .iter()
        .map(|(name, of)| format!("        {name}: {of},\n"))
        .collect();
    let answer = match operation.answer() {
        _ if is_iterated(operation) && is_async => "AsyncItems",
        _ if is_iterated(operation) => "Items",
        "none" => "None",
        "file" => "bytes",
        "csv" | "text" => "str",
        _ => "Any",
    };
    let begin = if is_async && !is_iterated(operation) {
        "async def"
    } else {
        "def"
    };
    let parameters = match parameters.is_empty() {
        true => "self".to_owned(),
        false => format!("\n        self,\n        *,\n{parameters}    "),
    };
    let sentence = sentence(operation);
    writeln!(
        text,
        "    {begin} {name}({parameters}) -> {answer}:\n        \"\"\"{sentence}\"\"\"\n"
    )
    .unwrap();
}

fn classes(text: &mut String, is_async: bool, path: &mut Vec<&'static str>, branch: &Branch) {
    for (name, inner) in branch
        .parts
        .iter()
        .filter(|(_, inner)| !inner.parts.is_empty())
    {
        path.push(name);
        classes(text, is_async, path, inner);
        path.pop();
    }
    writeln!(text, "class {}:", class(is_async, path)).unwrap();
    if path.is_empty() {
        let begin = if is_async { "async def" } else { "def" };
        let items = if is_async { "AsyncItems" } else { "Items" };
        writeln!(text, "    @overload\n    def __call__(self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> {items}:").unwrap();
        writeln!(
            text,
            "        \"\"\"Read a list of the Platform API by its name.\"\"\"\n"
        )
        .unwrap();
        writeln!(text, "    @overload\n    {begin} __call__(self, name: _OneName, /, *, parse_float: Callable[[str], Any] | None = ..., **params: Any) -> Any:").unwrap();
        writeln!(
            text,
            "        \"\"\"Call an operation of the Platform API by its name.\"\"\"\n"
        )
        .unwrap();
    }
    if let Some(operation) = branch.operation {
        method(text, is_async, "__call__", operation);
    }
    for (name, inner) in &branch.parts {
        match inner.operation {
            Some(operation) if inner.parts.is_empty() => method(text, is_async, name, operation),
            _ => {
                path.push(name);
                let class = class(is_async, path);
                writeln!(text, "    @property\n    def {name}(self) -> {class}: ...").unwrap();
                path.pop();
            }
        }
    }
    text.push('\n');
}

pub(crate) fn stub() -> String {
    let mut text = "\
\"\"\"The operations of the Platform API as methods, for type checkers.

Generated from src/openapi/operations.txt by tests/rust/platform/python.rs.
\"\"\"

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Literal, overload

from ._operations import _ListName, _OneName
from ._platform import AsyncItems, Items

_OPERATIONS: dict[str, tuple[str, bool, str]]

"
    .to_owned();
    for is_async in [false, true] {
        classes(&mut text, is_async, &mut Vec::new(), &tree());
    }
    text
}

pub(crate) fn table() -> String {
    let mut text = "\
\"\"\"The operations of the Platform API: what each does, whether its result is iterated over, and its parameters. Those with ? are optional.

Generated from src/openapi/operations.txt by tests/rust/platform/python.rs.
\"\"\"

_OPERATIONS = {
"
    .to_owned();
    for one in operations().iter().filter(|one| has_method(one)) {
        let write = |of: &fal::platform::Parameter| {
            format!("{}{}", of.name(), if of.is_required() { "" } else { "?" })
        };
        let parameters: Vec<_> = one.parameters().iter().map(write).collect();
        let iterated = if is_iterated(one) { "True" } else { "False" };
        let (name, sentence) = (one.name(), sentence(one));
        writeln!(
            text,
            "    \"{name}\": (\"{sentence}\", {iterated}, \"{}\"),",
            parameters.join(" ")
        )
        .unwrap();
    }
    text.push_str("}\n");
    text
}
