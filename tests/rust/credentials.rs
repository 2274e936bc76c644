//! The sources of keys. Every secret here contains `fake-secret`, and every report is searched for
//! it.

// clippy.toml allows these in test functions, but not in their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "credentials/config.rs"]
mod config;
#[path = "credentials/files.rs"]
mod files;
#[path = "credentials/keyring.rs"]
mod keyring;
#[path = "credentials/keys.rs"]
mod keys;
mod logged;
#[path = "credentials/order.rs"]
mod order;
#[path = "credentials/process.rs"]
mod process;
#[path = "credentials/reports.rs"]
mod reports;
#[path = "credentials/world.rs"]
mod world;

use fal::credentials::{Credential, Problem, State};
use fal::key::{Character, Half, Key, KeyProblem};

use world::{GOOD, Put, SOURCES, World, key, source};

#[test]
fn each_source_alone_is_used() {
    let locations = [
        "-",
        "~/.fal/config.toml:2 [asked]",
        "FAL_KEY",
        "FAL_KEY_ID + FAL_KEY_SECRET",
        "~/key.txt:1",
        "~/.fal/config.toml:2 [team]",
    ];
    for ((name, put), location) in SOURCES.into_iter().zip(locations) {
        let world = put(World::new(), GOOD);
        let resolution = world.resolve();
        assert_eq!(key(&resolution).id(), "fake-id");
        assert_eq!(key(&resolution).expose_secret(), "fake-secret-1");
        assert_eq!(resolution.used().unwrap().source, name);
        assert_eq!(
            resolution.used().unwrap().key_id.as_deref(),
            Some("fake-id")
        );
        assert_eq!(world.row(&resolution, name), format!("used {location}"));
        assert_eq!(resolution.problem(), None);
        for report in resolution
            .sources()
            .iter()
            .filter(|report| report.source != name)
        {
            assert_eq!(report.state, State::Absent, "{resolution}");
        }
    }
}

#[test]
fn of_two_sources_the_earlier_one_is_used() {
    let others = [
        (GOOD, "the same key as the one in use", None),
        (
            "fake-id:fake-secret-2",
            "the key id in use, with another secret",
            Some("another secret for this key id"),
        ),
        (
            "fake-id-2:fake-secret-2",
            "another key than the one in use",
            Some("another key"),
        ),
    ];
    for (index, (first, put_first)) in SOURCES.into_iter().enumerate() {
        for (second, put_second) in SOURCES.into_iter().skip(index + 1) {
            for (other, here, there) in others {
                let resolution = put_second(put_first(World::new(), GOOD), other).resolve();
                assert_eq!(key(&resolution), &Key::parse(GOOD).unwrap().0);
                assert_eq!(source(&resolution, first).state, State::Used);
                assert_eq!(source(&resolution, second).state, State::Shadowed);
                assert_eq!(source(&resolution, second).notes, [here], "{resolution}");
                let pointed_out: Vec<_> = there
                    .iter()
                    .map(|there| format!("{second} holds {there}"))
                    .collect();
                assert_eq!(
                    source(&resolution, first).notes,
                    pointed_out,
                    "{resolution}"
                );
            }
        }
    }
}

#[test]
fn a_malformed_source_is_never_passed_over() {
    // Each text, and the note about it as a whole key and as the halves of a pair.
    let texts = [
        (
            "fake-id:fake-secret\x1b[2J",
            "an escape byte at character 20",
            "FAL_KEY_SECRET: an escape byte at character 12",
        ),
        (
            "fake-id:fake-secret 2",
            "white space at character 20",
            "FAL_KEY_SECRET: white space at character 12",
        ),
        (
            "your-key-id:fake-secret",
            "a placeholder, not a key",
            "FAL_KEY_ID: a placeholder, not a key",
        ),
    ];
    for (index, (name, put)) in SOURCES.into_iter().enumerate() {
        for (text, whole, halves) in texts {
            let reason = if name.contains('+') { halves } else { whole };
            let mut world = put(World::new(), text);
            let later = &SOURCES[index + 1..];
            for (_, put_later) in later {
                world = put_later(world, GOOD);
            }
            let resolution = world.resolve();
            assert_eq!(resolution.credential(), None, "{resolution}");
            assert_eq!(resolution.used(), None);
            assert_eq!(source(&resolution, name).state, State::Malformed);
            assert_eq!(source(&resolution, name).notes, [reason]);
            assert_eq!(source(&resolution, name).key_id, None);
            let problem = resolution.problem().unwrap();
            assert!(problem.to_string().starts_with(name), "{problem}");
            assert!(problem.to_string().ends_with(reason), "{problem}");
            for (later, _) in later {
                assert_eq!(source(&resolution, later).state, State::Shadowed);
                assert_eq!(
                    source(&resolution, later).key_id.as_deref(),
                    Some("fake-id")
                );
            }
        }
    }
}

