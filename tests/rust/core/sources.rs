//! Slow sources of credentials: a program that prints the key, and the login of a user.

use super::*;
use fal::credentials::Options;
use fal::{Code, Level};
use fal_emulator::{Fault, Settings};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// A client with this home directory and these additional variables.
pub(super) fn at_home(emulator: &Emulator, home: &Path, variables: &[(&str, &str)]) -> Client {
    builder_at_home(emulator, home, variables).build().unwrap()
}

fn builder_at_home(emulator: &Emulator, home: &Path, variables: &[(&str, &str)]) -> ClientBuilder {
    let own = [
        ("HOME", home.to_str().unwrap()),
        ("USERPROFILE", home.to_str().unwrap()),
    ];
    let variables = own
        .iter()
        .chain(variables)
        .map(|(name, value)| (name.to_string(), value.to_string()));
    let all = variables.chain([("FAL_EMULATOR_HOST".to_owned(), emulator.host())]);
    crate::logged::builder()
        .environment(Environment::from_variables(all))
        .timeout(PATIENCE)
}

#[cfg(unix)]
mod commands {
    use super::*;

    fn counted(home: &Path, prints: &str) -> String {
        let count = home.join("count");
        format!("echo run >> {}; {prints}", count.display())
    }

    fn runs(home: &Path) -> usize {
        std::fs::read_to_string(home.join("count"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    #[test]
    fn all_who_wait_share_one_run_and_explaining_runs_nothing() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let command = counted(
            home.path(),
            &format!("sleep 0.2; echo {}", emulator.api_key()),
        );
        let variables = [
            ("FAL_KEY_COMMAND", command.as_str()),
            ("FAL_KEY_COMMAND_SHELL", "1"),
        ];
        let client = at_home(&emulator, home.path(), &variables);
        let explained = client.explain();
        assert_eq!(
            (explained.used().unwrap().source, runs(home.path())),
            ("FAL_KEY_COMMAND", 0)
        );
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| echo(&client).unwrap());
            }
        });
        assert_eq!(runs(home.path()), 1);
        assert!(
            !client
                .explain()
                .to_string()
                .contains(secret(emulator.api_key()))
        );
    }

    #[test]
    fn a_profile_may_name_a_command_and_what_it_prints_expires() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let json = format!(
            r#"printf '{{"key":"%s","expires_in":1}}' {}"#,
            emulator.api_key()
        );
        std::fs::create_dir(home.path().join(".fal")).unwrap();
        let script = counted(home.path(), &json);
        let config = format!("[p]\nkey_command = ['/bin/sh', '-c', '''{script}''']\n");
        std::fs::write(home.path().join(".fal/config.toml"), config).unwrap();
        let client = at_home(&emulator, home.path(), &[("FAL_PROFILE", "p")]);
        echo(&client).unwrap();
        echo(&client).unwrap();
        assert_eq!(
            runs(home.path()),
            2,
            "a key that expires within ten seconds is not kept"
        );
        let location = client.explain().used().unwrap().location.clone().unwrap();
        assert!(location.contains("config.toml:2 [p]"), "{location}");
    }

    #[test]
    fn a_command_that_fails_is_a_clear_error() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        for (command, shell, parts) in [
            (
                "echo the vault is locked >&2; exit 3",
                "1",
                &["3", "the vault is locked"][..],
            ),
            ("/nonexistent/helper", "0", &["/nonexistent/helper"]),
            ("echo fake-secret-alone", "1", &["half a key"]),
            ("true", "0", &["nothing"]),
        ] {
            let variables = [
                ("FAL_KEY_COMMAND", command),
                ("FAL_KEY_COMMAND_SHELL", shell),
            ];
            let error = echo(&at_home(&emulator, home.path(), &variables)).unwrap_err();
            assert_eq!(error.code(), Code::CredentialsFailed, "{command}: {error}");
            let text = format!("{error} {}", error.resolution().unwrap());
            assert!(
                parts.iter().all(|part| text.contains(part)) && text.contains("FAL_KEY_COMMAND"),
                "{text}"
            );
            assert!(!text.contains("fake-secret-alone"), "{text}");
        }
        assert!(emulator.arrivals().is_empty());
        let error = echo(&at_home(
            &emulator,
            home.path(),
            &[("FAL_KEY_COMMAND", "pass show fal | head -1")],
        ))
        .unwrap_err();
        assert_eq!(error.code(), Code::MalformedCredentials);
        assert!(error.message().to_lowercase().contains("shell"), "{error}");
    }

    #[test]
    fn a_command_that_does_not_end_in_time_is_named_as_the_cause() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let client = at_home(&emulator, home.path(), &[("FAL_KEY_COMMAND", "sleep 2")]);
        let mut request = Request::run("emulator/echo").unwrap();
        request.set_timeout(Duration::from_millis(50));
        let op = client.run_start(request).unwrap();
        op.wait(None).unwrap();
        let error = op.take().unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Deadline, "{error}");
        assert!(
            error.message().contains("key, such as its command"),
            "{error}"
        );
        assert!(emulator.arrivals().is_empty());
    }

    /// There are few helper threads. Waiting for a password manager must not delay a client that
    /// has its key.
    #[test]
    fn commands_that_hang_do_not_hold_up_other_clients() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let hanging = |_| {
            let client = at_home(&emulator, home.path(), &[("FAL_KEY_COMMAND", "sleep 30")]);
            client
                .run_start(Request::run("emulator/echo").unwrap())
                .unwrap()
        };
        let ops: Vec<_> = (0..12).map(hanging).collect();
        // By then all of them run or wait for a thread.
        thread::sleep(Duration::from_millis(500));
        let key_file = home.path().join("key");
        std::fs::write(&key_file, emulator.api_key()).unwrap();
        let began = std::time::Instant::now();
        echo(&at_home(
            &emulator,
            home.path(),
            &[("FAL_KEY_FILE", key_file.to_str().unwrap())],
        ))
        .unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        ops.iter().for_each(Op::cancel);
        if std::env::var_os("NEXTEST").is_some() {
            fal::runtime::shutdown(Duration::from_secs(10)).unwrap();
        }
    }

    #[test]
    fn a_command_that_hangs_does_not_hold_the_call_or_the_shutdown() {
        let emulator = Emulator::start().unwrap();
        let home = tempfile::tempdir().unwrap();
        let client = at_home(&emulator, home.path(), &[("FAL_KEY_COMMAND", "sleep 600")]);
        let op = client
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap();
        assert!(!op.wait(Some(Duration::from_millis(200))).unwrap());
        op.cancel();
        op.wait(None).unwrap();
        assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
        // Under `cargo test` the other tests of this program share its runtime. The command must
        // end with the runtime.
        if std::env::var_os("NEXTEST").is_some() {
            fal::runtime::shutdown(Duration::from_secs(10)).unwrap();
        }
    }
}

