//! The vectors of docs/protocol.md §10.4, and deliveries that differ slightly from them.

use std::time::Duration;

use serde_json::{Value, json};

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
    for (name, value) in HEADERS.iter().zip(headers) {
        webhook.set_header(name.as_str(), value);
    }
    webhook
}

fn jwk(x: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": x})
}

fn keys() -> KeySet {
    let text = json!({"keys": VECTORS.map(|vector| jwk(vector.jwk))}).to_string();
    KeySet::from_jwks(text.as_bytes()).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn refused(headers: [&str; 4], body: &[u8], now: SystemTime) -> Error {
    let error = webhook(headers, body).verify(&keys(), now).unwrap_err();
    assert_eq!(error.code(), Code::WebhookInvalid);
    error
}

#[test]
fn both_vectors_are_valid() {
    for vector in &VECTORS {
        let body = vector.body.as_bytes();
        let verified = webhook(vector.headers, body).verify(&keys(), at(1_700_000_100));
        let verified = verified.unwrap();
        assert_eq!(verified.body(), body);
        let id = verified.header("X-Fal-Webhook-Request-Id");
        assert_eq!(id, Some(vector.headers[0]));
    }
    let delivery = read(VECTORS[0].body).unwrap();
    assert_eq!(delivery.request_id, VECTORS[0].headers[0]);
    assert_eq!(delivery.status, Status::Ok);
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
                refused(vector.headers, &body, now);
            }
        }
        refused(vector.headers, format!("{} ", vector.body).as_bytes(), now);
        for (header, value) in vector.headers.iter().enumerate() {
            for place in 0..value.len() {
                let mut changed = value.as_bytes().to_vec();
                // A time with other last digits is still within the tolerance, so only the
                // signature is wrong.
                changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
                let changed = String::from_utf8(changed).unwrap();
                let mut headers = vector.headers;
                headers[header] = &changed;
                refused(headers, vector.body.as_bytes(), now);
            }
        }
    }
}

/// Many web frameworks pass on JSON that they have serialized again.
#[test]
fn a_body_that_was_written_anew_is_said_to_differ() {
    let vector = &VECTORS[0];
    let json: Value = serde_json::from_str(vector.body).unwrap();
    let sorted: std::collections::BTreeMap<_, _> = json.as_object().unwrap().iter().collect();
    let other_bodies = [
        serde_json::to_string_pretty(&json).unwrap(),
        serde_json::to_string(&sorted).unwrap(),
        vector.body.replace(':', ": ").replace(',', ", "),
        format!("{}\n", vector.body),
        format!("\u{feff}{}", vector.body),
    ];
    for body in other_bodies {
        let error = refused(vector.headers, body.as_bytes(), at(1_700_000_000));
        let (message, remedy) = (error.message(), error.remedy());
        assert!(
            message.contains("its body differs from what fal signed"),
            "{message}"
        );
        assert!(remedy.contains("raw body, byte for byte"), "{remedy}");
    }
    // The error of an old timestamp or a malformed signature does not mention the body.
    let [id, user, time, signature] = vector.headers;
    for (headers, now) in [
        ([id, user, time, signature], 1_800_000_000),
        ([id, user, time, "00"], 1_700_000_000),
    ] {
        assert!(!refused(headers, b"{}", at(now)).message().contains("body"));
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
            let headers = [id, user, time, &changed];
            refused(headers, vector.body.as_bytes(), at(1_700_000_000));
        }
    }
}

