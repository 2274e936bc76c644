//! The responses to `POST /oauth/token` (docs/protocol.md §1.4).

use std::time::{Duration, SystemTime};

use serde_json::Value;
use zeroize::Zeroizing;

use super::error::LoginError;
use super::token::{AccessToken, is_token};
use crate::credentials::secret_json::SecretJson;
use crate::error::clause;

/// The longest part of fal's error description that an error repeats, in characters.
const MAX_DESCRIPTION: usize = 200;

/// The tokens of a renewal.
pub(super) struct Tokens {
    pub(super) access: AccessToken,
    /// `None` if the old refresh token stays valid.
    pub(super) refresh_token: Option<Zeroizing<String>>,
}

/// Reads the body of a response with status 200.
pub(super) fn tokens(body: &[u8], now: SystemTime) -> Result<Tokens, LoginError> {
    let bad = |reason| LoginError::BadAnswer { reason };
    let mut members = SecretJson::parse(body).ok_or(bad("it is not a JSON object"))?;
    let access = members
        .take_string("access_token")
        .ok_or(bad("it has no access token"))?;
    let access = AccessToken::parse(&access).ok_or(bad("its access token is not a token"))?;
    let refresh_token = members
        .take_string("refresh_token")
        .filter(|token| !token.is_empty());
    if refresh_token.as_ref().is_some_and(|token| !is_token(token)) {
        return Err(bad("its refresh token is not a token"));
    }
    let expires = members.get("expires_in").and_then(Value::as_u64);
    let expires = expires.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
    Ok(Tokens {
        access: access.or_expires(expires),
        refresh_token,
    })
}

/// Returns the error for a response with another status. Masks `sent`, the refresh token, in case
/// that fal repeats it.
pub(super) fn refusal(status: u16, body: &[u8], sent: &str) -> LoginError {
    let mut members = SecretJson::parse(body).unwrap_or_default();
    let error = members
        .take_string("error")
        .filter(|error| is_name(error) && **error != *sent);
    let description = members
        .take_string("error_description")
        .map(|text| Zeroizing::new(text.replace(sent, "****")));
    LoginError::Refused {
        status,
        error: error.map(|error| error.to_string()),
        description: description
            .map(|text| clause(&printable(&text)).to_owned())
            .filter(|text| !text.is_empty()),
    }
}

/// Returns whether a text has the form of an error name of RFC 6749, which no secret has.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_DESCRIPTION)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn refused(body: &str) -> String {
        refusal(403, body.as_bytes(), "fake-secret-refresh").to_string()
    }

    #[test]
    fn an_error_names_what_fal_said() {
        let body =
            r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
        let error = refusal(403, body.as_bytes(), "fake-secret-refresh");
        assert!(error.needs_login() && error.remedy().contains("fal auth login"));
        let text = "fal did not renew the login (HTTP 403: invalid_grant: Unknown or invalid refresh token)";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_error_holds_no_token_and_harms_no_terminal() {
        let body = r#"{"error":"fake-secret-refresh","error_description":"no \u001b[31m fake-secret-refresh"}"#;
        assert_eq!(
            refused(body),
            "fal did not renew the login (HTTP 403: no [31m ****)"
        );
        let long = format!(r#"{{"error_description":"{}"}}"#, "a".repeat(5000));
        assert!(refused(&long).len() < 300);
        for body in [
            "",
            "<html>",
            "[]",
            "null",
            r#"{"error":5,"error_description":{}}"#,
        ] {
            assert_eq!(
                refused(body),
                "fal did not renew the login (HTTP 403)",
                "{body}"
            );
        }
    }

    #[test]
    fn only_a_refused_token_needs_another_login() {
        let body = br#"{"error":"server_error"}"#;
        assert!(!refusal(503, body, "fake").needs_login());
        assert_eq!(refusal(503, body, "fake").remedy(), "Try again later.");
    }

    #[test]
    fn an_answer_without_good_tokens_is_refused() {
        for (body, reason) in [
            ("", "it is not a JSON object"),
            ("[]", "it is not a JSON object"),
            ("{}", "it has no access token"),
            (r#"{"access_token":7}"#, "it has no access token"),
            (
                r#"{"access_token":"a\nb"}"#,
                "its access token is not a token",
            ),
            (
                r#"{"access_token":"fake","refresh_token":"a\nb"}"#,
                "its refresh token is not a token",
            ),
        ] {
            let error = tokens(body.as_bytes(), UNIX_EPOCH).err();
            assert_eq!(error, Some(LoginError::BadAnswer { reason }), "{body}");
        }
    }

    #[test]
    fn an_opaque_token_expires_when_the_server_says() {
        let tokens = tokens(br#"{"access_token":"fake","expires_in":60}"#, UNIX_EPOCH)
            .ok()
            .unwrap();
        assert_eq!(
            tokens.access.expires(),
            Some(UNIX_EPOCH + Duration::from_secs(60))
        );
        assert!(tokens.refresh_token.is_none());
    }
}
