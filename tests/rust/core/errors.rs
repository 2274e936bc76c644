//! Every row of fal's tables of errors (docs/protocol.md §2.5, §12, §14.2), copied here and tested
//! against the emulator.

use super::*;
use fal::credentials::Options;
use fal::{Code, LockReason};
use fal_emulator::{AdminRefusal, BadKeyText, Fault, Settings};

/// What fal documents about a retry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Yes,
    No,
    /// "may be", "depends": retryable only if the response says so.
    Says,
}

/// §12.2: type, status, retryable, `ctx`.
#[rustfmt::skip]
const MODEL: [(&str, u16, Retry, &[&str]); 31] = [
    ("internal_server_error", 500, Retry::Says, &[]),
    ("generation_timeout", 504, Retry::Says, &[]),
    ("downstream_service_error", 400, Retry::Says, &[]),
    ("downstream_service_unavailable", 500, Retry::Says, &[]),
    ("content_policy_violation", 422, Retry::No, &[]),
    ("no_media_generated", 422, Retry::No, &[]),
    ("image_too_small", 422, Retry::No, &["min_height", "min_width"]),
    ("image_too_large", 422, Retry::No, &["max_height", "max_width"]),
    ("image_load_error", 422, Retry::No, &[]),
    ("file_download_error", 422, Retry::No, &[]),
    ("face_detection_error", 422, Retry::No, &[]),
    ("file_too_large", 422, Retry::No, &["max_size"]),
    ("greater_than", 422, Retry::No, &["gt"]),
    ("greater_than_equal", 422, Retry::No, &["ge"]),
    ("less_than", 422, Retry::No, &["lt"]),
    ("less_than_equal", 422, Retry::No, &["le"]),
    ("multiple_of", 422, Retry::No, &["multiple_of"]),
    ("sequence_too_short", 422, Retry::No, &["min_length"]),
    ("sequence_too_long", 422, Retry::No, &["max_length"]),
    ("one_of", 422, Retry::No, &["expected"]),
    ("feature_not_supported", 422, Retry::No, &[]),
    ("invalid_archive", 422, Retry::No, &["supported_extensions"]),
    ("archive_file_count_below_minimum", 422, Retry::No, &["min_count", "provided_count", "supported_extensions"]),
    ("archive_file_count_exceeds_maximum", 422, Retry::No, &["max_count", "provided_count", "supported_extensions"]),
    ("audio_duration_too_long", 422, Retry::No, &["max_duration", "provided_duration"]),
    ("audio_duration_too_short", 422, Retry::No, &["min_duration", "provided_duration"]),
    ("video_duration_too_long", 422, Retry::No, &["max_duration", "provided_duration"]),
    ("video_duration_too_short", 422, Retry::No, &["min_duration", "provided_duration"]),
    ("unsupported_audio_format", 422, Retry::No, &["supported_formats"]),
    ("unsupported_image_format", 422, Retry::No, &["supported_formats"]),
    ("unsupported_video_format", 422, Retry::No, &["supported_formats"]),
];

/// §12.3: type, status, whether a retry is useful, whether an app may have run (inferred from the
/// names).
#[rustfmt::skip]
const PLATFORM: [(&str, u16, Retry, bool); 13] = [
    ("request_timeout", 504, Retry::Yes, true),
    ("startup_timeout", 504, Retry::Yes, false),
    ("runner_scheduling_failure", 503, Retry::Yes, false),
    ("runner_connection_timeout", 503, Retry::Yes, false),
    ("runner_disconnected", 503, Retry::Yes, true),
    ("runner_connection_refused", 503, Retry::Yes, false),
    ("runner_connection_error", 503, Retry::Yes, true),
    ("runner_incomplete_response", 502, Retry::Yes, true),
    ("runner_server_error", 500, Retry::Says, true),
    ("client_disconnected", 499, Retry::No, true),
    ("client_cancelled", 499, Retry::No, true),
    ("bad_request", 400, Retry::No, false),
    ("internal_error", 500, Retry::Says, true),
];