#[test]
fn a_malformed_source_after_the_used_one_is_only_pointed_out() {
    for (name, put) in SOURCES.into_iter().skip(1) {
        let world = put(
            World::new().options(|options| options.key(GOOD)),
            "fake-secret\x07",
        );
        let resolution = world.resolve();
        assert_eq!(key(&resolution).id(), "fake-id");
        assert_eq!(source(&resolution, name).state, State::Shadowed);
        let [note] = source(&resolution, name).notes.as_slice() else {
            panic!("{resolution}")
        };
        assert!(note.starts_with("could not be used: "), "{note}");
        assert!(
            note.ends_with("a control character at character 12"),
            "{note}"
        );
    }
}

#[test]
fn one_half_of_a_pair_is_an_error() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[("FAL_KEY_ID", "fake-id")],
            "malformed FAL_KEY_ID; half a key: FAL_KEY_SECRET is not set",
        ),
        (
            &[("FAL_KEY_SECRET", "fake-secret")],
            "malformed FAL_KEY_SECRET; half a key: FAL_KEY_ID is not set",
        ),
        (
            &[("FAL_KEY_ID", "fake-id"), ("FAL_KEY_SECRET", " ")],
            "malformed FAL_KEY_ID; half a key: FAL_KEY_SECRET is empty",
        ),
        (
            &[("FAL_KEY_ID", GOOD), ("FAL_KEY_SECRET", "fake-secret-1")],
            "malformed FAL_KEY_ID; FAL_KEY_ID: a `:` in the key id: is it a whole key?",
        ),
        (
            &[("FAL_KEY_ID", "fake-id"), ("FAL_KEY_SECRET", GOOD)],
            "malformed FAL_KEY_SECRET; FAL_KEY_SECRET: the key secret starts with the key id: is it a whole key?",
        ),
        (
            &[("FAL_KEY_ID", ""), ("FAL_KEY_SECRET", "")],
            "absent FAL_KEY_ID + FAL_KEY_SECRET; FAL_KEY_ID is set but empty; FAL_KEY_SECRET is set but empty",
        ),
        (&[], "absent -"),
    ];
    for (variables, expected) in cases {
        let set = |world: World, (name, value): &(&str, &str)| world.set(name, *value);
        let world = variables.iter().fold(World::new(), set);
        assert_eq!(
            world.row(&world.resolve(), "FAL_KEY_ID + FAL_KEY_SECRET"),
            *expected
        );
    }
    let halves = Key::from_halves("fake-id", "fake secret");
    let problem = KeyProblem::Character {
        found: Character::WhiteSpace,
        position: 5,
    };
    assert_eq!(halves, Err((Half::Secret, problem)));
    let shadowed = World::new()
        .set("FAL_KEY", GOOD)
        .set("FAL_KEY_ID", "fake-id");
    assert_eq!(
        shadowed.row(&shadowed.resolve(), "FAL_KEY_ID + FAL_KEY_SECRET"),
        "shadowed FAL_KEY_ID; could not be used: half a key: FAL_KEY_SECRET is not set"
    );
}

#[test]
fn an_empty_variable_is_absent_and_an_empty_key_of_the_caller_is_not() {
    let world = World::new()
        .set("FAL_KEY", " \t")
        .set("FAL_KEY_FILE", "")
        .set("FAL_PROFILE", "")
        .set("FAL_CONFIG_PATH", "");
    let resolution = world.resolve();
    assert_eq!(resolution.problem(), Some(&Problem::NotFound));
    assert_eq!(
        world.row(&resolution, "FAL_KEY"),
        "absent FAL_KEY; FAL_KEY is set but empty"
    );
    assert_eq!(
        world.row(&resolution, "FAL_KEY_FILE"),
        "absent FAL_KEY_FILE; FAL_KEY_FILE is set but empty"
    );
    assert_eq!(
        world.row(&resolution, "profile"),
        "absent ~/.fal/config.toml; there is no configuration file; FAL_CONFIG_PATH is set but empty; FAL_PROFILE is set but empty"
    );
    let resolution = World::new()
        .set("FAL_KEY", GOOD)
        .options(|options| options.key(""))
        .resolve();
    assert_eq!(
        resolution.problem().unwrap().to_string(),
        "explicit key: the key is empty"
    );
}

