//! What a key may do, tokens for programs without a key, and server proxies that hold one.

use super::*;
use fal::Code;
use fal::credentials::Options;
use fal_emulator::{AdminRefusal, Fault, Settings};

fn check(client: &Client) -> Value {
    Op::finish(|| client.check_start())
        .unwrap()
        .json()
        .unwrap()
        .clone()
}

#[test]
fn a_check_tells_scope_and_account_without_running_anything() {
    let emulator = Emulator::start().unwrap();
    for refusal in [AdminRefusal::Forbidden, AdminRefusal::Unauthorized] {
        emulator.set(Settings {
            admin_refusal_status: refusal,
            ..Settings::default()
        });
        let found = check(&client(&emulator));
        assert_eq!(
            (&found["accepted"], &found["scope"], &found["account"]),
            (&json!(true), &json!("API"), &json!("acme"))
        );
        assert_eq!(found["source"], "FAL_KEY");
        assert_eq!(emulator.arrivals().len(), 2);
        // Not every key may read its account (fal's CLI: account:settings:read).
        for status in [401, 403, 404, 500] {
            emulator.inject(Fault::status(status).path("/users/current").always());
            let found = check(&client(&emulator));
            assert_eq!(
                (&found["accepted"], &found["scope"], &found["account"]),
                (&json!(true), &json!("API"), &json!(null)),
                "{status}"
            );
            emulator.clear_faults();
        }
        for odd in [json!([]), json!({"nickname": 7}), json!("acme")] {
            emulator.inject(Fault::status(200).path("/users/current").body(odd));
            assert_eq!(check(&client(&emulator))["account"], json!(null));
        }
        emulator.clear_arrivals();
    }
    emulator.clear_arrivals();
    let admin = builder_with(&emulator, emulator.admin_key())
        .build()
        .unwrap();
    let found = check(&admin);
    assert_eq!(
        (&found["accepted"], &found["scope"], &found["account"]),
        (&json!(true), &json!("ADMIN"), &json!("acme"))
    );
    assert_eq!(
        found["key_id"],
        emulator.admin_key().split(':').next().unwrap()
    );
    assert!(emulator.arrivals().len() <= 2);
    let bad = builder_with(&emulator, "fake-id:fake-secret-wrong")
        .build()
        .unwrap();
    assert_eq!(check(&bad)["accepted"], false);
    for refusal in [AdminRefusal::Forbidden, AdminRefusal::Unauthorized] {
        let locked_accounts = [("acme".to_owned(), "Exhausted balance".to_owned())].into();
        emulator.set(Settings {
            locked_accounts,
            admin_refusal_status: refusal,
            ..Settings::default()
        });
        let locked = check(&client(&emulator));
        assert_eq!(locked["accepted"], true);
        assert!(
            locked["locked"]
                .as_str()
                .unwrap()
                .contains("Exhausted balance"),
            "{locked}"
        );
    }
    assert!(emulator.executions().is_empty(), "a check runs nothing");
}

#[test]
fn a_check_of_a_login_tells_its_account() {
    let emulator = Emulator::start().unwrap();
    let login = emulator.create_login("globex", 3600);
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".fal")).unwrap();
    let tokens = format!("{}\n{}", login.refresh_token, login.access_token);
    std::fs::write(home.path().join(".fal/auth0_token"), tokens).unwrap();
    let variables = [
        ("FAL_EMULATOR_HOST", emulator.host()),
        ("HOME", home.path().to_str().unwrap().to_owned()),
    ];
    let environment = Environment::from_variables(variables);
    let client = crate::logged::builder()
        .environment(environment)
        .build()
        .unwrap();
    let found = check(&client);
    let expected = json!({
        "accepted": true, "scope": null, "account": "globex", "locked": null, "key_id": null, "source": "login",
    });
    assert_eq!((found, emulator.arrivals().len()), (expected, 1));
    let locked_accounts = [("globex".to_owned(), "Exhausted balance".to_owned())].into();
    emulator.set(Settings {
        locked_accounts,
        ..Settings::default()
    });
    let locked = check(&client);
    assert_eq!(
        (&locked["accepted"], &locked["locked"]),
        (&json!(true), &json!("Exhausted balance"))
    );
}

#[test]
fn a_check_that_cannot_be_made_is_an_error_and_no_verdict() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::status(500).always());
    let error = Op::finish(|| client(&emulator).check_start()).unwrap_err();
    assert_eq!(error.code(), Code::ServiceFailed);
    let anonymous = Options::new().anonymous(true);
    let client = crate::logged::builder()
        .credentials(anonymous)
        .build()
        .unwrap();
    assert_eq!(
        Op::finish(|| client.check_start()).unwrap_err().code(),
        Code::InvalidArgument
    );
}

fn with_token(emulator: &Emulator, token: &str) -> Client {
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
    crate::logged::builder()
        .environment(environment)
        .credentials(Options::new().app_token(token))
        .build()
        .unwrap()
}

