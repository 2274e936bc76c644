//! Successful responses, and what each refusal means.

use super::*;
use fal::{Code, Scope};
use fal_emulator::{AdminRefusal, BadKeyText, PrivateRefusal, Settings};

#[test]
fn a_picture_is_made_and_fetched() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let input =
        json!({"prompt": "a lighthouse", "seed": 7, "image_size": {"width": 96, "height": 64}});
    let made = run(&client, "fal-ai/flux/schnell", input).unwrap();
    assert_eq!(made.get("/images/0/width").unwrap(), 96);
    assert_eq!(made.get("/seed").unwrap(), 7);
    assert!(made.request_id().is_some());
    let picture = send(&client, "GET", made.get_str("/images/0/url").unwrap()).unwrap();
    assert_eq!(picture.header("Content-Type"), Some("image/png"));
    let (signature, header) = (&picture.body()[..8], &picture.body()[16..24]);
    assert_eq!(signature, b"\x89PNG\r\n\x1a\n");
    assert_eq!(header, [0, 0, 0, 96, 0, 0, 0, 64]);
}

#[test]
fn what_is_sent_is_what_arrives() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let input =
        json!({"text": "ü\u{0}\"", "big": u64::MAX, "small": -1.5e-300, "list": [null, true]});
    let echoed = run(&client, "emulator/echo/deep/path", input.clone()).unwrap();
    assert_eq!(echoed.get("/body").unwrap(), &input);
    assert_eq!(echoed.get_str("/path").unwrap(), "/emulator/echo/deep/path");
    assert_eq!(
        echoed.get_str("/headers/content-type").unwrap(),
        "application/json"
    );
    assert!(
        echoed
            .get_str("/headers/user-agent")
            .unwrap()
            .starts_with("libfal/")
    );

    let mut request = Request::run("emulator/echo").unwrap();
    request.set_method("GET").unwrap();
    request.set_header("X-Fal-Runner-Hint", "here").unwrap();
    let echoed = Op::finish(|| client.run_start(request)).unwrap();
    assert_eq!(echoed.get_str("/method").unwrap(), "GET");
    assert_eq!(
        echoed.get_str("/headers/x-fal-runner-hint").unwrap(),
        "here"
    );
    assert!(echoed.get("/body").unwrap().is_null());
}

#[test]
fn an_output_need_not_be_json() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let bytes = run(&client, "emulator/bytes", json!({"size": 300_000})).unwrap();
    assert_eq!(bytes.body().len(), 300_000);
    assert_eq!(bytes.json().unwrap_err().code(), Code::WrongType);
    emulator.inject(fal_emulator::Fault::malformed_json());
    let broken = echo(&client).unwrap();
    assert_eq!(broken.get("/body").unwrap_err().code(), Code::WrongType);
    let echoed = echo(&client).unwrap();
    assert_eq!(
        echoed.get("body").unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(echoed.get("/nothing").unwrap_err().code(), Code::WrongType);
    assert_eq!(echoed.get_str("/body").unwrap_err().code(), Code::WrongType);
}

#[test]
fn an_api_key_on_an_admin_operation_is_told_what_is_missing() {
    let emulator = Emulator::start().unwrap();
    let id = emulator.api_key().split_once(':').unwrap().0.to_owned();
    for refusal in [AdminRefusal::Forbidden, AdminRefusal::Unauthorized] {
        emulator.set(Settings {
            admin_refusal_status: refusal,
            ..Settings::default()
        });
        let error = send(&client(&emulator), "GET", "/v1/keys").unwrap_err();
        assert!(matches!(
            error.code(),
            Code::Forbidden | Code::Unauthenticated
        ));
        assert_eq!(error.needed_scope(), Some(Scope::Admin));
        for part in [
            "GET /v1/keys needs a key of scope ADMIN",
            &id,
            "from FAL_KEY",
        ] {
            assert!(
                error.message().contains(part),
                "{part:?} is not in: {error}"
            );
        }
        assert!(error.remedy().contains("scope ADMIN"), "{}", error.remedy());
        assert_eq!(
            error.resolution().unwrap().used().unwrap().source,
            "FAL_KEY"
        );
    }
    let admin = builder_with(&emulator, emulator.admin_key())
        .build()
        .unwrap();
    assert!(
        send(&admin, "GET", "/v1/keys")
            .unwrap()
            .get("/keys")
            .unwrap()
            .is_array()
    );
}