/// Names of the variable in other clients and guides.
#[test]
fn a_key_under_another_name_is_named_and_not_read() {
    for name in ["FAL_API_KEY", "FALAI_API_KEY", "FAL_TOKEN"] {
        let told = format!("{name} is set, but libfal reads only FAL_KEY");
        let world = World::new().set(name, GOOD);
        let resolution = world.resolve();
        assert_eq!(resolution.problem(), Some(&Problem::NotFound));
        assert_eq!(
            world.row(&resolution, "FAL_KEY"),
            format!("absent -; {told}")
        );
        assert!(
            resolution
                .to_string()
                .ends_with(&format!("\nno fal key found; {told}")),
            "{resolution}"
        );
        assert_eq!(
            resolution.to_json()["problem"]["message"],
            format!("no fal key found; {told}")
        );
        let blank = World::new().set(name, GOOD).set("FAL_KEY", " ");
        assert_eq!(
            blank.row(&blank.resolve(), "FAL_KEY"),
            format!("absent FAL_KEY; FAL_KEY is set but empty; {told}")
        );
        // If a key is found, only the row of the missing key has the note.
        let found = World::new()
            .set(name, GOOD)
            .set("FAL_KEY_FILE", "~/key.txt")
            .file("key.txt", GOOD);
        assert_eq!(
            found.row(&found.resolve(), "FAL_KEY"),
            format!("absent -; {told}")
        );
        let set = World::new().set(name, "fake-secret-2").set("FAL_KEY", GOOD);
        assert_eq!(set.row(&set.resolve(), "FAL_KEY"), "used FAL_KEY");
        let empty = World::new().set(name, " ");
        assert_eq!(empty.row(&empty.resolve(), "FAL_KEY"), "absent -");
    }
    let all = World::new()
        .set("FAL_TOKEN", GOOD)
        .set("FAL_API_KEY", GOOD)
        .resolve();
    assert!(
        all.to_string().contains("FAL_API_KEY is set")
            && all.to_string().contains("FAL_TOKEN is set"),
        "{all}"
    );
}

#[test]
fn forced_user_authorization_skips_what_the_caller_did_not_pass() {
    let everything = |first: usize, forced: &str| {
        let put = |world: World, (_, put): (&str, Put)| put(world, GOOD);
        SOURCES
            .into_iter()
            .skip(first)
            .fold(World::new(), put)
            .set("FAL_FORCE_AUTH_BY_USER", forced)
    };
    let resolution = everything(2, "1").resolve();
    assert_eq!(resolution.problem(), Some(&Problem::KeysSkipped));
    for report in resolution.sources()[4..]
        .iter()
        .filter(|report| report.source != "login")
    {
        assert_eq!(report.state, State::Skipped);
        assert_eq!(report.notes, ["FAL_FORCE_AUTH_BY_USER=1 skips keys"]);
        assert_eq!(report.key_id, None);
    }
    assert_eq!(
        everything(1, "1").resolve().used().unwrap().source,
        "explicit profile"
    );
    assert_eq!(
        everything(0, "1").resolve().used().unwrap().source,
        "explicit key"
    );
    for not_forced in ["", "0", "true", "1 ", "11"] {
        assert_eq!(
            everything(2, not_forced).resolve().used().unwrap().source,
            "FAL_KEY"
        );
    }
}

#[test]
fn no_credential_at_all_is_a_choice() {
    let world = World::new()
        .set("FAL_KEY", GOOD)
        .options(|options| options.anonymous(true));
    let resolution = world.resolve();
    assert_eq!(resolution.credential(), Some(&Credential::Anonymous));
    assert_eq!(resolution.used().unwrap().source, "anonymous");
    assert_eq!(
        world.row(&resolution, "FAL_KEY"),
        "skipped -; the caller asked for no credential"
    );
    for (name, put) in &SOURCES[..2] {
        let resolution = put(
            World::new().options(|options| options.anonymous(true)),
            GOOD,
        )
        .resolve();
        let expected =
            format!("anonymous: the option `anonymous` was set, but an {name} was passed");
        assert_eq!(resolution.problem().unwrap().to_string(), expected);
    }
}

#[test]
#[cfg(unix)]
fn variables_that_are_not_unicode_are_named() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let names = [
        ("FAL_KEY", "FAL_KEY"),
        ("FAL_KEY_ID", "FAL_KEY_ID + FAL_KEY_SECRET"),
        ("FAL_KEY_SECRET", "FAL_KEY_ID + FAL_KEY_SECRET"),
        ("FAL_KEY_FILE", "FAL_KEY_FILE"),
        ("FAL_PROFILE", "profile"),
        ("FAL_CONFIG_PATH", "profile"),
    ];
    for (name, source) in names {
        let world = World::new().set(
            name,
            OsString::from_vec(b"fake-id:fake-secret\xff".to_vec()),
        );
        let expected = format!("malformed {name}; {name} is not valid Unicode");
        assert_eq!(world.row(&world.resolve(), source), expected);
    }
}
