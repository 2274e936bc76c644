//! What a key may do: learned from fal, never guessed, and enforced if the caller asks for it.

use super::server::{Server, respond};
use super::*;
use fal_emulator::Settings;

fn refusing(status: u16) -> Emulator {
    let settings = json!({"admin_refusal_status": status});
    let settings: Settings = serde_json::from_value(settings).unwrap();
    Emulator::builder().settings(settings).start().unwrap()
}

#[test]
fn a_success_proves_admin_and_a_403_proves_api() {
    let emulator = refusing(403);
    let client = admin(&emulator);
    assert_eq!(client.known_scope(), None);
    call(&client, "models.list", json!({})).unwrap();
    assert_eq!(client.known_scope(), None, "any key may do that");
    call(&client, "keys.list", json!({})).unwrap();
    assert_eq!(client.known_scope(), Some(fal::Scope::Admin));

    let client = super::client(&emulator, emulator.api_key());
    let error = call(&client, "keys.list", json!({})).unwrap_err();
    assert_eq!(
        (error.code(), client.known_scope()),
        (Code::Forbidden, Some(fal::Scope::Api))
    );
    // The scope belongs to the key, not to the client.
    client.set_credentials(fal::credentials::Options::new().key(emulator.admin_key()));
    assert_eq!(
        client.known_scope(),
        None,
        "nothing is known of the new one"
    );
    call(&client, "keys.list", json!({})).unwrap();
    assert_eq!(client.known_scope(), Some(fal::Scope::Admin));
    client.set_credentials(fal::credentials::Options::new().key(emulator.api_key()));
    call(&client, "models.list", json!({})).unwrap();
    assert_eq!(
        client.known_scope(),
        Some(fal::Scope::Api),
        "the first is still what it was"
    );
}

