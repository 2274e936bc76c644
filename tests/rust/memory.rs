//! The remains of a key in the memory of a process that no longer uses it: a child of this program
//! makes a call, drops everything, and searches its own memory.
//!
//! The key is passed masked, so that the child's own copy of it is not found.

#![cfg(target_os = "linux")]
// clippy.toml allows these in test functions, but not in their helpers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod logged;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fal::credentials::store::{Activate, Store};
use fal::credentials::{Callback, Environment, Options, resolve};
use fal::{Key, Op, Request};
use fal_emulator::{Emulator, Scope};
use zeroize::Zeroizing;

/// How the child gets its key. Only a child has this variable.
const WAY: &str = "FAL_TEST_WAY";
/// The key, masked, in hexadecimal digits.
const MASKED: &str = "FAL_TEST_MASKED";
const MASK: u8 = 0x5a;

/// Copies of a secret: `ours` counts libfal's. The others are in the heads of requests that the
/// HTTP stack keeps, one for each connection.
#[derive(Clone, Copy, Debug, Default)]
struct Copies {
    ours: usize,
    sent: usize,
}

/// The result of a child.
#[derive(Debug)]
struct Found {
    in_use: Copies,
    dropped: Copies,
    shut_down: Copies,
}

#[test]
fn of_an_explicit_key() {
    assert_forgotten("option", |_, _| Vec::new());
}

/// The variables that do not decide about the key are not kept.
#[test]
fn of_the_secrets_of_other_variables() {
    let emulator = Emulator::start().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "onlooker", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(WAY, "look on")
        .env(
            MASKED,
            mask("fake-secret-c53fa62d93f9a1c07be52d864f0e37b1958ca26d4017be98"),
        )
        .env("FAL_KEY", emulator.api_key())
        .env("FAL_EMULATOR_HOST", emulator.host())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn onlooker() {
    if std::env::var(WAY).is_err() {
        return;
    }
    let search = Search::new();
    for name in ["FAL_KEY_SECRET", "FAL_TOKEN", "FAL_API_KEY"] {
        // SAFETY: no other thread runs that reads the environment.
        unsafe { std::env::set_var(name, unmasked()) };
    }
    let before = search.copies().ours;
    assert!(before >= 3, "the search finds nothing");
    let client = logged::builder().build().unwrap();
    for _ in 0..2 {
        Op::finish(|| client.run_start(Request::run("emulator/echo")?)).unwrap();
        // The task that looked for the key may end a moment later than the call.
        let deadline = Instant::now() + Duration::from_secs(20);
        while search.copies().ours > before {
            assert!(Instant::now() < deadline, "a copy is kept");
        }
    }
}

#[test]
fn of_a_key_from_a_callback() {
    assert_forgotten("callback", |_, _| Vec::new());
}

#[test]
fn of_a_key_file() {
    assert_forgotten("environment", |home, key| {
        let path = home.join("key");
        fs::write(&path, key).unwrap();
        vec![("FAL_KEY_FILE", path.to_str().unwrap().to_owned())]
    });
}

#[test]
fn of_a_profile() {
    assert_forgotten("environment", |home, key| {
        fs::create_dir(home.join(".fal")).unwrap();
        let text = format!("[__internal__]\nprofile = 'p'\n\n[p]\nhost = 'h'\nkey = \"{key}\"\n");
        fs::write(home.join(".fal/config.toml"), text).unwrap();
        Vec::new()
    });
}

#[test]
fn of_a_key_from_a_command() {
    assert_forgotten("environment", |home, key| {
        let path = home.join("key");
        fs::write(&path, key).unwrap();
        vec![("FAL_KEY_COMMAND", format!("cat {}", path.display()))]
    });
}

#[test]
fn of_a_key_from_a_command_that_prints_json() {
    assert_forgotten("environment", |home, key| {
        let path = home.join("key.json");
        fs::write(&path, format!(r#"{{"key": "{key}", "expires_in": 3600}}"#)).unwrap();
        vec![("FAL_KEY_COMMAND", format!("cat {}", path.display()))]
    });
}

#[test]
fn of_a_login() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    assert_secret_forgotten(
        &emulator,
        &login.access_token,
        "environment",
        |home, token| {
            fs::create_dir(home.join(".fal")).unwrap();
            fs::write(
                home.join(".fal/auth0_token"),
                format!("{}\n{token}\n", login.refresh_token),
            )
            .unwrap();
            Vec::new()
        },
    );
}

/// Only the child knows the secret of a key that it creates, so it masks the secret itself.
#[test]
fn of_a_key_that_was_made() {
    let emulator = Emulator::start().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "maker", "--nocapture", "--test-threads=1"])
        .env_clear();
    child
        .env("FAL_KEY", emulator.admin_key())
        .env("FAL_EMULATOR_HOST", emulator.host())
        .env(WAY, "make");
    let found = found_by(child);
    assert_eq!(found.shut_down.ours, 0, "{found:?}");
}

