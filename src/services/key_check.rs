//! Checks whether fal accepts a key, and which scope the key has, without running an app.

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

/// No request has this id. fal answers a request for its status with 404 if the key is valid, else
/// with 401 (docs/protocol.md §2.5), and charges nothing.
const UNKNOWN_REQUEST: &str = "/fal-ai/flux/requests/00000000-0000-4000-8000-000000000000/status";

/// How many times a check runs while the key changes during it.
const ROUNDS: u32 = 3;

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Whether fal accepts the key.
    pub accepted: bool,
    /// The scope of the key, if fal reveals it: a key that may list keys has the scope ADMIN.
    pub scope: Option<Scope>,
    /// The account of the key or login, if fal reveals it: not every key may read the account.
    pub account: Option<String>,
    /// Why the account is locked, if it is. fal accepts the key of a locked account, but runs
    /// nothing for it.
    pub locked: Option<String>,
}

impl Check {
    fn new(accepted: bool, scope: Option<Scope>) -> Self {
        Check {
            accepted,
            scope,
            account: None,
            locked: None,
        }
    }

    fn locked(error: &Error) -> Self {
        Check {
            locked: Some(error.message().to_owned()),
            ..Check::new(true, None)
        }
    }
}

impl Client {
    /// Starts a check of the credential. The check sends at most three requests, which run no app
    /// and cost nothing. It restarts if the key is replaced during it.
    ///
    /// The response is JSON: `accepted`, `scope`, `account`, `locked`, `key_id` and `source`. All
    /// but `accepted` are null if unknown.
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

/// Checks the key, again if another key replaced it during the check.
async fn settled(exchange: &Exchange) -> Result<(Arc<ActiveCredential>, Check)> {
    for _ in 0..ROUNDS {
        let before = exchange.active().await?;
        let check = look(exchange).await?;
        let active = exchange.active().await?;
        if key_id(&before) == key_id(&active) {
            return Ok((active, check));
        }
    }
    let message = format!("cannot check the key: it was replaced during each of {ROUNDS} checks");
    Err(Error::new(Code::CredentialsFailed, message).with_remedy("Check the key again later."))
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
            "there is no key to check: the server proxy has the key and does not forward a check",
        )
        .with_remedy("Check the key on the machine of the proxy.")),
        _ => Err(Error::invalid(
            "there is no key to check: the client uses no credential, or a short-lived token",
        )),
    }
}

async fn key(exchange: &Exchange) -> Result<Check> {
    match exchange
        .send(Request::new("GET", "/v1/keys?limit=1")?)
        .await
    {
        Ok(response) => {
            confirm(response, "keys", '[', exchange)?;
            Ok(Check {
                account: account(exchange).await,
                ..Check::new(true, Some(Scope::Admin))
            })
        }
        Err(error) => match error.code() {
            Code::AccountLocked => Ok(Check::locked(&error)),
            // 403: a valid key of scope API, whose account may be locked. 401: an invalid key or,
            // according to some reports, a valid key of scope API (§16.42). The gateway decides.
            Code::Forbidden | Code::Unauthenticated => known(exchange, Some(Scope::Api)).await,
            _ => Err(error),
        },
    }
}

/// Fails unless the response has the member `name`, whose JSON text starts with `first`: a server
/// between the client and fal may send any success.
fn confirm(response: Response, name: &str, first: char, exchange: &Exchange) -> Result<()> {
    let response = with_content(response, name, exchange.task.secrets(), Idempotency::Safe)?;
    let [found] = json::members(response.body(), [name]).unwrap_or_default();
    match found.is_some_and(|found| found.get().starts_with(first)) {
        true => Ok(()),
        false => Err(Error::new(
            Code::Protocol,
            format!("cannot check the key: the response has no {name}"),
        )),
    }
}

/// Checks whether fal accepts the credential, which has the given scope if fal does.
async fn known(exchange: &Exchange, scope: Option<Scope>) -> Result<Check> {
    if let Some(check) = current(exchange, scope).await {
        return Ok(check);
    }
    let url = exchange.hosts().queue_url(UNKNOWN_REQUEST)?;
    match exchange.send(Request::new("GET", url.as_str())?).await {
        Ok(response) => {
            confirm(response, "status", '"', exchange)?;
            Ok(Check::new(true, scope))
        }
        Err(error) => match error.code() {
            Code::NotFound => Ok(Check::new(true, scope)),
            Code::AccountLocked => Ok(Check::locked(&error)),
            Code::Unauthenticated => Ok(Check::new(false, None)),
            _ => Err(error),
        },
    }
}

/// Reads the account of the credential (docs/protocol.md §1.4), as the official CLI does for keys
/// and logins. Any other response proves nothing: a valid key may lack the permission.
async fn current(exchange: &Exchange, scope: Option<Scope>) -> Option<Check> {
    let url = exchange.hosts().rest_url("/users/current").ok()?;
    let request = Request::new("GET", url.as_str()).ok()?;
    let response = exchange.send(request).await.ok()?;
    let text = |pointer: &str| response.get_str(pointer).ok().map(str::to_owned);
    let account = text("/nickname")?;
    let is_locked = response.get("/is_locked").is_ok_and(|is| is == true);
    let locked = is_locked
        .then(|| text("/lock_reason").unwrap_or_else(|| "the account is locked".to_owned()));
    Some(Check {
        account: Some(account),
        locked,
        ..Check::new(true, scope)
    })
}

/// The name of an ADMIN key's account. The check succeeds without it.
async fn account(exchange: &Exchange) -> Option<String> {
    let request = Request::new("GET", "/v1/account/billing").ok()?;
    let response = exchange.send(request).await.ok()?;
    response.get_str("/username").ok().map(str::to_owned)
}
