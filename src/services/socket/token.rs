//! What opens a WebSocket: a short-lived token of the library's own making, the client's, or the
//! header (docs/protocol.md §7.1).

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

/// As long as the official clients' (docs/protocol.md §7.1).
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);

/// How a handshake shows that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// By a short-lived token.
    Token,
    /// By the `Authorization` header.
    Header,
}

/// The tokens of one session: one at a time, renewed before it expires.
pub(super) struct Tokens {
    exchange: Exchange,
    endpoint: EndpointId,
    access: Access,
    lifetime: Duration,
    kept: Option<Kept>,
    /// The client's own token, sent in the place of one of these.
    borrowed: Option<Arc<ActiveCredential>>,
}

struct Kept {
    token: Token,
    made: Instant,
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
            kept: None,
            borrowed: None,
        }
    }

    /// What the next handshake carries.
    pub(super) async fn authorization(&mut self) -> Result<Authorization> {
        let proxied = self.exchange.hosts().proxy.is_some();
        self.borrowed = None;
        if self.access == Access::Header {
            return match proxied {
                false => Ok(Authorization::Credential),
                true => Err(Error::invalid(
                    "a server proxy forwards no WebSocket, so its key cannot open one",
                )
                .with_remedy("Open it with a token: leave the option for the header off.")),
            };
        }
        let active = self.exchange.active().await?;
        match (&active.credential, proxied) {
            (Credential::AppToken(token), true) => {
                let authorization = Authorization::App(token.clone());
                (self.kept, self.borrowed) = (None, Some(active));
                return Ok(authorization);
            }
            // Its own token, or nothing where no key is to be had.
            (Credential::AppToken(_) | Credential::Anonymous, false) => {
                self.kept = None;
                return Ok(Authorization::Credential);
            }
            _ => {}
        }
        let fresh = self
            .kept
            .as_ref()
            .filter(|kept| kept.made.elapsed() < self.lifetime);
        match fresh {
            Some(kept) => Ok(Authorization::App(kept.token.clone())),
            None => Ok(Authorization::App(self.renew().await?)),
        }
    }

    /// Gives up what opened, or should have opened, a connection and was refused: the token, or the
    /// client's credential (`carried`) if its source may have another. Whether there is something
    /// else to try.
    pub(super) async fn replace(&mut self, carried: Option<Arc<ActiveCredential>>) -> Result<bool> {
        match carried.or_else(|| self.borrowed.take()) {
            Some(active) => self.exchange.replace(&active).await,
            None => Ok(self.kept.take().is_some()),
        }
    }

    /// Renews the token for as long as it is polled, at 90 % of its life and, after a failure,
    /// every further 5 %.
    pub(super) async fn keep_fresh(&mut self) {
        let Some(kept) = &self.kept else {
            return std::future::pending().await;
        };
        let mut due = kept.made + self.lifetime.mul_f64(0.9);
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
        // A token more does no harm.
        (call.idempotency, call.most) = (Idempotency::Safe, SMALL);
        let made = Instant::now();
        let answer = self
            .exchange
            .ask_for(TOKEN, &call)
            .await
            .map_err(|error| self.explained(error))?;
        let token = minted(&answer)?;
        self.kept = Some(Kept {
            token: token.clone(),
            made,
        });
        Ok(token)
    }

    fn explained(&self, error: Error) -> Error {
        let Some(proxy) = self
            .exchange
            .hosts()
            .proxy
            .as_ref()
            .filter(|_| error.http_status().is_some())
        else {
            return error;
        };
        let place = proxy.host_str().unwrap_or_default();
        let message = format!(
            "no token could be made through the proxy at {place}: {}",
            error.message()
        );
        match error.code() {
            Code::InvalidInput | Code::Forbidden | Code::NotFound => error.with_message(message).with_remedy(
                "By default a server proxy does not let tokens be made: allow rest.fal.ai/tokens/ in its configuration \
                 (allowedUrlPatterns), or give the client a short-lived token that your own server makes.",
            ),
            _ => error.with_message(message),
        }
    }
}
