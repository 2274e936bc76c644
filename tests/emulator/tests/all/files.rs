//! Downloads: ranges, conditional requests, faults, expiry and removal.

use std::time::Duration;

use fal_emulator::{Emulator, Fault, GoneStatus, Settings};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response};
use crate::uploads::{at, cdn_token, direct, initiate, post, text, upload};

fn get(emulator: &Emulator, url: &str, headers: &[(&str, &str)]) -> Response {
    headers
        .iter()
        .fold(at("GET", url), |request, (name, value)| {
            request.header(name, value)
        })
        .send(emulator)
}

#[test]
fn a_file_is_served_in_ranges() {
    let emulator = Emulator::start().unwrap();
    let url = upload(&emulator, "0123456789");
    for (range, status, body, content_range) in [
        ("bytes=2-5", 206, "2345", Some("bytes 2-5/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-1", 206, "9", Some("bytes 9-9/10")),
        ("bytes=0-99", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=0-1,3-4", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
    ] {
        let answer = get(&emulator, &url, &[("Range", range)]);
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (status, body.as_bytes()),
            "{range}"
        );
        assert_eq!(
            (
                answer.header("content-range"),
                answer.header("accept-ranges")
            ),
            (content_range, Some("bytes"))
        );
    }
    let beyond = get(&emulator, &url, &[("Range", "bytes=10-")]);
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some("bytes */10"))
    );
}

#[test]
fn a_download_goes_on_only_with_the_same_file() {
    let emulator = Emulator::start().unwrap();
    let upload_url = text(&initiate(&emulator, "gcs").send(&emulator).json()["upload_url"]);
    assert_eq!(
        at("PUT", &upload_url).bytes("first").send(&emulator).status,
        200
    );
    let url = emulator.files()[0].url.clone();
    let first = get(&emulator, &url, &[]);
    let (tag, modified) = (
        first.header("etag").unwrap(),
        first.header("last-modified").unwrap(),
    );
    for condition in [tag, modified] {
        let rest = get(
            &emulator,
            &url,
            &[("Range", "bytes=3-"), ("If-Range", condition)],
        );
        assert_eq!((rest.status, rest.body.as_slice()), (206, &b"st"[..]));
    }
    for condition in [
        ("If-None-Match", tag),
        ("If-None-Match", "\"a\", *"),
        ("If-Modified-Since", modified),
    ] {
        let same = get(&emulator, &url, &[condition]);
        assert_eq!(
            (same.status, same.header("etag"), same.body.len()),
            (304, Some(tag), 0),
            "{condition:?}"
        );
    }
    emulator.advance(Duration::from_secs(10));
    assert_eq!(
        at("PUT", &upload_url).bytes("other").send(&emulator).status,
        200
    );
    for condition in [tag, modified] {
        let whole = get(
            &emulator,
            &url,
            &[("Range", "bytes=3-"), ("If-Range", condition)],
        );
        assert_eq!((whole.status, whole.body.as_slice()), (200, &b"other"[..]));
    }
    assert_eq!(get(&emulator, &url, &[("If-None-Match", tag)]).status, 200);
}

#[test]
fn head_has_the_length_and_no_body() {
    let emulator = Emulator::start().unwrap();
    let url = upload(&emulator, "0123456789");
    let mut connection = Connection::open(&emulator);
    connection.write(&at("HEAD", &url)).unwrap();
    let head = connection.read_head().unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );
    assert_eq!(
        head.header("cache-control"),
        Some("public, max-age=5184000, immutable")
    );
    // The connection remains usable.
    assert_eq!(connection.call(&at("GET", &url)).body, b"0123456789");
    assert_eq!(
        at("DELETE", &url).send(&emulator).header("allow"),
        Some("GET, HEAD")
    );
}

#[test]
fn faults_strike_downloads() {
    let emulator = Emulator::start().unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let url = upload(&emulator, bytes.clone());
    emulator.inject(Fault::truncate(300_000).method("GET"));
    let mut connection = Connection::open(&emulator);
    connection.write(&at("GET", &url)).unwrap();
    assert_eq!(
        connection.read_head().unwrap().header("content-length"),
        Some("1000000")
    );
    let (partial, error) = connection.drain();
    assert_eq!((partial.len(), error), (300_000, None));
    let rest = get(&emulator, &url, &[("Range", "bytes=300000-")]);
    assert!(rest.status == 206 && [partial, rest.body].concat() == bytes);
    emulator.inject(Fault::slow(250_000, Duration::from_millis(20)).method("GET"));
    assert!(get(&emulator, &url, &[]).body == bytes);
    emulator.inject(Fault::status(503).method("GET"));
    assert_eq!(get(&emulator, &url, &[]).status, 503);
}

const HEADERS: [&str; 2] = [
    "X-Fal-Object-Lifecycle",
    "X-Fal-Object-Lifecycle-Preference",
];

