//! Tests of the table and of the parser.

use serde_json::json;

use super::schema::Schema;
use super::*;

#[test]
fn the_table_is_well_formed_and_holds_every_operation() {
    read(include_str!("operations.txt")).unwrap();
    let of = |scope| {
        operations()
            .iter()
            .filter(|operation| operation.scope == scope)
            .count()
    };
    assert_eq!(
        (
            operations().len(),
            of(Some(Scope::Admin)),
            of(Some(Scope::Api)),
            of(None)
        ),
        (82, 17, 64, 1)
    );
    let optional: Vec<_> = operations()
        .iter()
        .filter(|operation| operation.key_optional)
        .map(|one| one.name)
        .collect();
    assert_eq!(optional, ["models.list"]);
    let idempotent = operations()
        .iter()
        .filter(|operation| operation.is_idempotent())
        .count();
    assert_eq!(idempotent, 26);
    let paged = |paging| {
        operations().iter().filter(move |one| {
            one.pages
                .as_ref()
                .is_some_and(|pages| pages.paging == paging)
        })
    };
    assert_eq!(
        (paged(Paging::Cursor).count(), paged(Paging::Offset).count()),
        (19, 2)
    );
}

#[test]
fn names_calls_and_parameters_are_unique() {
    for (index, one) in operations().iter().enumerate() {
        for other in &operations()[..index] {
            assert_ne!(one.name, other.name);
            assert_ne!(
                (&one.method, one.path),
                (&other.method, other.path),
                "{}",
                one.name
            );
        }
        let mut names: Vec<_> = one.parameters.iter().map(Parameter::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), one.parameters.len(), "{}", one.name);
        let good = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        assert!(
            one.name.chars().all(good) && one.name.contains('.'),
            "{}",
            one.name
        );
    }
}

#[test]
fn every_row_holds_together() {
    for one in operations() {
        let at = one.name;
        let in_path: Vec<_> = one
            .path
            .split('{')
            .skip(1)
            .filter_map(|part| part.split('}').next())
            .collect();
        let declared = |place| {
            one.parameters
                .iter()
                .filter(move |p| p.place == place)
                .map(Parameter::name)
        };
        assert_eq!(in_path, declared(Place::Path).collect::<Vec<_>>(), "{at}");
        assert!(
            one.path.starts_with('/') && !one.purpose.is_empty() && !one.errors.is_empty(),
            "{at}"
        );
        assert_eq!(
            one.body == Body::None,
            declared(Place::Body).next().is_none(),
            "{at}"
        );
        assert_eq!(one.status == 204, one.answer == Answer::None, "{at}");
        assert!(
            one.parameters
                .iter()
                .all(|p| p.place != Place::Path || p.member.required),
            "{at}"
        );
        assert!(
            !one.is_idempotent() || one.method != reqwest::Method::GET,
            "{at}"
        );
        for parameter in &one.parameters {
            if let Some(default) = &parameter.member.default {
                assert!(
                    parameter.member.shape.check(default, "").is_ok() && !parameter.is_required(),
                    "{at}: {default}"
                );
            }
        }
        if let Some(pages) = &one.pages {
            let Answer::Json(shape) = &one.answer else {
                panic!("{at}: pages of no JSON")
            };
            assert_eq!(
                pages.members.is_empty(),
                matches!(shape, Schema::List { .. }),
                "{at}"
            );
            assert!(
                pages
                    .members
                    .iter()
                    .all(|name| shape.members().iter().any(|member| member.name == *name)),
                "{at}"
            );
            let takes = |name| one.parameter(name).is_some();
            assert_eq!(pages.paging == Paging::Cursor, takes("cursor"), "{at}");
            assert_eq!(pages.paging == Paging::Offset, takes("offset"), "{at}");
            let has_more = shape
                .members()
                .iter()
                .any(|member| member.name == "has_more");
            assert!(has_more || pages.paging != Paging::Cursor, "{at}");
        }
        let needed = one.scope.filter(|_| !one.key_optional);
        assert!(
            needed_scope(one.method(), &format!("/v1{}", one.path)) == needed,
            "{at}"
        );
    }
}

