//! Requests that the emulator has nothing for, and the strict mode that makes them mistakes.

use std::process::{Command, Output};

use fal_emulator::{Emulator, Settings};
use serde_json::{Value, json};

use crate::client::{Request, Response};

fn unknown(emulator: &Emulator) -> Value {
    let listed = Request::get(&emulator.host(), "/_emulator/unknown").send(emulator);
    listed.json()["requests"].clone()
}

fn send(emulator: &Emulator, method: &str, host: &str, path: &str) -> Response {
    let request = Request::new(method, host, path).key(emulator.api_key());
    request.send(emulator)
}

#[test]
fn everything_unknown_is_listed_once_with_its_reason() {
    let emulator = Emulator::start().unwrap();
    let cases = [
        (
            "POST",
            "fal.run",
            "/nobody/knows/this",
            404,
            "no endpoint /nobody/knows/this",
        ),
        (
            "POST",
            "fal.run",
            "/emulator/slow/none",
            404,
            "no endpoint /emulator/slow/none",
        ),
        (
            "POST",
            "queue.fal.run",
            "/nobody/knows",
            404,
            "no endpoint /nobody/knows",
        ),
        (
            "GET",
            "ws.fal.run",
            "/nobody/knows",
            404,
            "no endpoint /nobody/knows",
        ),
        (
            "GET",
            "api.fal.ai",
            "/v1/nothing",
            404,
            "no such operation of the Platform API",
        ),
        (
            "GET",
            "rest.fal.ai",
            "/nothing",
            404,
            "no such path of the REST API",
        ),
        ("GET", "fal.ai", "/nothing", 404, "no such page"),
        ("GET", "elsewhere.example", "/", 421, "no such host"),
    ];
    for (method, host, path, status, why) in cases {
        for _ in 0..2 {
            let answer = send(&emulator, method, host, path);
            assert_eq!(
                (answer.status, answer.header("x-fal-emulator-unknown")),
                (status, Some(why)),
                "{host}{path}"
            );
        }
    }
    let expected: Vec<Value> = cases
        .iter()
        .map(|(method, host, path, _, why)| {
            json!({"method": method, "host": host, "path": path, "why": why, "strict": false, "times": 2})
        })
        .collect();
    assert_eq!(unknown(&emulator), json!(expected));
    // What is known and refused, or known and not there, is none of them.
    send(&emulator, "GET", "v3.fal.media", "/files/b/no-such-file");
    send(
        &emulator,
        "GET",
        "queue.fal.run",
        "/emulator/echo/requests/none/status",
    );
    Request::run("acme/private", &json!({})).send(&emulator);
    assert_eq!(unknown(&emulator).as_array().unwrap().len(), cases.len());
    // Neither a reset nor a session hides any.
    let reset = |emulator: &Emulator| {
        Request::new("POST", &emulator.host(), "/_emulator/reset").send(emulator)
    };
    reset(&emulator);
    let beside = Request::new("POST", "fal.run", "/a/b").key(emulator.api_key());
    beside.header("X-Fal-Emulator-Session", "s").send(&emulator);
    assert_eq!(emulator.unknown_requests().len(), cases.len() + 1);
    Request::new("DELETE", &emulator.host(), "/_emulator/unknown").send(&emulator);
    assert_eq!(unknown(&emulator), json!([]));
}

#[test]
fn nothing_is_made_up_for_a_strict_request() {
    for (strict, header, status) in [
        (false, None, 200),
        (true, None, 404),
        (false, Some("1"), 404),
        (true, Some("0"), 200),
    ] {
        let settings = Settings {
            strict,
            any_endpoint: true,
            ..Settings::default()
        };
        let emulator = Emulator::builder().settings(settings).start().unwrap();
        let run = Request::run("fal-ai/made-up", &json!({"prompt": "x"})).key(emulator.api_key());
        let run = match header {
            Some(value) => run.header("X-Fal-Emulator-Strict", value),
            None => run,
        };
        assert_eq!(run.send(&emulator).status, status, "{strict} {header:?}");
        assert_eq!(emulator.unknown_requests().is_empty(), status == 200);
    }
}

#[test]
fn a_header_makes_one_request_strict_or_lenient() {
    let settings = Settings {
        strict: true,
        ..Settings::default()
    };
    let emulator = Emulator::builder().settings(settings).start().unwrap();
    for (value, strict) in [
        ("1", true),
        ("true", true),
        ("0", false),
        ("false", false),
        ("?", true),
    ] {
        let path = format!("/a/b{}", value.len());
        let request = Request::new("POST", "fal.run", &path).key(emulator.api_key());
        request
            .header("X-Fal-Emulator-Strict", value)
            .send(&emulator);
        assert_eq!(unknown(&emulator)[0]["strict"], strict, "{value}");
        Request::new("DELETE", &emulator.host(), "/_emulator/unknown").send(&emulator);
    }
}

fn exec(options: &[&str], script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fal-emulator"));
    command
        .arg("exec")
        .args(options)
        .args(["--", "sh", "-c", script]);
    command.output().unwrap()
}

#[cfg(unix)]
#[test]
fn exec_fails_when_its_command_asked_for_something_unknown() {
    let ask = |path: &str| {
        format!(
            "curl -s -o /dev/null -X POST -H \"Authorization: Key $FAL_KEY\" -H 'Host: fal.run' http://$FAL_EMULATOR_HOST{path}"
        )
    };
    let lost = exec(&["--strict"], &ask("/fal-ai/no-such-model"));
    assert_eq!(lost.status.code(), Some(1));
    let said = String::from_utf8(lost.stderr).unwrap();
    assert_eq!(
        said,
        "fal-emulator: POST fal.run/fal-ai/no-such-model: no endpoint /fal-ai/no-such-model (1 times)\n"
    );
    // Another host is unknown, too, although its request never arrived.
    let outside = exec(&["--strict"], "curl -s https://example.com/ || true");
    assert_eq!(outside.status.code(), Some(1));
    assert!(
        String::from_utf8(outside.stderr)
            .unwrap()
            .contains("CONNECT example.com: no such host")
    );
    for (options, path, code) in [
        (&["--strict"][..], "/emulator/echo", 0),
        (&[], "/fal-ai/no-such-model", 0),
    ] {
        assert_eq!(
            exec(options, &ask(path)).status.code(),
            Some(code),
            "{options:?} {path}"
        );
    }
    // The command's own failure comes first.
    let both = exec(&["--strict"], &format!("{}; exit 7", ask("/a/b")));
    assert_eq!(both.status.code(), Some(7));
}