#[test]
fn maker() {
    if std::env::var(WAY).is_err() {
        return;
    }
    let client = logged::builder().build().unwrap();
    let making = client.create_key_start("made").unwrap();
    assert!(making.op().wait(Some(Duration::from_secs(20))).unwrap());
    let response = making.op().take().unwrap().unwrap();
    let key = making.take_key().unwrap();
    let search = Search::of(
        &key.expose_secret()
            .bytes()
            .map(|byte| byte ^ MASK)
            .collect::<Vec<u8>>(),
    );
    let in_use = search.copies();
    drop((client, making, response, key));
    let dropped = search.copies();
    fal::runtime::shutdown(Duration::from_secs(10)).unwrap();
    let found =
        [in_use, dropped, search.copies()].map(|copies| format!("{} {}", copies.ours, copies.sent));
    println!("copies: {}", found.join(" "));
}

/// A settings page that stores a key, lists the profiles and removes the key again.
#[test]
fn of_a_key_that_is_stored_listed_and_removed() {
    let home = tempfile::tempdir().unwrap();
    // No part of the key occurs twice in it.
    let key = "fake-id:fake-secret-3f9a1c07be52d864f0e37b1958ca26d4017be98c53fa62d9";
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "keeper", "--nocapture", "--test-threads=1"])
        .env_clear();
    child
        .env("HOME", home.path())
        .env(WAY, "keep")
        .env(MASKED, mask(key));
    let found = found_by(child);
    assert_eq!(
        (found.dropped.ours, found.shut_down.ours),
        (0, 0),
        "{found:?}"
    );
    let left = fs::read_to_string(home.path().join(".fal/config.toml")).unwrap();
    assert!(!left.contains(key), "{left}");
}

#[test]
fn keeper() {
    if std::env::var(WAY).is_err() {
        return;
    }
    let search = Search::new();
    let environment = Environment::process();
    let store = Store::open(&Options::new(), &environment).unwrap();
    let key = Key::parse(&Zeroizing::new(unmasked())).unwrap().0;
    // Stored next to another profile, and in the place of another key.
    let other = Key::parse("fake-other:fake-secret-other").unwrap().0;
    store.store_key("other", &other, Activate::No).unwrap();
    store.store_key("mine", &other, Activate::Yes).unwrap();
    store.store_key("mine", &key, Activate::Yes).unwrap();
    let resolution = resolve(&Options::new(), &environment);
    let in_use = search.copies();
    assert!(resolution.credential().is_some() && store.profiles().unwrap().len() == 2);
    store.store_key("other", &key, Activate::No).unwrap();
    store.remove_key("other").unwrap();
    store.remove_key("mine").unwrap();
    drop((key, resolution));
    let dropped = search.copies();
    let found =
        [in_use, dropped, search.copies()].map(|copies| format!("{} {}", copies.ours, copies.sent));
    println!("copies: {}", found.join(" "));
}

