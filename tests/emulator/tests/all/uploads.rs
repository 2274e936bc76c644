//! Uploads in one request: with a signed URL, with a CDN token.

use std::time::Duration;

use fal_emulator::{
    CdnBaseUrl, Emulator, Fault, FileUrlForm, GoneStatus, Outcome, Settings, SignedUrlSeconds,
};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response};

pub(crate) fn post(path: &str, key: &str, body: &Value) -> Request {
    Request::new("POST", "rest.fal.ai", path)
        .key(key)
        .json(body)
}

pub(crate) fn initiate(emulator: &Emulator, storage_type: &str) -> Request {
    let path = format!("/storage/upload/initiate?storage_type={storage_type}");
    post(
        &path,
        emulator.api_key(),
        &json!({ "content_type": "image/png", "file_name": "input.png" }),
    )
}

/// Requests a CDN token.
pub(crate) fn cdn_token(emulator: &Emulator, key: &str) -> String {
    let answer = post(
        "/storage/auth/token?storage_type=fal-cdn-v3",
        key,
        &json!({}),
    )
    .send(emulator);
    assert_eq!(answer.status, 200);
    answer.json()["token"].as_str().unwrap().to_owned()
}

pub(crate) fn bearer(request: Request, token: &str) -> Request {
    request.header("Authorization", &format!("Bearer {token}"))
}

/// A request to a URL from a response.
pub(crate) fn at(method: &str, url: &str) -> Request {
    let (host, path) = url
        .strip_prefix("https://")
        .unwrap()
        .split_once('/')
        .unwrap();
    Request::new(method, host, &format!("/{path}"))
}

pub(crate) fn direct(emulator: &Emulator, bytes: impl Into<Vec<u8>>) -> Request {
    let token = cdn_token(emulator, emulator.api_key());
    bearer(
        Request::new("POST", "v3.fal.media", "/files/upload"),
        &token,
    )
    .bytes(bytes)
}

/// Uploads a file and returns its URL.
pub(crate) fn upload(emulator: &Emulator, bytes: impl Into<Vec<u8>>) -> String {
    let answer = direct(emulator, bytes).send(emulator);
    assert_eq!(answer.status, 200);
    text(&answer.json()["access_url"])
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn urls(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 200);
    (
        text(&answer.json()["file_url"]),
        text(&answer.json()["upload_url"]),
    )
}

#[test]
fn a_signed_url_takes_a_file() {
    let emulator = Emulator::start().unwrap();
    for (storage_type, host) in [
        ("fal-cdn-v3", "https://v3b.fal.media/"),
        ("gcs", "https://storage.googleapis.com/"),
    ] {
        let (file_url, upload_url) = urls(&initiate(&emulator, storage_type).send(&emulator));
        assert!(upload_url.starts_with(host), "{storage_type}");
        assert!(
            file_url.starts_with("https://v3b.fal.media/files/b/")
                && file_url.ends_with("_input.png")
        );
        assert_eq!(at("GET", &file_url).send(&emulator).status, 404);
        let put = at("PUT", &upload_url)
            .header("Content-Type", "image/png")
            .bytes("the bytes")
            .send(&emulator);
        assert_eq!((put.status, put.body.len()), (200, 0));
        let file = at("GET", &file_url).send(&emulator);
        assert_eq!(
            (file.status, file.body.as_slice()),
            (200, &b"the bytes"[..])
        );
        assert_eq!(file.header("content-type"), Some("image/png"));
        let stored = emulator.files().pop().unwrap();
        assert_eq!(
            (stored.url, stored.size, stored.owner.as_deref()),
            (file_url, 9, Some("acme"))
        );
        assert_eq!(
            stored.sha256,
            "ed589341c9fd5da96aaff4c5efa008226282a716186608d5a032ac75895a9c2f"
        );
    }
}