#[test]
fn rules_name_parameters() {
    for one in operations() {
        for rule in &one.rules {
            let names: Vec<&str> = match rule {
                Rule::One(names) | Rule::Excludes(names) => names.clone(),
                Rule::Holds { list, .. } => vec![list],
                Rule::Only { name, other, .. } => vec![name, other],
            };
            assert!(
                names.iter().all(|name| one.parameter(name).is_some()),
                "{}: {rule:?}",
                one.name
            );
        }
    }
}

#[test]
fn an_operation_is_found_by_method_and_path() {
    assert_eq!(needed_scope("GET", "/v1/keys"), Some(Scope::Admin));
    assert_eq!(
        needed_scope("DELETE", "/v1/keys/fake-id"),
        Some(Scope::Admin)
    );
    assert_eq!(needed_scope("GET", "/v1/models/"), None);
    assert_eq!(needed_scope("GET", "/v1/models/pricing/"), Some(Scope::Api));
    assert_eq!(needed_scope("GET", "/v1/meta"), None);
    assert_eq!(needed_scope("PUT", "/v1/keys"), None);
    assert_eq!(needed_scope("GET", "/v1/keys/a/b"), None);
    assert_eq!(needed_scope("GET", "/keys"), None);
    let name = |method, path| Operation::at(method, path).map(Operation::name);
    assert_eq!(name("GET", "/assets/tags"), Some("assets.tags.list"));
    assert_eq!(name("GET", "/assets/7"), Some("assets.get"));
    assert_eq!(
        name("GET", "/serverless/files/list/a/b/c"),
        Some("serverless.files.list_dir")
    );
    assert_eq!(
        name("GET", "/serverless/files/list"),
        Some("serverless.files.list")
    );
    assert_eq!(name("GET", "/serverless/files/file/a/b"), None);
}

#[test]
fn a_line_that_is_wrong_is_pointed_out() {
    let table = |line: &str| -> &'static str { format!("a.b: c\n  {line}\n").leak() };
    for line in [
        "call GET",
        "scope SOME",
        "path a",
        "query a: strin",
        "json {a: string",
        "json {a string}",
        "array b: [string",
        "200 {a: int (≥x)}",
        "query a: int (len 1..)",
        "query a: string (odd)",
        "query a: [string] (len 1..)",
        "query a: bool (≥1)",
        "query a: string x",
        "query a: int (default x)",
        "errors x",
        "pages x a",
        "pages cursor",
        "rule x a",
        "rule only a: b",
        "rule holds a",
        "what is this",
        "200",
    ] {
        let error = read(table(line)).unwrap_err();
        assert!(error.starts_with("line 2: "), "{line}: {error}");
    }
    assert!(
        read("  call GET /a\n").is_err() && read("type A\n").is_err() && read("a.b\n").is_err()
    );
}