fn assert_forgotten(way: &str, prepare: impl FnOnce(&Path, &str) -> Vec<(&'static str, String)>) {
    let emulator = Emulator::start().unwrap();
    let key = emulator.create_key(Scope::Api, "acme");
    assert_secret_forgotten(&emulator, &key, way, prepare);
}

/// Makes a child use a secret that it gets in this way. `prepare` sets up its home directory and
/// variables.
fn assert_secret_forgotten(
    emulator: &Emulator,
    secret: &str,
    way: &str,
    prepare: impl FnOnce(&Path, &str) -> Vec<(&'static str, String)>,
) {
    let home = tempfile::tempdir().unwrap();
    let variables = prepare(home.path(), secret);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env_clear();
    child
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .envs(variables);
    child
        .env("FAL_EMULATOR_HOST", emulator.host())
        .env(WAY, way)
        .env(MASKED, mask(secret));
    let found = found_by(child);
    assert!(
        found.in_use.sent > 0,
        "the search misses the key that is in use: {found:?}"
    );
    assert_eq!(found.shut_down.ours, 0, "{found:?}");
    // Before the shutdown a task may not have ended yet.
    assert!(found.dropped.ours <= found.in_use.ours, "{found:?}");
    assert!(
        found.dropped.sent <= 1 && found.shut_down.sent <= 1,
        "one connection was made: {found:?}"
    );
}

/// Returns the result of a child. It must have found the secret while it was in use.
fn found_by(mut child: Command) -> Found {
    let output = child.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    let found = read(&text);
    println!("{found:?}");
    assert!(
        found.in_use.ours > 0,
        "the search misses the key that is in use: {found:?}"
    );
    found
}

fn read(text: &str) -> Found {
    let line = text
        .lines()
        .find_map(|line| line.split_once("copies:"))
        .expect("the child says what it found")
        .1;
    let counts: Vec<usize> = line
        .split_whitespace()
        .map(|count| count.parse().unwrap())
        .collect();
    let copies = |at: usize| Copies {
        ours: counts[at],
        sent: counts[at + 1],
    };
    Found {
        in_use: copies(0),
        dropped: copies(2),
        shut_down: copies(4),
    }
}

#[test]
fn child() {
    let Ok(way) = std::env::var(WAY) else { return };
    let search = Search::new();
    let client = logged::builder()
        .credentials(options(&way))
        .build()
        .unwrap();
    let request = Request::run("emulator/echo").unwrap();
    let response = Op::finish(|| client.run_start(request.clone())).unwrap();
    let error =
        Op::finish(|| client.run_start(Request::run("emulator/fail/image_too_large").unwrap()))
            .unwrap_err();
    let explanation = client.explain();
    let in_use = search.copies();
    drop((client, request, response, error, explanation));
    let dropped = search.copies();
    fal::runtime::shutdown(Duration::from_secs(10)).unwrap();
    let found =
        [in_use, dropped, search.copies()].map(|copies| format!("{} {}", copies.ours, copies.sent));
    println!("copies: {}", found.join(" "));
}

fn options(way: &str) -> Options {
    match way {
        "option" => Options::new().key(unmasked()),
        "callback" => Options::new().callback(Callback::new(|answer| {
            answer.key(&Zeroizing::new(unmasked()), None).unwrap();
        })),
        _ => Options::new(),
    }
}

fn mask(text: &str) -> String {
    let digits = text.bytes().map(|byte| format!("{:02x}", byte ^ MASK));
    digits.collect()
}

fn masked() -> Vec<u8> {
    let digits = std::env::var(MASKED).unwrap();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The key, in the one buffer that is returned.
fn unmasked() -> String {
    let masked = masked();
    let mut key = String::with_capacity(masked.len());
    key.extend(masked.iter().map(|byte| char::from(byte ^ MASK)));
    key
}

/// Looks for the end of a secret in all memory that this process can write to.
struct Search {
    masked: Vec<u8>,
}

impl Search {
    /// The number of bytes to look for. The allocator overwrites the first 16 bytes of freed
    /// memory, so the search leaves them out. Pieces of 16 bytes, which vector registers leave on
    /// stacks wherever text is copied, do not count as copies.
    const LENGTH: usize = 28;

    fn new() -> Self {
        let whole = masked();
        Self::of(whole.rsplit(|byte| byte ^ MASK == b':').next().unwrap())
    }

    /// For a masked secret.
    fn of(secret: &[u8]) -> Self {
        assert!(
            secret.len() >= 16 + Self::LENGTH,
            "the search would miss freed copies"
        );
        Search {
            masked: secret[secret.len() - Self::LENGTH..].to_vec(),
        }
    }

    fn copies(&self) -> Copies {
        let memory = File::open("/proc/self/mem").unwrap();
        // The window is left out, because it contains what was read into it.
        let mut window = Zeroizing::new(vec![0; 1 << 20]);
        let own = window.as_ptr() as usize..window.as_ptr() as usize + window.len();
        let mut copies = Copies::default();
        for (from, to) in writable() {
            for (from, to) in [(from, to.min(own.start)), (from.max(own.end), to)] {
                let mut at = from;
                while at < to {
                    let size = (to - at).min(window.len());
                    // Not all mapped memory can be read.
                    if memory.read_exact_at(&mut window[..size], at as u64).is_ok() {
                        self.count(&window[..size], &mut copies);
                    }
                    // A match across the end of the window is found in the next one.
                    at += if at + size == to {
                        size
                    } else {
                        size - Self::LENGTH + 1
                    };
                }
            }
        }
        copies
    }

    fn count(&self, bytes: &[u8], copies: &mut Copies) {
        let first = self.masked[0] ^ MASK;
        let is_here = |window: &[u8]| {
            window[0] == first && window.iter().zip(&self.masked).all(|(a, b)| a ^ MASK == *b)
        };
        for (at, _) in bytes
            .windows(Self::LENGTH)
            .enumerate()
            .filter(|(_, window)| is_here(window))
        {
            match is_header(&bytes[..at]) {
                true => copies.sent += 1,
                false => copies.ours += 1,
            }
        }
    }
}

/// Whether the bytes after `before` are part of the head of a request.
fn is_header(before: &[u8]) -> bool {
    let line = before
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    line.starts_with(b"authorization: ")
}

/// The writable address ranges of this process.
fn writable() -> Vec<(usize, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let range = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let address = |digits| usize::from_str_radix(digits, 16).ok();
        rest.starts_with("rw")
            .then_some((address(from)?, address(to)?))
    };
    maps.lines().filter_map(range).collect()
}
