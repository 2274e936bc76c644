//! The permissions to read files, and who may change them.

use std::time::Duration;

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Request, Response};
use crate::uploads::{at, bearer, cdn_token, direct, text, upload};

/// Uploads a file of `acme` with this ACL.
fn file(emulator: &Emulator, acl: &Value) -> String {
    let lifecycle = json!({ "initial_acl": acl }).to_string();
    let answer = direct(emulator, "x")
        .header("X-Fal-Object-Lifecycle", &lifecycle)
        .send(emulator);
    text(&answer.json()["access_url"])
}

fn status(emulator: &Emulator, url: &str, tokens: &[&str]) -> u16 {
    tokens
        .iter()
        .fold(at("GET", url), |request, token| bearer(request, token))
        .send(emulator)
        .status
}

#[test]
fn an_acl_allows_forbids_and_hides() {
    let emulator = Emulator::start().unwrap();
    let token = |account: &str| cdn_token(&emulator, &emulator.create_key(Scope::Api, account));
    let owner = cdn_token(&emulator, emulator.api_key());
    let (alice, bob, eve) = (token("alice"), token("bob"), token("eve"));
    let rules = json!([
        { "user": "alice", "decision": "allow" },
        { "user": "bob", "decision": "hide" },
        { "user": "nobody", "decision": "allow" },
    ]);
    for (default, code) in [("allow", 200), ("forbid", 403), ("hide", 404)] {
        let url = file(&emulator, &json!({ "default": default, "rules": rules }));
        for (tokens, expected) in [
            (&[][..], code),
            (&[owner.as_str()], 200),
            (&[alice.as_str()], 200),
            (&[bob.as_str()], 404),
            (&[eve.as_str()], code),
            (&["fake-cdn-token-wrong"], code),
            (&[bob.as_str(), alice.as_str()], 200),
        ] {
            assert_eq!(status(&emulator, &url, tokens), expected, "{default}");
        }
        // The key itself is not accepted there.
        assert_eq!(
            at("GET", &url)
                .key(emulator.api_key())
                .send(&emulator)
                .status,
            code
        );
        assert_eq!(emulator.files().pop().unwrap().acl.rules.len(), 2);
        let answer = bearer(at("HEAD", &url), &owner);
        let mut connection = crate::client::Connection::open(&emulator);
        connection.write(&answer).unwrap();
        let caching = connection.read_head().unwrap();
        assert_eq!(
            caching
                .header("cache-control")
                .unwrap()
                .starts_with("public"),
            default == "allow"
        );
    }
}

fn acl(
    emulator: &Emulator,
    (host, path): (&str, &str),
    method: &str,
    url: &str,
    key: &str,
    body: &Value,
) -> Response {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("url", url)
        .finish();
    let request = Request::new(method, host, &format!("{path}?{query}")).key(key);
    if method == "GET" {
        request.send(emulator)
    } else {
        request.json(body).send(emulator)
    }
}

const REST: (&str, &str) = ("rest.fal.ai", "/storage/files/acl");
const PLATFORM: (&str, &str) = ("api.fal.ai", "/v1/storage/files/acl");

#[test]
fn an_acl_is_changed_later_through_two_doors() {
    let emulator = Emulator::start().unwrap();
    let other = emulator.create_key(Scope::Api, "other");
    let url = upload(&emulator, "x");
    for (door, back) in [(REST, PLATFORM), (PLATFORM, REST)] {
        let wanted = json!({ "default": "hide", "rules": [
            { "user": "fake|other", "decision": "forbid" }, { "user": "nobody", "decision": "allow" },
        ] });
        let changed =
            json!({ "default": "hide", "rules": [{ "user": "other", "decision": "forbid" }] });
        assert_eq!(
            acl(&emulator, door, "PUT", &url, emulator.api_key(), &wanted).json(),
            changed
        );
        let v3b = url.replace("v3.fal", "v3b.fal");
        assert_eq!(
            acl(
                &emulator,
                back,
                "GET",
                &v3b,
                emulator.api_key(),
                &Value::Null
            )
            .json(),
            changed
        );
        assert_eq!(status(&emulator, &url, &[]), 404);
        assert_eq!(
            status(&emulator, &url, &[&cdn_token(&emulator, &other)]),
            403
        );
        let open = acl(
            &emulator,
            door,
            "PUT",
            &url,
            emulator.api_key(),
            &json!({ "default": "allow" }),
        );
        assert_eq!(open.json(), json!({ "default": "allow", "rules": [] }));
        assert_eq!(status(&emulator, &url, &[]), 200);
        for method in ["GET", "PUT"] {
            let ask = |url: &str, key: &str| acl(&emulator, door, method, url, key, &wanted).status;
            assert_eq!(ask(&url, &other), 403);
            assert_eq!(ask(&format!("{url}x"), emulator.api_key()), 404);
            assert_eq!(ask(&url, "fake-id:fake-secret-wrong"), 401);
            for bad in [
                "nonsense",
                "https://example.com/a.png",
                &format!("{url}?a=1"),
                &url.replace("https", "http"),
            ] {
                assert_eq!(ask(bad, emulator.api_key()), 400, "{bad}");
            }
        }
        let wrong = acl(
            &emulator,
            door,
            "PUT",
            &url,
            emulator.api_key(),
            &json!({ "default": "deny" }),
        )
        .status;
        assert_eq!(wrong, if door == REST { 422 } else { 400 });
    }
    assert_eq!(status(&emulator, &url, &[]), 200);
}

