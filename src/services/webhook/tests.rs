//! The vectors of docs/protocol.md §10.4, and everything that is nearly right.

use std::time::Duration;

use super::*;
use crate::error::{Code, Error};

struct Vector {
    jwk: &'static str,
    headers: [&'static str; 4],
    body: &'static str,
}

const VECTORS: [Vector; 2] = [
    Vector {
        jwk: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        headers: [
            "11111111-2222-4333-8444-555555555555",
            "acct|42",
            "1700000000",
            "1e46de787f478d1a5fd7b0fe55ad85560bd81c3656a8f9974927373939863dd0\
             b3d497f53667334baeed45fc6456592665be47532ca07badaae6b4c8b00f200d",
        ],
        body: r#"{"request_id":"11111111-2222-4333-8444-555555555555","gateway_request_id":"11111111-2222-4333-8444-555555555555","status":"OK","payload":{"ok":true}}"#,
    },
    Vector {
        jwk: "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw=",
        headers: [
            "r-2",
            "u-2",
            "1700000300",
            "b636702b372c10548af428c61b01e69c5c2a04671dc07c3b61cc446c8d34d923\
             8975e2bcccf5a0befebaac059885ad1218f950f5c381c96b157bfdd83525d103",
        ],
        body: "",
    },
];

fn webhook(headers: [&str; 4], body: &[u8]) -> Webhook {
    let mut webhook = Webhook::new(Bytes::copy_from_slice(body));
    HEADERS
        .iter()
        .zip(headers)
        .for_each(|(name, value)| webhook.set_header(name.as_str(), value));
    webhook
}

fn keys() -> KeySet {
    let jwks = |x: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let text = format!(
        r#"{{"keys":[{},{}]}}"#,
        jwks(VECTORS[0].jwk),
        jwks(VECTORS[1].jwk)
    );
    KeySet::from_jwks(text.as_bytes()).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Why it is refused.
fn refusal(headers: [&str; 4], body: &[u8], now: SystemTime) -> String {
    let error = webhook(headers, body).verify(&keys(), now).unwrap_err();
    assert_eq!(error.code(), Code::WebhookInvalid);
    error.message().to_owned()
}

#[test]
fn both_vectors_are_valid() {
    for vector in &VECTORS {
        let verified = webhook(vector.headers, vector.body.as_bytes())
            .verify(&keys(), at(1_700_000_100))
            .unwrap();
        assert_eq!(verified.body(), vector.body.as_bytes());
        assert_eq!(
            verified.header("X-Fal-Webhook-Request-Id"),
            Some(vector.headers[0])
        );
    }
    let delivery = webhook(VECTORS[0].headers, VECTORS[0].body.as_bytes())
        .verify(&keys(), at(1_700_000_000))
        .unwrap();
    let delivery = Delivery::of(&delivery).unwrap();
    assert_eq!(
        (delivery.request_id.as_str(), delivery.status),
        (VECTORS[0].headers[0], Status::Ok)
    );
    assert_eq!(delivery.payload["ok"], true);
}

#[test]
fn a_change_of_any_byte_is_refused() {
    for vector in &VECTORS {
        let now = at(vector.headers[2].parse().unwrap());
        for place in 0..vector.body.len() {
            for bit in [1, 0x80] {
                let mut body = vector.body.as_bytes().to_vec();
                body[place] ^= bit;
                refusal(vector.headers, &body, now);
            }
        }
        refusal(vector.headers, format!("{} ", vector.body).as_bytes(), now);
        for (header, value) in vector.headers.iter().enumerate() {
            for place in 0..value.len() {
                let mut changed = value.as_bytes().to_vec();
                // A change of the last digits of the time keeps it within the window: the signature
                // has to notice.
                changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
                let changed = String::from_utf8(changed).unwrap();
                let mut headers = vector.headers;
                headers[header] = &changed;
                refusal(headers, vector.body.as_bytes(), now);
            }
        }
    }
}

/// What most frameworks hand over: the same JSON, with other bytes.
#[test]
fn a_body_that_was_written_anew_is_said_to_differ() {
    let vector = &VECTORS[0];
    let json: serde_json::Value = serde_json::from_str(vector.body).unwrap();
    let sorted: std::collections::BTreeMap<_, _> = json.as_object().unwrap().iter().collect();
    let anew = [
        serde_json::to_string_pretty(&json).unwrap(),
        serde_json::to_string(&sorted).unwrap(),
        vector.body.replace(':', ": ").replace(',', ", "),
        format!("{}\n", vector.body),
        format!("\u{feff}{}", vector.body),
    ];
    for body in anew {
        let error = webhook(vector.headers, body.as_bytes())
            .verify(&keys(), at(1_700_000_000))
            .unwrap_err();
        assert!(
            error
                .message()
                .contains("its body differs from what fal signed"),
            "{error}"
        );
        assert!(
            error.remedy().contains("raw body, byte for byte"),
            "{}",
            error.remedy()
        );
    }
    // What is not fresh, or no signature, is not about the body.
    let [id, user, time, signature] = vector.headers;
    for (headers, now) in [
        ([id, user, time, signature], 1_800_000_000),
        ([id, user, time, "00"], 1_700_000_000),
    ] {
        assert!(!refusal(headers, b"{}", at(now)).contains("body"));
    }
}

#[test]
fn every_bit_of_the_signature_counts() {
    let vector = &VECTORS[0];
    for digit in 0..128 {
        for bit in [1, 2, 4, 8] {
            let mut digits: Vec<u8> = vector.headers[3].bytes().collect();
            let value = char::from(digits[digit]).to_digit(16).unwrap() ^ bit;
            digits[digit] = char::from_digit(value, 16).unwrap() as u8;
            let changed = String::from_utf8(digits).unwrap();
            let [id, user, time, _] = vector.headers;
            refusal(
                [id, user, time, &changed],
                vector.body.as_bytes(),
                at(1_700_000_000),
            );
        }
    }
}

#[test]
fn a_replay_outside_the_window_is_refused() {
    let vector = &VECTORS[0];
    let try_at = |now| webhook(vector.headers, vector.body.as_bytes()).verify(&keys(), now);
    for inside in [at(1_700_000_300), at(1_699_999_700)] {
        try_at(inside).unwrap();
    }
    for (outside, why) in [
        (at(1_700_000_301), "301 seconds old"),
        (at(1_699_999_699), "301 seconds ahead"),
        (
            at(1_700_000_300) + Duration::from_millis(1),
            "300 seconds old",
        ),
        (at(0), "ahead"),
        (at(4_000_000_000), "old"),
    ] {
        let error = try_at(outside).unwrap_err();
        assert_eq!(error.code(), Code::WebhookInvalid);
        assert!(
            error.message().contains(why) && error.remedy().contains("clock"),
            "{error}"
        );
    }
    // Before 1970 there is no Unix time to compare with.
    try_at(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).unwrap_err();
}

#[test]
fn the_refusal_says_which_check_failed() {
    let vector = &VECTORS[0];
    let (body, now) = (vector.body.as_bytes(), at(1_700_000_000));
    for (place, name) in HEADERS.iter().enumerate() {
        let mut headers = vector.headers;
        headers[place] = " ";
        assert!(refusal(headers, body, now).contains(&format!("{name} is missing")));
        headers[place] = "a\nb";
        assert!(refusal(headers, body, now).contains(&format!("{name} has a control character")));
        let mut doubled = webhook(vector.headers, body);
        doubled.set_header(name.as_str(), vector.headers[place]);
        assert!(
            doubled
                .verify(&keys(), now)
                .unwrap_err()
                .message()
                .contains("more than once")
        );
    }
    assert_eq!(
        Webhook::new(Bytes::new())
            .verify(&keys(), now)
            .unwrap_err()
            .code(),
        Code::WebhookInvalid
    );
    let [id, user, time, signature] = vector.headers;
    for time in [
        "",
        "1700000000.0",
        "+1700000000",
        "-1",
        "1.7e9",
        "0x65537d00",
        "１７",
        "1700000000000",
        "99999999999999999999999",
    ] {
        refusal([id, user, time, signature], body, now);
    }
    for bad in [
        &signature[1..],
        &format!("{signature}0"),
        &format!("{signature}00"),
        &"g".repeat(128),
        &"é".repeat(64),
    ] {
        assert!(refusal([id, user, time, bad], body, now).contains("is not a signature"));
    }
    let other = webhook(vector.headers, body)
        .verify(&KeySet::from_public_keys([[1; 32]]), now)
        .unwrap_err();
    assert!(
        other.message().contains("no key of fal's") && other.remedy().contains("raw body"),
        "{other}"
    );
    webhook(vector.headers, body)
        .verify(&KeySet::from_public_keys([]), now)
        .unwrap_err();
}

#[test]
fn names_digits_and_blanks_have_no_one_form() {
    let vector = &VECTORS[0];
    let mut webhook = Webhook::new(vector.body.into());
    webhook.set_header("Content-Type", "application/json");
    for (name, value) in HEADERS.iter().zip(vector.headers) {
        let value = if *name == SIGNATURE {
            value.to_ascii_uppercase()
        } else {
            value.to_owned()
        };
        webhook.set_header(&name.as_str().to_ascii_uppercase(), &format!(" {value}\t"));
    }
    webhook.verify(&keys(), at(1_700_000_000)).unwrap();
}

#[test]
fn a_key_set_may_be_padded_or_not_and_hold_other_keys() {
    let x = VECTORS[0].jwk;
    let read = |entries: &str| KeySet::from_jwks(format!(r#"{{"keys":[{entries}]}}"#).as_bytes());
    let padded = read(&format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#)).unwrap();
    let bare = x.trim_end_matches('=');
    let others = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{x}"}},{{"kty":"OKP","crv":"X25519","x":"{x}"}},7,null,{{}},
           {{"kty":"OKP","crv":"Ed25519","x":"AAAA"}},{{"kty":"OKP","crv":"Ed25519","x":"+/!"}},
           {{"kty":"OKP","crv":"Ed25519","x":"{bare}","use":"sig","kid":"a","alg":"EdDSA"}}"#
    );
    assert_eq!(read(&others).unwrap(), padded);
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519"}]}"#,
        "\u{0}",
    ] {
        assert_eq!(
            KeySet::from_jwks(bad.as_bytes()).unwrap_err().code(),
            Code::InvalidArgument,
            "{bad}"
        );
    }
}

#[test]
fn a_delivery_is_read_in_every_documented_form() {
    let read = |body: &str| {
        Delivery::of(&Response::new(
            200,
            HeaderMap::new(),
            body.to_owned().into(),
        ))
    };
    let failed = read(
        r#"{"request_id":"r","gateway_request_id":"g","status":"ERROR","error":"Invalid status code: 422",
            "payload":{"detail":[{"loc":["body","prompt"],"msg":"field required","type":"value_error.missing"}]}}"#,
    )
    .unwrap();
    assert_eq!(
        (failed.status, failed.error.as_deref()),
        (Status::Error, Some("Invalid status code: 422"))
    );
    assert_eq!(failed.gateway_request_id.as_deref(), Some("g"));
    // A payload that is no JSON is known with either status (§16.35).
    for (status, expected) in [("OK", Status::Ok), ("ERROR", Status::Error)] {
        let text = format!(
            r#"{{"request_id":"r","status":"{status}","payload":null,"payload_error":"not JSON"}}"#
        );
        let delivery = read(&text).unwrap();
        assert_eq!(
            (delivery.status, delivery.payload_error.as_deref()),
            (expected, Some("not JSON"))
        );
        assert!(delivery.payload.is_null());
    }
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"request_id":"r","status":"DONE"}"#,
        r#"{"status":"OK"}"#,
    ] {
        assert_eq!(read(bad).unwrap_err().code(), Code::Protocol, "{bad}");
    }
}