pub(super) fn log_in(home: &Path, text: &str) {
    std::fs::create_dir_all(home.join(".fal")).unwrap();
    std::fs::write(home.join(".fal/auth0_token"), text).unwrap();
}

pub(super) fn renewals(emulator: &Emulator) -> usize {
    emulator
        .arrivals()
        .iter()
        .filter(|arrival| arrival.host == "auth.fal.ai")
        .count()
}

#[test]
fn a_login_is_used_and_renewed_once_for_all() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 60);
    let home = tempfile::tempdir().unwrap();
    log_in(home.path(), &login.refresh_token);
    let clients: Vec<_> = (0..4)
        .map(|_| at_home(&emulator, home.path(), &[]))
        .collect();
    emulator.set(Settings {
        access_token_seconds: Some(3600),
        ..Settings::default()
    });
    assert_eq!(clients[0].explain().used().unwrap().source, "login");
    assert!(
        emulator.arrivals().is_empty(),
        "explaining makes no request"
    );
    let keys = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for client in &clients {
            for _ in 0..5 {
                scope.spawn(|| keys.lock().unwrap().push(echo(client).unwrap()));
            }
        }
    });
    assert_eq!((keys.lock().unwrap().len(), renewals(&emulator)), (20, 1));
    let runs = emulator
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.host == "fal.run");
    assert!(runs.into_iter().all(|arrival| {
        arrival
            .authorization
            .as_ref()
            .is_some_and(|it| it.scheme == "Bearer")
    }));
    let stored = std::fs::read_to_string(home.path().join(".fal/auth0_token")).unwrap();
    assert_ne!(
        stored.lines().next().unwrap(),
        login.refresh_token,
        "the rotated token is stored"
    );
    echo(&at_home(&emulator, home.path(), &[])).unwrap();
    assert_eq!(renewals(&emulator), 1, "the stored access token is good");
}

