//! Lists in pages.

use super::server::Server;
use super::*;

#[test]
fn a_thousand_keys_are_read_page_by_page() {
    let emulator = Emulator::start().unwrap();
    let before = items(
        &admin(&emulator)
            .platform_list_start("keys.list", json!({}))
            .unwrap(),
    )
    .len();
    (0..1000).for_each(|_| drop(emulator.create_key(Scope::Api, DEFAULT_ACCOUNT)));
    emulator.clear_arrivals();
    let op = admin(&emulator)
        .platform_list_start("keys.list", json!({"limit": 100}))
        .unwrap();
    let mut ids: Vec<String> = Vec::new();
    while let Some(event) = next(&op) {
        // However slowly the host reads, at most the page after the current one was requested.
        if ids.len() == 150 {
            std::thread::sleep(Duration::from_millis(300));
        }
        assert!(
            emulator.arrivals().len() <= ids.len() / 100 + 2,
            "{} after {}",
            emulator.arrivals().len(),
            ids.len()
        );
        ids.push(event.content().get_str("/key_id").unwrap().to_owned());
    }
    assert_eq!(emulator.arrivals().len(), (1000 + before).div_ceil(100));
    let outcome = op.take().unwrap().unwrap();
    assert_eq!(outcome.get("/items").unwrap(), 1000 + before);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1000 + before);
}

#[test]
fn ten_thousand_billing_events_are_never_all_in_memory() {
    let emulator = Emulator::start().unwrap();
    emulator.seed(&Seed {
        billing_events: 10_000,
        ..Seed::default()
    });
    let op = admin(&emulator)
        .platform_list_start("models.billing_events", json!({"limit": 1000}))
        .unwrap();
    let mut ids = std::collections::HashSet::new();
    let mut read = 0;
    while let Some(event) = next(&op) {
        assert!(
            emulator.arrivals().len() <= read / 1000 + 2,
            "{} after {read}",
            emulator.arrivals().len()
        );
        read += 1;
        ids.insert(event.content().get_str("/request_id").unwrap().to_owned());
    }
    assert_eq!(
        (read, ids.len(), emulator.arrivals().len()),
        (10_000, 10_000, 10)
    );
    assert_eq!(
        op.take().unwrap().unwrap().json().unwrap(),
        &json!({"pages": 10, "items": 10_000})
    );
}

fn list(server: &Server, name: &str, params: Value) -> Op {
    builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap()
        .platform_list_start(name, params)
        .unwrap()
}

fn lines(server: &Server) -> Vec<String> {
    server.arrived().into_iter().map(|one| one.line).collect()
}

#[test]
fn a_cursor_that_repeats_ends_in_an_error() {
    for cursors in [["a", "a", "a"], ["a", "b", "a"]] {
        let server = Server::json(move |number, _| {
            format!(
                r#"{{"keys": [{{"n": {number}}}], "next_cursor": "{}", "has_more": true}}"#,
                cursors[number % 3]
            )
        });
        let op = list(&server, "keys.list", json!({}));
        assert!(items(&op).len() <= 3);
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Protocol, "{error}");
        assert!(
            error
                .message()
                .contains("the same cursor of keys.list twice"),
            "{error}"
        );
        assert!(server.arrived().len() <= 3);
    }
    let server = Server::json(|_, _| r#"{"keys": [1], "next_cursor": "a"}"#.to_owned());
    let op = list(&server, "keys.list", json!({"cursor": "a"}));
    assert_eq!(items(&op).len(), 1);
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Protocol);
}

/// Each page names another one. While pages have elements this is a valid list, which the host need
/// not read to its end.
#[test]
fn pages_without_an_element_are_no_list() {
    let server = Server::json(|number, _| {
        let key = if number == 1 { "{}" } else { "" };
        format!(r#"{{"keys": [{key}], "next_cursor": "{number}", "has_more": true}}"#)
    });
    let op = list(&server, "keys.list", json!({}));
    assert_eq!(items(&op).len(), 1);
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Protocol, "{error}");
    assert!(
        error
            .message()
            .contains("1000 pages of keys.list in a row without an element"),
        "{error}"
    );
    assert_eq!(server.arrived().len(), 1002);
}