#[test]
fn values_are_held_to_their_shapes() {
    let named = Vec::new();
    let shape = |text: &str| schema_parser::shape(text, &named).unwrap();
    let good = [
        ("int (≥1, ≤100, default 50)", json!(100)),
        ("number (≥0, ≤1) | null", json!(null)),
        ("string (len 1..3)", json!("äöü")),
        ("string (len 3..3)", json!("USD")),
        ("OneOrMany", json!("a,b")),
        ("OneOrMany", json!(["a", "b"])),
        (
            "string (uuid)",
            json!("11111111-2222-4333-8444-55555555555F"),
        ),
        ("DateOrDay", json!("2026-01-31")),
        ("DateOrDay", json!("2026-01-31T23:59:59.123+02:00")),
        ("string (date-time)", json!("2026-01-31T23:59:59Z")),
        ("string (date-time)", json!("2016-12-31t23:59:60z")),
        (r"string (/^\d{4}-\d{2}$/)", json!("2026-01")),
        (
            "string (uri)",
            json!("https://v3.fal.media/files/b/x/y.png?a=b"),
        ),
        ("{a: int, [key]: string}", json!({"a": 1, "b": "c"})),
        (r#"["image"|"video"] (default []) | null"#, json!(["video"])),
        (
            r#"{t: "x", n: int} | {t: "y", n: string}"#,
            json!({"t": "y", "n": "1"}),
        ),
        ("[{a?: any}] (items 1..2)", json!([{}, {"a": [1]}])),
    ];
    for (text, value) in good {
        assert_eq!(shape(text).check(&value, "x"), Ok(()), "{text}");
    }
    let not_a_day = |length| {
        format!(
            "x must be a date (YYYY-MM-DD), or a date and time as in RFC 3339, not a string of length {length}"
        )
    };
    let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    let bad = [
        (
            "int (≥1, ≤100)",
            json!(0),
            "x must be an integer from 1 to 100, not 0",
        ),
        ("int", json!(1.5), "x must be an integer, not 1.5"),
        (
            "int",
            json!("1"),
            "x must be an integer, not a string of length 1",
        ),
        ("bool", json!(1), "x must be true or false, not 1"),
        (
            "string (len 1..3)",
            json!(""),
            "x must be a string of 1 to 3 characters, not a string of length 0",
        ),
        (
            r#""a"|"b""#,
            json!("c"),
            r#"x must be "a" or "b", not a string of length 1"#,
        ),
        (
            "OneOrMany",
            json!([]),
            "x must be a string, or an array of 1 to 50 strings, not an array of length 0",
        ),
        (
            "OneOrMany",
            json!(many),
            "x must be a string, or an array of 1 to 50 strings, not an array of length 51",
        ),
        (
            "OneOrMany",
            json!(many.join(",")),
            "x must be a string, or an array of 1 to 50 strings, not a string of length 142",
        ),
        ("DateOrDay", json!("today"), &not_a_day(5)),
        (
            "string (date-time)",
            json!("2026-01-31T23:59:59"),
            "x must be a date and time as in RFC 3339, not a string of length 19",
        ),
        ("DateOrDay", json!("2026-13-01"), &not_a_day(10)),
        ("DateOrDay", json!("2026-12-32"), &not_a_day(10)),
        ("DateOrDay", json!("2026-00-10"), &not_a_day(10)),
        ("DateOrDay", json!("2026-01-31T24:00:00Z"), &not_a_day(20)),
        ("DateOrDay", json!("2026-01-31T23:60:00Z"), &not_a_day(20)),
        ("DateOrDay", json!("2026-01-31T23:59:61Z"), &not_a_day(20)),
        (
            "DateOrDay",
            json!("2026-01-31T23:59:59+24:00"),
            &not_a_day(25),
        ),
        (
            "DateOrDay",
            json!("2026-01-3\u{e9}T23:59:59Z"),
            &not_a_day(20),
        ),
        (
            r"string (/^\d{4}-\d{2}$/)",
            json!("2026-13"),
            "x must be a month (YYYY-MM), not a string of length 7",
        ),
        (
            "{a: {b: int}}",
            json!({"a": {"b": null}}),
            "x.a.b must be an integer, not null",
        ),
        ("{a: int}", json!({}), "x.a is missing"),
        ("{a?: int}", json!({"b": 1}), "x.b is unknown"),
        (
            "[int]",
            json!([1, "2"]),
            "x[1] must be an integer, not a string of length 1",
        ),
        (
            r#"{t: "x", n: int (≥1)} | {t: "y", n: string}"#,
            json!({"t": "x", "n": 0}),
            "x.n must be an integer of at least 1, not 0",
        ),
        (
            "{a: int} | null",
            json!({"a": true}),
            "x.a must be an integer, not true",
        ),
    ];
    for (text, value, told) in bad {
        assert_eq!(
            shape(text).check(&value, "x"),
            Err(told.to_owned()),
            "{text}"
        );
    }
}