#[test]
fn a_signed_url_is_for_one_purpose() {
    let emulator = Emulator::start().unwrap();
    let (_, first) = urls(&initiate(&emulator, "fal-cdn-v3").send(&emulator));
    let (_, second) = urls(&initiate(&emulator, "gcs").send(&emulator));
    let (path, signature) = first.split_once('?').unwrap();
    let (other_path, other_signature) = second.split_once('?').unwrap();
    for url in [
        path.to_owned(),
        format!("{path}?{other_signature}"),
        format!("{other_path}?{signature}"),
        format!("{path}/1?{signature}"),
        format!("{path}/complete?{signature}"),
        format!("{path}?X-Fal-Signature="),
    ] {
        at("PUT", &url)
            .bytes("x")
            .send(&emulator)
            .assert_detail(403, "Invalid or expired signature");
    }
    assert_eq!(at("GET", &first).send(&emulator).status, 405);
    assert!(emulator.files().is_empty());
    // A client may repeat the upload after a lost response.
    for content in ["one", "two"] {
        assert_eq!(at("PUT", &first).bytes(content).send(&emulator).status, 200);
    }
    let upload = &emulator.uploads()[0];
    assert_eq!(
        (
            upload.parts[&1].puts,
            upload.parts[&1].size,
            upload.completed
        ),
        (2, 3, true)
    );
    assert_eq!(at("GET", &upload.url).send(&emulator).body, b"two");
}

#[test]
fn a_signed_url_expires() {
    let emulator = Emulator::start().unwrap();
    emulator.set(Settings {
        signed_url_seconds: SignedUrlSeconds(600),
        ..Settings::default()
    });
    let (_, url) = urls(&initiate(&emulator, "fal-cdn-v3").send(&emulator));
    emulator.advance(Duration::from_secs(500));
    assert_eq!(at("PUT", &url).bytes("x").send(&emulator).status, 200);
    emulator.advance(Duration::from_secs(100));
    at("PUT", &url)
        .bytes("x")
        .send(&emulator)
        .assert_detail(403, "Invalid or expired signature");
}

#[test]
fn a_key_that_leaks_to_a_signed_url_is_recorded_and_no_secret_is() {
    let emulator = Emulator::start().unwrap();
    let (_, url) = urls(&initiate(&emulator, "gcs").send(&emulator));
    let signature = url.split_once('=').unwrap().1;
    assert_eq!(
        at("PUT", &url)
            .key(emulator.api_key())
            .bytes("x")
            .send(&emulator)
            .status,
        200
    );
    let leak = emulator.arrivals().pop().unwrap();
    assert!(leak.had_key());
    assert_eq!(leak.query.as_deref(), Some("X-Goog-Signature=****"));
    assert!(!format!("{leak:?}").contains(signature));
    assert_eq!(at("PUT", &url).bytes("x").send(&emulator).status, 200);
    assert!(emulator.arrivals().pop().unwrap().authorization.is_none());
}

#[test]
fn initiating_takes_a_key() {
    let emulator = Emulator::start().unwrap();
    for path in [
        "/storage/upload/initiate",
        "/storage/upload/initiate-multipart",
        "/storage/auth/token",
    ] {
        let anonymous = Request::new("POST", "rest.fal.ai", path)
            .json(&json!({}))
            .send(&emulator);
        anonymous.assert_detail(401, "Authorization header is required");
        let wrong = post(path, "fake-id:fake-secret-wrong", &json!({})).send(&emulator);
        wrong.assert_detail(401, "invalid key credentials");
        let get = Request::get("rest.fal.ai", path)
            .key(emulator.api_key())
            .send(&emulator);
        assert_eq!(
            (get.status, get.header("allow")),
            (405, Some("POST")),
            "{path}"
        );
        let other = format!("{path}?storage_type=s3");
        let other = post(&other, emulator.api_key(), &json!({})).send(&emulator);
        assert_eq!(
            (other.status, &other.json()["detail"][0]["loc"]),
            (422, &json!(["query", "storage_type"]))
        );
        assert_eq!(other.header("x-fal-billable-units"), None);
    }
    for body in [
        json!({"content_type": 5}),
        json!({"content_type": "a\nb/c"}),
        json!({"file_name": ["a"]}),
    ] {
        let answer = post("/storage/upload/initiate", emulator.api_key(), &body).send(&emulator);
        assert_eq!(answer.status, 422, "{body}");
    }
    let old_name = Request::new("POST", "rest.alpha.fal.ai", "/storage/upload/initiate");
    assert_eq!(
        old_name
            .key(emulator.api_key())
            .json(&json!({}))
            .send(&emulator)
            .status,
        200
    );
}

