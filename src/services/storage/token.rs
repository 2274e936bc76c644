//! The token of fal's file hosts (docs/protocol.md §9.2). Each client fetches it once, also for
//! concurrent operations, and keeps it until it expires.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;

use super::address;
use crate::auth::cache::ActiveCredential;
use crate::client::Exchange;
use crate::codec::rfc3339;
use crate::credentials::Token;
use crate::error::{Code, Error, Idempotency, Result};
use crate::request::Request;
use crate::runtime::per_runtime::PerRuntime;
use crate::transport::{Authorization, SMALL, Watch};

/// A token that expires within this time counts as expired, because a request must arrive before
/// its token expires.
const MARGIN: Duration = Duration::from_secs(60);

/// A token, and the host that the response with the token named.
pub(super) struct FileToken {
    token: Token,
    pub(super) base: Url,
    expires: Option<SystemTime>,
    /// The credential that fetched the token. A token is valid for this credential only.
    active: Weak<ActiveCredential>,
}

/// The token of a client.
#[derive(Default)]
pub(crate) struct TokenCache {
    token: PerRuntime<Mutex<Option<Arc<FileToken>>>>,
}

impl TokenCache {
    /// Returns the token, and fetches it if there is none, if it has expired, or if it is `bad`, a
    /// token that a file host refused.
    pub(super) async fn token(
        &self,
        exchange: &Exchange,
        bad: Option<&Arc<FileToken>>,
    ) -> Result<Arc<FileToken>> {
        let active = exchange.active().await?;
        let token = self.token.get(|| Ok(Mutex::default()))?;
        // The lock is held during the fetch, so that concurrent operations share its result.
        let mut token = token.lock().await;
        let good = |token: &&Arc<FileToken>| {
            token.serves(&active) && bad.is_none_or(|bad| !Arc::ptr_eq(bad, token))
        };
        if let Some(good) = token.as_ref().filter(good) {
            return Ok(good.clone());
        }
        *token = None;
        let fetched = Arc::new(fetch(exchange, &active).await?);
        *token = Some(fetched.clone());
        Ok(fetched)
    }
}

impl FileToken {
    pub(super) fn authorization(&self) -> Authorization {
        Authorization::Files(self.token.clone())
    }

    fn serves(&self, active: &Arc<ActiveCredential>) -> bool {
        let fresh = self
            .expires
            .is_some_and(|expires| SystemTime::now() + MARGIN < expires);
        // A weak pointer keeps its allocation, so equal pointers mean the same credential.
        fresh && std::ptr::eq(self.active.as_ptr(), Arc::as_ptr(active))
    }
}

async fn fetch(exchange: &Exchange, active: &Arc<ActiveCredential>) -> Result<FileToken> {
    let hosts = exchange.hosts();
    let url = hosts.rest_url("/storage/auth/token?storage_type=fal-cdn-v3")?;
    let mut request = Request::new(Method::POST.as_str(), url.as_str())?;
    request.set_json(json!({}));
    let mut call = exchange.call(request)?;
    // A repeated request only makes another token.
    (call.idempotency, call.most, call.watch) = (Idempotency::Safe, SMALL, Watch::Transfer);
    let answer = exchange.ask_for("a token for files", &call).await?;
    let text = |name: &str| address::text(&answer, name);
    let token = text("token").and_then(|text| Token::parse(text).ok());
    let token =
        token.ok_or_else(|| Error::new(Code::Protocol, "the response has no token for files"))?;
    if text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Error::new(
            Code::Protocol,
            "the token for files has an unknown type",
        ));
    }
    let base = match text("base_url") {
        Some(_) => address::file_host(hosts, &answer, "base_url")?,
        None => hosts.cdn_url("")?,
    };
    // A token without a readable time counts as expired: the next request fetches another.
    let expires = text("expires_at").and_then(rfc3339::parse);
    Ok(FileToken {
        token,
        base,
        expires,
        active: Arc::downgrade(active),
    })
}
