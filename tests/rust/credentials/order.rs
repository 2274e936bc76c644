//! The order of all sources, those included that deliver only when a key is needed.

use fal::credentials::{Callback, State};

use super::world::{GOOD, SOURCES, World};

type Put = fn(World) -> World;

/// A source: how something good gets there, and something malformed, where that is possible.
struct Row {
    name: &'static str,
    good: Put,
    malformed: Option<Put>,
}

const LATE: [Row; 5] = [
    Row {
        name: "explicit token",
        good: |world| world.options(|options| options.app_token("fake.app.token")),
        malformed: Some(|world| world.options(|options| options.app_token("not a token"))),
    },
    Row {
        name: "explicit callback",
        good: |world| world.options(|options| options.callback(Callback::new(|answer| answer.fail("not asked here")))),
        malformed: None,
    },
    Row {
        name: "FAL_KEY_COMMAND",
        good: |world| world.set("FAL_KEY_COMMAND", "fake-helper --key"),
        malformed: Some(|world| world.set("FAL_KEY_COMMAND", "fake-helper | head")),
    },
    Row { name: "keyring", good: |world| world.set("FAL_KEYRING", "1"), malformed: None },
    Row {
        name: "login",
        good: |world| world.file(".fal/auth0_token", "fake-refresh-token"),
        malformed: Some(|world| world.file(".fal/auth0_token", "fake refresh token")),
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
    match LATE.iter().find(|row| row.name == name) {
        Some(row) => (row.good)(world),
        None => {
            let (_, put) = SOURCES.into_iter().find(|(source, _)| *source == name).unwrap();
            put(world, GOOD)
        }
    }
}

/// What became of each source, in order, in full.
fn states(world: &World) -> Vec<(&'static str, State)> {
    world.resolve().sources().iter().map(|report| (report.source, report.state)).collect()
}

/// The states where the source at `decider` is in this state, and those of `others` hold something.
fn expected(decider: usize, state: State, others: &[usize]) -> Vec<(&'static str, State)> {
    let of = |index: usize| match index {
        index if index == decider => state,
        index if others.contains(&index) => State::Shadowed,
        _ => State::Absent,
    };
    ORDER.iter().enumerate().map(|(index, name)| (*name, of(index))).collect()
}

/// What becomes of a source that holds something good, and decides: a build without a keyring cannot read one.
fn deciding(name: &str) -> State {
    match name == "keyring" && cfg!(not(feature = "keyring")) {
        true => State::Malformed,
        false => State::Used,
    }
}

#[test]
fn of_any_two_sources_the_earlier_one_is_used() {
    for (first, name) in ORDER.iter().enumerate() {
        assert_eq!(states(&put(World::new(), name)), expected(first, deciding(name), &[]));
        for (second, other) in ORDER.iter().enumerate().skip(first + 1) {
            let world = put(put(World::new(), name), other);
            assert_eq!(states(&world), expected(first, deciding(name), &[second]), "{name}, {other}");
        }
    }
}

#[test]
fn a_malformed_source_stops_the_chain_wherever_it_stands() {
    for row in LATE {
        let Some(malformed) = row.malformed else { continue };
        let place = ORDER.iter().position(|name| *name == row.name).unwrap();
        let later: Vec<_> = (place + 1..ORDER.len()).collect();
        let world = later.iter().fold(malformed(World::new()), |world, index| put(world, ORDER[*index]));
        assert_eq!(states(&world), expected(place, State::Malformed, &later), "{}", row.name);
        let earlier: Vec<_> = (0..place).collect();
        if let Some(first) = earlier.first() {
            let world = earlier.iter().fold(malformed(World::new()), |world, index| put(world, ORDER[*index]));
            let others: Vec<_> = (1..=place).collect();
            assert_eq!(states(&world), expected(*first, State::Used, &others), "{}", row.name);
        }
    }
}

#[test]
fn a_forced_login_passes_over_every_key_that_the_caller_does_not_point_to() {
    let all = ORDER[4..].iter().fold(World::new(), |world, name| put(world, name));
    let resolution = all.set("FAL_FORCE_AUTH_BY_USER", "1").resolve();
    assert_eq!(resolution.used().unwrap().source, "login");
    let skipped = resolution.sources().iter().filter(|report| report.state == State::Skipped);
    assert_eq!(skipped.map(|report| report.source).collect::<Vec<_>>(), ORDER[4..10]);
}
