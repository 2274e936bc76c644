//! Access tokens: JWTs, of which only the expiry is read.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credentials::credential::bearer;

/// How long before its expiry a token counts as expired, as in the official Python client.
const LEEWAY: Duration = Duration::from_secs(300);

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// An access token of a user. `Debug` shows only its expiry.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    text: Zeroizing<String>,
    expires: Option<SystemTime>,
}

impl AccessToken {
    /// Parses a token. Returns `None` if the text cannot be one. A token whose expiry cannot be
    /// read counts as expired.
    pub(super) fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self {
            text: Zeroizing::new(text.to_owned()),
            expires: expiry(text),
        })
    }

    /// Sets the expiry that the response states, unless the token itself states one.
    pub(super) fn or_expires(mut self, expires: Option<SystemTime>) -> Self {
        self.expires = self.expires.or(expires);
        self
    }

    /// Returns the token. The caller must keep it out of logs and errors.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns the value of the `Authorization` header: `Bearer <token>`.
    pub fn authorization(&self) -> Zeroizing<String> {
        bearer(&self.text)
    }

    /// Returns when the token expires, according to the token or to the response that delivered it.
    /// The signature is not verified.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Returns whether the token is valid for more than 300 s from `now`.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        self.expires
            .is_some_and(|expires| now.checked_add(LEEWAY).is_some_and(|then| then < expires))
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Returns whether a text can be a line of the file and part of a header.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads the claim `exp` as the Python client does: a number, or a string that holds a number.
fn expiry(token: &str) -> Option<SystemTime> {
    let payload = Zeroizing::new(BASE64.decode(token.split('.').nth(1)?).ok()?);
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let seconds = match claims.get("exp")? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<i64>().ok()? as f64,
        _ => return None,
    };
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds.trunc()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("fake.{}.fake-signature", BASE64.encode(payload))
    }

    fn seconds(token: &str) -> Option<u64> {
        let expires = AccessToken::parse(token)?.expires()?;
        Some(expires.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn the_expiry_is_read_without_the_signature() {
        for payload in [
            r#"{"exp":1700000000}"#,
            r#"{"exp":1700000000.9}"#,
            r#"{"exp":"1700000000"}"#,
        ] {
            let token = jwt(payload);
            // The official client accepts a token without a signature, too.
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            for token in [&token, &token.replace('=', ""), unsigned] {
                assert_eq!(seconds(token), Some(1_700_000_000), "{token}");
            }
        }
    }

    #[test]
    fn an_unreadable_expiry_counts_as_expired() {
        let bad = ["fake", "fake..fake", "fake.%%%.fake", "fake.bnVsbA.fake"].map(str::to_owned);
        let payloads = [
            "{}",
            "[]",
            r#"{"exp":null}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":"soon"}"#,
        ];
        for token in bad.into_iter().chain(payloads.into_iter().map(jwt)) {
            assert_eq!(seconds(&token), None, "{token}");
            assert!(
                !AccessToken::parse(&token).unwrap().is_fresh(UNIX_EPOCH),
                "{token}"
            );
        }
    }

    #[test]
    fn a_token_is_fresh_until_300_seconds_before_its_expiry() {
        let token = AccessToken::parse(&jwt(r#"{"exp":1000}"#)).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(token.is_fresh(at(0)) && token.is_fresh(at(699)));
        assert!(!token.is_fresh(at(700)) && !token.is_fresh(at(1001)));
    }

    #[test]
    fn what_cannot_be_in_a_header_is_no_token() {
        for text in ["", "a b", "a\u{7f}", "tök", "a\0b"] {
            assert!(AccessToken::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_token_does_not_show() {
        let token = AccessToken::parse(&jwt(r#"{"exp":1000}"#)).unwrap();
        assert!(!format!("{token:?}").contains("fake"));
        assert_eq!(*token.authorization(), format!("Bearer {}", token.expose()));
    }
}