#[test]
fn a_login_that_fal_no_longer_knows_is_a_clear_error_and_the_file_stays() {
    let emulator = Emulator::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let text = "fake-secret-refresh-token-of-nobody";
    log_in(home.path(), text);
    let error = echo(&at_home(&emulator, home.path(), &[])).unwrap_err();
    assert_eq!(error.code(), Code::CredentialsFailed);
    assert!(error.message().contains("fal auth login"), "{error}");
    assert!(!format!("{error}{error:?}{}", error.resolution().unwrap()).contains(text));
    assert_eq!(
        std::fs::read_to_string(home.path().join(".fal/auth0_token")).unwrap(),
        text
    );
}

#[test]
fn a_renewal_whose_answer_is_lost_is_not_sent_again() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 60);
    let home = tempfile::tempdir().unwrap();
    log_in(home.path(), &login.refresh_token);
    emulator.inject(Fault::reset_after_body().host("auth.fal.ai"));
    let error = echo(&at_home(&emulator, home.path(), &[])).unwrap_err();
    assert_eq!(
        (error.code(), renewals(&emulator)),
        (Code::CredentialsFailed, 1)
    );
    assert!(!error.may_have_executed(), "the run was not sent");
    assert!(!format!("{error}").contains(&login.refresh_token));
}

/// A temporary failure of the service is no logout: the login is kept, and the next call works.
#[test]
fn a_renewal_with_a_senseless_answer_is_told_and_tried_again_by_the_next_call() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    let stored = || std::fs::read_to_string(home.path().join(".fal/auth0_token")).unwrap();
    log_in(home.path(), &login.refresh_token);
    for (status, body, part) in [
        (
            200,
            json!("<html>captive portal</html>"),
            "malformed response",
        ),
        (200, json!({"access_token": 7}), "no access token"),
        (200, json!({"access_token": "fake secret"}), "not a token"),
        (302, json!({}), "HTTP 302"),
        (
            401,
            json!({"error": login.refresh_token, "error_description": login.refresh_token}),
            "HTTP 401: ****",
        ),
        (500, json!("<html>"), "HTTP 500"),
    ] {
        let fault = Fault::status(status)
            .host("auth.fal.ai")
            .body(body)
            .header("location", "https://evil.example/");
        emulator.inject(fault);
        emulator.clear_arrivals();
        let lines = Arc::new(Mutex::new(String::new()));
        let sink = lines.clone();
        let write = move |level, _, line: &str| {
            crate::logged::write(level, line);
            sink.lock().unwrap().push_str(line);
        };
        let client = builder_at_home(&emulator, home.path(), &[])
            .log(Level::Debug, write)
            .build()
            .unwrap();
        let error = echo(&client).unwrap_err();
        fal::runtime::flush_log(PATIENCE).unwrap();
        let lines = lines.lock().unwrap();
        assert!(lines.contains("/oauth/token"), "{lines}");
        let text = format!("{error} {error:?} {} {lines}", error.resolution().unwrap());
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::CredentialsFailed, false),
            "{text}"
        );
        assert!(
            text.contains(part) && !text.contains(&login.refresh_token),
            "{part}: {text}"
        );
        assert_eq!(
            (renewals(&emulator), emulator.arrivals().len(), stored()),
            (1, 1, login.refresh_token.clone())
        );
    }
    echo(&at_home(&emulator, home.path(), &[])).unwrap();
    assert_ne!(stored().lines().next().unwrap(), login.refresh_token);
}