/// §12.4, and further codes of HTTP.
fn code_of(status: u16) -> Code {
    match status {
        401 => Code::Unauthenticated,
        402 => Code::AccountLocked,
        403 | 451 => Code::Forbidden,
        404 | 410 => Code::NotFound,
        407 => Code::Connect,
        429 => Code::RateLimited,
        499 => Code::ServiceFailed,
        511 => Code::Protocol,
        408 | 502..=504 => Code::ServiceUnavailable,
        500..=599 => Code::ServiceFailed,
        _ => Code::InvalidInput,
    }
}

fn once(emulator: &Emulator) -> Client {
    builder(emulator).max_attempts(1).unwrap().build().unwrap()
}

fn faulty(emulator: &Emulator, client: &Client, fault: Fault) -> Error {
    emulator.clear_faults();
    emulator.inject(fault.always());
    let error = echo(client).unwrap_err();
    emulator.clear_faults();
    error
}

#[test]
fn every_model_error() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    let mut remedies = std::collections::BTreeSet::new();
    for (kind, status, retry, context) in MODEL {
        let input = json!({"image_url": "https://x", "prompt": "p"});
        let error = run(&client, &format!("emulator/fail/{kind}"), input).unwrap_err();
        let facts = (
            error.http_status(),
            error.error_type(),
            error.may_have_executed(),
        );
        assert_eq!(facts, (Some(status), Some(kind), false), "{error}");
        let code = if kind == "downstream_service_error" {
            Code::ServiceFailed
        } else {
            code_of(status)
        };
        assert_eq!(error.code(), code, "{error}");
        let header = error.header("x-fal-retryable") == Some("true");
        assert_eq!(
            (error.is_retryable(), header),
            (header, retry == Retry::Says),
            "{error}"
        );
        let [field] = error.fields() else {
            panic!("{kind}: {:?}", error.fields())
        };
        assert_eq!(field.error_type(), Some(kind));
        assert_eq!(
            field.url(),
            Some(format!("https://docs.fal.ai/errors/#{kind}").as_str())
        );
        assert!(field.path().starts_with("body") && field.location()[0] == "body");
        assert!(error.message().contains(&field.to_string()), "{error}");
        let members = field
            .context()
            .and_then(Value::as_object)
            .map(|context| context.keys().cloned().collect::<Vec<_>>());
        assert_eq!(members.unwrap_or_default(), context, "{kind}");
        for member in context {
            let limit = format!("{member} {}", field.context().unwrap()[member]);
            assert!(
                error.remedy().contains(&limit),
                "{kind}: {}",
                error.remedy()
            );
        }
        remedies.insert(error.remedy().split(" (").next().unwrap().to_owned());
    }
    assert!(
        remedies.len() > 15 && !remedies.contains(Code::InvalidInput.remedy()),
        "{remedies:#?}"
    );
}

/// Validators repeat the input that they reject, which may be a picture.
#[test]
fn an_error_that_repeats_a_large_input_says_what_is_wrong() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    let picture = format!("data:image/png;base64,{}", "A".repeat(3 << 20));
    let entry = json!({"loc": ["body", "image_url"], "msg": "Image too large", "type": "image_too_large", "input": picture});
    let error = run(
        &client,
        "emulator/fail",
        json!({"status": 422, "body": {"detail": [entry]}}),
    )
    .unwrap_err();
    let [field] = error.fields() else {
        panic!("{error}")
    };
    assert_eq!(
        (field.path(), field.input().and_then(Value::as_str)),
        ("body.image_url", Some(picture.as_str()))
    );
    assert_eq!(error.error_type(), Some("image_too_large"));
    assert!(
        error.message().len() < 1000 && error.message().contains("Image too large"),
        "{error}"
    );
}

