//! Recordings contain no secret, wherever a server or a program puts it.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fal_emulator::{EchoPlace, Emulator, Fault, Recording, ReplayPace};
use serde_json::{Value, json};

use crate::cassettes::{Studio, files, recordings, subscribe};
use crate::client::{Request, secret};
use crate::uploads::{at, cdn_token};

/// Fails if a file of the recordings contains one of `secrets`, in any notation, or what
/// tests/secrets/search finds.
fn assert_clean(studio: &Studio, secrets: &[&str]) {
    let all = files(studio.folder.path());
    assert!(!all.is_empty());
    for path in &all {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let lower = text.to_lowercase();
        for secret in secrets {
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            let escaped: String = secret
                .bytes()
                .map(|byte| format!("\\u{byte:04x}"))
                .collect();
            for form in [(*secret).to_owned(), hex, STANDARD.encode(secret), escaped] {
                let form = form.trim_end_matches('=');
                // The message shows no text: it may have a secret.
                assert!(!text.contains(form) && !lower.contains(form), "{path:?}");
            }
        }
    }
    searched(studio);
}

/// Runs the search of the tree for secrets on the recordings.
fn searched(studio: &Studio) {
    let script = "import importlib.machinery, importlib.util, sys, pathlib\n\
        loader = importlib.machinery.SourceFileLoader('search', sys.argv[1])\n\
        search = importlib.util.module_from_spec(importlib.util.spec_from_loader('search', loader))\n\
        loader.exec_module(search)\n\
        hits = list(search.search(p for p in pathlib.Path(sys.argv[2]).rglob('*') if p.is_file()))\n\
        print(*hits, sep='\\n')\n\
        sys.exit(bool(hits))";
    let search = concat!(env!("CARGO_MANIFEST_DIR"), "/../secrets/search");
    let output = Command::new("python3")
        .args(["-c", script, search])
        .arg(studio.folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn run(studio: &Studio, endpoint: &str, input: &Value) -> crate::client::Response {
    Request::run(endpoint, input)
        .key(studio.key())
        .send(&studio.recorder)
}

#[test]
fn a_key_is_masked_wherever_a_program_puts_it() {
    let studio = Studio::new();
    let key = studio.key().to_owned();
    let coded = STANDARD.encode(&key);
    let inputs = [
        json!({ "a": key, "nested": [{ "b": format!("Authorization: Key {key}") }] }),
        json!({ "a": coded, "b": STANDARD.encode(format!("x{key}")), "c": URL_SAFE_NO_PAD.encode(format!("xy {key}")) }),
        json!({ &key: 1 }),
        json!({ "json": json!({ "key": key }).to_string() }),
        json!({ "password": "my own", "hf_token": "hf_0123456789" }),
    ];
    for input in &inputs {
        assert_eq!(run(&studio, "emulator/echo", input).json()["body"], *input);
    }
    let query = format!(
        "/emulator/echo?key={key}&x={}&token=0123456789abcdef",
        secret(&key)
    );
    let asked = Request::new("POST", "fal.run", &query)
        .key(&key)
        .json(&json!({}));
    assert_eq!(asked.send(&studio.recorder).status, 200);
    let cookies = Request::run("emulator/echo", &json!({"a": "cookie-of-the-user"}))
        .key(&key)
        .header("Cookie", "session=cookie-of-the-user");
    assert_eq!(cookies.send(&studio.recorder).status, 200);
    let text = Request::new("POST", "fal.run", "/emulator/echo")
        .key(&key)
        .header("Content-Type", "text/plain");
    assert_eq!(
        text.bytes(format!("key: {key}"))
            .send(&studio.recorder)
            .status,
        200
    );
    assert_clean(
        &studio,
        &[
            &key,
            secret(&key),
            "my own",
            "hf_0123456789",
            "cookie-of-the-user",
            "0123456789abcdef",
        ],
    );
    // What was masked fits any other secret.
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    let own = replay.api_key().to_owned();
    let input = json!({ "a": own, "nested": [{ "b": format!("Authorization: Key {own}") }] });
    assert_eq!(
        Request::run("emulator/echo", &input)
            .key(&own)
            .send(&replay)
            .status,
        200
    );
}

#[test]
fn a_credential_is_masked_wherever_a_server_puts_it() {
    let places = [
        EchoPlace::Header,
        EchoPlace::HeaderName,
        EchoPlace::Location,
        EchoPlace::Detail,
        EchoPlace::Escaped,
        EchoPlace::Fields,
        EchoPlace::Text,
        EchoPlace::Page,
        EchoPlace::ErrorType,
        EchoPlace::RequestId,
        EchoPlace::Item,
    ];
    let studio = Studio::new();
    let key = studio.key().to_owned();
    for place in places {
        studio.upstream.inject(Fault::echo(place, 400).times(1));
        let answer = run(
            &studio,
            "emulator/stream",
            &json!({"place": format!("{place:?}")}),
        );
        let head = format!("{answer:?}{}", String::from_utf8_lossy(&answer.body));
        assert!(
            ["secret", "u0073", "U0073"]
                .iter()
                .any(|part| head.contains(part)),
            "{place:?}: {head}"
        );
    }
    assert_eq!(recordings(studio.folder.path()).len(), places.len());
    assert_clean(&studio, &[&key, secret(&key)]);
    studio
        .upstream
        .inject(Fault::echo(EchoPlace::Job, 200).path("*/status").times(1));
    subscribe(&studio.recorder, &key, "emulator/job", &json!({}));
    assert_clean(&studio, &[&key, secret(&key)]);
}

#[test]
fn tokens_and_signed_urls_are_masked() {
    let studio = Studio::new();
    let key = studio.key().to_owned();
    let token = Request::new("POST", "rest.fal.ai", "/tokens/")
        .key(&key)
        .json(&json!({"allowed_apps": ["echo"], "token_expiration": 100}))
        .send(&studio.recorder);
    let token = token.json().as_str().unwrap().to_owned();
    let with_token = Request::new(
        "POST",
        "fal.run",
        &format!("/emulator/echo?fal_jwt_token={token}"),
    )
    .json(&json!({}));
    assert_eq!(with_token.send(&studio.recorder).status, 200);
    let admin = Request::new("POST", "api.fal.ai", "/v1/keys")
        .key(studio.upstream.admin_key())
        .json(&json!({"alias": "made"}))
        .send(&studio.recorder)
        .json();
    let made = admin["key_secret"].as_str().unwrap().to_owned();
    let cdn = cdn_token(&studio.upstream, &key);
    let signed = "https://storage.googleapis.com/a/b.png?X-Goog-Signature=0123456789abcdef&x=1";
    let upload = Request::new("POST", "rest.fal.ai", "/storage/upload/initiate")
        .key(&key)
        .json(&json!({"content_type": "image/png"}))
        .send(&studio.recorder)
        .json();
    let upload_url = upload["upload_url"].as_str().unwrap().to_owned();
    let input = json!({
        "token": token, "in a text": format!("the token {token}"), "key": made, "cdn": format!("Bearer {cdn}"),
        "url": signed, "markdown": format!("![a picture]({signed})"), "upload": upload_url,
    });
    let answer = run(&studio, "emulator/echo", &input);
    assert_eq!(answer.json()["body"], input);
    let events = json!({"events": [{"url": signed}, signed], "text": true, "id": true});
    assert_eq!(run(&studio, "emulator/stream", &events).status, 200);
    let signature = upload_url.split('?').nth(1).unwrap();
    assert_clean(
        &studio,
        &[&token, &made, &cdn, "0123456789abcdef", signature],
    );
    let kept = recordings(studio.folder.path());
    let echoed = kept
        .iter()
        .find(|one| one["input"]["url"].is_string())
        .unwrap();
    assert_eq!(
        echoed["answer"]["json"]["body"]["url"],
        "https://storage.googleapis.com/a/b.png?****"
    );
    assert_eq!(
        echoed["input"]["markdown"],
        "![a picture](https://storage.googleapis.com/a/b.png?****)"
    );
}

#[test]
fn a_file_with_a_secret_is_left_out() {
    let studio = Studio::new();
    let key = studio.key().to_owned();
    run(&studio, "emulator/echo", &json!({}));
    let bytes = [&[0xff; 10][..], key.as_bytes()].concat();
    let upload = at("POST", "https://v3.fal.media/files/upload");
    let token = cdn_token(&studio.upstream, &key);
    let url = upload
        .header("Authorization", &format!("Bearer {token}"))
        .bytes(bytes.clone())
        .send(&studio.upstream)
        .json();
    let url = url["access_url"].as_str().unwrap().to_owned();
    assert_eq!(at("GET", &url).send(&studio.recorder).body, bytes);
    let all = recordings(studio.folder.path());
    let download = all.iter().find(|one| one["media"].is_object()).unwrap();
    assert_eq!(
        download["media"],
        json!({"left_out": "it contains a secret", "size": bytes.len()})
    );
    assert_clean(&studio, &[&key]);
}

#[test]
fn secrets_of_the_environment_are_masked_before_they_are_sent() {
    let studio = Studio::with(Emulator::start().unwrap(), |recording| Recording {
        secrets: vec!["the-secret-of-another-service".into()],
        ..recording
    });
    run(
        &studio,
        "emulator/echo",
        &json!({"a": "with the-secret-of-another-service in it"}),
    );
    assert_clean(&studio, &["the-secret-of-another-service"]);
    assert_eq!(
        recordings(studio.folder.path())[0]["input"]["a"],
        "with **** in it"
    );
    assert!(
        !format!(
            "{:?}",
            Recording {
                secrets: vec!["hidden".into()],
                ..Recording::to("a")
            }
        )
        .contains("hidden")
    );
}