#[test]
fn a_cdn_token_uploads_directly() {
    let emulator = Emulator::start().unwrap();
    let answer = direct(&emulator, "hello").send(&emulator);
    let url = text(&answer.json()["access_url"]);
    assert!(url.starts_with("https://v3.fal.media/files/b/") && url.ends_with("_file.bin"));
    // Both hosts serve the file.
    for url in [url.clone(), url.replace("v3.fal", "v3b.fal")] {
        let file = at("GET", &url).send(&emulator);
        assert_eq!((file.status, file.body.as_slice()), (200, &b"hello"[..]));
        assert_eq!(
            file.header("content-type"),
            Some("application/octet-stream")
        );
    }
    let empty = direct(&emulator, "")
        .header("Content-Length", "0")
        .send(&emulator);
    assert_eq!(
        at("GET", &text(&empty.json()["access_url"]))
            .send(&emulator)
            .body,
        b""
    );
}

#[test]
fn a_cdn_token_says_when_it_ends_and_does() {
    let emulator = Emulator::start().unwrap();
    let ask = |body: &Value| post("/storage/auth/token", emulator.api_key(), body).send(&emulator);
    let answer = ask(&json!({ "expiration_seconds": 60 })).json();
    assert_eq!(
        (&answer["token_type"], &answer["base_url"]),
        (&json!("Bearer"), &json!("https://v3.fal.media"))
    );
    for time in ["expires_at", "created_at"] {
        assert!(answer[time].as_str().unwrap().ends_with("+00:00"));
    }
    let token = text(&answer["token"]);
    let upload = || {
        bearer(
            Request::new("POST", "v3.fal.media", "/files/upload"),
            &token,
        )
        .bytes("x")
        .send(&emulator)
    };
    assert_eq!(upload().status, 200);
    emulator.advance(Duration::from_secs(61));
    upload().assert_detail(401, "Invalid or expired token");
    for seconds in [json!(0), json!(30 * 86_400 + 1), json!("soon")] {
        assert_eq!(ask(&json!({ "expiration_seconds": seconds })).status, 422);
    }
    emulator.set(Settings {
        cdn_base_url: CdnBaseUrl::V3b,
        ..Settings::default()
    });
    assert_eq!(ask(&json!({})).json()["base_url"], "https://v3b.fal.media");
}

#[test]
fn the_cdn_takes_no_key() {
    let emulator = Emulator::start().unwrap();
    let upload = || Request::new("POST", "v3.fal.media", "/files/upload").bytes("x");
    let token = cdn_token(&emulator, emulator.api_key());
    for request in [
        upload(),
        upload().key(emulator.api_key()),
        bearer(upload(), "fake-cdn-token-wrong"),
        bearer(bearer(upload(), &token), &token),
    ] {
        request
            .send(&emulator)
            .assert_detail(401, "Invalid or expired token");
    }
    assert!(emulator.files().is_empty());
}

#[test]
fn the_form_of_urls_can_be_chosen() {
    let emulator = Emulator::start().unwrap();
    for (form, prefix) in [
        (FileUrlForm::V3, "https://v3.fal.media/files/b/"),
        (FileUrlForm::V3b, "https://v3b.fal.media/files/b/"),
        (FileUrlForm::Animal, "https://v3.fal.media/files/lion/"),
    ] {
        emulator.set(Settings {
            file_url_form: Some(form),
            ..Settings::default()
        });
        let url = upload(&emulator, "x");
        assert!(url.starts_with(prefix), "{url}");
        assert_eq!(at("GET", &url).send(&emulator).body, b"x");
        assert!(
            urls(&initiate(&emulator, "gcs").send(&emulator))
                .0
                .starts_with(prefix)
        );
    }
}