/// An endpoint whose path is wrong, as fal is known to tell of it; and other failures.
#[test]
fn a_delivery_of_a_failure_is_an_error_like_that_of_its_result() {
    let read = |body: serde_json::Value| {
        Delivery::of(&Response::new(
            200,
            HeaderMap::new(),
            body.to_string().into(),
        ))
        .unwrap()
    };
    let failed = read(serde_json::json!({
        "request_id": "r", "gateway_request_id": "g", "status": "ERROR", "error": "Invalid status code: 404", "payload": null,
        "payload_error": "Response payload is not JSON serializable. Either return a JSON serializable object or use the queue \
                          endpoint to retrieve the response.",
    }));
    assert_eq!(
        (failed.status, failed.http_status, &failed.payload),
        (Status::Error, Some(404), &serde_json::Value::Null)
    );
    let error = failed.failure().unwrap();
    assert_eq!(
        (error.code(), error.http_status(), error.request_id()),
        (Code::NotFound, Some(404), Some("r")),
        "{error}"
    );
    assert!(
        error.message().contains("Invalid status code: 404") && error.body().is_empty(),
        "{error}"
    );
    assert!(
        error
            .remedy()
            .contains("Check the endpoint id and the path"),
        "{}",
        error.remedy()
    );
    assert!(!error.may_have_executed() && !error.is_retryable());

    let failed = |error: &str, payload: serde_json::Value| {
        read(
            serde_json::json!({"request_id": "r", "status": "ERROR", "error": error, "payload": payload}),
        )
    };
    let detail = serde_json::json!({"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing"}]});
    let error = failed("Invalid status code: 422", detail.clone())
        .failure()
        .unwrap();
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::InvalidInput, Some(422)),
        "{error}"
    );
    assert_eq!(
        (error.error_type(), error.fields()[0].path()),
        (Some("value_error.missing"), "body.prompt"),
        "{error}"
    );
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(error.body()).unwrap(),
        detail
    );
    let error = failed(
        "Invalid status code: 404",
        serde_json::json!({"detail": "Path /x not found"}),
    )
    .failure()
    .unwrap();
    assert!(
        error.message().contains("Path /x not found")
            && error.remedy().contains("not this path of it"),
        "{error}"
    );
    let error = failed(
        "Invalid status code: 500",
        serde_json::json!({"detail": "broke"}),
    )
    .failure()
    .unwrap();
    assert_eq!(error.message(), "fal answered 500: broke");
    for (text, payload) in [
        ("Runner lost", serde_json::json!(null)),
        ("Runner lost", serde_json::json!({"detail": "x"})),
    ] {
        let delivery = failed(text, payload);
        let error = delivery.failure().unwrap();
        assert_eq!(
            (delivery.http_status, error.code(), error.http_status()),
            (None, Code::ServiceFailed, None),
            "{error}"
        );
        assert!(
            error.message().contains("the job failed: Runner lost"),
            "{error}"
        );
    }
    for odd in [
        "Invalid status code: ",
        "Invalid status code: 99999",
        "Invalid status code: 200",
        "Invalid status code: -1",
    ] {
        assert_eq!(
            failed(odd, serde_json::json!(null)).http_status,
            None,
            "{odd}"
        );
    }
    let kept = serde_json::json!({"request_id": "r", "status": "OK", "payload": null, "payload_error": "not JSON"});
    assert!(
        read(kept).failure().is_none(),
        "the queue still has the result"
    );
}