#[test]
fn a_private_app_is_refused_with_both_readings() {
    let emulator = Emulator::start().unwrap();
    let api = client(&emulator);
    for refusal in [
        PrivateRefusal::Unauthorized,
        PrivateRefusal::Forbidden,
        PrivateRefusal::NotFound,
    ] {
        emulator.set(Settings {
            private_refusal_status: refusal,
            ..Settings::default()
        });
        let error = run(&api, "acme/private", json!({})).unwrap_err();
        assert!(matches!(
            error.code(),
            Code::Unauthenticated | Code::Forbidden | Code::NotFound
        ));
        for part in [
            "acme/private is a private app",
            "ADMIN always",
            "one of scope API according to",
        ] {
            assert!(
                error.remedy().contains(part),
                "{part:?} is not in: {}",
                error.remedy()
            );
        }
        assert_eq!(error.needed_scope(), None, "fal tells it in two ways");
    }
    run(
        &builder_with(&emulator, emulator.admin_key())
            .build()
            .unwrap(),
        "acme/private",
        json!({}),
    )
    .unwrap();
    emulator.set(Settings {
        api_key_may_call_private_apps: true,
        ..Settings::default()
    });
    run(&api, "acme/private", json!({})).unwrap();
    let stranger = builder_with(
        &emulator,
        &emulator.create_key(fal_emulator::Scope::Admin, "else"),
    )
    .build()
    .unwrap();
    for refusal in [
        PrivateRefusal::Unauthorized,
        PrivateRefusal::Forbidden,
        PrivateRefusal::NotFound,
    ] {
        emulator.set(Settings {
            private_refusal_status: refusal,
            ..Settings::default()
        });
        let error = run(&stranger, "acme/private", json!({})).unwrap_err();
        assert!(
            error.message().contains("key fake-admin-") && error.message().contains("from FAL_KEY"),
            "{error}"
        );
        for part in ["acme/private is a private app", "keys of its owner only"] {
            assert!(
                error.remedy().contains(part),
                "{part:?} is not in: {}",
                error.remedy()
            );
        }
        assert_eq!(error.needed_scope(), None, "a scope would not help");
    }
    run(&stranger, "acme/shared", json!({})).unwrap();
}

/// The same access rules hold for runs, the queue and streams.
#[test]
fn every_way_to_a_private_or_public_app_is_open_or_shut_alike() {
    let emulator = Emulator::start().unwrap();
    let host = emulator.host();
    let owner = builder_with(&emulator, emulator.admin_key())
        .build()
        .unwrap();
    let api = client(&emulator);
    let nobody = Environment::from_variables([("FAL_EMULATOR_HOST", &host)]);
    let anonymous = fal::credentials::Options::new().anonymous(true);
    let nobody = crate::logged::builder()
        .credentials(anonymous)
        .environment(nobody)
        .build()
        .unwrap();
    let subscribe = |client: &Client, app: &str| {
        Op::finish(|| client.subscribe_start(Request::run(app)?)).map(|done| done.status())
    };
    let stream =
        |client: &Client, app: &str| Op::finish(|| client.stream_start(Request::run(app)?));

    assert_eq!(subscribe(&owner, "acme/private").unwrap(), 200);
    assert_eq!(subscribe(&nobody, "acme/public").unwrap(), 200);
    for error in [
        subscribe(&api, "acme/private").unwrap_err(),
        stream(&api, "acme/private").unwrap_err(),
    ] {
        assert_eq!(
            (error.code(), error.needed_scope()),
            (Code::Forbidden, None)
        );
        assert!(
            error
                .remedy()
                .contains("ADMIN always, one of scope API according to"),
            "{}",
            error.remedy()
        );
    }
    for error in [
        subscribe(&nobody, "acme/private").unwrap_err(),
        stream(&nobody, "acme/shared").unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::Unauthenticated);
        assert!(error.message().contains("carried no key"), "{error}");
    }
    emulator.set(Settings {
        api_key_may_call_private_apps: true,
        ..Settings::default()
    });
    assert_eq!(subscribe(&api, "acme/private").unwrap(), 200);
    let stranger = builder_with(
        &emulator,
        &emulator.create_key(fal_emulator::Scope::Api, "else"),
    )
    .build()
    .unwrap();
    let error = subscribe(&stranger, "acme/private").unwrap_err();
    assert!(
        error.code() == Code::Forbidden && error.remedy().contains("keys of its owner only"),
        "{error}"
    );
    assert_eq!(subscribe(&stranger, "acme/shared").unwrap(), 200);
    assert_eq!(subscribe(&stranger, "acme/public").unwrap(), 200);
}

