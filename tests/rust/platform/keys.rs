//! Creating, listing and revoking keys.

use super::server::{Server, respond};
use super::*;
use fal::credentials::Options;
use fal::credentials::store::{Activate, Store};

#[test]
fn a_key_is_made_used_listed_revoked_and_refused() {
    let emulator = Emulator::start().unwrap();
    let admin = admin(&emulator);
    let key = block(admin.create_key("ci")).unwrap();
    assert!(!format!("{key:?} {key}").contains(key.expose_secret()));

    let text = format!("{}:{}", key.id(), key.expose_secret());
    let client = client(&emulator, &text);
    let models = call(&client, "models.list", json!({"limit": 1})).unwrap();
    assert_eq!(models.get("/models").unwrap().as_array().unwrap().len(), 1);
    let run = || client.run_start(fal::Request::run("emulator/echo").unwrap());
    Op::finish(run).unwrap();

    let found = admin
        .keys()
        .unwrap()
        .map(Result::unwrap)
        .find(|one| one.id == key.id())
        .unwrap();
    assert_eq!(
        (
            found.alias.as_str(),
            found.scope.as_str(),
            found.creator_email.is_some()
        ),
        ("ci", "API", true)
    );
    assert!(found.created_at.ends_with('Z'));

    block(admin.revoke_key(key.id(), false)).unwrap();
    assert_eq!(Op::finish(run).unwrap_err().code(), Code::Unauthenticated);
    assert!(admin.keys().unwrap().all(|one| one.unwrap().id != key.id()));
    block(admin.revoke_key(key.id(), false)).unwrap();
}

#[test]
fn the_secret_is_in_the_key_and_nowhere_else() {
    let emulator = Emulator::start().unwrap();
    let making = admin(&emulator).create_key_start("once").unwrap();
    assert!(making.op().wait(Some(PATIENCE)).unwrap());
    let response = making.op().take().unwrap().unwrap();
    let shown = format!("{making:?} {response:?} {}", response.text().unwrap());
    let key = making.take_key().unwrap();
    assert!(making.take_key().is_none(), "once");
    assert_eq!(response.get_str("/key_id").unwrap(), key.id());
    assert!(!shown.contains(key.expose_secret()));
    assert!(std::iter::from_fn(|| next(making.op())).next().is_none());

    let error = call(&admin(&emulator), "keys.create", json!({"alias": "x"})).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.remedy().contains("fal_client_create_key"),
        "{}",
        error.remedy()
    );
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn a_key_goes_straight_into_a_profile() {
    let emulator = Emulator::start().unwrap();
    let key = block(admin(&emulator).create_key("stored")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let options = Options::new().config_path(&path);
    let nothing = Environment::from_variables::<String, String>([]);
    Store::open(&options, &nothing)
        .unwrap()
        .store_key("ci", &key, Activate::Yes)
        .unwrap();
    let host = emulator.host();
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", host.as_str())]);
    let client = logged::builder()
        .credentials(options)
        .environment(environment)
        .build()
        .unwrap();
    call(&client, "storage.settings.get", json!({})).unwrap();
    assert_eq!(
        client.explain().used().unwrap().key_id.as_deref(),
        Some(key.id())
    );
}

#[test]
fn names_are_checked_and_an_api_key_makes_none() {
    let emulator = Emulator::start().unwrap();
    for alias in [String::new(), "ä".repeat(256)] {
        let error = admin(&emulator).create_key_start(&alias).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    }
    assert!(emulator.arrivals().is_empty());
    block(admin(&emulator).create_key(&"ä".repeat(255))).unwrap();
    let error = block(client(&emulator, emulator.api_key()).create_key("x")).unwrap_err();
    assert_eq!(
        (error.code(), error.needed_scope()),
        (Code::Forbidden, Some(fal::Scope::Admin))
    );
}

#[test]
fn the_key_in_use_is_revoked_only_if_that_is_meant() {
    let emulator = Emulator::start().unwrap();
    let client = admin(&emulator);
    let own = id(emulator.admin_key());
    for error in [
        block(client.revoke_key(own, false)).unwrap_err(),
        call(&client, "keys.revoke", json!({"key_id": own})).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(
            error
                .message()
                .contains("the key that this client uses; nothing was sent"),
            "{error}"
        );
    }
    assert!(emulator.arrivals().is_empty());
    block(client.revoke_key(own, true)).unwrap();
    assert_eq!(
        emulator.arrivals()[0].path,
        format!("/v1/keys/{own}"),
        "and the option is not sent"
    );
    assert!(
        emulator.arrivals()[0]
            .headers
            .contains_key("idempotency-key")
    );
}

#[test]
fn a_key_whose_answer_is_lost_is_never_asked_for_again() {
    let server = Server::start(|_, _, connection| {
        use std::io::Write;
        drop(connection.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"));
    });
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let error = block(client.create_key("lost")).unwrap_err();
    assert!(
        error.may_have_executed() && server.arrived().len() == 1,
        "{error}"
    );
    assert!(
        error
            .remedy()
            .contains("revoke the newest one with the name \"lost\""),
        "{}",
        error.remedy()
    );

    for body in [
        "{}",
        r#"{"key_id": "fake-new", "key_secret": ""}"#,
        r#"{"key_id": "fake-new", "key_secret": 7, "key": "fake-secret"}"#,
        "fake-secret",
    ] {
        let server = Server::start(move |_, _, connection| {
            respond(
                connection,
                "201 Created",
                "application/json",
                body.as_bytes(),
            )
        });
        let client = builder(&server.host, "fake-id:fake-mine").build().unwrap();
        let error = block(client.create_key("odd")).unwrap_err();
        assert!(
            error.code() == Code::Protocol && error.may_have_executed(),
            "{error}"
        );
        assert!(
            !format!("{error:?} {error}").contains("fake-secret"),
            "{body}"
        );
        assert!(
            error
                .remedy()
                .contains("the newest one with the name \"odd\""),
            "{}",
            error.remedy()
        );
    }
}
