//! Short-lived tokens, accepted instead of a key in `?fal_jwt_token=` (docs/protocol.md §7.1).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock;
use crate::keys::Caller;
use crate::storage;

/// The query parameter that carries a token.
pub(crate) const PARAMETER: &str = "fal_jwt_token";

/// The permissions of a token, and its account.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) caller: Caller,
    /// The aliases of apps, or full paths of endpoints.
    apps: Vec<String>,
    expires: SystemTime,
}

impl Grant {
    /// Whether the token covers the app `alias`, called at `path`.
    pub(crate) fn allows(&self, alias: &str, path: &str) -> bool {
        let path = path.trim_matches('/');
        self.apps
            .iter()
            .any(|app| app == alias || app.trim_matches('/') == path)
    }
}

/// All tokens that have not expired. Revoking the key that created them does not end them.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Grant>>);

impl Tokens {
    /// Creates a token that expires `seconds` after `now`.
    pub(crate) fn issue(
        &self,
        caller: Caller,
        apps: Vec<String>,
        seconds: u64,
        now: SystemTime,
    ) -> String {
        let expires = clock::after(now, seconds);
        let claims = json!({
            "iss": "fal-emulator",
            "sub": caller.account,
            "apps": apps,
            "iat": clock::unix(now),
            "exp": clock::unix(expires),
        });
        let token = jwt(&claims);
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, grant| grant.expires > now);
        grants.insert(
            token.clone(),
            Grant {
                caller,
                apps,
                expires,
            },
        );
        token
    }

    /// The permissions of `token` at the time `now`; `None` if it is unknown or has expired.
    pub(crate) fn find(&self, token: &str, now: SystemTime) -> Option<Grant> {
        let grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants
            .get(token)
            .filter(|grant| grant.expires > now)
            .cloned()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

/// A text in the form of a JWT, whose signature says that it is fake.
fn jwt(claims: &Value) -> String {
    let header = json!({ "alg": "none", "typ": "JWT" });
    let signature = format!("fake-signature-{}", Uuid::new_v4().simple());
    [header.to_string(), claims.to_string(), signature]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".")
}

/// Whether a query contains a token.
pub(crate) fn present(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == PARAMETER)
}

const DELIMITERS: [char; 6] = ['?', '&', '#', ',', ';', ' '];

/// Replaces the tokens and signatures in a query, a URL or any text with `****`.
pub(crate) fn masked(text: &str) -> String {
    text.split_inclusive(DELIMITERS).map(masked_piece).collect()
}

/// Masks one `name=value` and the delimiter after it. The value may be an escaped URL.
fn masked_piece(piece: &str) -> String {
    let text = piece.trim_end_matches(DELIMITERS);
    let plain = unescaped(text);
    let mut secrets = [PARAMETER, storage::IDENTITY]
        .into_iter()
        .chain(storage::SIGNATURES);
    if !secrets.any(|name| plain.contains(&format!("{name}="))) {
        return piece.to_owned();
    }
    let delimiter = &piece[text.len()..];
    match text.split_once('=') {
        Some((name, _)) if !name.contains('%') => format!("{name}=****{delimiter}"),
        _ => format!("****{delimiter}"),
    }
}

fn unescaped(text: &str) -> String {
    let equals = if text.contains('=') { "=" } else { "" };
    form_urlencoded::parse(text.as_bytes())
        .map(|(name, value)| format!("{name}{equals}{value}"))
        .collect()
}

/// The form of a token in the response of `POST /tokens/`. The official clients accept all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenAnswer {
    /// A JSON string.
    #[default]
    String,
    /// `{"token": …}`.
    Token,
    /// `{"detail": …}`.
    Detail,
}

impl TokenAnswer {
    pub(crate) fn wrap(self, token: String) -> Value {
        match self {
            Self::String => json!(token),
            Self::Token => json!({ "token": token }),
            Self::Detail => json!({ "detail": token }),
        }
    }
}