#[test]
fn a_replay_outside_the_window_is_refused() {
    let (headers, body) = (VECTORS[0].headers, VECTORS[0].body.as_bytes());
    for inside in [1_700_000_300, 1_699_999_700] {
        webhook(headers, body).verify(&keys(), at(inside)).unwrap();
    }
    let just_late = at(1_700_000_300) + Duration::from_millis(1);
    // Before 1970 there is no Unix time to compare with.
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    for (outside, why) in [
        (at(1_700_000_301), "301 seconds old"),
        (at(1_699_999_699), "301 seconds ahead"),
        (just_late, "300 seconds old"),
        (at(0), "ahead"),
        (at(4_000_000_000), "old"),
        (before_1970, "ahead"),
    ] {
        let error = refused(headers, body, outside);
        let says_why = error.message().contains(why) && error.remedy().contains("clock");
        assert!(says_why, "{error}");
    }
}

#[test]
fn the_refusal_says_which_check_failed() {
    let vector = &VECTORS[0];
    let (body, now) = (vector.body.as_bytes(), at(1_700_000_000));
    let assert_refused = |headers: [&str; 4], why: &str| {
        let error = refused(headers, body, now);
        assert!(error.message().contains(why), "{error}");
    };
    for (place, name) in HEADERS.iter().enumerate() {
        let mut headers = vector.headers;
        headers[place] = " ";
        assert_refused(headers, &format!("{name} is missing"));
        headers[place] = "a\nb";
        assert_refused(headers, &format!("{name} has a control character"));
        let mut doubled = webhook(vector.headers, body);
        doubled.set_header(name.as_str(), vector.headers[place]);
        let error = doubled.verify(&keys(), now).unwrap_err();
        assert!(error.message().contains("more than once"), "{error}");
    }
    let empty = Webhook::new(Bytes::new()).verify(&keys(), now);
    assert_eq!(empty.unwrap_err().code(), Code::WebhookInvalid);
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
        refused([id, user, time, signature], body, now);
    }
    for bad in [
        &signature[1..],
        &format!("{signature}0"),
        &format!("{signature}00"),
        &"g".repeat(128),
        &"é".repeat(64),
    ] {
        assert_refused([id, user, time, bad], "is not a signature");
    }
    for others in [&[[1; 32]][..], &[]] {
        let others = KeySet::from_public_keys(others.iter().copied());
        let other = webhook(vector.headers, body)
            .verify(&others, now)
            .unwrap_err();
        let (message, remedy) = (other.message(), other.remedy());
        assert!(message.contains("no key of fal's"), "{message}");
        assert!(remedy.contains("raw body"), "{remedy}");
    }
}

#[test]
fn names_digits_and_blanks_have_no_one_form() {
    let vector = &VECTORS[0];
    let mut webhook = Webhook::new(vector.body.into());
    webhook.set_header("Content-Type", "application/json");
    for (name, value) in HEADERS.iter().zip(vector.headers) {
        let value = match *name == SIGNATURE {
            true => value.to_ascii_uppercase(),
            false => value.to_owned(),
        };
        webhook.set_header(&name.as_str().to_ascii_uppercase(), &format!(" {value}\t"));
    }
    webhook.verify(&keys(), at(1_700_000_000)).unwrap();
}

