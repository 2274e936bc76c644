//! `fal-emulator record`, and `exec --replay` and `serve --replay`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fal_emulator::Emulator;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::rustls;

use crate::cassettes::files;

/// A program that knows fal's names only, and prints what its runs return.
const PROGRAM: &str = "\
import json, os, sys, urllib.error, urllib.request
for prompt in sys.argv[1:]:
    request = urllib.request.Request('https://fal.run/emulator/echo', json.dumps({'prompt': prompt}).encode())
    request.add_header('Authorization', 'Key ' + os.environ['FAL_KEY'])
    request.add_header('Content-Type', 'application/json')
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    body = json.loads(answer.read())
    print(answer.status, answer.headers['x-fal-request-id'], body.get('body', body))
";

fn fal_emulator(arguments: &[&str], prompts: &[&str], key: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fal-emulator"));
    command
        .args(arguments)
        .args(["--", "python3", "-c", PROGRAM])
        .args(prompts);
    command.env_remove("FAL_KEY");
    if let Some(key) = key {
        command.env("FAL_KEY", key);
    }
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_recorded_command_prints_the_same_again() {
    let upstream = Emulator::start().unwrap();
    let folder = TempDir::new().unwrap();
    let (to, url) = (
        folder.path().to_str().unwrap(),
        format!("http://{}", upstream.host()),
    );
    let record = ["record", "--to", to, "--upstream", &url];
    let recorded = fal_emulator(&record, &["a cat", "a dog"], Some(upstream.api_key()));
    let (printed, report) = said(&recorded);
    assert!(recorded.status.success(), "{report}");
    assert_eq!(printed.matches("200 ").count(), 2, "{printed}{report}");
    assert_eq!(report, "fal-emulator: recorded 2 requests and 0 files\n");
    drop(upstream);
    let replay = ["exec", "--replay", to];
    let (again, errors) = said(&fal_emulator(&replay, &["a cat", "a dog"], None));
    assert_eq!((again, errors.as_str()), (printed, ""));
    let (changed, _) = said(&fal_emulator(
        &[
            "exec",
            &format!("--replay={to}"),
            "--replay-pace",
            "recorded",
        ],
        &["a bird"],
        None,
    ));
    assert!(
        changed.starts_with("404 ")
            && changed.contains("prompt: recorded \"a cat\", given \"a bird\""),
        "{changed}"
    );
}

#[test]
fn what_no_recording_fits_is_defined_or_a_mistake() {
    let upstream = Emulator::start().unwrap();
    let folder = TempDir::new().unwrap();
    let to = folder.path().to_str().unwrap();
    let url = format!("http://{}", upstream.host());
    let record = ["record", "--to", to, "--upstream", &url];
    let recorded = fal_emulator(&record, &["a cat"], Some(upstream.api_key()));
    assert!(recorded.status.success(), "{:?}", said(&recorded));
    drop(upstream);
    let prompts = ["a cat", "a bird"];
    let strict = fal_emulator(&["exec", "--strict", "--replay", to], &prompts, None);
    let (printed, errors) = said(&strict);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with("200 ") && lines[1].starts_with("404 "),
        "{printed}"
    );
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(
        errors,
        "fal-emulator: POST fal.run/emulator/echo: no recording (1 times)\n"
    );
    let apps = folder.path().join("apps.toml");
    let defined = "[[endpoint]]\nid = \"emulator/echo\"\noutput = { body = \"defined\" }\n";
    fs::write(&apps, defined).unwrap();
    let apps = apps.to_str().unwrap();
    let both = ["exec", "--strict", "--apps", apps, "--replay", to];
    let answered = fal_emulator(&both, &prompts, None);
    let (printed, errors) = said(&answered);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].ends_with("{'prompt': 'a cat'}") && lines[1].ends_with(" defined"),
        "{printed}{errors}"
    );
    assert_eq!((answered.status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
        .args([
            "record",
            "--upstream",
            "http://127.0.0.1:9",
            "--max-media",
            "1k",
            "--to",
        ])
        .arg(folder.path().join("new"))
        .args(["--", "sh", "-c", "echo $FAL_KEY; exit 7"])
        .env("FAL_KEY", "fake-id:fake-key-of-the-user")
        .output()
        .unwrap();
    // The command has the user's own key.
    assert_eq!(said(&output).0, "fake-id:fake-key-of-the-user\n");
    assert_eq!(output.status.code(), Some(7));
    assert!(folder.path().join("new").is_dir());
}

#[test]
fn wrong_options_are_refused() {
    for arguments in [
        &["record", "--", "true"][..],
        &["record", "--to", "--", "true"],
        &["record", "--to", "a"],
        &["record", "--to", "a", "--max-media", "1T", "--", "true"],
        &["exec", "--replay-pace", "slow", "--", "true"],
        &["exec", "--replay"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let folder = TempDir::new().unwrap();
    let to = folder.path().to_str().unwrap();
    for (arguments, what) in [
        (
            &[
                "record",
                "--to",
                to,
                "--upstream",
                "http://fal.run",
                "--",
                "true",
            ][..],
            "keys are sent there",
        ),
        (&["exec", "--replay", to, "--", "true"], "has no recording"),
        (&["serve", "--replay", to], "has no recording"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.code() == Some(1) && said(&output).1.contains(what),
            "{:?}",
            said(&output)
        );
    }
}

#[test]
fn a_killed_recorder_leaves_whole_recordings() {
    let upstream = Emulator::start().unwrap();
    let folder = TempDir::new().unwrap();
    let prompts: Vec<String> = (0..1000)
        .map(|number| format!("{number} {}", "x".repeat(1000)))
        .collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fal-emulator"))
        .args([
            "record",
            "--upstream",
            &format!("http://{}", upstream.host()),
            "--to",
        ])
        .arg(folder.path())
        .args(["--", "python3", "-c", PROGRAM])
        .args(&prompts)
        .env("FAL_KEY", upstream.api_key())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let whole = || {
        files(folder.path())
            .into_iter()
            .filter(|path| path.extension().is_some())
    };
    let began = Instant::now();
    while whole().count() < 20 {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for path in whole() {
        let recording: Result<Value, _> = serde_json::from_str(&fs::read_to_string(&path).unwrap());
        assert!(recording.is_ok(), "{path:?}");
    }
    let (first, _) = said(&fal_emulator(
        &["exec", "--replay", folder.path().to_str().unwrap()],
        &[&prompts[0]],
        None,
    ));
    assert!(first.starts_with("200 "), "{first}");
}

/// A server with a certificate for `localhost` by an authority of its own. Answers each request with
/// its Host header. Writes the authority's certificate to `ca`.
fn with_a_certificate(ca: &Path) -> u16 {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    fs::write(ca, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    // OpenSSL takes a certificate for its own issuer if both have one name.
    let name = rcgen::DnType::CommonName;
    params.distinguished_name.push(name, "localhost");
    let leaf = params.signed_by(&key, &issuer).unwrap().der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key.into())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, socket.unwrap());
            let mut head = [0; 4096];
            // A client that does not trust the certificate ends the connection.
            let Ok(length) = stream.read(&mut head) else {
                continue;
            };
            let head = String::from_utf8_lossy(&head[..length]).to_lowercase();
            let host = head.split("host: ").nth(1).unwrap().lines().next().unwrap();
            let body = json!({ "body": host }).to_string();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.flush();
        }
    });
    port
}