#[test]
fn a_hostile_file_name_makes_a_safe_url() {
    let emulator = Emulator::start().unwrap();
    let long = format!("{}.png", "\u{e4}".repeat(150));
    for name in [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "..",
        "a\u{0}b\r\nc",
        "\u{1f431}?x=1#y%2e",
        "",
        &long,
    ] {
        let body = json!({ "content_type": "image/png", "file_name": name });
        let answer = post("/storage/upload/initiate", emulator.api_key(), &body).send(&emulator);
        let (file_url, upload_url) = urls(&answer);
        let path = file_url
            .strip_prefix("https://v3b.fal.media/files/b/")
            .unwrap();
        assert!(
            path.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte)),
            "{file_url}"
        );
        assert_eq!(
            (
                path.matches('/').count(),
                path.contains(".."),
                file_url.len() < 200
            ),
            (1, false, true)
        );
        assert_eq!(
            at("PUT", &upload_url).bytes("x").send(&emulator).status,
            200
        );
        assert_eq!(at("GET", &file_url).send(&emulator).body, b"x");
        assert_eq!(
            emulator.files().pop().unwrap().file_name.as_deref(),
            Some(name)
        );
    }
    let header = direct(&emulator, "x")
        .header("X-Fal-File-Name", "../k\u{e4}tze.png")
        .send(&emulator);
    assert!(text(&header.json()["access_url"]).ends_with("_k_tze.png"));
}

#[test]
fn a_single_upload_may_be_limited() {
    let emulator = Emulator::start().unwrap();
    emulator.set(Settings {
        single_upload_limit: Some(3),
        ..Settings::default()
    });
    assert_eq!(direct(&emulator, "abc").send(&emulator).status, 200);
    direct(&emulator, "abcd")
        .send(&emulator)
        .assert_detail(413, "File too large");
    let (_, url) = urls(&initiate(&emulator, "gcs").send(&emulator));
    at("PUT", &url)
        .bytes("abcd")
        .send(&emulator)
        .assert_detail(413, "File too large");
    assert_eq!(emulator.files().len(), 1);
}

#[test]
fn arrivals_of_uploads_keep_no_body() {
    let emulator = Emulator::start().unwrap();
    upload(&emulator, vec![7; 100_000]);
    let arrival = emulator.arrivals().pop().unwrap();
    assert_eq!(
        (arrival.body_length, arrival.body),
        (100_000, fal_emulator::ArrivedBody::Empty)
    );
}

#[test]
fn faults_strike_uploads() {
    let emulator = Emulator::start().unwrap();
    let request = direct(&emulator, "abc");
    emulator.inject(Fault::reset_before_body().path("/files/upload"));
    emulator.inject(Fault::status(503).path("/files/upload"));
    assert!(request.attempt(&emulator).is_err());
    assert_eq!(request.send(&emulator).status, 503);
    assert!(emulator.files().is_empty());
    emulator.inject(Fault::reset_after_body().path("/files/upload"));
    assert!(request.attempt(&emulator).is_err());
    // The file was stored although the response was lost.
    assert_eq!(emulator.files().len(), 1);
    emulator.inject(Fault::hang().path("/files/upload"));
    let mut connection = Connection::open(&emulator);
    connection.write(&request).unwrap();
    emulator
        .wait_until(Duration::from_secs(10), |all| {
            all.len() == 5 && all[4].body_length == 3
        })
        .unwrap();
    assert_eq!(emulator.arrivals().pop().unwrap().outcome, Outcome::Pending);
}

#[test]
fn the_old_cdn_is_gone() {
    let emulator = Emulator::start().unwrap();
    for (status, code) in [(GoneStatus::Gone, 410), (GoneStatus::NotFound, 404)] {
        emulator.set(Settings {
            old_cdn_status: status,
            ..Settings::default()
        });
        for method in ["GET", "POST"] {
            let old = Request::new(method, "fal.media", "/files/upload").send(&emulator);
            old.assert_detail(code, "File not found");
        }
    }
}
