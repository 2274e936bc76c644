//! Whether a key is accepted, and what it may do, without running anything.

use std::sync::Arc;

use serde_json::json;

use crate::auth::cache::ActiveCredential;
use crate::client::{Client, Exchange};
use crate::codec::json;
use crate::credentials::Credential;
use crate::error::{Code, Error, Idempotency, Result};
use crate::key::Scope;
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;
use crate::service_error::with_content;

/// No request has this id, so its status costs nothing and tells a good key (404) from a bad one
/// (401) (docs/protocol.md §2.5).
const NOBODYS_REQUEST: &str = "/fal-ai/flux/requests/00000000-0000-4000-8000-000000000000/status";

/// So often is a check begun before a key that does not stay is given up.
const ROUNDS: u32 = 3;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Whether fal knows the key.
    pub accepted: bool,
    /// What the key may do, where fal tells: a key that may list keys has the scope ADMIN.
    pub scope: Option<Scope>,
    /// The account that the key or login belongs to, where fal tells: not every key may ask.
    pub account: Option<String>,
    /// Why the account is locked, if it is. A locked account's key is accepted, and good for
    /// nothing.
    pub locked: Option<String>,
}

impl Check {
    fn refused() -> Self {
        Check {
            accepted: false,
            scope: None,
            account: None,
            locked: None,
        }
    }

    fn accepted(scope: Option<Scope>) -> Self {
        Check {
            accepted: true,
            scope,
            account: None,
            locked: None,
        }
    }

    fn locked(error: &Error) -> Self {
        Check {
            locked: Some(error.message().to_owned()),
            ..Check::accepted(None)
        }
    }
}

impl Client {
    /// Starts a check of the credential: three requests at the most, none of which runs or costs
    /// anything. They are made again if the key is renewed meanwhile.
    ///
    /// The answer is JSON: `accepted`, `scope`, `account`, `locked`, `key_id` and `source`, each
    /// but the first null if unknown.
    pub fn check_start(&self) -> Result<Op> {
        self.start_exchange(|exchange| async move {
            let (active, check) = settled(&exchange).await?;
            if let Some(scope) = check.scope.filter(|_| check.accepted) {
                exchange.learn(&active.credential, scope);
            }
            let used = active.resolution.used();
            Ok(Response::made(&json!({
                "accepted": check.accepted,
                "scope": check.scope.map(Scope::as_str),
                "account": check.account,
                "locked": check.locked,
                "key_id": used.and_then(|used| used.key_id.as_deref()),
                "source": used.map(|used| used.source),
            })))
        })
    }

    /// Checks the credential, on any async runtime.
    pub async fn check(&self) -> Result<Check> {
        let answer = self.check_start()?.outcome().await?;
        let text = |pointer: &str| answer.get_str(pointer).ok().map(str::to_owned);
        Ok(Check {
            accepted: answer.get("/accepted")? == true,
            scope: text("/scope").and_then(|scope| scope.parse().ok()),
            account: text("/account"),
            locked: text("/locked"),
        })
    }
}

/// The check of a key that was in use from its first request to its last; begun anew where another
/// took its place meanwhile.
async fn settled(exchange: &Exchange) -> Result<(Arc<ActiveCredential>, Check)> {
    for _ in 0..ROUNDS {
        let before = exchange.active().await?;
        let check = look(exchange).await?;
        let active = exchange.active().await?;
        if key_id(&before) == key_id(&active) {
            return Ok((active, check));
        }
    }
    let told = "the key was replaced again and again while it was checked";
    Err(Error::new(Code::CredentialsFailed, told).with_remedy("Check it when it stays."))
}

fn key_id(active: &ActiveCredential) -> Option<&str> {
    match &active.credential {
        Credential::Key(key) => Some(key.id()),
        _ => None,
    }
}

async fn look(exchange: &Exchange) -> Result<Check> {
    match &exchange.active().await?.credential {
        Credential::Key(_) => key(exchange).await,
        Credential::Bearer(_) => known(exchange, None).await,
        _ if exchange.is_proxied() => Err(Error::invalid(
            "there is no key to check: the server proxy holds it, and forwards no check",
        )
        .with_remedy("Check the key where the proxy runs.")),
        _ => Err(Error::invalid(
            "there is no key to check: the client uses none, or a short-lived token",
        )),
    }
}

async fn key(exchange: &Exchange) -> Result<Check> {
    match exchange
        .send(Request::new("GET", "/v1/keys?limit=1")?)
        .await
    {
        Ok(answer) => {
            told(answer, "keys", |keys| keys.starts_with('['), exchange)?;
            Ok(Check {
                account: account(exchange).await,
                ..Check::accepted(Some(Scope::Admin))
            })
        }
        Err(error) => match error.code() {
            Code::AccountLocked => Ok(Check::locked(&error)),
            // 403: a good key of scope API, whose account may be locked. 401: a bad key, or, as
            // some report, a good one of scope API (§16.42). The gateway knows.
            Code::Forbidden | Code::Unauthenticated => known(exchange, Some(Scope::Api)).await,
            _ => Err(error),
        },
    }
}

/// Fails unless a success holds what it is an answer with: anybody between may send one.
fn told(
    answer: Response,
    name: &str,
    is_so: impl FnOnce(&str) -> bool,
    exchange: &Exchange,
) -> Result<()> {
    let answer = with_content(answer, name, exchange.task.secrets(), Idempotency::Safe)?;
    let [found] = json::members(answer.body(), [name]).unwrap_or_default();
    match found.is_some_and(|found| is_so(found.get())) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Protocol,
            format!("the answer to the check has no {name}, so it says nothing of the key"),
        )),
    }
}

/// Whether fal knows the credential; if it does, it has this scope.
async fn known(exchange: &Exchange, scope: Option<Scope>) -> Result<Check> {
    if let Some(check) = current(exchange, scope).await {
        return Ok(check);
    }
    let url = exchange.hosts().queue_url(NOBODYS_REQUEST)?;
    match exchange.send(Request::new("GET", url.as_str())?).await {
        Ok(answer) => {
            told(answer, "status", |status| status.starts_with('"'), exchange)?;
            Ok(Check::accepted(scope))
        }
        Err(error) => match error.code() {
            Code::NotFound => Ok(Check::accepted(scope)),
            Code::AccountLocked => Ok(Check::locked(&error)),
            Code::Unauthenticated => Ok(Check::refused()),
            _ => Err(error),
        },
    }
}

/// What fal says of the account in use (docs/protocol.md §1.4), as the official CLI asks for keys
/// and for logins. A key may lack the permission to ask and be good all the same, so that no other
/// answer says anything.
async fn current(exchange: &Exchange, scope: Option<Scope>) -> Option<Check> {
    let url = exchange.hosts().rest_url("/users/current").ok()?;
    let answer = exchange
        .send(Request::new("GET", url.as_str()).ok()?)
        .await
        .ok()?;
    let text = |pointer: &str| answer.get_str(pointer).ok().map(str::to_owned);
    let account = text("/nickname")?;
    let is_locked = answer.get("/is_locked").is_ok_and(|locked| locked == true);
    let locked = is_locked
        .then(|| text("/lock_reason").unwrap_or_else(|| "the account is locked".to_owned()));
    Some(Check {
        account: Some(account),
        locked,
        ..Check::accepted(scope)
    })
}

/// The name of an ADMIN key's account; not worth failing for.
async fn account(exchange: &Exchange) -> Option<String> {
    let request = Request::new("GET", "/v1/account/billing").ok()?;
    let answer = exchange.send(request).await.ok()?;
    answer.get_str("/username").ok().map(str::to_owned)
}
