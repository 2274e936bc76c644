//! The documents that are generated from the table of operations: `docs/platform.md`, and the names
//! for Python's type checkers. `FAL_UPDATE=1 cargo test --test platform` generates them.

use std::fmt::Write;
use std::path::Path;

use fal::platform::{Operation, operations};

use crate::python;

const INTRODUCTION: &str = "\
# The Platform API

<!-- Generated from src/openapi/operations.txt by tests/rust/platform/documents.rs: edit the table. -->

Every operation of fal's Platform API (`docs/protocol.md` §14), by name:

| | one response | a list, element by element |
|---|---|---|
| Rust | `client.platform(\"models.pricing\", json!({\"endpoint_id\": \"fal-ai/flux/dev\"})).await?` | `client.platform_list_start(\"keys.list\", json!({}))?` |
| C | `fal_client_platform(client, \"models.pricing\", FAL_NUL, \"{\\\"endpoint_id\\\": \\\"fal-ai/flux/dev\\\"}\", FAL_NUL, &response, &err)` | `fal_client_platform_list_start(client, \"keys.list\", FAL_NUL, NULL, 0, &op, &err)` |
| Python | `client.platform.assets.get(asset_id=\"…\")`, `client.platform(\"assets.get\", asset_id=\"…\")` | `client.platform.keys.list()`, `client.platform(\"keys.list\")` |

Parameters are members of one JSON object, whether they belong to the path, the query, a header or the body. libfal checks them before
it sends anything. A `OneOrMany` is a string or an array of 1 to 50 strings. A `DateOrDay` is `YYYY-MM-DD`, or a date and time as in
RFC 3339. Slashes in a path parameter are escaped, unless the parameter is marked `slashes`. The errors are HTTP statuses, as fal
documents them.

- **Scope**: the scope that the key needs. An ADMIN key has all permissions of an API key. See
  [Which key do I need?](keys-and-scopes.md).
- **Lists** (`pages`): libfal reads all pages; `limit` is the size of a page. It requests a page when the last element of the previous
  page has been read.
- **Retries**: a GET request is retried. An operation with an `Idempotency-Key` is also retried; libfal generates the key unless you
  pass `idempotency_key`. fal remembers it for 10 minutes, so with a longer time limit the operation is not retried. Any other operation
  is not sent again once it may have been executed.
