//! The authorization of a WebSocket: a short-lived token that the session creates, the token of the
//! client, or the `Authorization` header (docs/protocol.md §7.1).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::auth::cache::ActiveCredential;
use crate::client::Exchange;
use crate::credentials::{Credential, Token};
use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Idempotency, Result};
use crate::request::Request;
use crate::services::app_token::{TOKEN, minted};
use crate::transport::{Authorization, SMALL};

/// The lifetime of a token, as in the official clients (docs/protocol.md §7.1).
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);

/// How a handshake is authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// With a short-lived token.
    Token,
    /// With the `Authorization` header.
    Header,
}

/// The token of one session. It is renewed before it expires.
pub(super) struct Tokens {
    exchange: Exchange,
    endpoint: EndpointId,
    access: Access,
    lifetime: Duration,
    created: Option<Created>,
    /// The client's token, if the last handshake sent that instead.
    borrowed: Option<Arc<ActiveCredential>>,
}

struct Created {
    token: Token,
    at: Instant,
}

impl Tokens {
    pub(super) fn new(
        exchange: Exchange,
        endpoint: EndpointId,
        access: Access,
        lifetime: Duration,
    ) -> Self {
        Tokens {
            exchange,
            endpoint,
            access,
            lifetime,
            created: None,
            borrowed: None,
        }
    }

    /// Returns the authorization of the next handshake.
    pub(super) async fn authorization(&mut self) -> Result<Authorization> {
        let proxied = self.exchange.hosts().proxy.is_some();
        self.borrowed = None;
        if self.access == Access::Header {
            return match proxied {
                false => Ok(Authorization::Credential),
                true => Err(Error::invalid(
                    "a server proxy does not forward WebSockets, so its key cannot open one",
                )
                .with_remedy("Use a token instead: do not set the option for the header.")),
            };
        }
        let active = self.exchange.active().await?;
        match (&active.credential, proxied) {
            (Credential::AppToken(token), true) => {
                let authorization = Authorization::App(token.clone());
                (self.created, self.borrowed) = (None, Some(active));
                return Ok(authorization);
            }
            // The client sends its own token, or nothing if it has no key.
            (Credential::AppToken(_) | Credential::Anonymous, false) => {
                self.created = None;
                return Ok(Authorization::Credential);
            }
            _ => {}
        }
        let token = match &self.created {
            Some(created) if created.at.elapsed() < self.lifetime => created.token.clone(),
            _ => self.renew().await?,
        };
        Ok(Authorization::App(token))
    }

    /// Discards the authorization that was refused: the token, or the client's credential
    /// (`carried`) if its source may have another one. Returns whether another authorization can be
    /// tried.
    pub(super) async fn replace(&mut self, carried: Option<Arc<ActiveCredential>>) -> Result<bool> {
        match carried.or_else(|| self.borrowed.take()) {
            Some(active) => self.exchange.replace(&active).await,
            None => Ok(self.created.take().is_some()),
        }
    }

    /// Renews the token while the future is polled: after 90 % of its lifetime and, after a
    /// failure, every further 5 %. The future never ends.
    pub(super) async fn keep_fresh(&mut self) {
        let Some(created) = &self.created else {
            return std::future::pending().await;
        };
        let mut due = created.at + self.lifetime.mul_f64(0.9);
        loop {
            tokio::time::sleep_until(due.into()).await;
            due = match self.renew().await {
                Ok(_) => Instant::now() + self.lifetime.mul_f64(0.9),
                Err(_) => Instant::now() + self.lifetime.mul_f64(0.05).max(Duration::from_secs(1)),
            };
        }
    }

    async fn renew(&mut self) -> Result<Token> {
        let url = self.exchange.hosts().rest_url("/tokens/")?;
        let mut request = Request::new("POST", url.as_str())?;
        let seconds = self.lifetime.as_secs();
        request.set_json(
            json!({"allowed_apps": [self.endpoint.alias()], "token_expiration": seconds}),
        );
        let mut call = self.exchange.call(request)?;
        // A second token does no harm.
        (call.idempotency, call.most) = (Idempotency::Safe, SMALL);
        let at = Instant::now();
        let answer = self
            .exchange
            .ask_for(TOKEN, &call)
            .await
            .map_err(|error| self.explained(error))?;
        let token = minted(&answer)?;
        self.created = Some(Created {
            token: token.clone(),
            at,
        });
        Ok(token)
    }

    fn explained(&self, error: Error) -> Error {
        let proxy = self.exchange.hosts().proxy.as_ref();
        let Some(proxy) = proxy.filter(|_| error.http_status().is_some()) else {
            return error;
        };
        let host = proxy.host_str().unwrap_or_default();
        let message = format!(
            "cannot create a token through the proxy at {host}: {}",
            error.message()
        );
        match error.code() {
            Code::InvalidInput | Code::Forbidden | Code::NotFound => error.with_message(message).with_remedy(
                "Allow rest.fal.ai/tokens/ in the configuration of the proxy (allowedUrlPatterns), or give the client a short-lived \
                 token from your own server. By default a server proxy does not allow requests for tokens.",
            ),
            _ => error.with_message(message),
        }
    }
}