#[test]
fn every_platform_failure_by_body_and_by_header() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
    for (kind, status, retry, ran) in PLATFORM {
        let by_header = Fault::status(status)
            .body(json!({"detail": "x"}))
            .header("x-fal-error-type", kind);
        for fault in [None, Some(by_header)] {
            emulator.clear_faults();
            emulator.clear_arrivals();
            fault
                .into_iter()
                .for_each(|fault| emulator.inject(fault.always()));
            let error = run(&client, &format!("emulator/fail/{kind}"), json!({})).unwrap_err();
            let facts = (error.code(), error.http_status(), error.error_type());
            assert_eq!(
                facts,
                (code_of(status), Some(status), Some(kind)),
                "{error}"
            );
            assert_eq!(
                (error.is_retryable(), error.may_have_executed()),
                (retry == Retry::Yes, ran),
                "{error}"
            );
            let sent_again = retry == Retry::Yes && !ran;
            assert_eq!(
                emulator.arrivals().len(),
                if sent_again { 2 } else { 1 },
                "{kind}"
            );
            assert!(!error.remedy().is_empty() && error.fields().is_empty());
        }
    }
}

#[test]
fn every_status_with_and_without_fals_request_id() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for status in (400..=451).chain([499]).chain(500..=511).chain([520, 599]) {
        let with = faulty(
            &emulator,
            &client,
            Fault::status(status).body(json!({"detail": "x"})),
        );
        assert_eq!(
            (with.code(), with.http_status()),
            (code_of(status), Some(status)),
            "{with}"
        );
        assert_eq!(
            with.is_retryable(),
            matches!(status, 408 | 429 | 502..=504 | 520..=524),
            "{with}"
        );
        assert_eq!(
            with.may_have_executed(),
            matches!(status, 401 | 408 | 499 | 502 | 504 | 520..=524),
            "{with}"
        );
        let without = faulty(
            &emulator,
            &client,
            Fault::status(status)
                .body(json!({"detail": "x"}))
                .without_request_id(),
        );
        assert_eq!(without.code(), code_of(status), "{without}");
        // Without fal's id it is unknown who sent these statuses.
        let unknown = matches!(status, 401 | 408 | 429 | 499) || (status >= 500 && status != 511);
        assert_eq!(without.may_have_executed(), unknown, "{without}");
        assert_eq!(
            without.message().contains("in front of fal's gateway"),
            status >= 500,
            "{without}"
        );
    }
}

/// For these statuses the error type does not change the code.
#[test]
fn a_refusal_keeps_its_code_whatever_its_type() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for status in [401, 403, 429] {
        for body in [
            json!({"detail": "x", "error_type": "internal_error"}),
            json!({"detail": [{"loc": ["body"], "msg": "x", "type": "image_too_large"}]}),
            json!({"error": {"type": "not_found", "message": "x"}}),
        ] {
            let error = faulty(&emulator, &client, Fault::status(status).body(body.clone()));
            assert_eq!(
                (error.code(), error.http_status()),
                (code_of(status), Some(status)),
                "{body}: {error}"
            );
            assert!(error.error_type().is_some(), "{body}: {error}");
            // A type that names another failure contradicts the status.
            assert!(
                status == 403 || error.may_have_executed(),
                "{body}: {error}"
            );
        }
    }
}

#[test]
fn every_error_of_the_framework() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for (kind, status, remedy) in [
        ("app_error", 400, "Correct the input"),
        ("field_error", 422, "Correct the input"),
        ("gpu_failure", 503, "Try again later"),
        ("uncaught_exception", 500, "an unhandled error"),
    ] {
        let error = run(&client, "emulator/fail", json!({"framework": kind})).unwrap_err();
        assert_eq!(
            (error.code(), error.http_status()),
            (code_of(status), Some(status)),
            "{error}"
        );
        assert!(
            error.remedy().contains(remedy),
            "{kind}: {}",
            error.remedy()
        );
        assert_eq!(
            error.remedy().contains("lists each field"),
            !error.fields().is_empty(),
            "{kind}"
        );
        assert!(!error.may_have_executed(), "{error}");
    }
    let field = run(
        &client,
        "emulator/fail",
        json!({"framework": "field_error"}),
    )
    .unwrap_err();
    assert_eq!(
        (field.fields()[0].path(), field.fields()[0].error_type()),
        ("body.prompt", Some("value_error"))
    );
    let input = run(
        &client,
        "fal-ai/flux/schnell",
        json!({"image_size": "huge"}),
    )
    .unwrap_err();
    assert!(
        input
            .fields()
            .iter()
            .any(|field| field.path() == "body.prompt"),
        "{:?}",
        input.fields()
    );
    let path = run(&client, "emulator/slow/nowhere", json!({})).unwrap_err();
    assert_eq!(path.code(), Code::NotFound);
    assert!(
        path.remedy().contains("not this path") && !path.remedy().contains("private"),
        "{}",
        path.remedy()
    );
}

