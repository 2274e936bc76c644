//! The order of all sources, including those that deliver a key only when it is needed.
//!
//! `order.txt` contains the reports of every source alone, of every two, and of every malformed one
//! before and after the others. FAL_UPDATE=1 writes the file, in a build with a keyring.

use std::fs;
use std::path::Path;

use fal::credentials::{Callback, State};

use super::world::{GOOD, SOURCES, World};

type Put = fn(World) -> World;

/// A source: how to put a key into it, and malformed text, where that is possible.
struct Row {
    name: &'static str,
    good: Put,
    malformed: Option<Put>,
}

const LATE: [Row; 5] = [
    Row {
        name: "explicit token",
        good: |world| world.options(|options| options.app_token("fake-secret.app.token")),
        malformed: Some(|world| world.options(|options| options.app_token("not a token"))),
    },
    Row {
        name: "explicit callback",
        good: |world| {
            world.options(|options| {
                options.callback(Callback::new(|answer| answer.fail("not asked here")))
            })
        },
        malformed: None,
    },
    Row {
        name: "FAL_KEY_COMMAND",
        good: |world| world.set("FAL_KEY_COMMAND", "fake-helper --key"),
        malformed: Some(|world| world.set("FAL_KEY_COMMAND", "fake-helper | head")),
    },
    Row {
        name: "keyring",
        good: |world| world.set("FAL_KEYRING", "1"),
        malformed: None,
    },
    Row {
        name: "login",
        good: |world| world.file(".fal/auth0_token", "fake-secret-refresh-token"),
        malformed: Some(|world| world.file(".fal/auth0_token", "fake-secret refresh token")),
    },
];

const ORDER: [&str; 11] = [
    "explicit key",
    "explicit token",
    "explicit profile",
    "explicit callback",
    "FAL_KEY",
    "FAL_KEY_ID + FAL_KEY_SECRET",
    "FAL_KEY_FILE",
    "FAL_KEY_COMMAND",
    "profile",
    "keyring",
    "login",
];

fn put(world: World, name: &str) -> World {
    put_key(world, name, GOOD)
}

/// Puts this key into the source, if the source holds a key.
fn put_key(world: World, name: &str, key: &str) -> World {
    match LATE.iter().find(|row| row.name == name) {
        Some(row) => (row.good)(world),
        None => {
            let (_, put) = SOURCES
                .into_iter()
                .find(|(source, _)| *source == name)
                .unwrap();
            put(world, key)
        }
    }
}

/// The state of each source, in order, in the full explanation.
fn states(world: &World) -> Vec<(&'static str, State)> {
    world
        .resolve()
        .sources()
        .iter()
        .map(|report| (report.source, report.state))
        .collect()
}

/// The expected states if the source at `decider` has this state and those at `others` hold a key.
fn expected(decider: usize, state: State, others: &[usize]) -> Vec<(&'static str, State)> {
    let of = |index: usize| match index {
        index if index == decider => state,
        index if others.contains(&index) => State::Shadowed,
        _ => State::Absent,
    };
    ORDER
        .iter()
        .enumerate()
        .map(|(index, name)| (*name, of(index)))
        .collect()
}

/// The state of a source that holds a key and is first. A build without a keyring cannot read one.
fn deciding(name: &str) -> State {
    match name == "keyring" && cfg!(not(feature = "keyring")) {
        true => State::Malformed,
        false => State::Used,
    }
}

#[test]
fn of_any_two_sources_the_earlier_one_is_used() {
    for (first, name) in ORDER.iter().enumerate() {
        assert_eq!(
            states(&put(World::new(), name)),
            expected(first, deciding(name), &[])
        );
        for (second, other) in ORDER.iter().enumerate().skip(first + 1) {
            let world = put(put(World::new(), name), other);
            assert_eq!(
                states(&world),
                expected(first, deciding(name), &[second]),
                "{name}, {other}"
            );
        }
    }
}

#[test]
fn a_malformed_source_stops_the_chain_wherever_it_stands() {
    for row in LATE {
        let Some(malformed) = row.malformed else {
            continue;
        };
        let place = ORDER.iter().position(|name| *name == row.name).unwrap();
        let later: Vec<_> = (place + 1..ORDER.len()).collect();
        let world = later.iter().fold(malformed(World::new()), |world, index| {
            put(world, ORDER[*index])
        });
        assert_eq!(
            states(&world),
            expected(place, State::Malformed, &later),
            "{}",
            row.name
        );
        let earlier: Vec<_> = (0..place).collect();
        if let Some(first) = earlier.first() {
            let world = earlier
                .iter()
                .fold(malformed(World::new()), |world, index| {
                    put(world, ORDER[*index])
                });
            let others: Vec<_> = (1..=place).collect();
            assert_eq!(
                states(&world),
                expected(*first, State::Used, &others),
                "{}",
                row.name
            );
        }
    }
}

/// Puts malformed text into the source, if that is possible.
fn spoil(world: World, name: &str) -> Option<World> {
    match LATE.iter().find(|row| row.name == name) {
        Some(row) => row.malformed.map(|malformed| malformed(world)),
        None => Some(put_key(world, name, "fake-id:fake-secret two")),
    }
}

