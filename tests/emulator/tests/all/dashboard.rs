//! The page for keys, as a browser requests it.

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Request, Response, id, secret};

const PAGE: &str = "/dashboard/keys";

fn at(
    emulator: &Emulator,
    method: &str,
    path: &str,
    origin: Option<&str>,
    body: Option<&Value>,
) -> Response {
    let mut request = Request::new(method, "fal.ai", path);
    if let Some(origin) = origin {
        request = request.header("Origin", origin);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send(emulator)
}

#[test]
fn it_is_at_fal_and_at_the_emulator_itself() {
    let emulator = Emulator::start().unwrap();
    for host in ["fal.ai", &emulator.host(), "localhost"] {
        for (end, kind) in [
            ("", "text/html"),
            (".css", "text/css"),
            (".js", "text/javascript"),
            (".json", "application/json"),
        ] {
            let answer = Request::get(host, &format!("{PAGE}{end}")).send(&emulator);
            assert_eq!(answer.status, 200, "{host} {end}");
            assert!(answer.header("content-type").unwrap().starts_with(kind));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    let page = Request::get("fal.ai", PAGE).send(&emulator);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let text = String::from_utf8(page.body).unwrap();
    // The page refers to no other origin.
    assert!(!text.contains("http:") && !text.contains("https:"));
    assert_eq!(at(&emulator, "GET", "/dashboard", None, None).status, 404);
    let wrong = at(&emulator, "PUT", PAGE, None, None);
    assert_eq!(
        (wrong.status, wrong.header("allow")),
        (405, Some("GET, POST"))
    );
}

#[test]
fn keys_of_both_scopes_are_made_listed_and_revoked() {
    let emulator = Emulator::start().unwrap();
    emulator.create_key(Scope::Api, "other");
    for scope in ["API", "ADMIN"] {
        let wanted = json!({"alias": "new", "scope": scope});
        let made = at(
            &emulator,
            "POST",
            PAGE,
            Some("https://fal.ai"),
            Some(&wanted),
        );
        assert_eq!(made.status, 201);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let list = at(&emulator, "GET", "/dashboard/keys.json", None, None).json();
        let keys = list["keys"].as_array().unwrap();
        assert_eq!(
            (keys.len(), &keys[0]["alias"], &keys[0]["scope"]),
            (3, &json!("new"), &json!(scope))
        );
        assert_eq!(keys[0]["key_id"], id(&key));
        assert!(!list.to_string().contains(secret(&key)));
        let run = |app: &str| {
            Request::run(app, &json!({}))
                .key(&key)
                .send(&emulator)
                .status
        };
        assert_eq!(
            (run("emulator/echo"), run("acme/private")),
            (200, if scope == "API" { 403 } else { 200 })
        );
        let path = format!("{PAGE}/{}", id(&key));
        assert_eq!(
            at(&emulator, "DELETE", &path, Some("https://fal.ai"), None).status,
            204
        );
        assert_eq!(run("emulator/echo"), 401);
        assert_eq!(
            at(&emulator, "DELETE", &path, Some("https://fal.ai"), None).status,
            404
        );
    }
    for wrong in [
        json!({"alias": "", "scope": "API"}),
        json!({"alias": "a"}),
        json!({"alias": "a", "scope": "ROOT"}),
        json!([]),
    ] {
        assert_eq!(
            at(
                &emulator,
                "POST",
                PAGE,
                Some("https://fal.ai"),
                Some(&wrong)
            )
            .status,
            400
        );
    }
}

#[test]
fn other_pages_change_nothing() {
    let emulator = Emulator::start().unwrap();
    let wanted = json!({"alias": "evil", "scope": "ADMIN"});
    let path = format!("{PAGE}/{}", id(emulator.api_key()));
    for origin in [
        None,
        Some("https://evil.example"),
        Some("null"),
        Some("https://fal.ai.evil.example"),
        Some("fal.ai"),
        Some("ftp://fal.ai"),
    ] {
        assert_eq!(
            at(&emulator, "POST", PAGE, origin, Some(&wanted)).status,
            403,
            "{origin:?}"
        );
        assert_eq!(
            at(&emulator, "DELETE", &path, origin, None).status,
            403,
            "{origin:?}"
        );
    }
    let list = at(&emulator, "GET", "/dashboard/keys.json", None, None).json();
    assert_eq!(list["keys"].as_array().unwrap().len(), 2);
    let own = Request::new("POST", &emulator.host(), PAGE)
        .header("Origin", &format!("http://{}", emulator.host()));
    assert_eq!(own.json(&wanted).send(&emulator).status, 201);
}