/// A client of an emulator that publishes keys, and a sender whose deliveries one of them verifies.
mod fetched {
    use super::*;
    use crate::credentials::Environment;
    use base64::Engine;
    use fal_emulator::{Emulator, Fault};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use std::sync::Arc;

    /// Long enough for anything that happens at all.
    const PATIENCE: Duration = Duration::from_secs(20);
    const HOUR: Duration = Duration::from_secs(3600);

    struct Scene {
        emulator: Emulator,
        client: Client,
        cache: Arc<Cache>,
    }

    impl Scene {
        /// Whose operations may take `timeout`.
        fn new(cache: Cache, timeout: Duration) -> Self {
            let emulator = Emulator::start().unwrap();
            let environment = Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
            let client = Client::builder()
                .environment(environment)
                .timeout(timeout)
                .build()
                .unwrap();
            Scene {
                emulator,
                client,
                cache: Arc::new(cache),
            }
        }

        fn publish(&self, fault: impl FnOnce(Fault) -> Fault) {
            self.emulator.clear_faults();
            let x =
                base64::engine::general_purpose::URL_SAFE.encode(sender().public_key().as_ref());
            self.publish_key(&x, fault);
        }

        fn publish_key(&self, x: &str, fault: impl FnOnce(Fault) -> Fault) {
            self.emulator.clear_faults();
            let keys = serde_json::json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]});
            self.emulator.inject(
                fault(Fault::status(200).path("/.well-known/jwks.json").body(keys)).always(),
            );
        }

        fn hang(&self) {
            self.publish(|fault| fault.delayed(HOUR));
        }

        fn start(&self, webhook: Webhook) -> Op {
            let cache = self.cache.clone();
            let work = |exchange| async move { with_fals_keys(&exchange, &cache, &webhook).await };
            self.client.start_exchange(work).unwrap()
        }

        fn verify(&self, webhook: Webhook) -> Result<Response> {
            let op = self.start(webhook);
            assert!(op.wait(Some(PATIENCE)).unwrap());
            op.take().unwrap()
        }
    }

    fn sender() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn delivery() -> Webhook {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            .to_string();
        let message = format!("r\nu\n{now}\n{}", hex(digest(&SHA256, b"{}").as_ref()));
        webhook(
            [
                "r",
                "u",
                &now,
                &hex(sender().sign(message.as_bytes()).as_ref()),
            ],
            b"{}",
        )
    }

    /// Well-formed and fresh, and signed by nobody.
    fn forged() -> Webhook {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            .to_string();
        webhook(["r", "u", &now, &"0".repeat(128)], b"{}")
    }

    /// Keys that fal has replaced since they were fetched.
    #[test]
    fn a_new_key_of_fals_is_found() {
        for (interval, found, requests) in [(Duration::ZERO, true, 3), (HOUR, false, 1)] {
            let scene = Scene::new(Cache::with_times(interval, PATIENCE), PATIENCE);
            scene.publish_key(VECTORS[0].jwk, |fault| fault);
            assert_eq!(
                scene.verify(delivery()).unwrap_err().code(),
                Code::WebhookInvalid
            );
            scene.publish(|fault| fault);
            assert_eq!(scene.verify(delivery()).is_ok(), found, "{interval:?}");
            assert_eq!(scene.emulator.arrivals().len(), requests);
        }
    }

    #[test]
    fn a_forged_delivery_keeps_no_valid_one_waiting() {
        let scene = Scene::new(Cache::with_times(Duration::ZERO, PATIENCE), PATIENCE / 4);
        scene.publish(|fault| fault);
        scene.verify(delivery()).unwrap();
        scene.hang();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let waiting = scene.start(forged());
                scene.emulator.wait_for_arrivals(2, PATIENCE).unwrap();
                scene.verify(delivery()).unwrap();
                assert!(!waiting.poll().unwrap(), "the keys were not slow");
                waiting
            })
            .collect();
        assert_eq!(
            scene.emulator.arrivals().len(),
            2,
            "each forged delivery had the keys fetched"
        );
        waiting.iter().for_each(Op::cancel);
    }

    #[test]
    fn a_fetch_that_nobody_waited_for_counts_like_any_other() {
        let scene = Scene::new(
            Cache::with_times(HOUR, PATIENCE),
            Duration::from_millis(300),
        );
        scene.publish(|fault| fault);
        scene.cache.know(KeySet::from_public_keys([[1; 32]]));
        scene.hang();
        for _ in 0..3 {
            assert_eq!(scene.verify(forged()).unwrap_err().code(), Code::Deadline);
        }
        assert_eq!(scene.emulator.arrivals().len(), 1);
    }

    #[test]
    fn keys_that_cannot_be_fetched_anew_make_no_delivery_valid_and_none_a_failure_of_the_network() {
        for hangs in [true, false] {
            let scene = Scene::new(
                Cache::with_times(HOUR, Duration::from_millis(300)),
                PATIENCE,
            );
            scene.cache.know(KeySet::from_public_keys([[1; 32]]));
            match hangs {
                true => scene.hang(),
                false => scene.emulator.inject(Fault::close().always()),
            }
            let error = scene.verify(forged()).unwrap_err();
            assert_eq!(error.code(), Code::WebhookInvalid, "{error}");
            let cause = std::error::Error::source(&error)
                .unwrap()
                .downcast_ref::<Error>()
                .unwrap();
            assert!(
                matches!(
                    cause.code(),
                    Code::ServiceUnavailable | Code::ConnectionLost
                ),
                "{cause}"
            );
            let asked = scene.emulator.arrivals().len();
            for _ in 0..3 {
                let error = scene.verify(forged()).unwrap_err();
                assert_eq!(error.code(), Code::WebhookInvalid, "{error}");
            }
            assert_eq!(
                scene.emulator.arrivals().len(),
                asked,
                "it was asked again within the interval"
            );
        }
    }

    #[test]
    fn without_any_keys_a_failure_stands_for_a_moment() {
        let scene = Scene::new(Cache::default(), PATIENCE);
        scene
            .emulator
            .inject(Fault::status(404).path("/.well-known/jwks.json").always());
        for _ in 0..5 {
            assert_eq!(scene.verify(forged()).unwrap_err().code(), Code::NotFound);
        }
        assert_eq!(scene.emulator.arrivals().len(), 1);
        scene.publish(|fault| fault);
        std::thread::sleep(cache::PAUSE);
        scene.verify(delivery()).unwrap();
    }
}
