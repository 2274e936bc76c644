//! Tests against raw sockets, and against a real GNOME Keyring on a private bus. They need the
//! Debian packages `dbus-daemon` and `gnome-keyring`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use secret_service::{EncryptionType, SecretService};
use tempfile::TempDir;

use super::*;
use crate::credentials::process_tests::{again, is_alone, plainly};

/// Longer than any step of these tests.
const PATIENCE: Duration = DEFAULT_TIMEOUT;

const PATIENT: Limits<'_> = Limits {
    timeout: PATIENCE,
    cancelled: &|| false,
};

fn within(timeout: Duration) -> Limits<'static> {
    Limits { timeout, ..PATIENT }
}

fn bus_at(address: &str) -> Environment {
    Environment::from_variables([("DBUS_SESSION_BUS_ADDRESS", address)])
}

/// Returns the stored secret. Checks that the debug output of the result does not contain it.
fn stored(environment: &Environment, account: &str) -> Option<String> {
    let outcome = read(environment, account, PATIENT);
    assert!(
        !format!("{outcome:?}").contains("fake-secret"),
        "{outcome:?}"
    );
    outcome
        .unwrap()
        .map(|(key, _)| key.expose_secret().to_owned())
}

#[track_caller]
fn is_stored(environment: &Environment, account: &str, secret: Option<&str>) {
    assert_eq!(stored(environment, account).as_deref(), secret);
}

fn put(environment: &Environment, account: &str, text: &str) -> Result<(), KeyringProblem> {
    let (key, _) = Key::parse(text).unwrap();
    store(environment, account, &key, PATIENT)
}

fn removed(environment: &Environment) -> Result<bool, KeyringProblem> {
    remove(environment, "default", PATIENT)
}

fn problem(environment: &Environment) -> KeyringProblem {
    read(environment, "default", PATIENT).unwrap_err()
}

#[track_caller]
fn took_less_than(begun: Instant, milliseconds: u64) {
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(milliseconds), "{took:?}");
}

/// A private bus with a home directory for its services. Dropping it ends the processes and removes
/// the directory.
struct Bus {
    address: String,
    directory: TempDir,
    processes: Vec<Child>,
}

impl Bus {
    /// Starts a bus that starts no service by itself.
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let config = directory.path().join("bus.conf");
        let text = format!(
            r#"<busconfig><type>session</type><listen>unix:path={path}/socket</listen>
            <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>"#
        );
        fs::write(&config, text).unwrap();
        let mut daemon = spawn(
            Command::new("dbus-daemon")
                .args(["--nofork", "--print-address=1", "--config-file"])
                .arg(&config)
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let mut output = BufReader::new(daemon.stdout.take().unwrap());
        let mut address = String::new();
        output.read_line(&mut address).unwrap();
        Self {
            address: address.trim().to_owned(),
            directory,
            processes: vec![daemon],
        }
    }

    /// Starts a bus with an unlocked keyring.
    fn with_keyring() -> Self {
        let mut bus = Self::start();
        let home = bus.directory.path();
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
        let mut daemon = spawn(
            Command::new("gnome-keyring-daemon")
                .args(["--unlock", "--foreground", "--components=secrets"])
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .envs([("HOME", home), ("XDG_RUNTIME_DIR", home)])
                .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        // The password of the keyring is empty.
        daemon.stdin.take().unwrap().write_all(b"\n").unwrap();
        bus.processes.push(daemon);
        let deadline = Instant::now() + PATIENCE;
        while let Err(problem) = read(&bus.environment(), "none", PATIENT) {
            assert!(Instant::now() < deadline, "{problem}");
            std::thread::sleep(Duration::from_millis(20));
        }
        bus
    }

    fn environment(&self) -> Environment {
        bus_at(&self.address)
    }

    /// Uses the keyring like another program.
    fn with_service(&self, act: impl AsyncFnOnce(&SecretService<'_>)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(async {
            let builder = zbus::connection::Builder::address(self.address.as_str()).unwrap();
            let connection = builder.build().await.unwrap();
            let service =
                SecretService::connect_with_existing(EncryptionType::Plain, connection).await;
            act(&service.unwrap()).await;
        });
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| {
        panic!(
            "{:?}: {error}; apt-get install -y dbus-daemon gnome-keyring",
            command.get_program()
        )
    })
}

#[test]
fn without_a_session_bus_nothing_is_contacted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let marker = format!("{path}/started");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let environments = [
        Environment::from_variables([("HOME", "/root")]),
        Environment::from_variables([("XDG_RUNTIME_DIR", directory.path())]),
        bus_at("unix:path=/does/not/exist"),
        bus_at(&format!("unix:path={path}")),
        bus_at(&format!("unixexec:path=/usr/bin/touch,argv1={marker}")),
        bus_at(&format!("tcp:host=127.0.0.1,port={port}")),
        bus_at("autolaunch:"),
        bus_at("no address"),
    ];
    for environment in environments {
        let problem = problem(&environment);
        assert!(
            matches!(problem, KeyringProblem::NoSessionBus(_)),
            "{problem:?}"
        );
        let text = problem.to_string();
        assert!(text.starts_with("headless: no session bus ("), "{text}");
    }
    assert!(!fs::exists(marker).unwrap());
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn a_bus_that_does_not_answer_is_given_up() {
    // A path with characters that a D-Bus address must escape.
    let directory = tempfile::Builder::new()
        .prefix("run;time, %")
        .tempdir()
        .unwrap();
    let path = directory.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    // The default path of the socket is used as well.
    let environment = Environment::from_variables([("XDG_RUNTIME_DIR", directory.path())]);
    let begun = Instant::now();
    let outcome = read(&environment, "default", within(Duration::from_millis(300)));
    assert_eq!(
        outcome.unwrap_err(),
        KeyringProblem::TimedOut(Duration::from_millis(300))
    );
    took_less_than(begun, 800);
    // The connection was closed when the call returned.
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    let begun = Instant::now();
    let cancelled = || begun.elapsed() > Duration::from_millis(100);
    let limits = Limits {
        cancelled: &cancelled,
        ..PATIENT
    };
    let key = Key::parse("fake-id:fake-secret-1").unwrap().0;
    let outcome = store(&environment, "default", &key, limits);
    assert_eq!(outcome, Err(KeyringProblem::Cancelled));
    took_less_than(begun, 600);
    drop(listener);
    assert_eq!(
        problem(&environment),
        KeyringProblem::Bus(std::io::ErrorKind::ConnectionRefused)
    );
}

