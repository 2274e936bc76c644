//! Access tokens: JWTs of which only the expiry matters here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use zeroize::Zeroizing;

/// So long before its expiry a token counts as expired, as in the official Python client.
const LEEWAY: Duration = Duration::from_secs(300);

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A bearer token of a user. `Debug` shows its expiry only.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    text: Zeroizing<String>,
    expires: Option<SystemTime>,
}

impl AccessToken {
    /// `None` if the text cannot be a token. One whose expiry is unreadable counts as expired.
    pub(super) fn parse(text: &str) -> Option<Self> {
        is_token(text).then(|| Self {
            text: Zeroizing::new(text.to_owned()),
            expires: expiry(text),
        })
    }

    /// The expiry that the server names beside the token, if the token itself names none.
    pub(super) fn or_expires(mut self, expires: Option<SystemTime>) -> Self {
        self.expires = self.expires.or(expires);
        self
    }

    /// The token. The caller keeps it out of logs and messages.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The value of the `Authorization` header: `Bearer <token>`.
    pub fn authorization(&self) -> Zeroizing<String> {
        // Written into a buffer of the final size: growing would leave copies of the secret behind.
        let mut header = Zeroizing::new(String::with_capacity("Bearer ".len() + self.text.len()));
        header.push_str("Bearer ");
        header.push_str(&self.text);
        header
    }

    /// When it expires, as far as it or its issuer says so. Nobody has checked the signature.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// Whether it can be used for another 300 s.
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

/// Whether a text can stand in a line of the file and in a header.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `exp` of the payload, read as the Python client does: a number, or a text of one.
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
        Some(
            AccessToken::parse(token)?
                .expires()?
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
    }

    #[test]
    fn the_expiry_is_read_without_the_signature() {
        assert_eq!(seconds(&jwt(r#"{"exp":1700000000}"#)), Some(1_700_000_000));
        assert_eq!(
            seconds(&jwt(r#"{"exp":1700000000.9}"#)),
            Some(1_700_000_000)
        );
        assert_eq!(
            seconds(&jwt(r#"{"exp":"1700000000"}"#)),
            Some(1_700_000_000)
        );
        assert_eq!(
            seconds(&jwt(r#"{"exp":1700000000}"#).replace('=', "")),
            Some(1_700_000_000)
        );
        // Two parts are enough for the official client as well.
        assert_eq!(
            seconds(jwt(r#"{"exp":5}"#).rsplit_once('.').unwrap().0),
            Some(5)
        );
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