/// A message of the service may end with any punctuation, and libfal's sentence follows it.
#[test]
fn a_sentence_that_goes_on_is_well_punctuated() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for text in [
        "It broke",
        "It broke.",
        "It broke:",
        "It broke;",
        "It broke. ",
        "It broke .\n",
        ".",
        ":",
        "",
    ] {
        let entry = json!({"loc": ["body", "prompt"], "msg": text, "type": "value_error"});
        let faults =
            [401, 403, 404].map(|status| Fault::status(status).body(json!({"detail": text})));
        let fields = Fault::status(422).body(json!({"detail": [entry.clone(), entry]}));
        let typed = Fault::status(401).body(json!({"detail": text, "error_type": "unauthorized"}));
        let plain = Fault::status(401).body(text);
        for fault in faults.into_iter().chain([fields, typed, plain]) {
            let error = faulty(&emulator, &client, fault);
            let message = error.message();
            let wrong = [
                ".;", ":;", ";;", " ;", ":.", ". (", ": (", "; (", " .", ": ;", ", ;",
            ];
            assert!(
                !wrong.iter().any(|wrong| message.contains(wrong)),
                "{text:?}: {message}"
            );
            assert!(
                !message.ends_with([':', ';', ',', ' ', '.']),
                "{text:?}: {message}"
            );
            assert!(
                error.http_status() == Some(422) || message.contains("; the request carried key "),
                "{message}"
            );
        }
    }
}

#[test]
fn every_refusal_of_a_key_and_every_text_of_it() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for (text, remedy) in [
        (
            "invalid key credentials",
            "Check at https://fal.ai/dashboard/keys that the key exists",
        ),
        (
            "No user found for Key ID and Secret",
            "Check at https://fal.ai/dashboard/keys that the key exists",
        ),
        (
            "No user found for Key ID and Secret",
            "may not have linked it to the account yet",
        ),
        (
            "No user found for Key ID and Secret",
            "support@fal.ai with the request id",
        ),
        (
            "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
            "has the form id:secret",
        ),
        ("bearer: unable to decode issuer", "Pass the key as a key"),
        (
            "Cannot access application \"emulator/echo\" and whatever follows",
            "private app",
        ),
        ("Authorization header is required", "private app"),
    ] {
        let error = faulty(
            &emulator,
            &client,
            Fault::status(401).body(json!({"detail": text})),
        );
        assert_eq!(error.code(), Code::Unauthenticated, "{error}");
        let told = text.trim_end_matches('.');
        assert!(
            error.message().contains(told) && error.message().contains("from FAL_KEY"),
            "{error}"
        );
        assert!(
            error.remedy().contains(remedy),
            "{text}: {}",
            error.remedy()
        );
    }
    for text in [BadKeyText::Current, BadKeyText::Older] {
        emulator.set(Settings {
            bad_key_text: text,
            ..Settings::default()
        });
        let wrong = builder_with(&emulator, "fake-id:fake-secret-wrong")
            .build()
            .unwrap();
        assert_eq!(echo(&wrong).unwrap_err().code(), Code::Unauthenticated);
    }
    let host = emulator.host();
    let keyless = crate::logged::builder()
        .environment(Environment::from_variables([("FAL_EMULATOR_HOST", &host)]));
    let keyless = keyless
        .credentials(Options::new().anonymous(true))
        .build()
        .unwrap();
    for url in ["https://rest.fal.ai/tokens/", "/v1/keys"] {
        let error = send(
            &keyless,
            if url.starts_with('/') { "GET" } else { "POST" },
            url,
        )
        .unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{error}");
        assert!(
            error.message().contains("carried no key") && error.remedy().contains("Set FAL_KEY"),
            "{error}"
        );
    }
    let error = echo(&keyless).unwrap_err();
    assert!(error.remedy().contains("Set FAL_KEY"), "{}", error.remedy());
    let error = run(&client, "fal-ai/no-such-model", json!({})).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    // A key without a colon is rejected locally, without a request.
    emulator.clear_arrivals();
    let malformed = builder_with(&emulator, "fake-no-colon").build().unwrap();
    assert_eq!(
        echo(&malformed).unwrap_err().code(),
        Code::MalformedCredentials
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn every_reason_of_a_locked_account() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for (text, reason, remedy) in [
        (
            "Exhausted balance. Top up your balance at fal.ai/dashboard/billing",
            LockReason::Balance,
            "dashboard/billing",
        ),
        (
            "Please add a payment method at fal.ai/dashboard/billing",
            LockReason::PaymentMethod,
            "dashboard/billing",
        ),
        (
            "User budget is exceeded. Adjust it at fal.ai/dashboard/billing",
            LockReason::Budget,
            "dashboard/billing",
        ),
        ("TOP_UP.", LockReason::Balance, "Top up the balance"),
        (
            "Exhausted balance. Top up.",
            LockReason::Balance,
            "If the balance is positive, the lock was not lifted: write to support@fal.ai",
        ),
        (
            "Admin lock. Please contact hello@fal.ai.",
            LockReason::Admin,
            "support@fal.ai",
        ),
        (
            "This account has been archived. Please contact hello@fal.ai.",
            LockReason::Archived,
            "support@fal.ai",
        ),
        (
            "This account has been archived. Please contact support@fal.ai.",
            LockReason::Archived,
            "support@fal.ai",
        ),
        (
            "Unknown. Please contact hello@fal.ai.",
            LockReason::Unknown,
            "dashboard/billing",
        ),
    ] {
        let locked_accounts = [("acme".to_owned(), text.to_owned())].into();
        emulator.set(Settings {
            locked_accounts,
            ..Settings::default()
        });
        let error = echo(&client).unwrap_err();
        assert_eq!(
            (error.code(), error.lock_reason()),
            (Code::AccountLocked, Some(reason)),
            "{error}"
        );
        assert!(
            error.message().contains(text.trim_end_matches('.')),
            "{error}"
        );
        assert!(error.remedy().contains(remedy), "{}", error.remedy());
        assert!(!error.is_retryable() && !error.may_have_executed());
    }
    emulator.set(Settings::default());
    let wrong = builder_with(&emulator, "fake-id:fake-secret-wrong")
        .build()
        .unwrap();
    assert_eq!(echo(&wrong).unwrap_err().lock_reason(), None);
}

