//! The vectors of fal-protocol.md §10.4, and everything that is nearly right.

use super::*;

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
    HEADERS.iter().zip(headers).for_each(|(name, value)| webhook.set_header(name.as_str(), value));
    webhook
}

fn keys() -> KeySet {
    let jwks = |x: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
    let text = format!(r#"{{"keys":[{},{}]}}"#, jwks(VECTORS[0].jwk), jwks(VECTORS[1].jwk));
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
        let verified = webhook(vector.headers, vector.body.as_bytes()).verify(&keys(), at(1_700_000_100)).unwrap();
        assert_eq!(verified.body(), vector.body.as_bytes());
        assert_eq!(verified.header("X-Fal-Webhook-Request-Id"), Some(vector.headers[0]));
    }
    let delivery = webhook(VECTORS[0].headers, VECTORS[0].body.as_bytes()).verify(&keys(), at(1_700_000_000)).unwrap();
    let delivery = Delivery::of(&delivery).unwrap();
    assert_eq!((delivery.request_id.as_str(), delivery.status), (VECTORS[0].headers[0], Status::Ok));
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
                // A change of the last digits of the time keeps it within the window: the signature has to notice.
                changed[place] = if changed[place] == b'1' { b'2' } else { b'1' };
                let changed = String::from_utf8(changed).unwrap();
                let mut headers = vector.headers;
                headers[header] = &changed;
                refusal(headers, vector.body.as_bytes(), now);
            }
        }
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
            refusal([id, user, time, &changed], vector.body.as_bytes(), at(1_700_000_000));
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
        (at(1_700_000_300) + Duration::from_millis(1), "300 seconds old"),
        (at(0), "ahead"),
        (at(4_000_000_000), "old"),
    ] {
        let error = try_at(outside).unwrap_err();
        assert_eq!(error.code(), Code::WebhookInvalid);
        assert!(error.message().contains(why) && error.remedy().contains("clock"), "{error}");
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
        assert!(doubled.verify(&keys(), now).unwrap_err().message().contains("more than once"));
    }
    assert_eq!(Webhook::new(Bytes::new()).verify(&keys(), now).unwrap_err().code(), Code::WebhookInvalid);
    let [id, user, time, signature] = vector.headers;
    for time in ["", "1700000000.0", "+1700000000", "-1", "1.7e9", "0x65537d00", "１７", "99999999999999999999999"] {
        refusal([id, user, time, signature], body, now);
    }
    for bad in [&signature[1..], &format!("{signature}0"), &format!("{signature}00"), &"g".repeat(128), &"é".repeat(64)]
    {
        assert!(refusal([id, user, time, bad], body, now).contains("is not a signature"));
    }
    let other = webhook(vector.headers, body).verify(&KeySet::from_public_keys([[1; 32]]), now).unwrap_err();
    assert!(other.message().contains("no key of fal's") && other.remedy().contains("raw body"), "{other}");
    webhook(vector.headers, body).verify(&KeySet::from_public_keys([]), now).unwrap_err();
}

#[test]
fn names_digits_and_blanks_have_no_one_form() {
    let vector = &VECTORS[0];
    let mut webhook = Webhook::new(vector.body.into());
    webhook.set_header("Content-Type", "application/json");
    for (name, value) in HEADERS.iter().zip(vector.headers) {
        let value = if *name == SIGNATURE { value.to_ascii_uppercase() } else { value.to_owned() };
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
    for bad in
        ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[{"kty":"OKP","crv":"Ed25519"}]}"#, "\u{0}"]
    {
        assert_eq!(KeySet::from_jwks(bad.as_bytes()).unwrap_err().code(), Code::InvalidArgument, "{bad}");
    }
}

#[test]
fn a_delivery_is_read_in_every_documented_form() {
    let read = |body: &str| Delivery::of(&Response::new(200, HeaderMap::new(), body.to_owned().into()));
    let failed = read(
        r#"{"request_id":"r","gateway_request_id":"g","status":"ERROR","error":"Invalid status code: 422",
            "payload":{"detail":[{"loc":["body","prompt"],"msg":"field required","type":"value_error.missing"}]}}"#,
    )
    .unwrap();
    assert_eq!((failed.status, failed.error.as_deref()), (Status::Error, Some("Invalid status code: 422")));
    assert_eq!(failed.gateway_request_id.as_deref(), Some("g"));
    // A payload that is no JSON is known with either status (§16.35).
    for (status, expected) in [("OK", Status::Ok), ("ERROR", Status::Error)] {
        let text = format!(r#"{{"request_id":"r","status":"{status}","payload":null,"payload_error":"not JSON"}}"#);
        let delivery = read(&text).unwrap();
        assert_eq!((delivery.status, delivery.payload_error.as_deref()), (expected, Some("not JSON")));
        assert!(delivery.payload.is_null());
    }
    for bad in ["", "[]", "{}", r#"{"request_id":"r","status":"DONE"}"#, r#"{"status":"OK"}"#] {
        assert_eq!(read(bad).unwrap_err().code(), Code::Protocol, "{bad}");
    }
}

/// Keys that fal has replaced since they were fetched.
#[test]
fn a_new_key_of_fals_is_found() {
    use crate::credentials::Environment;
    use fal_emulator::{Emulator, Fault};
    use std::sync::Arc;

    let emulator = Emulator::start().unwrap();
    let publish = |x: &str| {
        emulator.clear_faults();
        let keys = serde_json::json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]});
        emulator.inject(Fault::status(200).path("/.well-known/jwks.json").body(keys).always());
    };
    let environment = Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
    let client = Client::builder().environment(environment).build().unwrap();
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string();
    let message = format!("r\nu\n{now}\n{}", hex(digest(&SHA256, b"{}").as_ref()));
    let webhook = webhook(["r", "u", &now, &hex(pair.sign(message.as_bytes()).as_ref())], b"{}");
    let own = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE,
        ring::signature::KeyPair::public_key(&pair).as_ref(),
    );
    let verify = |cache: &Arc<Cache>| {
        let (cache, webhook) = (cache.clone(), webhook.clone());
        Op::finish(|| client.start_steps(|steps| async move { with_fals_keys(&steps, &cache, &webhook).await }))
    };
    for (interval, found, requests) in [(Duration::ZERO, true, 3), (Duration::from_secs(3600), false, 1)] {
        let cache = Arc::new(Cache::with_interval(interval));
        emulator.clear_arrivals();
        publish(VECTORS[0].jwk);
        assert_eq!(verify(&cache).unwrap_err().code(), Code::WebhookInvalid);
        publish(&own);
        assert_eq!(verify(&cache).is_ok(), found, "{interval:?}");
        assert_eq!(emulator.arrivals().len(), requests);
    }
}