#[test]
fn an_encrypted_upstream_must_have_a_trusted_certificate() {
    let folder = TempDir::new().unwrap();
    let ca = folder.path().join("ca.pem");
    let url = format!("https://localhost:{}", with_a_certificate(&ca));
    let to = folder.path().join("recordings");
    let record = |trusted: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fal-emulator"));
        command
            .args(["record", "--upstream", &url, "--to"])
            .arg(&to);
        command
            .args(["--", "python3", "-c", PROGRAM, "a cat"])
            .env("FAL_KEY", "fake-id:fake-key-of-the-user");
        if trusted {
            command.env("SSL_CERT_FILE", &ca);
        }
        said(&command.output().unwrap())
    };
    let (refused, _) = record(false);
    assert!(
        refused.starts_with("502 ") && refused.contains("certificate"),
        "{refused}"
    );
    let (printed, report) = record(true);
    // fal's name arrives there.
    assert!(
        printed.starts_with("200 ") && printed.contains("fal.run"),
        "{printed}{report}"
    );
    assert!(report.contains("recorded 1 request "), "{report}");
}

#[test]
fn a_recorded_command_reaches_other_hosts() {
    let program = "\
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).read().decode())
";
    let folder = TempDir::new().unwrap();
    let ca = folder.path().join("ca.pem");
    let url = format!("https://localhost:{}/", with_a_certificate(&ca));
    let command = format!("NO_PROXY= no_proxy= python3 -c '{program}' {url}");
    let run = |arguments: &[&str]| {
        let mut record = Command::new(env!("CARGO_BIN_EXE_fal-emulator"));
        record.args(arguments).args(["--", "sh", "-c", &command]);
        // Of the system, so to speak.
        said(&record.env("SSL_CERT_FILE", &ca).output().unwrap())
    };
    let to = folder.path().join("recordings");
    let (printed, report) = run(&["record", "--to", to.to_str().unwrap()]);
    assert!(printed.contains("localhost"), "{printed}{report}");
    assert_eq!(
        report,
        "fal-emulator: recorded 0 requests and 0 files; 1 not recorded: localhost, which is not a host of fal\n"
    );
    let (refused, errors) = run(&["exec"]);
    assert!(
        refused.is_empty() && errors.contains("403"),
        "{refused}{errors}"
    );
}