#[test]
fn every_error_of_the_platform_api() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    for (status, kind, message) in [
        (400, "validation_error", "Invalid request parameters"),
        (409, "validation_error", "Invalid request parameters"),
        (422, "validation_error", "Invalid request parameters"),
        (401, "authorization_error", "Authentication required"),
        (
            401,
            "authorization_error",
            "API key authentication required",
        ),
        (403, "authorization_error", "Access denied"),
        (404, "not_found", "Resource not found"),
        (429, "rate_limited", "Rate limit exceeded"),
        (500, "server_error", "An unexpected error occurred"),
        (502, "server_error", "Upstream asset service failed"),
        (501, "not_implemented", "Not implemented"),
        (400, "not_implemented", "Not implemented"),
    ] {
        let body = json!({"error": {"type": kind, "message": message, "request_id": "r-9"}});
        emulator.clear_faults();
        emulator.inject(
            Fault::status(status)
                .body(body)
                .without_request_id()
                .always(),
        );
        let error = send(&client, "GET", "/v1/models").unwrap_err();
        let code = if kind == "not_implemented" {
            Code::ServiceFailed
        } else {
            code_of(status)
        };
        assert_eq!(
            (error.code(), error.error_type()),
            (code, Some(kind)),
            "{error}"
        );
        assert_eq!(
            (error.http_status(), error.request_id()),
            (Some(status), Some("r-9"))
        );
        assert!(
            error.message().contains(message) && !error.remedy().is_empty(),
            "{error}"
        );
        assert_eq!(error.is_retryable(), matches!(status, 429 | 502), "{error}");
        assert!(!error.may_have_executed(), "a GET does no harm");
    }
    for status in [AdminRefusal::Forbidden, AdminRefusal::Unauthorized] {
        emulator.clear_faults();
        emulator.set(Settings {
            admin_refusal_status: status,
            ..Settings::default()
        });
        let error = send(&client, "GET", "/v1/keys").unwrap_err();
        assert!(
            error.needed_scope().is_some() && error.remedy().contains("ADMIN"),
            "{error}"
        );
    }
}

