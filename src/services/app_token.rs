//! Short-lived tokens for programs that ship without a key (docs/protocol.md §7.1).

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::credentials::Token;
use crate::endpoint::EndpointId;
use crate::error::{Code, Error, Result};
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;
use crate::transport::SMALL;

impl Client {
    /// Starts making a token that gives access to these apps only, for `lifetime`: 1 second to
    /// 1 hour. The client needs a key.
    ///
    /// The response is JSON: `token`, a secret, and `expires_in` in seconds.
    pub fn mint_token_start(&self, apps: &[&str], lifetime: Duration) -> Result<Op> {
        let seconds = lifetime.as_secs();
        if !(1..=3600).contains(&seconds) {
            return Err(Error::invalid(format!(
                "the lifetime of a token must be 1 to 3600 s, not {seconds}"
            )));
        }
        if apps.is_empty() {
            return Err(Error::invalid("the apps of a token must be at least one"));
        }
        let aliases = apps
            .iter()
            .map(|app| Ok(app.parse::<EndpointId>()?.alias().to_owned()));
        let aliases = aliases.collect::<Result<Vec<_>>>()?;
        self.start_exchange(move |exchange| async move {
            let url = exchange.hosts().rest_url("/tokens/")?;
            let mut request = Request::new("POST", url.as_str())?;
            request.set_json(json!({"allowed_apps": aliases, "token_expiration": seconds}));
            let mut call = exchange.call(request)?;
            call.most = SMALL;
            let token = minted(&exchange.ask_for(TOKEN, &call).await?)?;
            Ok(Response::made(
                &json!({"token": token.expose_secret(), "expires_in": seconds}),
            ))
        })
    }

    /// Makes a token, on any async runtime.
    pub async fn mint_token(&self, apps: &[&str], lifetime: Duration) -> Result<Token> {
        minted(&self.mint_token_start(apps, lifetime)?.outcome().await?)
    }
}

/// The name of a token in error messages.
pub(crate) const TOKEN: &str = "a token";

/// Reads the token from a response: a JSON string, or an object with `token` or `detail` (§16.22).
pub(crate) fn minted(response: &Response) -> Result<Token> {
    let json = response.json().ok();
    let text = json.and_then(|json| {
        let member = |name: &str| json.get(name)?.as_str();
        json.as_str()
            .or_else(|| member("token"))
            .or_else(|| member("detail"))
    });
    let text = text.ok_or_else(|| Error::new(Code::Protocol, "the response contains no token"))?;
    Token::parse(text).map_err(|problem| {
        let message = format!("the response contains no valid token: {problem}");
        Error::new(Code::Protocol, message)
    })
}