#[test]
fn the_last_page_is_known_however_it_is_told() {
    for last in [
        r#""next_cursor": null, "has_more": false"#,
        r#""next_cursor": "", "has_more": false"#,
        r#""next_cursor": null"#,
        r#""has_more": false"#,
        r#""has_more": null"#,
    ] {
        let server = Server::json(move |number, _| match number {
            0 => r#"{"models": [1, 2], "next_cursor": "a=&", "has_more": true}"#.to_owned(),
            _ => format!(r#"{{"models": [], {last}}}"#),
        });
        let op = list(&server, "models.list", json!({"q": "x"}));
        assert_eq!(items(&op), [json!(1), json!(2)]);
        assert_eq!(
            op.take().unwrap().unwrap().json().unwrap(),
            &json!({"pages": 2, "items": 2})
        );
        assert_eq!(
            lines(&server),
            ["GET /v1/models?q=x", "GET /v1/models?cursor=a%3D%26&q=x"],
            "{last}"
        );
    }
}

#[test]
fn more_that_nobody_can_ask_for_is_an_error() {
    for rest in [
        r#""next_cursor": null, "has_more": true"#,
        r#""next_cursor": "", "has_more": true"#,
        r#""has_more": true"#,
        r#""has_more": 1"#,
    ] {
        let server = Server::json(move |_, _| format!(r#"{{"keys": [1, 2], {rest}}}"#));
        let op = list(&server, "keys.list", json!({}));
        assert_eq!(items(&op), [json!(1), json!(2)], "{rest}");
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), server.arrived().len()),
            (Code::Protocol, 1),
            "{rest}: {error}"
        );
        assert!(
            error.message().contains("keys.list") && error.message().contains("has_more"),
            "{rest}: {error}"
        );
    }
    for answer in [
        r#"{"tags": [1, 2], "has_more": true}"#,
        r#"{"tags": [1, 2], "next_cursor": "a"}"#,
    ] {
        let server = Server::json(move |_, _| answer.to_owned());
        let op = list(&server, "assets.tags.list", json!({}));
        items(&op);
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), server.arrived().len()),
            (Code::Protocol, 1),
            "{answer}: {error}"
        );
    }
}

