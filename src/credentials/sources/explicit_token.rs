//! The short-lived token that the caller passed.

use super::{Context, Finding, Source};
use crate::credentials::{Credential, Provider, Token};

pub(crate) const SOURCE: Source = Source {
    name: "explicit token",
    skippable: false,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    match context.options.token_text().map(Token::parse) {
        None => Finding::absent(),
        Some(Ok(token)) => Finding::found(Provider::Ready(Credential::AppToken(token))),
        Some(Err(problem)) => Finding::malformed(problem.to_string()),
    }
}