/// This process continues with the renewed login, and the next process needs a new login. The log
/// says so.
#[cfg(unix)]
#[test]
fn a_renewed_login_that_cannot_be_stored_is_an_error_in_the_log() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 60);
    let home = tempfile::tempdir().unwrap();
    log_in(home.path(), &login.refresh_token);
    let path = |name| home.path().join(name);
    std::fs::rename(path(".fal"), path("there")).unwrap();
    std::os::unix::fs::symlink("there", path(".fal")).unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let write = move |level, _, line: &str| {
        crate::logged::write(level, line);
        sink.lock().unwrap().push((level, line.to_owned()));
    };
    let client = builder_at_home(&emulator, home.path(), &[])
        .log(Level::Debug, write)
        .build()
        .unwrap();
    emulator.inject(Fault::delay(Duration::from_secs(3)).host("auth.fal.ai"));
    thread::scope(|scope| {
        let echoed = scope.spawn(|| echo(&client));
        while renewals(&emulator) == 0 {
            thread::sleep(Duration::from_millis(10));
        }
        // The folder was found to be writable and is moved before the response arrives.
        std::fs::rename(path("there"), path("elsewhere")).unwrap();
        std::fs::remove_file(path(".fal")).unwrap();
        std::os::unix::fs::symlink("elsewhere", path(".fal")).unwrap();
        echoed.join().unwrap().unwrap();
    });
    fal::runtime::flush_log(PATIENCE).unwrap();
    let lines = lines.lock().unwrap();
    let errors: Vec<_> = lines
        .iter()
        .filter(|(level, _)| *level == Level::Error)
        .map(|(_, line)| line)
        .collect();
    assert!(
        errors.len() == 1 && errors[0].contains("cannot store the renewed fal login"),
        "{lines:?}"
    );
    assert!(!errors[0].contains(&login.refresh_token));
    let explained = client.explain();
    let notes = &explained.used().unwrap().notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("cannot store the renewed fal login")),
        "{notes:?}"
    );
}

#[test]
fn a_refused_access_token_is_renewed_once() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    log_in(
        home.path(),
        &format!("{}\n{}", login.refresh_token, login.access_token),
    );
    let client = at_home(&emulator, home.path(), &[]);
    echo(&client).unwrap();
    assert_eq!(renewals(&emulator), 0);
    emulator.inject(
        Fault::status(401)
            .host("fal.run")
            .body(json!({"detail": "bearer: unable to decode issuer"})),
    );
    echo(&client).unwrap();
    assert_eq!(renewals(&emulator), 1);
}

#[test]
fn keys_are_stronger_than_a_login_unless_the_user_says_otherwise() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    log_in(
        home.path(),
        &format!("{}\n{}", login.refresh_token, login.access_token),
    );
    let source = |client: &Client| client.explain().used().unwrap().source;
    let key = ("FAL_KEY", emulator.api_key());
    assert_eq!(source(&at_home(&emulator, home.path(), &[key])), "FAL_KEY");
    let forced = at_home(
        &emulator,
        home.path(),
        &[key, ("FAL_FORCE_AUTH_BY_USER", "1")],
    );
    assert_eq!(source(&forced), "login");
    echo(&forced).unwrap();
    forced.set_credentials(Options::new().key(emulator.api_key()));
    assert_eq!(source(&forced), "explicit key");
}

/// Tells the processes of the next test their home directory.
const HOME_OF_CHILD: &str = "FAL_TEST_LOGIN_HOME";

