//! The signatures of webhooks, and the public keys that verify them.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;

use crate::codec::json;
use crate::error::{Error, Result};
use crate::limits::WEBHOOK_KEYS;

/// fal's keys have padding; RFC 7517 specifies keys without it (docs/protocol.md §10.3).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A delivery that has passed all checks that need no key.
pub(super) struct Signed {
    pub(super) message: Vec<u8>,
    pub(super) signature: [u8; 64],
}

/// A set of Ed25519 public keys. A signature is valid if any of them made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<[u8; 32]>,
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517, 8037). Keys of other types are ignored.
    ///
    /// # Errors
    /// [`crate::Code::InvalidArgument`] if the text is not a key set, or has no Ed25519 key or more
    /// than 100. The limit exists because each key is tried for each delivery.
    pub fn from_jwks(text: &[u8]) -> Result<Self> {
        let set = json::tree(text)?
            .map_err(|e| Error::invalid(format!("the key set is not JSON: {e}")))?;
        let Some(entries) = set.get("keys").and_then(Value::as_array) else {
            return Err(Error::invalid("the key set has no member \"keys\""));
        };
        let keys: Vec<_> = entries.iter().filter_map(public_key).collect();
        match keys.len() {
            0 => Err(Error::invalid("the key set has no Ed25519 key")),
            1..=WEBHOOK_KEYS => Ok(KeySet { keys }),
            _ => Err(Error::invalid(format!(
                "the key set has more than {WEBHOOK_KEYS} keys"
            ))),
        }
    }

    /// Creates a set of keys of 32 bytes each.
    pub fn from_public_keys(keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        KeySet {
            keys: keys.into_iter().collect(),
        }
    }

    /// Whether one of the keys made the signature. A delivery has no key id, so each key is tried
    /// (docs/protocol.md §10.3). All values are public, so the time that this takes reveals
    /// nothing.
    pub(super) fn signed(&self, signed: &Signed) -> bool {
        let made_by = |key: &[u8; 32]| {
            UnparsedPublicKey::new(&ED25519, key).verify(&signed.message, &signed.signature)
        };
        self.keys.iter().any(|key| made_by(key).is_ok())
    }
}

fn public_key(entry: &Value) -> Option<[u8; 32]> {
    let member = |name: &str| entry.get(name).and_then(Value::as_str);
    if (member("kty")?, member("crv")?) != ("OKP", "Ed25519") {
        return None;
    }
    BASE64.decode(member("x")?).ok()?.try_into().ok()
}

pub(super) fn signature_of(text: &str) -> Option<[u8; 64]> {
    let digits = text.as_bytes();
    let mut signature = [0; 64];
    if digits.len() != 2 * signature.len() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    for (byte, pair) in signature.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(signature)
}
