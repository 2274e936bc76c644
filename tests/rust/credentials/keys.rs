//! Valid and invalid keys.

use fal::key::{Character, Key, KeyProblem, Note, Scope};

use super::world::{GOOD, SOURCES, World, assert_no_secret, key, source};

#[test]
fn what_is_no_key_is_refused_with_its_place_and_without_its_text() {
    let at = |found, position| KeyProblem::Character { found, position };
    let long = format!("fake-id:{}", "fake-secret-".repeat(400));
    let cases: &[(&str, KeyProblem)] = &[
        ("", KeyProblem::Empty),
        (" \r\n", KeyProblem::Empty),
        ("\"\"", KeyProblem::Empty),
        ("fake-secret", KeyProblem::NoColon),
        (":fake-secret", KeyProblem::EmptyId),
        ("fake-id:", KeyProblem::EmptySecret),
        ("fake-id:fake-id:fake-secret", KeyProblem::RepeatedId),
        (
            "0123456789abcdef:01234567-89ab-cdef-0123-456789abcdef",
            KeyProblem::Swapped,
        ),
        ("fake-id:fake-secret\0", at(Character::Control, 20)),
        ("fake-id:\x1b[31mfake-secret", at(Character::Escape, 9)),
        (
            "fake-id:fake-secret\nfake-secret",
            at(Character::LineBreak, 20),
        ),
        ("  fake-id: fake-secret", at(Character::WhiteSpace, 9)),
        ("fake-id\t:fake-secret", at(Character::WhiteSpace, 8)),
        ("fake-id:\u{a0}fake-secret", at(Character::WhiteSpace, 9)),
        (
            "fake-id:fake\u{200b}-secret",
            at(Character::Invisible('\u{200b}'), 13),
        ),
        (
            "fake-id\u{feff}:fake-secret",
            at(Character::Invisible('\u{feff}'), 8),
        ),
        (
            "fa\u{ad}ke-id:fake-secret",
            at(Character::Invisible('\u{ad}'), 3),
        ),
        ("fake-id:fake“-secret", at(Character::Quote, 13)),
        ("\x1bfake-id:fake-secret", at(Character::Escape, 1)),
        ("\u{feff}\u{200b}", KeyProblem::Empty),
        ("fаke-id:fake-secret", at(Character::NonAscii, 2)),
        ("\"fake-id:fake-secret", at(Character::Quote, 1)),
        ("fake-id:fake-secret'", at(Character::Quote, 20)),
        ("“fake-id:fake-secret", at(Character::Quote, 1)),
        ("fake-id:fake-secret’", at(Character::Quote, 20)),
        ("“fake-id:fake-secret\"", at(Character::Quote, 1)),
        (
            "Key fake-id:fake-secret",
            KeyProblem::Prefixed { prefix: "Key " },
        ),
        (
            "bearer fake-id:fake-secret",
            KeyProblem::Prefixed { prefix: "Bearer " },
        ),
        (
            "FAL_KEY=fake-id:fake-secret",
            KeyProblem::Prefixed { prefix: "FAL_KEY=" },
        ),
        (
            "export FAL_KEY=fake-id:fake-secret",
            KeyProblem::Prefixed { prefix: "export " },
        ),
        (
            "Authorization: Key fake-id:fake-secret",
            KeyProblem::Prefixed {
                prefix: "Authorization:",
            },
        ),
        (&long, KeyProblem::TooLong { length: 4808 }),
    ];
    for (text, problem) in cases {
        assert_eq!(Key::parse(text).unwrap_err(), *problem, "{text:?}");
        assert_no_secret(&format!("{problem} {problem:?}"));
        let resolution = World::new().options(|options| options.key(*text)).resolve();
        assert_eq!(
            source(&resolution, "explicit key").notes,
            [problem.to_string()]
        );
    }
}

#[test]
fn placeholders_are_refused_and_keys_are_not() {
    let placeholders = [
        "your-key",
        "YOUR_API_KEY",
        "your_fal_key_here",
        "<key>",
        "<your key>",
        "id:secret",
        "key_id:key_secret",
        "KEY_ID:KEY_SECRET",
        "<key id>:<key secret>",
        "{key_id}:{key_secret}",
        "changeme",
        "fal_key_here",
        "xxx",
        "xxxx:xxxx",
        "XXX:YYY...",
        "...",
        "…",
        "fake-id:****",
        "fake-id:…",
        "fake-id:<your-secret>",
        "$FAL_KEY",
        "${FAL_KEY}",
        "%FAL_KEY%",
        "${{ FAL_KEY }}",
        "null",
        "undefined",
    ];
    for text in placeholders {
        assert_eq!(Key::parse(text), Err(KeyProblem::Placeholder), "{text}");
    }
    let keys = [
        "01234567-89ab-cdef-0123-456789abcdef:0123456789abcdef0123456789abcdef",
        "a:b",
        "fake-id:fake-secret",
        "fake-id:fake-secret:with:colons",
        "k3y:s3cret/+=._~-",
        "yours:yourself",
    ];
    for text in keys {
        let (key, notes) = Key::parse(text).unwrap();
        assert_eq!(format!("{}:{}", key.id(), key.expose_secret()), text);
        assert_eq!(key.authorization().as_str(), format!("Key {text}"));
        assert_eq!(notes, []);
    }
}