#[test]
fn two_hundred_threads_in_twenty_processes_renew_a_login_once() {
    const NAME: &str = "sources::two_hundred_threads_in_twenty_processes_renew_a_login_once";
    if let Ok(home) = std::env::var(HOME_OF_CHILD) {
        let variables = [
            ("HOME", home),
            (
                "FAL_EMULATOR_HOST",
                std::env::var("FAL_EMULATOR_HOST").unwrap(),
            ),
        ];
        let client = crate::logged::builder()
            .environment(Environment::from_variables(variables))
            .timeout(PATIENCE);
        let client = client.build().unwrap();
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| echo(&client).unwrap());
            }
        });
        return;
    }
    // A second use of the refresh token would end the login and fail the calls of all processes.
    let settings = Settings {
        access_token_seconds: Some(3600),
        reuse_ends_login: true,
        ..Settings::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    let login = emulator.create_login("acme", 0);
    let home = tempfile::tempdir().unwrap();
    log_in(
        home.path(),
        &format!("{}\n{}", login.refresh_token, login.access_token),
    );
    let start = || {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args([NAME, "--exact"])
            .env(HOME_OF_CHILD, home.path())
            .env("FAL_EMULATOR_HOST", emulator.host());
        child.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..20).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    assert_eq!(renewals(&emulator), 1);
    assert_eq!(emulator.executions().values().sum::<u64>(), 200);
    let stored = std::fs::read_to_string(home.path().join(".fal/auth0_token")).unwrap();
    assert_eq!(stored.lines().count(), 2, "the file is whole");
}

#[test]
fn a_renewal_that_was_sent_is_finished_even_if_nobody_waits() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("acme", 3600);
    let home = tempfile::tempdir().unwrap();
    log_in(home.path(), &login.refresh_token);
    emulator.inject(Fault::delay(Duration::from_millis(300)).host("auth.fal.ai"));
    let op = at_home(&emulator, home.path(), &[])
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    op.cancel();
    op.wait(None).unwrap();
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
    let began = std::time::Instant::now();
    let stored = || std::fs::read_to_string(home.path().join(".fal/auth0_token")).unwrap();
    while stored() == login.refresh_token {
        assert!(
            began.elapsed() < PATIENCE,
            "the successor of the refresh token is lost"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Texts that users paste in the place of a key: the error names the mistake, and no request is
/// sent.
#[test]
fn a_key_in_the_wrong_variable_is_named_and_nothing_is_sent() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let (id, secret) = key.split_once(':').unwrap();
    for (variables, code, told) in [
        (
            &[("FAL_KEY_ID", id), ("FAL_KEY_SECRET", key)][..],
            Code::MalformedCredentials,
            "FAL_KEY_SECRET: the key secret",
        ),
        (
            &[("FAL_KEY_ID", key), ("FAL_KEY_SECRET", secret)],
            Code::MalformedCredentials,
            "FAL_KEY_ID: a `:` in the key id",
        ),
        (
            &[("FAL_KEY_SECRET", key)],
            Code::MalformedCredentials,
            "half a key: FAL_KEY_ID is not set",
        ),
        (
            &[("FAL_KEY_ID", key)],
            Code::MalformedCredentials,
            "half a key: FAL_KEY_SECRET is not set",
        ),
        (
            &[("FAL_API_KEY", key)],
            Code::NoCredentials,
            "FAL_API_KEY is set, but libfal reads only FAL_KEY",
        ),
        (
            &[("FALAI_API_KEY", key)],
            Code::NoCredentials,
            "FALAI_API_KEY is set",
        ),
        (
            &[("FAL_TOKEN", key)],
            Code::NoCredentials,
            "FAL_TOKEN is set",
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let error = echo(&at_home(&emulator, home.path(), variables)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(told), "{error}");
        assert!(!format!("{error:?} {error} {}", error.remedy()).contains(secret));
    }
    assert!(emulator.arrivals().is_empty());
}
