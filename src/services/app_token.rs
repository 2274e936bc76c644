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
    /// Starts making a token that opens these apps for so long, 1 second to 1 hour, and nothing
    /// else. It needs a key.
    ///
    /// The answer is JSON: `token`, and `expires_in` in seconds. A token is a secret, if a
    /// short-lived one.
    pub fn mint_token_start(&self, apps: &[&str], lifetime: Duration) -> Result<Op> {
        let seconds = lifetime.as_secs();
        if !(1..=3600).contains(&seconds) {
            return Err(Error::invalid(format!(
                "a token of {seconds} s: 1 to 3600 are possible"
            )));
        }
        if apps.is_empty() {
            return Err(Error::invalid("a token for no app opens nothing"));
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
        let answer = self.mint_token_start(apps, lifetime)?.outcome().await?;
        minted(&answer)
    }
}

/// What is asked for.
pub(crate) const TOKEN: &str = "a token";

/// A JSON string, or an object with `token` or `detail` (§16.22).
pub(crate) fn minted(answer: &Response) -> Result<Token> {
    let answer = answer.json().ok();
    let text = answer.and_then(|answer| {
        let member = |name: &str| answer.get(name)?.as_str();
        answer
            .as_str()
            .or_else(|| member("token"))
            .or_else(|| member("detail"))
    });
    let text = text.ok_or_else(|| Error::new(Code::Protocol, "the answer holds no token"))?;
    Token::parse(text)
        .map_err(|problem| Error::new(Code::Protocol, format!("the answer: {problem}")))
}
