//! Fuzzes webhooks: only the signed values are valid.

#![allow(clippy::panic, reason = "a panic is what the fuzzer looks for")]

use std::time::Duration;

use super::*;
use crate::error::Code;
use crate::fuzz::input::Input;

/// docs/protocol.md §10.4.
const KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw="}]}"#;
const SIGNED: [&str; 4] = [
    "r-2",
    "u-2",
    "1700000300",
    "b636702b372c10548af428c61b01e69c5c2a04671dc07c3b61cc446c8d34d9238975e2bcccf5a0befebaac059885ad1218f950f5c381c96b157bfdd83525d103",
];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    // The bits of `signed` choose the headers with the signed value, so that single headers can be
    // wrong.
    let (signed, doubled) = (input.byte(), input.byte());
    let mut given: Vec<(usize, String)> = Vec::new();
    for (place, right) in SIGNED.iter().enumerate() {
        let value = if signed >> place & 1 == 1 {
            (*right).to_owned()
        } else {
            input.text()
        };
        given.push((place, value));
        if doubled >> place & 1 == 1 {
            given.push((place, input.text()));
        }
    }
    let body = input.rest();
    let mut webhook = Webhook::new(Bytes::copy_from_slice(body));
    given
        .iter()
        .for_each(|(place, value)| webhook.set_header(HEADERS[*place].as_str(), value));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_300);
    let Ok(keys) = KeySet::from_jwks(KEY.as_bytes()) else {
        panic!("the key is one")
    };
    match webhook.verify(&keys, now) {
        Ok(verified) => {
            let is = |(place, value): &(usize, String)| {
                let value = value.trim_matches([' ', '\t']);
                value == SIGNED[*place] || (*place == 3 && value.eq_ignore_ascii_case(SIGNED[3]))
            };
            assert!(
                given.len() == 4 && given.iter().all(is) && body.is_empty(),
                "{given:?}"
            );
            assert_eq!(verified.body(), &body);
        }
        Err(error) => assert!(
            error.code() == Code::WebhookInvalid && error.message().len() < 1000,
            "{error}"
        ),
    }
    let _ = KeySet::from_jwks(body);
    if let Ok(delivery) = Delivery::of(&Response::new(
        200,
        HeaderMap::new(),
        Bytes::copy_from_slice(body),
    )) {
        assert!(delivery.request_id.len() <= body.len());
    }
}

/// Calls the check of a timestamp.
pub(crate) fn is_now(timestamp: &str) -> bool {
    time::check(timestamp, SystemTime::now()).is_ok()
}