#[test]
fn a_bus_without_a_keyring_is_told() {
    let bus = Bus::start();
    assert_eq!(problem(&bus.environment()), KeyringProblem::NoService);
    let outcome = put(&bus.environment(), "default", "fake-id:fake-secret-1");
    assert_eq!(outcome, Err(KeyringProblem::NoService));
    assert_eq!(removed(&bus.environment()), Err(KeyringProblem::NoService));
}

#[test]
fn a_key_is_stored_replaced_and_removed() {
    let bus = Bus::with_keyring();
    let environment = bus.environment();
    is_stored(&environment, "default", None);
    put(&environment, "default", "fake-id:fake-secret-1").unwrap();
    put(&environment, "team \u{fc}", "fake-id:fake-secret-2").unwrap();
    is_stored(&environment, "default", Some("fake-secret-1"));
    put(&environment, "default", "fake-id:fake-secret-3").unwrap();
    is_stored(&environment, "default", Some("fake-secret-3"));
    assert_eq!(removed(&environment), Ok(true));
    assert_eq!(removed(&environment), Ok(false));
    is_stored(&environment, "default", None);
    is_stored(&environment, "team \u{fc}", Some("fake-secret-2"));
}

#[test]
fn entries_of_other_programs_are_used() {
    let bus = Bus::with_keyring();
    let environment = bus.environment();
    let put_by_another = |secret: &'static [u8]| {
        bus.with_service(async |service| {
            let attributes = [
                ("service", "fal.ai"),
                ("username", "default"),
                ("application", "another"),
            ];
            let collection = service.get_default_collection().await.unwrap();
            collection
                .create_item("fal", attributes.into(), secret, true, "text/plain")
                .await
                .unwrap();
        });
    };
    put_by_another(b"fake-id:fake-secret-1\n");
    let (found, notes) = read(&environment, "default", PATIENT).unwrap().unwrap();
    assert_eq!((found.expose_secret(), notes), ("fake-secret-1", vec![]));
    put_by_another(b"fake-secret-1");
    assert_eq!(
        problem(&environment),
        KeyringProblem::Key(KeyProblem::NoColon)
    );
    put_by_another(b"fake-id:fake-secret\xff");
    assert_eq!(problem(&environment), KeyringProblem::NotUtf8);
    // Storing changes the entry and adds no second one.
    put(&environment, "default", "fake-id:fake-secret-2").unwrap();
    bus.with_service(async |service| {
        let found = service
            .search_items([("service", "fal.ai")].into())
            .await
            .unwrap();
        assert_eq!(found.unlocked.len(), 1);
        assert_eq!(
            found.unlocked[0].get_secret().await.unwrap(),
            b"fake-id:fake-secret-2"
        );
    });
}

#[test]
fn nobody_is_asked_to_unlock_it_without_a_display() {
    let bus = Bus::with_keyring();
    let environment = bus.environment();
    put(&environment, "default", "fake-id:fake-secret-1").unwrap();
    bus.with_service(async |service| {
        let collection = service.get_default_collection().await.unwrap();
        collection.lock().await.unwrap();
    });
    assert_eq!(problem(&environment), KeyringProblem::Locked);
    let outcome = put(&environment, "new", "fake-id:fake-secret-2");
    assert_eq!(outcome, Err(KeyringProblem::Locked));
    assert_eq!(removed(&environment), Err(KeyringProblem::Locked));
    // With a display the keyring tries to prompt, and fails here.
    let environment = Environment::from_variables([
        ("DBUS_SESSION_BUS_ADDRESS", bus.address.as_str()),
        ("DISPLAY", ":99"),
    ]);
    let begun = Instant::now();
    let outcome = read(&environment, "default", within(Duration::from_secs(2)));
    assert_eq!(outcome.unwrap_err(), KeyringProblem::Dismissed);
    took_less_than(begun, 3000);
}

#[test]
fn no_thread_outlives_a_call() {
    if is_alone() {
        let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
        let bus = Bus::with_keyring();
        let before = (count("task"), count("fd"));
        put(&bus.environment(), "default", "fake-id:fake-secret-1").unwrap();
        assert_eq!((count("task"), count("fd")), before);
        let _ = read(&bus.environment(), "default", within(Duration::ZERO));
        assert_eq!((count("task"), count("fd")), before);
        // The client reads the keyring on a blocking thread of a runtime.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let environment = bus.environment();
        let secret =
            runtime.block_on(runtime.spawn_blocking(move || stored(&environment, "default")));
        assert_eq!(secret.unwrap().as_deref(), Some("fake-secret-1"));
        return;
    }
    again(module_path!(), "no_thread_outlives_a_call", plainly);
}