/// Each line about a source in the full explanation, and the last line.
fn rows(world: &World) -> Vec<String> {
    let resolution = world.resolve();
    let rows = resolution.sources().iter().map(|report| {
        let id = report.key_id.as_deref().unwrap_or("-");
        format!(
            "    {}: {id}, {}\n",
            report.source,
            world.row(&resolution, report.source)
        )
    });
    let text = resolution.to_string();
    rows.chain([format!(
        "    {}\n",
        world.without_home(text.lines().last().unwrap())
    )])
    .collect()
}

/// The report of these sources, without the rows that are as in an empty home directory.
fn said(title: &str, world: &World) -> String {
    let empty = rows(&World::new());
    let differing = rows(world).into_iter().filter(|row| !empty.contains(row));
    format!("{title}\n{}", differing.collect::<String>())
}

#[test]
fn every_explanation_is_the_one_that_is_written_down() {
    const OTHER: &str = "fake-id-2:fake-secret-2";
    let mut all = vec![format!("nothing\n{}", rows(&World::new()).concat())];
    for (index, name) in ORDER.iter().enumerate() {
        all.push(said(name, &put(World::new(), name)));
        for other in &ORDER[index + 1..] {
            all.push(said(
                &format!("{name} | {other}"),
                &put_key(put(World::new(), name), other, OTHER),
            ));
        }
        all.extend(
            spoil(World::new(), name).map(|world| said(&format!("malformed {name}"), &world)),
        );
        for other in ORDER.iter().filter(|other| *other != name) {
            if let Some(world) = spoil(World::new(), name) {
                all.push(said(
                    &format!("malformed {name} | {other}"),
                    &put(world, other),
                ));
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rust/credentials/order.txt");
    // A build without a keyring reports it in other words.
    let built =
        |text: &str| cfg!(feature = "keyring") || !text.lines().next().unwrap().contains("keyring");
    if std::env::var_os("FAL_UPDATE").is_some() && cfg!(feature = "keyring") {
        fs::write(&path, all.join("\n")).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let shell = if cfg!(windows) {
        r#"["cmd", "/C""#
    } else {
        r#"["sh", "-c""#
    };
    let written = written.replace(r#"["sh", "-c""#, shell);
    let written: Vec<_> = written
        .split_inclusive("\n\n")
        .map(|text| format!("{}\n", text.trim_end()))
        .collect();
    assert_eq!(written.len(), all.len());
    for (said, written) in all.iter().zip(&written).filter(|(said, _)| built(said)) {
        assert_eq!(said, written);
    }
}

#[test]
fn a_forced_login_passes_over_every_key_that_the_caller_does_not_point_to() {
    let all = ORDER[4..]
        .iter()
        .fold(World::new(), |world, name| put(world, name));
    let resolution = all.set("FAL_FORCE_AUTH_BY_USER", "1").resolve();
    assert_eq!(resolution.used().unwrap().source, "login");
    let skipped = resolution
        .sources()
        .iter()
        .filter(|report| report.state == State::Skipped);
    assert_eq!(
        skipped.map(|report| report.source).collect::<Vec<_>>(),
        ORDER[4..10]
    );
}

/// Its key may have been stored under the profile's name.
#[test]
fn of_a_profile_that_the_file_lacks_the_keyring_is_asked_if_the_user_wants_it() {
    const REASON: &str = "no profile named team; there is no configuration file";
    let named = |world: World| world.set("FAL_PROFILE", "team").set("FAL_KEYRING", "1");
    let passed = |world: World| world.options(|options| options.profile("team").keyring(true));
    let rows = |world: World, source| {
        let resolution = world.resolve();
        [source, "keyring"].map(|name| world.row(&resolution, name))
    };
    if cfg!(not(feature = "keyring")) {
        let malformed = format!("malformed ~/.fal/config.toml; {REASON}");
        assert_eq!(rows(named(World::new()), "profile")[0], malformed);
        assert_eq!(rows(passed(World::new()), "explicit profile")[0], malformed);
        return;
    }
    let used = "used fal.ai, team; read when a key is needed".to_owned();
    assert_eq!(
        rows(named(World::new()), "profile"),
        [format!("absent ~/.fal/config.toml; {REASON}"), used.clone()]
    );
    // Options of the caller come before every variable.
    let found = rows(
        passed(World::new().set("FAL_KEY", GOOD)),
        "explicit profile",
    );
    assert_eq!(found[0], format!("{used}; {REASON}"));
    let keyless = || World::new().config("[team]\nhost = 'h.example'\n");
    assert_eq!(rows(named(keyless()), "profile")[1], used);
    assert_eq!(
        rows(passed(keyless()), "explicit profile")[0],
        format!("{used}; the profile has no key")
    );
    // The file cannot be read, so it may contain the profile.
    let broken = rows(named(World::new().config("[team\n")), "profile");
    assert!(
        broken[0].starts_with("malformed ~/.fal/config.toml:1:6"),
        "{broken:?}"
    );
}
