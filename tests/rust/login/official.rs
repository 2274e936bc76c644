//! The login shared with the official clients, whose own code runs here in processes of its own.
//!
//! They need the packages of tests/official/requirements.txt, in build/venv-official or where
//! `FAL_OFFICIAL_PYTHON` says:
//!
//! ```text
//! python3 -m venv build/venv-official
//! build/venv-official/bin/pip install -r tests/official/requirements.txt
//! cargo nextest run --test login --run-ignored all -E 'test(official::)'
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use fal::credentials::login::LoginError;
use fal_emulator::{Emulator, Fault, Settings};

use super::home::{Home, REFRESH, access_token, patient, up_to};
use super::races::token;

struct Official {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Official {
    fn start(action: &str, home: &Home, more: &[&str]) -> Self {
        let default = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/build/venv-official/bin/python"
        );
        let python = std::env::var("FAL_OFFICIAL_PYTHON").unwrap_or_else(|_| default.to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/official/login.py");
        let mut command = Command::new(python);
        command
            .args([script, action])
            .arg(home.folder())
            .args(more)
            .env_clear()
            .env("HOME", home.folder());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("see the head of this file");
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ends(mut self, input: &str) -> bool {
        self.process
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        self.process.wait().unwrap().success()
    }
}

#[test]
#[ignore = "needs the official packages"]
fn they_read_what_we_write() {
    let home = Home::with(REFRESH);
    let access = access_token(3600);
    let body = format!(r#"{{"access_token":"{access}","refresh_token":"fake-secret-2"}}"#);
    home.refresh()
        .complete(body.as_bytes(), SystemTime::now())
        .unwrap();
    assert!(Official::start("read", &home, &[]).ends(&format!("fake-secret-2\n{access}\n")));
    assert!(!Official::start("read", &home, &[]).ends("fake-secret-3\nfake-secret-4\n"));
}

#[test]
#[ignore = "needs the official packages"]
fn we_wait_for_their_lock() {
    let home = Home::with(REFRESH);
    let mut holder = Official::start("hold", &home, &[]);
    assert_eq!(holder.says(), "held");
    let limit = Duration::from_millis(500);
    let started = Instant::now();
    let error = home
        .login()
        .begin(SystemTime::now(), None, up_to(limit))
        .unwrap_err();
    assert!(
        matches!(error, LoginError::Locked { .. }) && started.elapsed() >= limit,
        "{error:?}"
    );
    let login = home.login();
    let waiting =
        std::thread::spawn(move || login.begin(SystemTime::now(), None, patient()).map(drop));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    assert!(holder.ends(""));
    waiting.join().unwrap().unwrap();
}

#[test]
#[ignore = "needs the official packages"]
fn they_wait_for_our_lock() {
    let home = Home::with(REFRESH);
    let held = home.refresh();
    let mut waiting = Official::start("lock", &home, &[]);
    // Longer than Python takes to start.
    std::thread::sleep(Duration::from_secs(2));
    assert!(waiting.process.try_wait().unwrap().is_none());
    assert!(home.folder().join(".portalock").exists());
    drop(held);
    assert_eq!(waiting.says(), "locked");
    assert!(waiting.ends(""));
}

/// The CLI holds its lock while it renews.
#[test]
#[ignore = "needs the official packages"]
fn the_cli_and_we_make_one_request() {
    for lead in [Lead::None, Lead::Lock, Lead::Request] {
        let settings = Settings {
            reuse_ends_login: true,
            ..Settings::default()
        };
        let (emulator, home) = expired_login(settings);
        let (said, tokens) = beside("cli", &home, &emulator, lead);
        assert_eq!(emulator.arrivals().len(), 1);
        assert_eq!(said, [format!("token {}", tokens[0])]);
        assert!(tokens.iter().all(|token| home.content().ends_with(token)));
    }
}

/// The Python client takes no lock, so libfal sends a token that the client has used up.
#[test]
#[ignore = "needs the official packages"]
fn the_python_client_cannot_rob_us_of_the_login() {
    let (emulator, home) = expired_login(Settings::default());
    let (said, tokens) = beside("client", &home, &emulator, Lead::Request);
    assert_eq!(emulator.arrivals().len(), 2);
    assert_eq!(said, [format!("token {}", tokens[0])]);
    assert!(tokens.iter().all(|token| home.content().ends_with(token)));
}

fn expired_login(settings: Settings) -> (Emulator, Home) {
    let settings = Settings {
        access_token_seconds: Some(7200),
        ..settings
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    // Long enough for the official client to finish its renewal.
    emulator.inject(
        Fault::delay(Duration::from_millis(500))
            .path("/oauth/token")
            .always(),
    );
    let home = Home::of(&emulator.create_login("acme", 0));
    (emulator, home)
}

/// What the official client has done when libfal begins.
#[derive(PartialEq)]
enum Lead {
    None,
    Lock,
    Request,
}

/// Runs an official client and ten threads of libfal concurrently, and returns the client's output
/// and the threads' results.
fn beside(
    client: &str,
    home: &Home,
    emulator: &Emulator,
    lead: Lead,
) -> (Vec<String>, Vec<String>) {
    let host = emulator.host();
    let login = home.login();
    let official = Official::start(client, home, &[&host]);
    while lead == Lead::Lock && !home.folder().join(".portalock").exists() {
        std::thread::sleep(Duration::from_micros(200));
    }
    if lead == Lead::Request {
        emulator
            .wait_for_arrivals(1, Duration::from_secs(10))
            .unwrap();
    }
    let tokens = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| token(&login, &host)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    (
        official.output.lines().map(Result::unwrap).collect(),
        tokens,
    )
}