#[test]
fn a_key_set_may_be_padded_or_not_and_hold_other_keys() {
    let x = VECTORS[0].jwk;
    let read = |entries: &str| KeySet::from_jwks(format!(r#"{{"keys":[{entries}]}}"#).as_bytes());
    let padded = read(&jwk(x).to_string()).unwrap();
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
        let error = KeySet::from_jwks(bad.as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{bad}");
    }
}

fn read(body: &str) -> Result<Delivery> {
    let verified = Response::new(200, HeaderMap::new(), body.to_owned().into());
    Delivery::of(&verified)
}

#[test]
fn a_delivery_is_read_in_every_documented_form() {
    let failed = read(
        r#"{"request_id":"r","gateway_request_id":"g","status":"ERROR","error":"Invalid status code: 422",
            "payload":{"detail":[{"loc":["body","prompt"],"msg":"field required","type":"value_error.missing"}]}}"#,
    )
    .unwrap();
    assert_eq!(failed.status, Status::Error);
    assert_eq!(failed.error.as_deref(), Some("Invalid status code: 422"));
    assert_eq!(failed.gateway_request_id.as_deref(), Some("g"));
    // `payload_error` may be set with either status (§16.35).
    for (status, expected) in [("OK", Status::Ok), ("ERROR", Status::Error)] {
        let delivery = read(&format!(
            r#"{{"request_id":"r","status":"{status}","payload":null,"payload_error":"not JSON"}}"#
        ))
        .unwrap();
        assert_eq!(delivery.status, expected);
        assert_eq!(delivery.payload_error.as_deref(), Some("not JSON"));
        assert!(delivery.payload.is_null());
        // The queue still has the result.
        assert_eq!(delivery.failure().is_none(), expected == Status::Ok);
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

/// The first delivery is a recorded one for a wrong path of an endpoint.
#[test]
fn a_delivery_of_a_failure_is_an_error_like_that_of_its_result() {
    let failed = read(&json!({
        "request_id": "r", "gateway_request_id": "g", "status": "ERROR", "error": "Invalid status code: 404", "payload": null,
        "payload_error": "Response payload is not JSON serializable. Either return a JSON serializable object or use the queue \
                          endpoint to retrieve the response.",
    }).to_string()).unwrap();
    assert_eq!(failed.status, Status::Error);
    assert_eq!(
        (failed.http_status, &failed.payload),
        (Some(404), &Value::Null)
    );
    let error = failed.failure().unwrap();
    let known = (error.code(), error.http_status(), error.request_id());
    assert_eq!(known, (Code::NotFound, Some(404), Some("r")), "{error}");
    assert!(
        error.message().contains("Invalid status code: 404"),
        "{error}"
    );
    let remedy = error.remedy();
    assert!(
        remedy.contains("Check the endpoint id and the path"),
        "{remedy}"
    );
    assert!(error.body().is_empty() && !error.may_have_executed() && !error.is_retryable());

    let failed = |error: &str, payload: Value| {
        let body =
            json!({"request_id": "r", "status": "ERROR", "error": error, "payload": payload});
        read(&body.to_string()).unwrap()
    };
    let failure = |error, payload| failed(error, payload).failure().unwrap();
    let detail = json!({"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing"}]});
    let error = failure("Invalid status code: 422", detail.clone());
    let known = (error.code(), error.http_status(), error.error_type());
    let expected = (Code::InvalidInput, Some(422), Some("value_error.missing"));
    assert_eq!(known, expected, "{error}");
    assert_eq!(error.fields()[0].path(), "body.prompt");
    assert_eq!(
        serde_json::from_slice::<Value>(error.body()).unwrap(),
        detail
    );
    let error = failure(
        "Invalid status code: 404",
        json!({"detail": "Path /x not found"}),
    );
    assert!(error.message().contains("Path /x not found"), "{error}");
    assert!(error.remedy().contains("not this path of it"), "{error}");
    let error = failure("Invalid status code: 500", json!({"detail": "broke"}));
    assert_eq!(error.message(), "fal answered 500: broke");
    for payload in [Value::Null, json!({"detail": "x"})] {
        let delivery = failed("Runner lost", payload);
        let error = delivery.failure().unwrap();
        let known = (delivery.http_status, error.code(), error.http_status());
        assert_eq!(known, (None, Code::ServiceFailed, None), "{error}");
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
        assert_eq!(failed(odd, Value::Null).http_status, None, "{odd}");
    }
}

/// Tests with a client of an emulator, which publishes the key of the sender.
mod fetched {
    use super::*;
    use crate::credentials::Environment;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE;
    use fal_emulator::{Emulator, Fault};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use std::sync::Arc;

    /// Longer than anything in these tests takes.
    const PATIENCE: Duration = Duration::from_secs(20);
    const HOUR: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(300);

    struct Scene {
        emulator: Emulator,
        client: Client,
        cache: Arc<Cache>,
    }

    impl Scene {
        /// `timeout` is that of each operation.
        fn new(cache: Cache, timeout: Duration) -> Self {
            let emulator = Emulator::start().unwrap();
            let environment = Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
            let client = Client::builder().environment(environment).timeout(timeout);
            Scene {
                emulator,
                client: client.build().unwrap(),
                cache: Arc::new(cache),
            }
        }

        fn publish(&self, fault: impl FnOnce(Fault) -> Fault) {
            self.publish_key(&URL_SAFE.encode(sender().public_key()), fault);
        }

        fn publish_key(&self, x: &str, fault: impl FnOnce(Fault) -> Fault) {
            self.emulator.clear_faults();
            let keys = json!({"keys": [jwk(x)]});
            let answer = Fault::status(200).path("/.well-known/jwks.json").body(keys);
            self.emulator.inject(fault(answer).always());
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

    fn now() -> String {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().as_secs().to_string()
    }

    fn delivery() -> Webhook {
        let now = now();
        let message = format!("r\nu\n{now}\n{}", hex(digest(&SHA256, b"{}").as_ref()));
        let signature = hex(sender().sign(message.as_bytes()).as_ref());
        webhook(["r", "u", &now, &signature], b"{}")
    }

    /// A delivery with a correct form and time, but an invalid signature.
    fn forged() -> Webhook {
        webhook(["r", "u", &now(), &"0".repeat(128)], b"{}")
    }

    /// fal replaces its keys after they were fetched.
    #[test]
    fn a_new_key_of_fals_is_found() {
        for (interval, found, requests) in [(Duration::ZERO, true, 3), (HOUR, false, 1)] {
            let scene = Scene::new(Cache::with_times(interval, PATIENCE), PATIENCE);
            scene.publish_key(VECTORS[0].jwk, |fault| fault);
            let error = scene.verify(delivery()).unwrap_err();
            assert_eq!(error.code(), Code::WebhookInvalid);
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
        // Not each forged delivery had the keys fetched.
        assert_eq!(scene.emulator.arrivals().len(), 2);
        waiting.iter().for_each(Op::cancel);
    }

    #[test]
    fn a_fetch_that_nobody_waited_for_counts_like_any_other() {
        let scene = Scene::new(Cache::with_times(HOUR, PATIENCE), SHORT);
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
            let scene = Scene::new(Cache::with_times(HOUR, SHORT), PATIENCE);
            scene.cache.know(KeySet::from_public_keys([[1; 32]]));
            match hangs {
                true => scene.hang(),
                false => scene.emulator.inject(Fault::close().always()),
            }
            let error = scene.verify(forged()).unwrap_err();
            assert_eq!(error.code(), Code::WebhookInvalid, "{error}");
            let cause = std::error::Error::source(&error).unwrap();
            let cause = cause.downcast_ref::<Error>().unwrap();
            let of_network = [Code::ServiceUnavailable, Code::ConnectionLost];
            assert!(of_network.contains(&cause.code()), "{cause}");
            let asked = scene.emulator.arrivals().len();
            for _ in 0..3 {
                let error = scene.verify(forged()).unwrap_err();
                assert_eq!(error.code(), Code::WebhookInvalid, "{error}");
            }
            // It was not asked again within the interval.
            assert_eq!(scene.emulator.arrivals().len(), asked);
        }
    }

    #[test]
    fn without_any_keys_a_failure_stands_for_a_moment() {
        let scene = Scene::new(Cache::default(), PATIENCE);
        let missing = Fault::status(404).path("/.well-known/jwks.json");
        scene.emulator.inject(missing.always());
        for _ in 0..5 {
            assert_eq!(scene.verify(forged()).unwrap_err().code(), Code::NotFound);
        }
        assert_eq!(scene.emulator.arrivals().len(), 1);
        scene.publish(|fault| fault);
        std::thread::sleep(cache::PAUSE);
        scene.verify(delivery()).unwrap();
    }
}