/// Whichever of the two fields is right, no element is left out.
#[test]
fn a_cursor_where_no_more_is_told_is_looked_behind() {
    for (second, items_in_all) in [
        (r#"[], "next_cursor": "a""#, 2),
        (r#"[3], "next_cursor": null"#, 3),
        ("[3]", 3),
    ] {
        let server = Server::json(move |number, _| match number {
            0 => r#"{"keys": [1, 2], "next_cursor": "a", "has_more": false}"#.to_owned(),
            _ => format!(r#"{{"keys": {second}, "has_more": false}}"#),
        });
        let op = list(&server, "keys.list", json!({}));
        assert_eq!(items(&op).len(), items_in_all, "{second}");
        assert!(op.take().unwrap().is_ok(), "{second}");
        assert_eq!(
            lines(&server),
            ["GET /v1/keys", "GET /v1/keys?cursor=a"],
            "{second}"
        );
    }
}

/// A service may return fewer elements than requested, and documents no total (docs/protocol.md
/// §14.7).
#[test]
fn offsets_are_counted_until_a_page_is_empty() {
    let server = Server::json(|number, _| match number {
        0 => r#"{"collections": [1, 2]}"#.to_owned(),
        1 => r#"{"collections": [3]}"#.to_owned(),
        2 => r#"{"collections": [4, 5]}"#.to_owned(),
        _ => r#"{"collections": []}"#.to_owned(),
    });
    let op = list(
        &server,
        "assets.collections.list",
        json!({"limit": 2, "offset": 4}),
    );
    assert_eq!(
        items(&op),
        [json!(1), json!(2), json!(3), json!(4), json!(5)]
    );
    assert!(op.take().unwrap().is_ok());
    let offsets =
        [4, 6, 7, 9].map(|offset| format!("GET /v1/assets/collections?limit=2&offset={offset}"));
    assert_eq!(lines(&server), offsets);

    let server = Server::json(|_, _| r#"{"characters": [1, 2]}"#.to_owned());
    let op = list(&server, "assets.characters.list", json!({"limit": 2}));
    assert_eq!(items(&op).len(), 2);
    let error = op.take().unwrap().unwrap_err();
    assert!(error.message().contains("the same page"), "{error}");
}

#[test]
fn a_list_is_whole_or_an_error_whatever_its_pages_say() {
    for (odd, whole) in [
        (None, true),
        (Some(OddPages::Short), true),
        (Some(OddPages::CursorWithoutMore), true),
        (Some(OddPages::MoreWithoutCursor), false),
    ] {
        let emulator = Emulator::start().unwrap();
        let all = items(
            &admin(&emulator)
                .platform_list_start("keys.list", json!({"limit": 100}))
                .unwrap(),
        )
        .len()
            + 9;
        (0..9).for_each(|_| drop(emulator.create_key(Scope::Api, DEFAULT_ACCOUNT)));
        let names = (0..9).map(|number| json!({"name": format!("c{number}")}));
        names.for_each(|name| {
            drop(
                Op::finish(|| admin(&emulator).platform_start("assets.collections.create", name))
                    .unwrap(),
            )
        });
        let mut settings = emulator.settings();
        settings.platform.odd_pages = odd;
        emulator.set(settings);
        for (name, all) in [("keys.list", all), ("assets.collections.list", 9)] {
            let op = admin(&emulator)
                .platform_list_start(name, json!({"limit": 4}))
                .unwrap();
            let told = items(&op).len();
            match op.take().unwrap() {
                Ok(_) => assert!(
                    told == all && (whole || name != "keys.list"),
                    "{odd:?} {name}: {told} of {all}"
                ),
                Err(error) => assert!(
                    !whole && error.code() == Code::Protocol,
                    "{odd:?} {name}: {error}"
                ),
            }
        }
    }
}

#[test]
fn a_total_ends_a_list_and_is_kept() {
    for name in ["total", "total_count"] {
        let server =
            Server::json(move |number, _| format!(r#"{{"collections": [{number}], "{name}": 2}}"#));
        let op = list(&server, "assets.collections.list", json!({}));
        assert_eq!(items(&op), [json!(0), json!(1)]);
        assert!(
            op.take().unwrap().is_ok() && server.arrived().len() == 2,
            "{name}"
        );

        let server = Server::json(move |number, _| match number {
            0 => format!(r#"{{"collections": [1], "{name}": 2}}"#),
            _ => format!(r#"{{"collections": [], "{name}": 2}}"#),
        });
        let op = list(&server, "assets.collections.list", json!({}));
        assert_eq!(items(&op), [json!(1)]);
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Protocol, "{error}");
        assert!(error.message().contains("1 of 2"), "{error}");
    }
}

/// A complete list has at least as many elements as the smallest of its totals. A list that grows
/// meanwhile has more.
#[test]
fn a_list_that_ends_before_its_total_is_not_whole() {
    for (name, page, told) in [
        (
            "workflows.list",
            r#"{"workflows": [1], "total": 3, "next_cursor": null, "has_more": false}"#,
            "1 of 3",
        ),
        (
            "workflows.list",
            r#"{"workflows": [1], "total": 3}"#,
            "1 of 3",
        ),
        (
            "workflows.list",
            r#"{"workflows": [], "total": 1, "has_more": false}"#,
            "0 of 1",
        ),
        (
            "keys.list",
            r#"{"keys": [1], "total": 3, "has_more": false}"#,
            "1 of 3",
        ),
        ("assets.tags.list", r#"{"tags": [1], "total": 3}"#, "1 of 3"),
        (
            "assets.list",
            r#"{"assets": [1], "total_count": 3, "scope_truncated": false, "has_more": false}"#,
            "1 of 3",
        ),
    ] {
        let server = Server::json(move |_, _| page.to_owned());
        let op = list(&server, name, json!({}));
        let told_items = items(&op).len();
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), server.arrived().len()),
            (Code::Protocol, 1),
            "{page}: {error}"
        );
        assert!(
            error.message().contains(told) && told.starts_with(&told_items.to_string()),
            "{page}: {error}"
        );
    }
    for (name, params, page) in [
        (
            "workflows.list",
            json!({}),
            r#"{"workflows": [1, 2], "total": 2, "has_more": false}"#,
        ),
        (
            "workflows.list",
            json!({}),
            r#"{"workflows": [1, 2, 3], "total": 2, "has_more": false}"#,
        ),
        (
            "workflows.list",
            json!({"cursor": "x"}),
            r#"{"workflows": [1], "total": 3, "has_more": false}"#,
        ),
        (
            "assets.list",
            json!({}),
            r#"{"assets": [1], "total_count": null, "scope_truncated": false, "has_more": false}"#,
        ),
        // The service did not examine all counted elements.
        (
            "assets.list",
            json!({}),
            r#"{"assets": [1], "total_count": 3, "scope_truncated": true, "has_more": false}"#,
        ),
    ] {
        let server = Server::json(move |_, _| page.to_owned());
        let op = list(&server, name, params);
        items(&op);
        assert!(op.take().unwrap().is_ok(), "{page}");
    }
    // The list grows or shrinks while it is read.
    for (first, last, whole) in [(2, 5, true), (5, 2, true), (3, 5, false)] {
        let server = Server::json(move |number, _| match number {
            0 => format!(
                r#"{{"workflows": [1], "total": {first}, "next_cursor": "a", "has_more": true}}"#
            ),
            _ => format!(
                r#"{{"workflows": [2], "total": {last}, "next_cursor": null, "has_more": false}}"#
            ),
        });
        let op = list(&server, "workflows.list", json!({}));
        assert_eq!(items(&op).len(), 2);
        assert_eq!(op.take().unwrap().is_ok(), whole, "{first} {last}");
    }
}

/// It is not documented what a page by offset says about further pages (docs/protocol.md §14.7), so
/// libfal requests the page that may follow.
#[test]
fn more_behind_a_page_by_offset_is_looked_for() {
    // The page says that there is more, and the next page is empty.
    for page in [
        r#"{"collections": [], "has_more": true}"#,
        r#"{"collections": [], "next_cursor": "a"}"#,
    ] {
        let server = Server::json(move |_, _| page.to_owned());
        let op = list(&server, "assets.collections.list", json!({}));
        assert!(items(&op).is_empty());
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(
            (error.code(), server.arrived().len()),
            (Code::Protocol, 1),
            "{error}"
        );
        assert!(error.message().contains("without an element"), "{error}");
    }
    // The page has all counted elements, and says that there is more.
    for (second, whole, all) in [
        (
            r#""collections": [2], "total": 1, "has_more": false"#,
            true,
            2,
        ),
        (
            r#""collections": [], "total": 1, "has_more": false"#,
            true,
            1,
        ),
        (
            r#""collections": [], "total": 1, "has_more": true"#,
            false,
            1,
        ),
    ] {
        let server = Server::json(move |number, _| match number {
            0 => r#"{"collections": [1], "total": 1, "has_more": true}"#.to_owned(),
            _ => format!("{{{second}}}"),
        });
        let op = list(&server, "assets.collections.list", json!({}));
        assert_eq!(items(&op).len(), all, "{second}");
        assert_eq!(op.take().unwrap().is_ok(), whole, "{second}");
    }
    // The page says that there is no more, and counts more.
    for (second, whole) in [("2", true), ("", false)] {
        let server = Server::json(move |number, _| {
            let collections = if number == 0 { "1" } else { second };
            format!(r#"{{"collections": [{collections}], "total": 2, "has_more": false}}"#)
        });
        let op = list(&server, "assets.collections.list", json!({}));
        items(&op);
        assert_eq!(op.take().unwrap().is_ok(), whole, "{second}");
    }
}

#[test]
fn lists_without_pages_and_of_two_kinds_are_read_too() {
    let server = Server::json(|_, request| {
        match request.line.as_str() {
        "GET /v1/serverless/files/list" => r#"[{"path": "a"}, {"path": "b"}]"#.to_owned(),
        "GET /v1/organization/teams" => r#"{"teams": [{"username": "t"}]}"#.to_owned(),
        _ => {
            r#"{"time_series": [{"bucket": "x"}], "summary": [{"unit": "y"}], "next_cursor": null, "has_more": false}"#
                .to_owned()
        }
    }
    });
    assert_eq!(
        items(&list(&server, "serverless.files.list", json!({}))).len(),
        2
    );
    assert_eq!(
        items(&list(&server, "organization.teams", json!({}))),
        [json!({"username": "t"})]
    );
    let usage = items(&list(
        &server,
        "models.usage",
        json!({"expand": ["time_series", "summary"]}),
    ));
    assert_eq!(usage, [json!({"bucket": "x"}), json!({"unit": "y"})]);
}

#[test]
fn a_page_that_is_none_is_an_error_and_what_is_no_list_too() {
    for body in [
        "[]",
        "{}",
        "{\"keys\": 1}",
        "{",
        "{\"keys\": [], \"next_cursor\": 1}",
    ] {
        let server = Server::json(move |_, _| body.to_owned());
        let op = list(&server, "keys.list", json!({}));
        items(&op);
        assert_eq!(
            op.take().unwrap().unwrap_err().code(),
            Code::Protocol,
            "{body}"
        );
    }
    let client = builder("127.0.0.1:1", "fake-id:fake-secret")
        .build()
        .unwrap();
    assert_eq!(
        client
            .platform_list_start("meta.get", json!({}))
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
}

#[test]
fn numbers_of_elements_keep_every_digit() {
    let element = r#"{"cost":0.10000000000000000555, "n": 123456789012345678901234567890}"#;
    let server = Server::json(move |_, _| {
        format!(r#"{{"billing_events": [{element}], "has_more": false}}"#)
    });
    let op = list(&server, "models.billing_events", json!({}));
    assert_eq!(next(&op).unwrap().content().text().unwrap(), element);
}

#[test]
fn a_list_that_is_not_read_on_asks_for_nothing_more() {
    let emulator = Emulator::start().unwrap();
    (0..10).for_each(|_| drop(emulator.create_key(Scope::Api, DEFAULT_ACCOUNT)));
    let op = admin(&emulator)
        .platform_list_start("keys.list", json!({"limit": 5}))
        .unwrap();
    next(&op).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(emulator.arrivals().len(), 1);
    op.cancel();
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
    assert_eq!(emulator.arrivals().len(), 1);
}