#[test]
fn a_file_expires() {
    let emulator = Emulator::start().unwrap();
    let hour = json!({ "expiration_duration_seconds": 3600 }).to_string();
    for name in HEADERS {
        let direct = direct(&emulator, "x").header(name, &hour).send(&emulator);
        let path = "/storage/upload/initiate?storage_type=fal-cdn-v3";
        let signed = post(path, emulator.api_key(), &json!({}))
            .header(name, &hour)
            .send(&emulator)
            .json();
        assert_eq!(
            at("PUT", &text(&signed["upload_url"]))
                .bytes("x")
                .send(&emulator)
                .status,
            200
        );
        let run = Request::run(
            "fal-ai/flux/dev",
            &json!({ "prompt": "a cat", "image_size": "square" }),
        );
        let run = run
            .key(emulator.api_key())
            .header(name, &hour)
            .send(&emulator)
            .json();
        let urls = [
            &direct.json()["access_url"],
            &signed["file_url"],
            &run["images"][0]["url"],
        ]
        .map(text);
        assert!(emulator.files().iter().all(|file| file.expires.is_some()));
        emulator.advance(Duration::from_secs(3590));
        for url in &urls {
            assert_eq!(at("GET", url).send(&emulator).status, 200);
        }
        emulator.advance(Duration::from_secs(10));
        for (status, code) in [(GoneStatus::Gone, 410), (GoneStatus::NotFound, 404)] {
            emulator.set(Settings {
                expired_file_status: status,
                ..Settings::default()
            });
            for url in &urls {
                at("GET", url)
                    .send(&emulator)
                    .assert_detail(code, "File not found");
            }
        }
        assert!(emulator.files().is_empty());
    }
}

#[test]
fn a_malformed_lifecycle_is_refused() {
    let emulator = Emulator::start().unwrap();
    for name in HEADERS {
        let wrong = "{\"expiration_duration_seconds\":-1}";
        for request in [
            direct(&emulator, "x"),
            initiate(&emulator, "gcs"),
            Request::run("fal-ai/flux/dev", &json!({ "prompt": "a cat" })).key(emulator.api_key()),
        ] {
            let answer = request.header(name, wrong).send(&emulator);
            assert_eq!(answer.status, 400);
            assert!(
                text(&answer.json()["detail"])
                    .starts_with(&format!("Invalid {}: ", name.to_lowercase()))
            );
        }
    }
    assert!(emulator.files().is_empty() && emulator.executions().is_empty());
}

fn settings(emulator: &Emulator, method: &str, body: &Value) -> Response {
    let request =
        Request::new(method, "api.fal.ai", "/v1/storage/settings").key(emulator.api_key());
    if method == "GET" {
        request.send(emulator)
    } else {
        request.json(body).send(emulator)
    }
}

#[test]
fn an_account_has_defaults() {
    let emulator = Emulator::start().unwrap();
    let nothing = json!({ "expiration_duration_seconds": null, "initial_acl": null });
    assert_eq!(settings(&emulator, "GET", &Value::Null).json(), nothing);
    let acl = json!({ "default": "hide", "rules": [{ "user": "acme", "decision": "allow" }] });
    let wanted = json!({ "expiration_duration_seconds": 60, "initial_acl": acl });
    for answer in [
        settings(&emulator, "PUT", &wanted),
        settings(&emulator, "GET", &Value::Null),
    ] {
        assert_eq!((answer.status, answer.json()), (200, wanted.clone()));
    }
    let plain = upload(&emulator, "x");
    let never = r#"{"expiration_duration_seconds":0,"initial_acl":{"default":"allow"}}"#;
    let kept = direct(&emulator, "x")
        .header(HEADERS[0], never)
        .send(&emulator);
    assert_eq!(at("GET", &plain).send(&emulator).status, 404);
    let token = cdn_token(&emulator, emulator.api_key());
    let bearer = format!("Bearer {token}");
    assert_eq!(
        get(&emulator, &plain, &[("Authorization", &bearer)]).status,
        200
    );
    emulator.advance(Duration::from_secs(60));
    assert_eq!(
        get(&emulator, &plain, &[("Authorization", &bearer)]).status,
        410
    );
    assert_eq!(
        at("GET", &text(&kept.json()["access_url"]))
            .send(&emulator)
            .status,
        200
    );
    for wrong in [
        json!({ "expiration_duration_seconds": 0 }),
        json!({ "expiration_duration_seconds": "1h" }),
        json!({ "initial_acl": { "default": "deny" } }),
        json!({ "initial_acl": { "default": "hide", "rules": [{ "user": "", "decision": "allow" }] } }),
        json!([]),
    ] {
        let answer = settings(&emulator, "PUT", &wrong);
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (400, &json!("validation_error")),
            "{wrong}"
        );
    }
    // PUT replaces all settings.
    assert_eq!(settings(&emulator, "PUT", &json!({})).json(), nothing);
    let anonymous = Request::get("api.fal.ai", "/v1/storage/settings").send(&emulator);
    assert_eq!(anonymous.status, 401);
}
