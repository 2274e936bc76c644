//! A delivery, and the key that signed it.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fal::webhook::Webhook;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn keys() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE.encode(pair().public_key().as_ref())}]})
}

pub(crate) fn delivery() -> Webhook {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .to_string();
    let signed = format!("r-1\nu-1\n{now}\n{}", hex(digest(&SHA256, b"{}").as_ref()));
    let mut webhook = Webhook::new("{}".into());
    webhook.set_header("X-Fal-Webhook-Request-Id", "r-1");
    webhook.set_header("X-Fal-Webhook-User-Id", "u-1");
    webhook.set_header("X-Fal-Webhook-Timestamp", &now);
    webhook.set_header(
        "X-Fal-Webhook-Signature",
        &hex(pair().sign(signed.as_bytes()).as_ref()),
    );
    webhook
}