- **`keys.create`** is refused by name, because its response contains a secret. Call `create_key` in Rust and Python, or
  `fal_client_create_key()` in C. (A plain request `POST /v1/keys` returns fal's response unchanged, including the secret.)
- **`keys.revoke`** refuses to revoke the client's own key, unless `allow_own` is true.
- **`serverless.files.upload`** takes `file_upload` as `{\"path\": \"a/local/file\"}`, which is read while it is sent, or as
  `{\"base64\": \"…\", \"file_name\": \"a.bin\"}`.
- **`serverless.logs.stream`** yields each log line as an item until it is cancelled. It can also be read as a list.
- **Python**: a list is read while it is iterated over, with `async for` by an `AsyncClient`. `items[\"prices\"]` is a member of its
  first page, and `items.page()` the whole page.

";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scope(operation: &Operation) -> String {
    match operation.scope() {
        None => "no key".to_owned(),
        Some(scope) if operation.is_key_optional() => format!("{scope}, optional"),
        Some(scope) => scope.to_string(),
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("## All of them\n\n| Name | Scope | What it does |\n|---|---|---|\n");
    for one in operations() {
        let anchor = one.name().replace('.', "");
        writeln!(
            page,
            "| [`{}`](#{anchor}) | {} | {} |",
            one.name(),
            scope(one),
            one.purpose()
        )
        .unwrap();
    }
    page.push_str("\n## Types\n\n```text\n");
    let table = include_str!("../../../src/openapi/operations.txt");
    for line in table.lines().filter_map(|line| line.strip_prefix("type ")) {
        writeln!(page, "{line}").unwrap();
    }
    page.push_str("```\n\n## One by one\n");
    for one in operations() {
        writeln!(page, "\n### {}\n\n{}.", one.name(), capital(one.purpose())).unwrap();
        if let Some(needed) = one.needs() {
            writeln!(page, "It needs {needed}.").unwrap();
        }
        page.push_str("\n```text\n");
        for (kind, text) in one.notation().iter().filter(|(kind, _)| *kind != "needs") {
            writeln!(page, "{kind:<6} {text}").unwrap();
        }
        page.push_str("```\n");
    }
    page
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
        .unwrap_or_default()
}

fn names() -> String {
    let mut text = "\
\"\"\"The names of the operations of the Platform API, for type checkers.

Generated from src/openapi/operations.txt by tests/rust/platform/documents.rs.
\"\"\"

from typing import Literal

"
    .to_owned();
    let all = operations().iter();
    let mut literal = |name: &str, names: Vec<&str>| {
        writeln!(text, "{name} = Literal[").unwrap();
        names
            .iter()
            .for_each(|name| writeln!(text, "    \"{name}\",").unwrap());
        text.push_str("]\n");
    };
    let named = |is_iterated: bool| {
        let one =
            |one: &&Operation| python::has_method(one) && python::is_iterated(one) == is_iterated;
        all.clone().filter(one).map(Operation::name).collect()
    };
    literal("_OneName", named(false));
    literal("_ListName", named(true));
    text.push_str("_Name = _OneName | _ListName\n");
    text
}

#[test]
fn the_committed_documents_are_the_generated_ones() {
    for (path, generated) in [
        ("docs/platform.md", page()),
        ("bindings/python/python/libfal/_operations.pyi", names()),
        (
            "bindings/python/python/libfal/_platform_methods.pyi",
            python::stub(),
        ),
        (
            "bindings/python/python/libfal/_platform_methods.py",
            python::table(),
        ),
    ] {
        let path = root().join(path);
        if std::env::var_os("FAL_UPDATE").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} is not up to date: FAL_UPDATE=1 cargo test --test platform",
            path.display()
        );
    }
}

const PAGE_OF_KEYS: &str = "docs/keys-and-scopes.md";

/// Returns the rows of the table of keys that name operations or groups of operations: the name, the
/// first cell, and the other cells.
fn opened() -> Vec<(String, String, [String; 3])> {
    let page = std::fs::read_to_string(root().join(PAGE_OF_KEYS)).unwrap();
    let section = page.split("\n## ").next().unwrap();
    let mut rows = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        let columns: [String; 3] = cells[1..].to_vec().try_into().unwrap();
        let names = cells[0].split('`').skip(1).step_by(2);
        rows.extend(names.map(|name| (name.to_owned(), cells[0].clone(), columns.clone())));
    }
    rows
}

#[test]
fn the_page_of_keys_says_which_key_opens_what() {
    let rows = opened();
    let covers = |name: &str, one: &Operation| {
        one.name() == name || one.name().starts_with(&format!("{name}."))
    };
    for (name, ..) in &rows {
        assert!(
            operations().iter().any(|one| covers(name, one)),
            "{name} is no operation"
        );
    }
    for one in operations() {
        // The longest matching name counts: `serverless.usage` differs from the rest of `serverless`.
        let row = rows
            .iter()
            .filter(|(name, ..)| covers(name, one))
            .max_by_key(|(name, ..)| name.len());
        let (_, row, columns) = row.unwrap_or_else(|| panic!("no row contains {}", one.name()));
        let needed = one.scope().filter(|_| !one.is_key_optional());
        let opens = [needed.is_none(), needed != Some(fal::Scope::Admin), true];
        for (column, opens) in columns.iter().zip(opens) {
            assert_eq!(column.starts_with("yes"), opens, "{}: {row}", one.name());
        }
        let condition = columns[2].contains("if ");
        assert_eq!(
            one.needs().is_some(),
            condition,
            "{}: what the account needs, in {row}",
            one.name()
        );
    }
}
