//! The account that a credential belongs to (docs/protocol.md §1.4).

use fal_emulator::{Emulator, Settings};
use serde_json::json;

use crate::client::Request;

fn ask(method: &str) -> Request {
    Request::new(method, "rest.fal.ai", "/users/current")
}

#[test]
fn the_current_account_is_told_to_keys_and_logins() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("globex", 3600);
    let bearer = format!("Bearer {}", login.access_token);
    for (request, account) in [
        (ask("GET").key(emulator.api_key()), "acme"),
        (ask("GET").key(emulator.admin_key()), "acme"),
        (ask("GET").header("Authorization", &bearer), "globex"),
    ] {
        let answer = request.send(&emulator);
        assert_eq!(
            (answer.status, &answer.json()["nickname"]),
            (200, &json!(account))
        );
        assert_eq!(
            (
                &answer.json()["is_locked"],
                answer.json().get("lock_reason")
            ),
            (&json!(false), None)
        );
    }
    let locked_accounts = [("acme".to_owned(), "Exhausted balance".to_owned())].into();
    emulator.set(Settings {
        locked_accounts,
        ..Settings::default()
    });
    let locked = ask("GET").key(emulator.api_key()).send(&emulator);
    assert_eq!(
        (locked.status, &locked.json()["lock_reason"]),
        (200, &json!("Exhausted balance"))
    );
}

#[test]
fn nobody_else_is_told() {
    let emulator = Emulator::start().unwrap();
    let wrong = "Key fake-id:fake-secret-wrong";
    for (request, status) in [
        (ask("GET"), 401),
        (ask("GET").header("Authorization", wrong), 401),
        (ask("POST").key(emulator.api_key()).json(&json!({})), 405),
    ] {
        assert_eq!(request.send(&emulator).status, status);
    }
}