/// The status of the response with a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum TokenStatus {
    /// 200.
    #[default]
    Ok,
    /// 201, according to older notes of third parties.
    Created,
}

impl TokenStatus {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Ok => StatusCode::OK,
            Self::Created => StatusCode::CREATED,
        }
    }
}

impl TryFrom<u16> for TokenStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        match status {
            200 => Ok(Self::Ok),
            201 => Ok(Self::Created),
            _ => Err("token_status must be 200 or 201"),
        }
    }
}

impl From<TokenStatus> for u16 {
    fn from(status: TokenStatus) -> Self {
        status.status().as_u16()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::keys::Scope;

    fn issue(tokens: &Tokens, apps: &[&str], now: SystemTime) -> String {
        let caller = Caller {
            key_id: "fake-id".into(),
            scope: Scope::Api,
            account: "acme".into(),
        };
        tokens.issue(
            caller,
            apps.iter().map(|app| (*app).to_owned()).collect(),
            120,
            now,
        )
    }

    #[test]
    fn a_token_ends_at_its_time() {
        let (tokens, now) = (
            Tokens::default(),
            UNIX_EPOCH + Duration::from_secs(1_767_225_600),
        );
        let token = issue(&tokens, &["flux"], now);
        assert!(
            tokens
                .find(&token, now + Duration::from_millis(119_999))
                .is_some()
        );
        assert!(
            tokens
                .find(&token, now + Duration::from_secs(120))
                .is_none()
        );
        let claims = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["exp"], &claims["apps"]),
            (&json!(1_767_225_720), &json!(["flux"]))
        );
        issue(&tokens, &["flux"], now + Duration::from_secs(120));
        assert_eq!(tokens.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_grant_names_an_alias_or_a_whole_path() {
        let (tokens, now) = (Tokens::default(), UNIX_EPOCH);
        let token = issue(&tokens, &["flux", "emulator/echo/live"], now);
        let grant = tokens.find(&token, now).unwrap();
        for (alias, path, allowed) in [
            ("flux", "/fal-ai/flux/dev", true),
            ("flux", "/other/flux", true),
            ("echo", "/emulator/echo/live", true),
            ("echo", "/emulator/echo/live/", true),
            ("echo", "/emulator/echo", false),
            ("echo", "/emulator/echo/live/more", false),
            ("fluxes", "/fal-ai/fluxes", false),
        ] {
            assert_eq!(grant.allows(alias, path), allowed, "{path}");
        }
    }

    #[test]
    fn tokens_are_masked_wherever_they_stand() {
        for (text, masked_text) in [
            ("fal_jwt_token=a.b.c", "fal_jwt_token=****"),
            ("a=1&fal_jwt_token=a.b.c&b=2", "a=1&fal_jwt_token=****&b=2"),
            ("fal%5Fjwt_token=a.b.c", "****"),
            ("x=1&fal%5Fjwt_token=a.b.c&y=2", "x=1&****&y=2"),
            (
                "https://a/https%3A%2F%2Ffal.run%3Ffal_jwt_token%3Da.b.c",
                "****",
            ),
            ("the fal_jwt_token parameter", "the fal_jwt_token parameter"),
            (
                "https://fal.run/x?fal_jwt_token=a.b.c#f",
                "https://fal.run/x?fal_jwt_token=****#f",
            ),
            (
                "u=https%3A%2F%2Ffal.run%2Fx%3Ffal_jwt_token%3Da.b.c",
                "u=****",
            ),
            ("fal_jwt_token=a=b", "fal_jwt_token=****"),
            ("q=fal&max_buffering=2", "q=fal&max_buffering=2"),
            ("text/html; q=0.9, */*", "text/html; q=0.9, */*"),
        ] {
            assert_eq!(masked(text), masked_text);
        }
        assert!(present("a=1&fal%5Fjwt_token=x"));
        assert!(!present("a=fal_jwt_token"));
    }
}
