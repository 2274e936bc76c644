use fal_emulator::{BadKeyText, Emulator, Settings};
use serde_json::json;

use crate::client::{Request, Response};

const STATUS: &str = "/fal-ai/flux/requests/3d6a1d4e-0000-4000-8000-000000000000/status";

fn get(emulator: &Emulator, path: &str) -> Response {
    Request::get("queue.fal.run", path).key(emulator.api_key()).send(emulator)
}

#[test]
fn a_good_key_learns_that_there_is_no_such_request() {
    let emulator = Emulator::start().unwrap();
    for tail in ["", "/", "?logs=1", "?logs=true", "/?logs=0"] {
        for key in [emulator.api_key(), emulator.admin_key()] {
            let response = Request::get("queue.fal.run", &format!("{STATUS}{tail}")).key(key).send(&emulator);
            assert_eq!((response.status, response.json()), (404, json!({"status": "NOT_FOUND"})), "{tail}");
        }
    }
    assert!(emulator.executions().is_empty());
}

#[test]
fn a_bad_key_is_told_so() {
    let emulator = Emulator::start().unwrap();
    let format = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.";
    for (header, detail) in [
        ("Key fake-id:fake-secret-wrong", "invalid key credentials"),
        ("Key fake-id-alone", format),
        ("Bearer fake-token", "bearer: unable to decode issuer"),
    ] {
        let response = Request::get("queue.fal.run", STATUS).header("Authorization", header).send(&emulator);
        response.assert_detail(401, detail);
    }
    let anonymous = Request::get("queue.fal.run", STATUS).send(&emulator);
    anonymous.assert_detail(401, "Cannot access application \"fal-ai/flux\"");
    emulator.set(Settings { bad_key_text: BadKeyText::Older, ..Settings::default() });
    let older = Request::get("queue.fal.run", STATUS).key("fake-id:fake-secret-wrong").send(&emulator);
    older.assert_detail(401, "No user found for Key ID and Secret");
}

#[test]
fn a_locked_account_and_a_foreign_app_are_refused() {
    let emulator = Emulator::start().unwrap();
    get(&emulator, "/acme/private/requests/x/status").assert_detail(403, "Cannot access application \"acme/private\"");
    let mut settings = Settings::default();
    settings.locked_accounts.insert("acme".into(), "User budget is exceeded.".into());
    emulator.set(settings);
    get(&emulator, STATUS).assert_detail(403, "User is locked. Reason: User budget is exceeded.");
}

#[test]
fn a_url_with_the_full_endpoint_id_takes_post_only() {
    let emulator = Emulator::start().unwrap();
    for path in ["/fal-ai/flux/dev/requests/x/status", "/fal-ai/flux/dev/requests/x/status/", "/fal-ai/flux/dev"] {
        let response = get(&emulator, path);
        assert_eq!((response.status, response.header("allow")), (405, Some("POST")), "{path}");
    }
    let post = Request::new("POST", "queue.fal.run", STATUS).key(emulator.api_key()).send(&emulator);
    assert_eq!((post.status, post.header("allow")), (405, Some("GET")));
}

#[test]
fn unknown_apps_and_routes_are_not_found() {
    let emulator = Emulator::start().unwrap();
    get(&emulator, "/no/app/requests/x/status").assert_detail(404, "Application \"no/app\" not found");
    for path in ["/fal-ai/flux/requests//status", "/fal-ai/flux/requests/x", "/fal-ai/flux/requests/x/status/stream"] {
        get(&emulator, path).assert_detail(404, format!("Path {path} not found"));
    }
}
