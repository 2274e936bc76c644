//! The program: its arguments, its environment, its exit.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// A child process that is killed at the end of its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    fn exit_code(&mut self) -> Option<i32> {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the command did not end");
    }
}

/// Starts `serve`. Returns the line that it prints, as JSON.
fn serve(arguments: &[&str]) -> (Guard, Value) {
    let mut command = program();
    command.arg("serve").args(arguments);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut guard = Guard(child);
    let mut line = String::new();
    BufReader::new(guard.0.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (guard, serde_json::from_str(&line).unwrap())
}

fn status(address: &Value, key: &Value) -> u16 {
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address.as_str().unwrap()).unwrap();
    let key = key.as_str().unwrap();
    write!(
        stream,
        "GET /v1/keys HTTP/1.1\r\nHost: api.fal.ai\r\nAuthorization: Key {key}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

#[test]
fn serve_prints_where_and_with_which_keys() {
    let (mut guard, line) = serve(&["--until-eof"]);
    assert_eq!(status(&line["address"], &line["admin_key"]), 200);
    assert_eq!(status(&line["address"], &line["api_key"]), 403);
    assert_eq!(line.as_object().unwrap().len(), 4);
    let ca_file = std::path::Path::new(line["ca_file"].as_str().unwrap());
    assert!(
        std::fs::read_to_string(ca_file)
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    drop(guard.0.stdin.take());
    assert_eq!(guard.exit_code(), Some(0));
    assert!(!ca_file.exists());
    let mut rest = String::new();
    guard
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "");
}

#[test]
fn serve_takes_a_port_and_reports_a_taken_one() {
    let (_guard, line) = serve(&["--until-eof"]);
    let port = line["address"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let second = run(&["serve", "--port", &port]);
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    assert!(String::from_utf8(second.stderr).unwrap().contains(&port));
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    for word in ["serve", "exec", "--port", "--until-eof", "--admin", "--tls"] {
        assert!(text.contains(word), "{word}");
    }
    let version = run(&["--version"]);
    let expected = format!("fal-emulator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
}

#[test]
fn the_built_in_endpoints_are_printed_and_can_be_given_back() {
    let printed = run(&["apps"]);
    assert!(printed.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.toml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let file = file.to_str().unwrap();
    let (_guard, line) = serve(&["--until-eof", "--apps", file, "--any-endpoint"]);
    assert!(line["address"].is_string());
}

#[test]
fn a_mistake_in_a_file_of_endpoints_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("apps.toml");
    std::fs::write(&file, "[[endpoint]]\nid = \"acme/x\"\noutpt = 1\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["serve", "--apps", file][..],
        &["exec", &format!("--apps={file}"), "--", "true"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = format!("fal-emulator: {file}:3:1: unknown field `outpt`");
        assert!(error.starts_with(&expected), "{error}");
    }
    let openapi = run(&["serve", "--openapi", file]);
    let error = String::from_utf8(openapi.stderr).unwrap();
    assert!(
        error.starts_with(&format!("fal-emulator: {file}:1:3: expected value\n")),
        "{error}"
    );
    let absent = run(&["serve", "--apps", "/nonexistent/apps.toml"]);
    let error = String::from_utf8(absent.stderr).unwrap();
    assert!(
        error.starts_with("fal-emulator: cannot read /nonexistent/apps.toml: "),
        "{error}"
    );
}

#[test]
fn wrong_arguments_go_to_standard_error() {
    for arguments in [
        &[][..],
        &["dance"],
        &["serve", "--port"],
        &["serve", "--port", "99999"],
        &["serve", "--prot=1"],
        &["serve", "--apps"],
        &["exec", "--openapi", "--", "true"],
        &["apps", "more"],
        &["exec"],
        &["exec", "--"],
        &["exec", "--root", "--", "true"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .starts_with("fal-emulator: ")
        );
    }
}

#[test]
fn a_command_that_cannot_start_is_127() {
    let output = run(&["exec", "--", "/nonexistent/command"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("/nonexistent/command")
    );
}

#[cfg(unix)]
mod unix {
    use super::*;

    use rustix::process::{Pid, Signal, kill_process};

    fn signal(guard: &Guard, signal: Signal) {
        let pid = i32::try_from(guard.0.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn environment(arguments: &[&str]) -> std::collections::BTreeMap<String, String> {
        let mut command = program();
        command.arg("exec").args(arguments).args(["--", "env"]);
        for name in [
            "FAL_KEY",
            "FAL_KEY_ID",
            "FAL_KEY_SECRET",
            "FAL_KEY_FILE",
            "FAL_PROFILE",
            "FAL_CONFIG_PATH",
            "FAL_FORCE_AUTH_BY_USER",
            "FAL_RUN_HOST",
            "FAL_QUEUE_RUN_HOST",
            "FAL_REST_HOST",
            "FAL_PLATFORM_HOST",
            "FAL_CDN_HOST",
            "FAL_EMULATOR_HOST",
            "FAL_OTHER",
            "ALL_PROXY",
            "HTTPS_PROXY",
            "no_proxy",
            "SSL_CERT_FILE",
        ] {
            command.env(name, "from outside");
        }
        let output = command.output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn exec_gives_the_command_an_emulator_and_nothing_else_of_fal() {
        let environment = environment(&[]);
        let names: Vec<&str> = environment
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("FAL_"))
            .collect();
        assert_eq!(
            names,
            [
                "FAL_EMULATOR_ADMIN_KEY",
                "FAL_EMULATOR_API_KEY",
                "FAL_EMULATOR_HOST",
                "FAL_KEY",
                "FAL_OTHER"
            ]
        );
        assert!(environment["FAL_EMULATOR_HOST"].starts_with("127.0.0.1:"));
        assert_eq!(environment["FAL_KEY"], environment["FAL_EMULATOR_API_KEY"]);
        assert!(environment["FAL_KEY"].starts_with("fake-api-"));
    }

    #[test]
    fn exec_leads_other_programs_to_the_emulator() {
        let environment = environment(&[]);
        let proxy = format!("http://{}", environment["FAL_EMULATOR_HOST"]);
        for name in ["HTTPS_PROXY", "https_proxy"] {
            assert_eq!(environment[name], proxy);
        }
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(environment[name], "127.0.0.1,localhost");
        }
        assert_eq!(environment["NODE_USE_ENV_PROXY"], "1");
        assert!(!environment.contains_key("ALL_PROXY"));
        let file = &environment["SSL_CERT_FILE"];
        for name in [
            "REQUESTS_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "CURL_CA_BUNDLE",
        ] {
            assert_eq!(&environment[name], file);
        }
        assert!(!std::path::Path::new(file).exists());
        let output = run(&["exec", "--", "sh", "-c", "cat \"$SSL_CERT_FILE\""]);
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .starts_with("-----BEGIN CERTIFICATE-----")
        );
    }

    /// The request of a program that does not know the emulator and reads a key from its
    /// environment.
    fn posted(program: &str, arguments: &[&str]) -> Value {
        let output = run(&[&["exec", "--", program], arguments].concat());
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    const CURL: &str = r#"curl --silent --show-error --fail --header "Authorization: Key $FAL_KEY" \
        --header "Content-Type: application/json" --data '{"word": "hello"}' https://fal.run/emulator/echo"#;
    const PYTHON: &str = r#"
import os, urllib.request
headers = {"Authorization": "Key " + os.environ["FAL_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request("https://fal.run/emulator/echo", b'{"word": "hello"}', headers)
print(urllib.request.urlopen(request).read().decode())
"#;

    #[test]
    fn programs_that_know_nothing_of_it_reach_it_under_fals_names() {
        for (program, arguments) in [("sh", ["-c", CURL]), ("python3", ["-c", PYTHON])] {
            let answer = posted(program, &arguments);
            assert_eq!(answer["body"]["word"], "hello", "{answer}");
            assert_eq!(answer["path"], "/emulator/echo");
            assert!(
                answer["key_id"].as_str().unwrap().starts_with("fake-api-"),
                "{answer}"
            );
        }
        // The emulator refuses other names, so that no request of the command reaches the internet
        // unnoticed.
        let other = run(&[
            "exec",
            "--",
            "sh",
            "-c",
            "curl --silent --show-error https://example.com/",
        ]);
        assert!(!other.status.success());
        assert!(
            String::from_utf8_lossy(&other.stderr).contains("403"),
            "{other:?}"
        );
    }

    #[test]
    fn exec_can_leave_only_the_way_of_other_programs() {
        let environment = environment(&["--tls"]);
        assert!(!environment.contains_key("FAL_EMULATOR_HOST"));
        assert!(environment["HTTPS_PROXY"].starts_with("http://127.0.0.1:"));
    }

    #[test]
    fn exec_gives_an_admin_key_on_demand() {
        let environment = environment(&["--admin"]);
        assert_eq!(
            environment["FAL_KEY"],
            environment["FAL_EMULATOR_ADMIN_KEY"]
        );
        assert!(environment["FAL_KEY"].starts_with("fake-admin-"));
    }

    #[test]
    fn the_emulator_serves_while_the_command_runs() {
        let script = "exec 3<>/dev/tcp/${FAL_EMULATOR_HOST/://}; \
            printf 'GET /v1/keys HTTP/1.1\\r\\nHost: api.fal.ai\\r\\nAuthorization: Key %s\\r\\n\\r\\n' \
            \"$FAL_EMULATOR_ADMIN_KEY\" >&3; head -1 <&3";
        let output = run(&["exec", "--", "bash", "-c", script]);
        assert_eq!(output.stdout, b"HTTP/1.1 200 OK\r\n");
    }

    #[test]
    fn exec_ends_as_its_command_ended() {
        for (script, code) in [
            ("exit 0", 0),
            ("exit 3", 3),
            ("kill -KILL $$", 137),
            ("kill -TERM $$", 143),
        ] {
            let output = run(&["exec", "sh", "-c", script]);
            assert_eq!(output.status.code(), Some(code), "{script}");
        }
    }

    #[test]
    fn serve_ends_with_a_signal() {
        for wanted in [Signal::INT, Signal::TERM] {
            let (mut guard, line) = serve(&[]);
            signal(&guard, wanted);
            assert_eq!(guard.exit_code(), Some(0));
            let address = line["address"].as_str().unwrap();
            assert!(std::net::TcpStream::connect(address).is_err());
        }
    }

    /// Starts a command under `exec` that prints "ready" and then runs `script`.
    fn exec(script: &str) -> (Guard, BufReader<std::process::ChildStdout>) {
        let script = format!("{script}; echo ready; while :; do sleep 0.05; done");
        let mut command = program();
        command.args(["exec", "--", "sh", "-c", &script]);
        let mut guard = Guard(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut output = BufReader::new(guard.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        (guard, output)
    }

    #[test]
    fn exec_outlives_ctrl_c_and_passes_a_termination_on() {
        let (mut guard, mut output) = exec("trap 'echo ended; exit 5' TERM");
        signal(&guard, Signal::INT);
        std::thread::sleep(Duration::from_millis(200));
        assert!(guard.0.try_wait().unwrap().is_none());
        signal(&guard, Signal::TERM);
        assert_eq!(guard.exit_code(), Some(5));
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ended\n");
    }
}
