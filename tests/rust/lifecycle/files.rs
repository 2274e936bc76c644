//! Files that are being written during a shutdown: each has its old or its new content, and no
//! temporary file is left.

use super::*;
use fal::credentials::store::{Activate, Store};
use fal::credentials::{Credential, Options};
use fal::key::Key;
use fal::{Download, UploadWay};
use std::sync::atomic::AtomicBool;

const ROUNDS: u64 = 40;

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Alternates between a limit that no shutdown exceeds and one that every shutdown does.
fn limit(round: u64) -> Duration {
    if round.is_multiple_of(2) {
        PATIENCE
    } else {
        Duration::from_millis(1)
    }
}

/// Shuts down. A shutdown with a short limit reports that work was left, and the next one waits for
/// that work.
fn shut_down(round: u64) {
    if let Err(error) = runtime::shutdown(limit(round)) {
        assert!(
            error.code() == Code::Deadline && limit(round) < PATIENCE,
            "{error}"
        );
        runtime::shutdown(PATIENCE).unwrap();
    }
    assert_no_thread_left();
}

#[test]
fn a_download_is_moved_into_place_or_not_at_all() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let new: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let upload = Upload::bytes(new.clone()).way(UploadWay::Direct);
    let stored = Op::finish(|| client.upload_start(upload)).unwrap();
    let what = Download::new(stored.get_str("/url").unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("file");
    // The duration of one download determines when the others are cut short.
    let began = Instant::now();
    Op::finish(|| client.download_start(what.clone().to(&place))).unwrap();
    let whole = began.elapsed();
    for round in 0..ROUNDS {
        let old = format!("old {round}").into_bytes();
        std::fs::write(&place, &old).unwrap();
        let op = client
            .download_start(what.clone().to(&place).overwrite(true))
            .unwrap();
        std::thread::sleep(Duration::from_millis(2) + whole * (round as u32 % 10) / 8);
        shut_down(round);
        assert!(
            op.wait(Some(PATIENCE)).unwrap(),
            "round {round}: it does not end"
        );
        let outcome = op.take().unwrap();
        let got = std::fs::read(&place).unwrap();
        assert!(
            got == old || got == new,
            "round {round}: {} bytes, torn",
            got.len()
        );
        match outcome {
            Ok(_) => assert!(got == new, "round {round}: a success that is not there"),
            Err(error) => assert_eq!(error.code(), Code::ShutDown, "round {round}: {error}"),
        }
        assert_eq!(names(folder.path()), ["file"], "round {round}");
    }
}

/// The host's own threads write the file of keys: a shutdown neither waits for them nor disturbs
/// them, and readers see complete files.
#[test]
fn keys_are_stored_whole_while_the_library_comes_and_goes() {
    let _turn = turn();
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = || Options::new().config_path(folder.path().join("config.toml"));
    let environment = Environment::from_variables([("HOME", folder.path().to_str().unwrap())]);
    let store = || {
        Store::open(&options(), &environment)
            .unwrap()
            .with_lock_wait(PATIENCE)
    };
    let key = |name: &str, number| {
        Key::parse(&format!("fake-{name}:fake-secret-{name}-{number}"))
            .unwrap()
            .0
    };
    store()
        .store_key("first", &key("first", 0), Activate::Yes)
        .unwrap();
    let over = AtomicBool::new(false);
    let limit = Instant::now() + Duration::from_secs(240);
    std::thread::scope(|scope| {
        let writers = ["one", "two"].map(|name| {
            let (store, key) = (&store, &key);
            scope.spawn(move || {
                for number in 0..ROUNDS {
                    store()
                        .store_key(name, &key(name, number), Activate::No)
                        .unwrap();
                }
            })
        });
        let reader = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) && Instant::now() < limit {
                let text = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
                assert!(
                    text.contains("fake-secret-first-0") && text.ends_with('\n'),
                    "torn: {} bytes",
                    text.len()
                );
                store().profiles().unwrap();
            }
        });
        for round in 0..ROUNDS {
            let op = start(&client).unwrap();
            std::thread::sleep(Duration::from_millis(2 + round % 5));
            shut_down(round);
            assert!(
                op.wait(Some(PATIENCE)).unwrap(),
                "round {round}: it does not end"
            );
            op.take()
                .unwrap()
                .map(drop)
                .unwrap_or_else(|error| assert_eq!(error.code(), Code::ShutDown, "{error}"));
        }
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    for name in ["one", "two"] {
        let resolution = fal::credentials::resolve(&options().profile(name), &environment);
        assert_eq!(
            resolution.credential(),
            Some(&Credential::Key(key(name, ROUNDS - 1))),
            "{name}"
        );
    }
    let mut left = names(folder.path());
    left.sort();
    assert_eq!(left, ["config.toml", "config.toml.lock"]);
}