#[test]
fn a_401_proves_nothing_but_a_check_does() {
    let emulator = refusing(401);
    let client = builder(&emulator.host(), emulator.api_key())
        .strict_scopes(true)
        .build()
        .unwrap();
    let error = call(&client, "keys.list", json!({})).unwrap_err();
    assert_eq!(
        (error.code(), error.needed_scope()),
        (Code::Unauthenticated, Some(fal::Scope::Admin))
    );
    assert_eq!(client.known_scope(), None);
    Op::finish(|| client.check_start()).unwrap();
    assert_eq!(client.known_scope(), Some(fal::Scope::Api));
    emulator.clear_arrivals();
    assert_eq!(
        call(&client, "keys.list", json!({})).unwrap_err().code(),
        Code::Forbidden
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn a_403_for_another_reason_proves_nothing() {
    let denied = r#"{"error": {"type": "authorization_error", "message": "Access denied"}}"#;
    let client_of = |server: &Server| {
        builder(&server.host, "fake-id:fake-secret")
            .build()
            .unwrap()
    };
    let server = Server::start(move |_, _, connection| {
        respond(
            connection,
            "403 Forbidden",
            "application/json",
            denied.as_bytes(),
        )
    });
    let client = client_of(&server);
    let error = call(&client, "organization.teams", json!({})).unwrap_err();
    assert!(
        error.remedy().contains("Enterprise organization"),
        "{}",
        error.remedy()
    );
    assert_eq!(
        client.known_scope(),
        None,
        "the account may lack the organization"
    );
    call(&client, "models.pricing", json!({"endpoint_id": "a/b"})).unwrap_err();
    assert_eq!(client.known_scope(), None, "an API key would do");

    let server = Server::start(|_, _, connection| {
        respond(connection, "403 Forbidden", "text/html", b"<html>no</html>")
    });
    let client = client_of(&server);
    call(&client, "keys.list", json!({})).unwrap_err();
    assert_eq!(client.known_scope(), None, "not fal's word");
}

#[test]
fn strictness_refuses_before_anything_is_sent() {
    let emulator = refusing(403);
    let key = emulator.api_key();
    let client = builder(&emulator.host(), key)
        .strict_scopes(true)
        .build()
        .unwrap();
    // While nothing is known about the key, fal decides.
    assert_eq!(
        call(&client, "account.billing", json!({}))
            .unwrap_err()
            .http_status(),
        Some(403)
    );
    emulator.clear_arrivals();
    let raw = || client.send_start(fal::Request::new("GET", "/v1/keys").unwrap());
    for error in [
        call(&client, "keys.list", json!({})).unwrap_err(),
        Op::finish(raw).unwrap_err(),
    ] {
        assert_eq!((error.code(), error.http_status()), (Code::Forbidden, None));
        assert_eq!(error.needed_scope(), Some(fal::Scope::Admin));
        let told = format!(
            "key {} from FAL_KEY is known to have the scope API; nothing was sent",
            id(key)
        );
        assert!(
            error
                .message()
                .starts_with("GET /v1/keys needs a key of scope ADMIN")
                && error.message().ends_with(&told),
            "{error}"
        );
        assert!(
            error.remedy().contains("https://fal.ai/dashboard/keys")
                && error.resolution().is_some()
        );
        assert!(!format!("{error:?}").contains("fake-secret"));
    }
    assert!(emulator.arrivals().is_empty());
    call(&client, "models.list", json!({})).unwrap();
    // Without the strict setting, fal decides every time.
    let client = super::client(&emulator, key);
    (0..2).for_each(|_| drop(call(&client, "keys.list", json!({})).unwrap_err()));
    assert_eq!(emulator.arrivals().len(), 3);
}

/// The strict setting applies to known scopes only, and nothing is known about a credential that is
/// not a key.
#[test]
fn strictness_leaves_to_fal_what_is_no_key() {
    let emulator = refusing(403);
    let host = emulator.host();
    let strict = |environment: &[(&str, &str)], options: fal::credentials::Options| {
        let all = environment
            .iter()
            .copied()
            .chain([("FAL_EMULATOR_HOST", host.as_str())]);
        let environment = Environment::from_variables(all);
        logged::builder()
            .environment(environment)
            .credentials(options)
            .strict_scopes(true)
            .build()
            .unwrap()
    };
    let none = fal::credentials::Options::new;

    let anonymous = strict(&[], none().anonymous(true));
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".fal")).unwrap();
    let login = emulator.create_login("acme", 3600);
    let tokens = format!("{}\n{}", login.refresh_token, login.access_token);
    std::fs::write(home.path().join(".fal/auth0_token"), tokens).unwrap();
    let login = strict(&[("HOME", home.path().to_str().unwrap())], none());
    for login_scope in ["API", "ADMIN"] {
        let settings = json!({"admin_refusal_status": 403, "platform_login_scope": login_scope});
        emulator.set(serde_json::from_value(settings).unwrap());
        for (client, expected) in [
            (&anonymous, Err(Code::Unauthenticated)),
            (
                &login,
                if login_scope == "ADMIN" {
                    Ok(200)
                } else {
                    Err(Code::Forbidden)
                },
            ),
        ] {
            for _ in 0..2 {
                let before = emulator.arrivals().len();
                let outcome =
                    call(client, "keys.list", json!({})).map(|response| response.status());
                assert_eq!(
                    outcome.map_err(|error| error.code()),
                    expected,
                    "{login_scope}"
                );
                assert_eq!(
                    (emulator.arrivals().len(), client.known_scope()),
                    (before + 1, None),
                    "fal was asked"
                );
            }
        }
    }

    // A short-lived token works for apps and for no operation of the Platform API. That is known of
    // every token.
    let token = strict(&[], none().app_token("fake-secret-token"));
    let before = emulator.arrivals().len();
    let error = call(&token, "models.pricing", json!({"endpoint_id": "a/b"})).unwrap_err();
    assert!(
        error.message().contains("token") && !format!("{error:?}").contains("fake-secret"),
        "{error}"
    );
    assert_eq!(
        (emulator.arrivals().len(), token.known_scope()),
        (before, None)
    );

    let keyless = strict(&[], none());
    assert_eq!(
        call(&keyless, "keys.list", json!({})).unwrap_err().code(),
        Code::NoCredentials
    );
    assert_eq!(
        (emulator.arrivals().len(), keyless.known_scope()),
        (before, None)
    );
}

/// The result of a check of one key does not apply to a key that replaced it meanwhile.
#[test]
fn a_check_is_about_the_key_that_it_reports() {
    let client = std::sync::Arc::new(std::sync::OnceLock::<Client>::new());
    let swapped = client.clone();
    let server = Server::start(move |number, request, connection| {
        if number == 0 {
            let options = fal::credentials::Options::new().key("fake-new:fake-secret-new");
            swapped.get().unwrap().set_credentials(options);
        }
        let new = request
            .header("authorization")
            .unwrap()
            .starts_with("Key fake-new:");
        let (status, body) = match (request.line.starts_with("GET /v1/"), new) {
            (true, true) => ("200 OK", r#"{"keys": [], "username": "acme"}"#),
            (true, false) => (
                "403 Forbidden",
                r#"{"error": {"type": "authorization_error", "message": "Access denied"}}"#,
            ),
            (false, _) => ("404 Not Found", r#"{"detail": "Request not found"}"#),
        };
        respond(connection, status, "application/json", body.as_bytes());
    });
    let strict = builder(&server.host, "fake-old:fake-secret-old")
        .strict_scopes(true)
        .build()
        .unwrap();
    let client = client.get_or_init(|| strict);
    let check = Op::finish(|| client.check_start()).unwrap();
    assert_eq!(
        (
            check.get_str("/key_id").unwrap(),
            check.get_str("/scope").unwrap()
        ),
        ("fake-old", "API")
    );
    assert_eq!(
        client.known_scope(),
        None,
        "nothing is known of the new one"
    );
    call(client, "keys.list", json!({})).unwrap();
}