/// Every operation reports a locked account in the same way.
#[test]
fn a_locked_account_is_no_wrong_key_and_no_wrong_input() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    let job = || client.submit_start(Request::run("emulator/job").unwrap());
    type Start<'a> = (&'a str, Box<dyn Fn() -> Result<Response, Error> + 'a>);
    let operations: [Start<'_>; 7] = [
        ("run", Box::new(|| echo(&client))),
        ("submit", Box::new(|| Op::finish(job))),
        (
            "stream",
            Box::new(|| {
                Op::finish(|| client.stream_start(Request::run("emulator/stream").unwrap()))
            }),
        ),
        (
            "token",
            Box::new(|| {
                Op::finish(|| client.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))
            }),
        ),
        (
            "platform",
            Box::new(|| Op::finish(|| client.platform_start("models.list", json!({})))),
        ),
        (
            "upload",
            Box::new(|| Op::finish(|| client.upload_start(fal::Upload::bytes(&b"x"[..])))),
        ),
        (
            "send",
            Box::new(|| send(&client, "POST", "https://rest.fal.ai/tokens/")),
        ),
    ];
    for (status, text) in [
        (
            403,
            "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing",
        ),
        (403, "User is locked. Reason: TOP_UP."),
        (402, "Payment required"),
        (402, ""),
    ] {
        for (name, operation) in &operations {
            emulator.clear_faults();
            emulator.inject(Fault::status(status).body(json!({"detail": text})).always());
            let error = operation().unwrap_err();
            let facts = (
                error.code(),
                error.lock_reason(),
                error.may_have_executed(),
                error.is_retryable(),
            );
            assert_eq!(
                facts,
                (Code::AccountLocked, Some(LockReason::Balance), false, false),
                "{name}: {error}"
            );
            let remedy = error.remedy();
            assert!(
                remedy.contains("Top up") && remedy.contains("key is good"),
                "{name}: {remedy}"
            );
            assert!(
                !remedy.contains("hello@fal.ai") && error.request_id().is_some(),
                "{name}: {remedy}"
            );
        }
    }
}

/// fal's edge, or a firewall on the way, refuses a region, a VPN or a data centre.
#[test]
fn a_refusal_in_front_of_fal_does_not_blame_the_key() {
    let emulator = Emulator::start().unwrap();
    let client = once(&emulator);
    let cloudflare = "<!DOCTYPE html><html><head><title>Access denied | fal.run used Cloudflare to restrict access</title></head></html>";
    for status in [403, 451] {
        for body in [
            cloudflare,
            "<html><title>403 Forbidden</title><hr>nginx</html>",
            "error code: 1009",
            "",
        ] {
            emulator.clear_faults();
            let fault = Fault::status(status)
                .body(json!(body))
                .without_request_id()
                .header("server", "cloudflare");
            emulator.inject(fault.always());
            for error in [
                echo(&client).unwrap_err(),
                send(&client, "GET", "/v1/models").unwrap_err(),
            ] {
                assert!(
                    matches!(error.code(), Code::Forbidden | Code::Protocol),
                    "{error}"
                );
                let remedy = error.remedy();
                assert!(
                    remedy.starts_with("Something in front of fal refused this machine"),
                    "{status} {body}: {remedy}"
                );
                assert!(
                    !remedy.contains("dashboard") && remedy.contains("not checked"),
                    "{remedy}"
                );
                assert!(
                    !error.may_have_executed() && !error.is_retryable(),
                    "{error}"
                );
            }
        }
        // With fal's request id the response is known to be fal's.
        let error = faulty(
            &emulator,
            &client,
            Fault::status(status).body(json!("error code: 1009")),
        );
        assert!(
            error.remedy().contains("dashboard/keys"),
            "{}",
            error.remedy()
        );
    }
}