#[test]
fn a_token_opens_its_apps_on_the_run_host_and_nothing_else() {
    let emulator = Emulator::start().unwrap();
    let keyed = client(&emulator);
    let minted =
        Op::finish(|| keyed.mint_token_start(&["emulator/echo"], Duration::from_secs(60))).unwrap();
    assert_eq!(minted.get("/expires_in").unwrap(), 60);
    let token = minted.get_str("/token").unwrap();
    let client = with_token(&emulator, token);
    emulator.clear_arrivals();
    let echoed = echo(&client).unwrap();
    assert!(emulator.arrivals()[0].authorization.is_none());
    assert!(!echoed.text().unwrap().contains(token));
    let other = run(&client, "fal-ai/flux/schnell", json!({"prompt": "a"})).unwrap_err();
    assert!(
        matches!(other.code(), Code::Unauthenticated | Code::Forbidden),
        "{other}"
    );
    assert!(
        other
            .message()
            .contains("a short-lived token from explicit token"),
        "{other}"
    );
    emulator.clear_arrivals();
    let error = send(&client, "GET", "/v1/models").unwrap_err();
    assert_eq!(error.code(), Code::Forbidden, "{error}");
    assert!(emulator.arrivals().is_empty());
    for text in [
        format!("{client:?}{other:?}{other}"),
        client.explain().to_string(),
        format!("{:?}", client.explain()),
    ] {
        assert!(!text.contains(token), "{text}");
    }
}

#[test]
fn a_token_needs_a_key_and_sensible_wishes() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for (apps, seconds) in [
        (&[][..], 60),
        (&["emulator/echo"][..], 0),
        (&["emulator/echo"][..], 3601),
        (&["echo"][..], 60),
    ] {
        let error = client
            .mint_token_start(apps, Duration::from_secs(seconds))
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{apps:?} {seconds}");
    }
    let bad = builder_with(&emulator, "fake-id:fake-secret-wrong")
        .build()
        .unwrap();
    let error = Op::finish(|| bad.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))
        .unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
}

fn by_proxy(emulator: &Emulator) -> ClientBuilder {
    // The key in the environment is ignored, because the proxy has its own.
    builder_with(emulator, "fake-id:fake-secret-not-for-the-proxy")
        .proxy("https://app.example/api/fal/proxy")
        .unwrap()
}

#[test]
fn a_proxy_holds_the_key() {
    let emulator = Emulator::start().unwrap();
    let client = by_proxy(&emulator).build().unwrap();
    let made = run(
        &client,
        "fal-ai/flux/schnell",
        json!({"prompt": "a", "image_size": "square"}),
    )
    .unwrap();
    let outer = emulator
        .arrivals()
        .into_iter()
        .find(|arrival| arrival.host == "app.example")
        .unwrap();
    assert!(outer.authorization.is_none());
    assert_eq!(
        outer.headers["x-fal-target-url"],
        "https://fal.run/fal-ai/flux/schnell"
    );
    assert!(made.request_id().is_some());
    emulator.clear_arrivals();
    send(&client, "GET", made.get_str("/images/0/url").unwrap()).unwrap();
    assert_eq!(
        emulator.arrivals()[0].host,
        "v3b.fal.media",
        "files are fetched directly"
    );
    client.set_credentials(Options::new());
    assert_eq!(
        client.explain().used().unwrap().source,
        "anonymous",
        "no key is looked for later either"
    );
}

#[test]
fn what_a_proxy_refuses_is_told_apart_from_what_fal_refuses() {
    let emulator = Emulator::start().unwrap();
    let client = by_proxy(&emulator).build().unwrap();
    let error = send(&client, "GET", "/v1/models").unwrap_err();
    assert!(
        error
            .message()
            .contains("the proxy at app.example does not forward requests to api.fal.ai/v1/models"),
        "{error}"
    );
    assert!(
        error.remedy().contains("allowedUrlPatterns"),
        "{}",
        error.remedy()
    );
    let error = run(&client, "emulator/fail/image_too_large", json!({})).unwrap_err();
    assert_eq!(error.error_type(), Some("image_too_large"));
    let mut bytes = Request::run("emulator/echo").unwrap();
    bytes.set_bytes(vec![1, 2, 3].into(), "image/png").unwrap();
    assert_eq!(
        Op::finish(|| client.run_start(bytes)).unwrap_err().code(),
        Code::InvalidArgument
    );
    let mut text = Request::run("emulator/echo").unwrap();
    text.set_bytes(r#"{"a": 1}"#.into(), "application/json; charset=utf-8")
        .unwrap();
    let echoed = Op::finish(|| client.run_start(text)).unwrap();
    assert_eq!(
        echoed.get("/body/a").unwrap(),
        1,
        "JSON may be given as bytes"
    );
    for bad in [
        "http://app.example/proxy",
        "ftp://app.example",
        "https://user:word@app.example/",
        "app.example",
        "",
    ] {
        assert_eq!(
            crate::logged::builder().proxy(bad).unwrap_err().code(),
            Code::InvalidArgument,
            "{bad}"
        );
    }
}