#[test]
fn a_signed_url_reads_what_is_hidden() {
    let emulator = Emulator::start().unwrap();
    let token = cdn_token(&emulator, emulator.api_key());
    let url = file(&emulator, &json!({ "default": "hide" }));
    let elsewhere = file(&emulator, &json!({ "default": "hide" }));
    let sign = |body: &Value| {
        bearer(at("POST", &format!("{url}/sign")), &token)
            .json(body)
            .send(&emulator)
    };
    let answer = sign(&json!({ "duration": 60, "scope": ["read"] }));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let by_cdn = String::from_utf8(answer.body).unwrap();
    let platform = acl(
        &emulator,
        ("api.fal.ai", "/v1/storage/files/sign"),
        "POST",
        &url,
        emulator.api_key(),
        &json!({ "expiration_seconds": 60 }),
    );
    let by_platform = text(&platform.json()["signed_url"]);
    for signed in [&by_cdn, &by_platform] {
        let identity = signed.strip_prefix(&format!("{url}?identity=")).unwrap();
        assert_eq!(at("GET", signed).send(&emulator).body, b"x");
        // The signature is for this file only, is required, and is masked in arrivals.
        assert_eq!(
            status(&emulator, &format!("{elsewhere}?identity={identity}"), &[]),
            404
        );
        assert_eq!(status(&emulator, &url, &[]), 404);
        assert!(!format!("{:?}", emulator.arrivals()).contains(identity));
    }
    emulator.advance(Duration::from_secs(60));
    assert_eq!(
        (
            status(&emulator, &by_cdn, &[]),
            status(&emulator, &by_platform, &[])
        ),
        (404, 404)
    );
}

#[test]
fn a_signature_has_its_limits() {
    let emulator = Emulator::start().unwrap();
    let token = cdn_token(&emulator, emulator.api_key());
    let other = cdn_token(&emulator, &emulator.create_key(Scope::Api, "other"));
    let url = file(&emulator, &json!({ "default": "hide" }));
    let ask = |token: &str, body: &str| {
        bearer(at("POST", &format!("{url}/sign")), token)
            .bytes(body)
            .send(&emulator)
    };
    for (body, code) in [
        ("", 200),
        ("{}", 200),
        (r#"{"duration":604800}"#, 200),
        (r#"{"duration":604801}"#, 400),
        (r#"{"duration":0}"#, 400),
        (r#"{"scope":["write"]}"#, 400),
        ("[]", 400),
    ] {
        assert_eq!(ask(&token, body).status, code, "{body}");
    }
    assert_eq!(ask(&other, "").status, 403);
    assert_eq!(
        at("POST", &format!("{url}/sign"))
            .key(emulator.api_key())
            .send(&emulator)
            .status,
        401
    );
    assert_eq!(
        bearer(at("POST", &format!("{url}x/sign")), &token)
            .send(&emulator)
            .status,
        404
    );
    for seconds in [json!(0), json!(604_801), json!("x")] {
        let body = json!({ "expiration_seconds": seconds });
        let answer = acl(
            &emulator,
            ("api.fal.ai", "/v1/storage/files/sign"),
            "POST",
            &url,
            emulator.api_key(),
            &body,
        );
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (400, &json!("validation_error"))
        );
    }
    let day = String::from_utf8(ask(&token, "").body).unwrap();
    emulator.advance(Duration::from_secs(86_000));
    assert_eq!(status(&emulator, &day, &[]), 200);
    emulator.advance(Duration::from_secs(400));
    assert_eq!(status(&emulator, &day, &[]), 404);
}
