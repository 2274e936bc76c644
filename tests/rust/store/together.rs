//! Many programs that change the file concurrently.

use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Duration;

use fal::credentials::store::{Activate, Store};
use fal::credentials::{Credential, Environment, Options};

use super::place::{Place, key};

const THREADS: usize = 150;
const PROCESSES: usize = 50;

fn name(kind: &str, index: usize) -> String {
    format!("{kind}-{index}")
}

fn put(store: &Store, name: &str) {
    let key = key(&format!("{name}:fake-secret-{name}"));
    let store = store.clone().with_lock_wait(Duration::from_secs(120));
    store.store_key(name, &key, Activate::Yes).unwrap();
}

#[test]
fn nothing_that_200_store_at_once_is_lost() {
    if let Some(index) = std::env::var_os("FAL_TEST_CHILD") {
        let path = std::env::var_os("FAL_TEST_PLACE").unwrap();
        let store =
            Store::open(&Options::new().config_path(path), &Environment::process()).unwrap();
        return put(
            &store,
            &name("process", index.to_str().unwrap().parse().unwrap()),
        );
    }
    let place = Place::with("# first\n");
    let children: Vec<Child> = (0..PROCESSES).map(|index| spawn(index, &place)).collect();
    let (barrier, store) = (Barrier::new(THREADS), place.store());
    std::thread::scope(|scope| {
        for index in 0..THREADS {
            let (barrier, store) = (&barrier, &store);
            scope.spawn(move || {
                barrier.wait();
                put(store, &name("thread", index));
            });
        }
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let kinds = [("thread", THREADS), ("process", PROCESSES)];
    for name in kinds
        .iter()
        .flat_map(|(kind, count)| (0..*count).map(|index| name(kind, index)))
    {
        let expected = key(&format!("{name}:fake-secret-{name}"));
        assert_eq!(
            place.resolve(&name).credential(),
            Some(&Credential::Key(expected))
        );
    }
    assert_eq!(place.store().profiles().unwrap().len(), THREADS + PROCESSES);
    assert!(place.text().starts_with("# first\n"));
    assert_eq!(place.names(), ["config.toml", "config.toml.lock"]);
}

fn spawn(index: usize, place: &Place) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "together::nothing_that_200_store_at_once_is_lost",
            "--nocapture",
        ])
        .env("FAL_TEST_CHILD", index.to_string())
        .env("FAL_TEST_PLACE", &place.file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_reader_never_sees_a_part_of_the_file() {
    let place = Place::with("");
    put(&place.store(), "team");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for index in 0..40 {
                put(&place.store(), &name("p", index));
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut most = 0;
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            let count = place.store().profiles().unwrap().len();
            assert!(count >= most, "{count} profiles after {most}");
            most = count;
        }
    });
}
