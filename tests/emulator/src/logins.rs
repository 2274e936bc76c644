//! Logins of users, kept in memory and obviously fake: the tokens that `auth.fal.ai` issues
//! (docs/protocol.md §1.4).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::{self, unix};
use crate::keys::{Caller, Scope};

/// The tokens of a login, as `fal auth login` or a renewal receives them.
#[derive(Clone)]
pub struct Login {
    /// The refresh token. It works once; a renewal returns the next one.
    pub refresh_token: String,
    /// The access token, a JWT with a made-up signature.
    pub access_token: String,
    pub(crate) id_token: String,
    pub(crate) access_seconds: u64,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} s)", self.access_seconds)
    }
}

/// Why a refresh token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Unknown,
    Reused,
}

/// A login, which continues over renewals.
struct Grant {
    account: String,
    access_seconds: u64,
    /// The refresh token that the last renewal issued.
    refresh_token: String,
    revoked: bool,
}

struct Access {
    grant: usize,
    expires: SystemTime,
}

#[derive(Default)]
struct Book {
    grants: Vec<Grant>,
    /// All refresh tokens that were issued, each with its login.
    refresh_tokens: HashMap<String, usize>,
    access_tokens: HashMap<String, Access>,
}

/// All logins of all accounts.
#[derive(Default)]
pub(crate) struct Logins(Mutex<Book>);

impl Logins {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a user of `account` in. The access tokens, also those of renewals, expire after
    /// `access_seconds`.
    pub(crate) fn create(&self, account: &str, access_seconds: u64, now: SystemTime) -> Login {
        let mut book = self.book();
        book.grants.push(Grant {
            account: account.to_owned(),
            access_seconds,
            refresh_token: String::new(),
            revoked: false,
        });
        let grant = book.grants.len() - 1;
        book.issue(grant, access_seconds, now)
    }

    /// Exchanges a refresh token. If `reuse_revokes`, its second use ends the login.
    pub(crate) fn renew(
        &self,
        refresh_token: &str,
        access_seconds: Option<u64>,
        reuse_revokes: bool,
        now: SystemTime,
    ) -> Result<Login, Refused> {
        let mut book = self.book();
        let index = *book
            .refresh_tokens
            .get(refresh_token)
            .ok_or(Refused::Unknown)?;
        let grant = &mut book.grants[index];
        if grant.revoked {
            return Err(Refused::Unknown);
        }
        if grant.refresh_token != refresh_token {
            grant.revoked = reuse_revokes;
            return Err(Refused::Reused);
        }
        let seconds = access_seconds.unwrap_or(grant.access_seconds);
        Ok(book.issue(index, seconds, now))
    }

    /// Whether a user of this account has logged in.
    pub(crate) fn knows(&self, account: &str) -> bool {
        self.book()
            .grants
            .iter()
            .any(|grant| grant.account == account)
    }

    /// The caller with this access token; `None` if the token is unknown or expired, or its login
    /// was revoked.
    pub(crate) fn find(&self, access_token: &str, scope: Scope, now: SystemTime) -> Option<Caller> {
        let book = self.book();
        let access = book
            .access_tokens
            .get(access_token)
            .filter(|access| now < access.expires)?;
        let grant = book
            .grants
            .get(access.grant)
            .filter(|grant| !grant.revoked)?;
        Some(Caller {
            key_id: subject(&grant.account),
            scope,
            account: grant.account.clone(),
        })
    }
}

impl Book {
    fn issue(&mut self, index: usize, access_seconds: u64, now: SystemTime) -> Login {
        let grant = &mut self.grants[index];
        let expires = clock::after(now, access_seconds);
        let refresh_token = format!("fake-secret-refresh-{}", unique());
        let login = Login {
            access_token: access_token(&grant.account, now, expires),
            id_token: id_token(&grant.account, now, expires),
            refresh_token: refresh_token.clone(),
            access_seconds,
        };
        grant.refresh_token.clone_from(&refresh_token);
        self.refresh_tokens.insert(refresh_token, index);
        self.access_tokens.insert(
            login.access_token.clone(),
            Access {
                grant: index,
                expires,
            },
        );
        login
    }
}

const ISSUER: &str = "https://auth.fal.ai/";

/// The client id of the official CLI at the issuer.
pub(crate) const CLIENT_ID: &str = "TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N";

fn subject(account: &str) -> String {
    format!("fake|{account}")
}

fn access_token(account: &str, now: SystemTime, expires: SystemTime) -> String {
    jwt(&json!({
        "iss": ISSUER,
        "sub": subject(account),
        "aud": ["fal-cloud", "https://auth.fal.ai/userinfo"],
        "iat": unix(now),
        "exp": unix(expires),
        "scope": "openid profile email offline_access",
        "azp": CLIENT_ID,
        "jti": unique(),
    }))
}

fn id_token(account: &str, now: SystemTime, expires: SystemTime) -> String {
    jwt(&json!({
        "iss": ISSUER,
        "sub": subject(account),
        "aud": CLIENT_ID,
        "iat": unix(now),
        "exp": unix(expires),
        "nickname": account,
        "email": format!("{account}@example.com"),
    }))
}

/// A token shaped like one of RS256. Its signature is a text that says it is fake.
fn jwt(claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "fake-key" });
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!(
        "{header}.{claims}.{}",
        URL_SAFE_NO_PAD.encode("fake-secret-signature")
    )
}

/// Whether a text has the shape of a JWT with an issuer.
pub(crate) fn is_jwt(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').collect();
    let [_, claims, _] = parts[..] else {
        return false;
    };
    let claims = URL_SAFE_NO_PAD
        .decode(claims)
        .ok()
        .and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    claims.is_some_and(|claims| claims["iss"].is_string())
}

fn unique() -> String {
    Uuid::new_v4().simple().to_string()
}