#[test]
fn a_public_app_needs_no_key() {
    let emulator = Emulator::start().unwrap();
    let options = fal::credentials::Options::new().anonymous(true);
    let host = emulator.host();
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", host)]);
    let client = crate::logged::builder()
        .credentials(options)
        .environment(environment)
        .build()
        .unwrap();
    run(&client, "acme/public", json!({})).unwrap();
    assert!(emulator.arrivals()[0].authorization.is_none());
    let error = echo(&client).unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(error.message().contains("carried no key"), "{error}");
}

#[test]
fn a_bad_key_and_a_locked_account_are_told_apart() {
    let emulator = Emulator::start().unwrap();
    for text in [BadKeyText::Current, BadKeyText::Older] {
        emulator.set(Settings {
            bad_key_text: text,
            ..Settings::default()
        });
        let error = echo(
            &builder_with(&emulator, "fake-id:fake-secret-wrong")
                .build()
                .unwrap(),
        )
        .unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        assert!(error.message().contains("fake-id from FAL_KEY"), "{error}");
    }
    let reason = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing";
    let locked_accounts = [("acme".to_owned(), reason.to_owned())].into();
    emulator.set(Settings {
        locked_accounts,
        ..Settings::default()
    });
    let error = echo(&client(&emulator)).unwrap_err();
    assert_eq!(error.code(), Code::AccountLocked);
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn a_revoked_key_stops_at_once() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    echo(&client).unwrap();
    emulator.revoke_key(emulator.api_key().split_once(':').unwrap().0);
    assert_eq!(echo(&client).unwrap_err().code(), Code::Unauthenticated);
}

#[test]
fn every_failure_of_the_tables_keeps_its_type_status_and_text() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
    for (kind, status, code) in [
        ("internal_server_error", 500, Code::ServiceFailed),
        ("generation_timeout", 504, Code::ServiceUnavailable),
        ("downstream_service_error", 400, Code::ServiceFailed),
        ("downstream_service_unavailable", 500, Code::ServiceFailed),
        ("content_policy_violation", 422, Code::InvalidInput),
        ("image_too_large", 422, Code::InvalidInput),
        ("file_download_error", 422, Code::InvalidInput),
        ("one_of", 422, Code::InvalidInput),
        ("unsupported_video_format", 422, Code::InvalidInput),
        ("request_timeout", 504, Code::ServiceUnavailable),
        ("startup_timeout", 504, Code::ServiceUnavailable),
        ("runner_scheduling_failure", 503, Code::ServiceUnavailable),
        ("runner_disconnected", 503, Code::ServiceUnavailable),
        ("runner_incomplete_response", 502, Code::ServiceUnavailable),
        ("runner_server_error", 500, Code::ServiceFailed),
        ("client_disconnected", 499, Code::ServiceFailed),
        ("client_cancelled", 499, Code::ServiceFailed),
        ("bad_request", 400, Code::InvalidInput),
        ("internal_error", 500, Code::ServiceFailed),
    ] {
        let error = run(&client, &format!("emulator/fail/{kind}"), json!({})).unwrap_err();
        let got = (error.code(), error.http_status(), error.error_type());
        assert_eq!(got, (code, Some(status), Some(kind)), "{error}");
        assert!(error.request_id().is_some() && !error.body().is_empty());
    }
}

#[test]
fn a_wrong_input_names_the_field() {
    let emulator = Emulator::start().unwrap();
    let error = run(
        &client(&emulator),
        "fal-ai/flux/schnell",
        json!({"image_size": "huge"}),
    )
    .unwrap_err();
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::InvalidInput, Some(422))
    );
    assert!(error.message().contains("body.prompt"), "{error}");
    let detail: Value = serde_json::from_slice(error.body()).unwrap();
    assert!(detail["detail"].is_array());
}