#[test]
fn what_surrounds_a_key_is_dropped_and_noted() {
    let cases: [(&str, &[Note]); 16] = [
        ("fake-id:fake-secret-1\n", &[Note::WhiteSpace]),
        (" \tfake-id:fake-secret-1\r\n", &[Note::WhiteSpace]),
        ("'fake-id:fake-secret-1'", &[Note::Quotes]),
        ("\"fake-id:fake-secret-1\"", &[Note::Quotes]),
        (
            "\" fake-id:fake-secret-1\"",
            &[Note::WhiteSpace, Note::Quotes],
        ),
        (
            " 'fake-id:fake-secret-1' ",
            &[Note::WhiteSpace, Note::Quotes],
        ),
        ("\u{a0}fake-id:fake-secret-1\u{2003}", &[Note::WhiteSpace]),
        ("\u{feff}fake-id:fake-secret-1", &[Note::Invisible]),
        ("fake-id:fake-secret-1\u{200b}", &[Note::Invisible]),
        ("\u{ad}fake-id:fake-secret-1\u{2060}", &[Note::Invisible]),
        (
            "\u{202a}fake-id:fake-secret-1\u{202c}\u{200e}",
            &[Note::Invisible],
        ),
        (
            "\u{200b}\n\u{feff}fake-id:fake-secret-1",
            &[Note::WhiteSpace, Note::Invisible],
        ),
        ("“fake-id:fake-secret-1”", &[Note::Quotes]),
        ("‘fake-id:fake-secret-1’", &[Note::Quotes]),
        ("„fake-id:fake-secret-1“", &[Note::Quotes]),
        (
            "\u{feff}”\u{200b}fake-id:fake-secret-1 ” ",
            &[Note::WhiteSpace, Note::Invisible, Note::Quotes],
        ),
    ];
    for (text, notes) in cases {
        assert_eq!(
            Key::parse(text).unwrap(),
            (Key::parse(GOOD).unwrap().0, notes.to_vec())
        );
        let resolution = World::new().set("FAL_KEY", text).resolve();
        let said: Vec<_> = notes.iter().map(Note::to_string).collect();
        assert_eq!(source(&resolution, "FAL_KEY").notes, said);
    }
    let world = World::new()
        .set("FAL_KEY_ID", "fake-id")
        .set("FAL_KEY_SECRET", "'fake-secret-1'\n");
    let resolution = world.resolve();
    assert_eq!(key(&resolution).expose_secret(), "fake-secret-1");
    assert_eq!(
        world.row(&resolution, "FAL_KEY_ID + FAL_KEY_SECRET"),
        "used FAL_KEY_ID + FAL_KEY_SECRET; FAL_KEY_SECRET: surrounding white space was dropped; \
         FAL_KEY_SECRET: surrounding quotes were dropped"
    );
}

/// In every source of keys.
#[test]
fn what_nobody_sees_around_a_key_is_dropped_in_every_source() {
    for (name, put) in SOURCES {
        for invisible in ["\u{feff}", "\u{200b}", "\u{ad}", "\u{a0}"] {
            let world = put(World::new(), &format!("{invisible}{GOOD}{invisible}"));
            let resolution = world.resolve();
            assert_eq!(
                key(&resolution),
                &Key::parse(GOOD).unwrap().0,
                "{name}: {resolution}"
            );
            let dropped = if invisible == "\u{a0}" {
                "white space was"
            } else {
                "invisible characters were"
            };
            let notes = source(&resolution, name).notes.join("; ");
            // The lines of a file are trimmed first, without a note.
            let unsaid = name == "FAL_KEY_FILE" && invisible == "\u{a0}";
            assert!(
                unsaid || notes.contains(&format!("surrounding {dropped} dropped")),
                "{name}: {notes}"
            );
            let inside = put(World::new(), &format!("fake-id:fake{invisible}-secret")).resolve();
            assert!(
                inside
                    .problem()
                    .unwrap()
                    .to_string()
                    .contains(" at character "),
                "{name}: {inside}"
            );
        }
    }
}

#[test]
fn a_key_shows_its_id_only() {
    let (key, _) = Key::parse(GOOD).unwrap();
    assert_eq!(format!("{key} {key:?}"), "fake-id:**** Key(fake-id:****)");
    let (long, _) = Key::parse(&format!("{}:fake-secret", "0123456789".repeat(7))).unwrap();
    assert_eq!(long.to_string(), "01234567… (70 characters):****");
    assert_eq!(long.id().len(), 70);
}

#[test]
fn admin_may_do_what_api_may() {
    let table = [
        (Scope::Api, Scope::Api, true),
        (Scope::Api, Scope::Admin, false),
        (Scope::Admin, Scope::Api, true),
        (Scope::Admin, Scope::Admin, true),
    ];
    for (held, needed, allowed) in table {
        assert_eq!(held.allows(needed), allowed, "{held} {needed}");
    }
    assert_eq!("admin".parse(), Ok(Scope::Admin));
    assert_eq!("Api".parse(), Ok(Scope::Api));
    assert_eq!(
        "root".parse::<Scope>().unwrap_err().to_string(),
        "a scope must be API or ADMIN"
    );
}
