//! What the caller passed: a key, a token, a profile or a function.

use super::{Context, Finding, Source, profile};
use crate::credentials::credential::{Credential, Token};
use crate::credentials::provider::Provider;
use crate::key::Key;

const fn source(name: &'static str, read: fn(&Context<'_>) -> Finding) -> Source {
    Source {
        name,
        skippable: false,
        read,
    }
}

pub(crate) const KEY: Source = source("explicit key", key);
pub(crate) const TOKEN: Source = source("explicit token", token);
pub(crate) const PROFILE: Source = source("explicit profile", named_profile);
pub(crate) const CALLBACK: Source = source("explicit callback", callback);

/// An empty text is malformed, not absent: a caller that passes one has lost its key, and does not
/// expect the key of another account.
fn key(context: &Context<'_>) -> Finding {
    match &context.options.key {
        None => Finding::absent(),
        Some(text) => Finding::key(Key::parse(text)),
    }
}

fn token(context: &Context<'_>) -> Finding {
    match context
        .options
        .token
        .as_ref()
        .map(|text| Token::parse(text))
    {
        None => Finding::absent(),
        Some(Ok(token)) => Finding::found(Provider::Ready(Credential::AppToken(token))),
        Some(Err(problem)) => Finding::malformed(problem.to_string()),
    }
}

fn named_profile(context: &Context<'_>) -> Finding {
    match &context.options.profile {
        None => Finding::absent(),
        Some(name) => profile::asked_for(context, name),
    }
}

fn callback(context: &Context<'_>) -> Finding {
    match &context.options.callback {
        None => Finding::absent(),
        Some(callback) => Finding::found(Provider::Callback(callback.clone()))
            .notes(["asked when a key is needed"]),
    }
}
