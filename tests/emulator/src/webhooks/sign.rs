//! The signature of a webhook, and the keys that verify it (docs/protocol.md §10.3).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::clock;

/// The keys of the platform, created on first use. The last one signs.
#[derive(Default)]
pub(crate) struct Signer(Mutex<Vec<Arc<Ed25519KeyPair>>>);

/// `None` if the system provides no random numbers.
fn generate() -> Option<Arc<Ed25519KeyPair>> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).ok()?;
    Ed25519KeyPair::from_seed_unchecked(&seed)
        .ok()
        .map(Arc::new)
}

impl Signer {
    fn keys(&self) -> MutexGuard<'_, Vec<Arc<Ed25519KeyPair>>> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.is_empty() {
            keys.extend(generate());
        }
        keys
    }

    /// Signs later webhooks with a new key. `keep_old` keeps the old keys in the key set.
    pub(crate) fn rotate(&self, keep_old: bool) -> usize {
        let mut keys = self.keys();
        if !keep_old {
            keys.clear();
        }
        keys.extend(generate());
        keys.len()
    }

    /// The public keys, oldest first.
    pub(crate) fn jwks(&self, padded: bool) -> Value {
        let encoding = if padded { URL_SAFE } else { URL_SAFE_NO_PAD };
        let keys = self.keys();
        let keys = keys.iter().map(|key| {
            let x = encoding.encode(key.public_key().as_ref());
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// The four headers; `None` if no key could be created.
    pub(super) fn headers(
        &self,
        request_id: &str,
        user_id: &str,
        at: SystemTime,
        body: &[u8],
    ) -> Option<HeaderMap> {
        let key = self.keys().last().cloned()?;
        let timestamp = clock::unix(at).to_string();
        let signature = key.sign(message(request_id, user_id, &timestamp, body).as_bytes());
        let signature = hex(signature.as_ref());
        [
            ("x-fal-webhook-request-id", request_id),
            ("x-fal-webhook-user-id", user_id),
            ("x-fal-webhook-timestamp", timestamp.as_str()),
            ("x-fal-webhook-signature", signature.as_str()),
        ]
        .into_iter()
        .map(|(name, value)| {
            Some((
                HeaderName::from_static(name),
                HeaderValue::from_str(value).ok()?,
            ))
        })
        .collect()
    }
}

fn message(request_id: &str, user_id: &str, timestamp: &str, body: &[u8]) -> String {
    format!(
        "{request_id}\n{user_id}\n{timestamp}\n{}",
        hex(digest(&SHA256, body).as_ref())
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn signer(seed: &str) -> Signer {
        let seed: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        Signer(Mutex::new(vec![Arc::new(
            Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(),
        )]))
    }

    #[test]
    fn the_test_vectors_hold() {
        let id = "11111111-2222-4333-8444-555555555555";
        let body = format!(
            r#"{{"request_id":"{id}","gateway_request_id":"{id}","status":"OK","payload":{{"ok":true}}}}"#
        );
        for (seed, x, id, user, seconds, body, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
                id,
                "acct|42",
                1_700_000_000,
                body.as_str(),
                "1e46de787f478d1a5fd7b0fe55ad85560bd81c3656a8f9974927373939863dd0\
                 b3d497f53667334baeed45fc6456592665be47532ca07badaae6b4c8b00f200d",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw=",
                "r-2",
                "u-2",
                1_700_000_300,
                "",
                "b636702b372c10548af428c61b01e69c5c2a04671dc07c3b61cc446c8d34d923\
                 8975e2bcccf5a0befebaac059885ad1218f950f5c381c96b157bfdd83525d103",
            ),
        ] {
            let signer = signer(seed);
            assert_eq!(signer.jwks(true)["keys"][0]["x"], x);
            assert_eq!(signer.jwks(false)["keys"][0]["x"], x.trim_end_matches('='));
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            let headers = signer.headers(id, user, at, body.as_bytes()).unwrap();
            assert_eq!(
                headers["x-fal-webhook-timestamp"],
                seconds.to_string().as_str()
            );
            assert_eq!(headers["x-fal-webhook-signature"], signature, "{id}");
        }
    }
}
