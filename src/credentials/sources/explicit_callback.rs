//! The function that the caller passed.

use super::Provider;
use super::source::{Context, Finding, Source};

pub(super) const SOURCE: Source = Source { name: "explicit callback", skippable: false, read };

fn read(context: &Context<'_>) -> Finding {
    match context.options.callback_function() {
        None => Finding::absent(),
        Some(callback) => Finding::found(Provider::Callback(callback.clone())).notes(["asked when a key is needed"]),
    }
}
